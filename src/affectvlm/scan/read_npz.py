"""Range images as numpy keeps them: an ``.npz`` with depth and its camera, or with points."""

from __future__ import annotations

import math
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np

from affectvlm.errors import ScanError, in_one_line
from affectvlm.scan.depth_camera import CAMERA_KEYS, points_before_camera, read_intrinsics, read_unit_mm
from affectvlm.scan.range_image import DEFLATE_LIMIT, MAX_PIXELS, RangeImage

COLOURS = ("colours", "colors", "rgb")

NEAREST_MM = 20.0
"""No depth camera sees what is nearer, and no face is 20 m away: a smaller median of depth is in metres."""

SMALLEST_FACE_MM = 5.0
"""Points that lie within so little are in metres."""


def read_npz(path: Path) -> RangeImage:
    """Read a range image from arrays.

    ``depth`` (R, C) comes with its camera, as :func:`~affectvlm.scan.depth_camera.read_intrinsics` tells
    (``intrinsics`` or ``K`` (3, 3), or ``fx``, ``fy``, ``cx`` and ``cy``), and may come with ``depth_unit_mm``; if
    not, integers are millimetres, and so are other numbers unless half of them are below 20, which are metres, with
    a warning. ``points`` (R, C, 3) are in this package's axes (+x to the viewer's right, +y up, +z towards the
    camera), with NaN or three zeros where nothing was measured; such as span less than 5 are metres, with a warning.
    ``colours``, ``colors`` or ``rgb`` (R, C, 3) uint8 becomes the texture.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ScanError
        It is damaged or hostile, an array has another shape, the camera is missing, or nothing is near enough.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = _Arrays(archive, path)
            points = _points(arrays, path)
            colours = _colours(arrays, points.shape, path)
    except ScanError:
        raise
    except Exception as error:
        # zipfile and numpy's header parser meet damage with anything from BadZipFile to TokenError.
        reason = in_one_line(f"{type(error).__name__}: {error}".replace(str(path), "it"), 150)
        raise ScanError(
            f"{path}: expected arrays in an .npz file, found one that cannot be read ({reason}); save it again with "
            "numpy.savez"
        ) from error
    return RangeImage(points, colours, str(path))


class _Arrays:
    """The arrays of an npz file; each is checked before there is memory for it."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self.archive, self.path = archive, path
        self.names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]

    def read(self, name: str) -> np.ndarray:
        """Read an array of numbers; no pickle is ever opened."""
        entry = self.archive.getinfo(f"{name}.npy")
        if entry.file_size > DEFLATE_LIMIT * self.path.stat().st_size:
            raise ScanError(
                f"{self.path}: announces {entry.file_size} bytes for {name!r}, which its "
                f"{self.path.stat().st_size} bytes cannot hold; save it again"
            )
        with self.archive.open(entry) as file:
            shape, by_column, kind = _npy_header(file)
            size = math.prod(shape) * kind.itemsize
            believed = min(shape, default=0) >= 0 and math.prod(shape) <= 3 * MAX_PIXELS and size <= entry.file_size
            if kind.kind not in "biuf" or not believed:
                raise ScanError(
                    f"{self.path}: expected {name!r} to be numbers for at most {MAX_PIXELS} pixels, found {kind} "
                    f"{shape} in {entry.file_size} bytes"
                )
            content = file.read(size)
        if len(content) < size:
            raise ScanError(f"{self.path}: expected {size} bytes of {name!r}, found {len(content)}; save it again")
        return np.frombuffer(content, kind).reshape(shape, order="F" if by_column else "C")


def _npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(file)
    raise ValueError(f"version {version} of numpy's format, which plain numbers do not need")


def _points(arrays: _Arrays, path: Path) -> np.ndarray:
    """(R, C, 3) float32, mm."""
    if "points" in arrays.names:
        return _given_points(arrays.read("points"), path)
    if "depth" not in arrays.names:
        held = in_one_line(", ".join(arrays.names)) or "nothing"
        raise ScanError(
            f"{path}: expected an array called depth (R, C), with its camera's fx, fy, cx and cy, or points (R, C, 3), "
            f"found {held}"
        )
    depth = arrays.read("depth")
    if depth.ndim == 3 and depth.shape[2] == 1:
        depth = depth[..., 0]
    if depth.ndim != 2 or depth.dtype.kind == "b":
        raise ScanError(f"{path}: expected depth (R, C), found {depth.dtype} {depth.shape}")
    # One camera is given in some of these ways; a scalar may be saved as an array of one.
    said = {name: arrays.read(name).squeeze() for name in CAMERA_KEYS if name in arrays.names}
    camera = read_intrinsics(said, str(path))
    with np.errstate(over="ignore", invalid="ignore"):
        depth_mm = depth.astype(np.float32) * np.float32(read_unit_mm(said, str(path)) or _unit_mm(depth, path))
    return points_before_camera(depth_mm, camera, str(path))


def _unit_mm(depth: np.ndarray, path: Path) -> float:
    """Millimetres of depth's unit, which nothing names."""
    measured = depth[np.isfinite(depth) & (depth > 0)]
    if depth.dtype.kind != "f" or len(measured) == 0 or np.median(measured) >= NEAREST_MM:
        return 1.0
    warnings.warn(
        f"{path}: half of depth is below {NEAREST_MM:g}, so it is taken as metres; name depth_unit_mm to be sure",
        stacklevel=4,
    )
    return 1000.0


def _given_points(found: np.ndarray, path: Path) -> np.ndarray:
    if found.ndim != 3 or found.shape[2] != 3 or found.dtype.kind == "b":
        raise ScanError(f"{path}: expected points (R, C, 3) on a grid, found {found.dtype} {found.shape}")
    with np.errstate(over="ignore", invalid="ignore"):
        points = found.astype(np.float32)
    missing = ~np.isfinite(points).all(axis=2) | (points == 0).all(axis=2)
    points[missing] = np.nan
    measured = points[~missing]
    if len(measured) and np.ptp(measured.astype(np.float64), axis=0).max() < SMALLEST_FACE_MM:
        warnings.warn(
            f"{path}: the points span less than {SMALLEST_FACE_MM:g}, so they are taken as metres; save millimetres",
            stacklevel=4,
        )
        points *= np.float32(1000)
    return points


def _colours(arrays: _Arrays, shape: tuple[int, ...], path: Path) -> np.ndarray | None:
    name = next((name for name in COLOURS if name in arrays.names), None)
    if name is None:
        return None
    colours = arrays.read(name)
    if colours.shape == shape and colours.dtype == np.uint8:
        return colours
    warnings.warn(
        f"{path}: expected {name} {shape} uint8, found {colours.shape} {colours.dtype}; the shape is used without it",
        stacklevel=3,
    )
    return None
