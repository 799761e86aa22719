"""From a depth camera's picture to points: its lens, the unit of its numbers, and where the person in it ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from affectvlm.errors import ScanError, in_one_line

MAX_DEPTH_MM = 2000.0
"""What is farther is left out: at 2 m a depth camera has some 60 x 80 pixels on a face, and errors of 5 mm."""

GAP_MM = 100.0
"""Nothing at all over such a length of depth parts a person from what is behind: a face has no such gap."""

FACE_MM2 = 10_000.0
"""Half a face, as the camera sees it. What is smaller and in front, such as a finger or a cup, is not the person."""

EXPECTED = '{"fx": ..., "fy": ..., "cx": ..., "cy": ..., "depth_unit_mm": ...}'
"""How intrinsics are best written."""

_BIN_MM = 20.0
_EMPTY_MM2 = 100.0
"""Points between a face's outline and the wall behind it, which exist in no world, are less in a bin."""

_MOST_PIXELS = 1_000_000
_UNITS_MM = (1e-3, 1e3)

_MATRICES = ("intrinsic_matrix", "camera_matrix", "intrinsics", "K")
_NUMBERS = {"fx": ("fx",), "fy": ("fy",), "cx": ("cx", "ppx"), "cy": ("cy", "ppy")}
_UNITS = ("depth_unit_mm", "depth_scale")

CAMERA_KEYS: tuple[str, ...] = (*_MATRICES, *(name for names in _NUMBERS.values() for name in names), *_UNITS)
"""All names under which a file may say something of its camera."""


@dataclass(frozen=True)
class Intrinsics:
    """A pinhole camera in pixels: a point at x, y, z before it is seen at column fx x / z + cx and row fy y / z + cy.

    x is to the picture's right, y down, z along the camera's axis; column and row 0 are the middle of the top left
    pixel.
    """

    fx: float
    fy: float
    cx: float
    cy: float


def read_intrinsics(found: Mapping[str, Any], source: str) -> Intrinsics:
    """Take a camera's numbers from what a JSON or npz file holds.

    Parameters
    ----------
    found : mapping
        ``fx``, ``fy``, ``cx`` and ``cy`` (``ppx`` and ``ppy`` as RealSense calls the latter), or a matrix
        (``intrinsic_matrix``, ``camera_matrix``, ``intrinsics``, ``K``): 3 rows of 3, or 9 numbers by column, as
        Open3D writes, or by row, as ROS does: where the zeros are tells them apart. What ``intrinsics`` or
        ``intrinsic`` holds may also be a mapping of these.
    source : str
        The file, for messages.

    Raises
    ------
    ScanError
        They are not there, or are no numbers of a camera.
    """
    for name in ("intrinsics", "intrinsic"):
        if isinstance(found.get(name), Mapping):
            return read_intrinsics(found[name], source)
    try:
        numbers = _from_matrix(found) or [_first(found, names) for names in _NUMBERS.values()]
    except (TypeError, ValueError, OverflowError, KeyError) as error:
        reason = in_one_line(f"none called {error}" if isinstance(error, KeyError) else str(error), 100)
        raise ScanError(f"{source}: expected the camera's intrinsics, {EXPECTED}, found {reason}") from error
    if not all(1 <= number <= _MOST_PIXELS for number in numbers[:2]) or not all(
        abs(number) <= _MOST_PIXELS for number in numbers[2:]
    ):
        raise ScanError(
            f"{source}: expected intrinsics in pixels, with fx and fy of 1 to {_MOST_PIXELS}, found fx, fy, cx, cy = "
            f"{', '.join(f'{number:g}' for number in numbers)}"
        )
    return Intrinsics(*numbers)


def _first(found: Mapping[str, Any], names: Sequence[str]) -> float:
    for name in names:
        if name in found:
            return float(found[name])
    raise KeyError(names[0])


def _from_matrix(found: Mapping[str, Any]) -> list[float] | None:
    """Fx, fy, cx and cy of the first matrix; None where there is none."""
    name = next((name for name in _MATRICES if name in found), None)
    if name is None:
        return None
    matrix = np.asarray(found[name], np.float64)
    if matrix.shape == (9,):
        matrix = matrix.reshape(3, 3)
        matrix = matrix.T if matrix[0, 2] == matrix[1, 2] == 0 else matrix
    if matrix.shape != (3, 3) or not np.array_equal(matrix[2], [0, 0, 1]):
        raise ValueError(f"{name} with shape {matrix.shape}, which is no [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]")
    return [float(matrix[row, column]) for row, column in ((0, 0), (1, 1), (0, 2), (1, 2))]


def read_unit_mm(found: Mapping[str, Any], source: str) -> float | None:
    """Millimetres of one step of depth, if said.

    Parameters
    ----------
    found : mapping
        ``depth_unit_mm``; or ``depth_scale``: steps in a metre, as Open3D has it (1000), or metres in a step, as
        RealSense has it (0.001): from 100 or up to 0.01 there is no doubt which.
    source : str
        The file, for messages.

    Raises
    ------
    ScanError
        It is no number, is beyond 0.001 to 1000 mm, or ``depth_scale`` might be either.
    """
    name = next((name for name in _UNITS if name in found), None)
    if name is None:
        return None
    try:
        value = float(found[name])
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if name == "depth_scale" and 0.01 < value < 100:
        raise ScanError(
            f"{source}: expected depth_scale to be steps in a metre (1000) or metres in a step (0.001), "
            f"found {value:g}; say depth_unit_mm, the millimetres of a step, instead"
        )
    if name == "depth_scale" and value > 0:
        value = 1000 / value if value >= 100 else 1000 * value
    if not _UNITS_MM[0] <= value <= _UNITS_MM[1]:
        raise ScanError(
            f"{source}: expected {name} to say what a step of depth is, 0.001 to 1000 mm, "
            f"found {str(found[name])[:40]!r}"
        )
    return value


def points_before_camera(depth_mm: np.ndarray, camera: Intrinsics, source: str) -> np.ndarray:
    """Turn depth into points, and leave out what is behind the person.

    A depth camera sees the room too. What is nearest is taken, up to the first gap in depth of 100 mm, if it is as
    large as half a face; and nothing beyond 2 m. So a wall goes, and shoulders, hair and whatever a person touches
    stay, for the face to be found among them.

    Parameters
    ----------
    depth_mm : (R, C) float
        Along the camera's axis; 0, negative or no finite number where nothing was measured.
    camera : Intrinsics
    source : str
        The file, for messages.

    Returns
    -------
    (R, C, 3) float32
        Millimetres, +x to the viewer's right, +y up, +z towards the camera, which is the origin; NaN where there is
        nothing.

    Raises
    ------
    ScanError
        Nothing is measured within 2 m.
    """
    depth = np.asarray(depth_mm, np.float32)
    measured = np.isfinite(depth) & (depth > 0)
    if not measured.any():
        raise ScanError(f"{source}: expected depth, found {depth.shape[0]} x {depth.shape[1]} pixels without any")
    kept = measured & (depth <= MAX_DEPTH_MM)
    if not kept.any():
        raise ScanError(
            f"{source}: expected a face within {MAX_DEPTH_MM:g} mm, found nothing nearer than "
            f"{depth[measured].min():.0f} mm; say what a step of depth is (depth_unit_mm), or come nearer"
        )
    kept &= depth <= _far_end_mm(depth[kept].astype(np.float64), camera)
    depth = np.where(kept, depth, np.float32(np.nan))
    rows, columns = depth.shape
    points = np.empty((rows, columns, 3), np.float32)
    points[..., 0] = depth * ((np.arange(columns) - camera.cx) / camera.fx).astype(np.float32)
    points[..., 1] = depth * ((camera.cy - np.arange(rows)) / camera.fy).astype(np.float32)[:, None]
    points[..., 2] = -depth
    return points


def _far_end_mm(depth: np.ndarray, camera: Intrinsics) -> float:
    """How far away the nearest thing as large as a face ends, of (N,) depths; the farthest, if there is none."""
    # A pixel stands for the area that it covers at its depth.
    bins = (depth / _BIN_MM).astype(np.int64)
    area = np.bincount(bins, depth**2 / (camera.fx * camera.fy))
    occupied = np.flatnonzero(area >= _EMPTY_MM2)
    breaks = np.flatnonzero(np.diff(occupied) > GAP_MM / _BIN_MM) + 1
    for thing in np.split(occupied, breaks):
        if area[thing].sum() >= FACE_MM2:
            return float((thing[-1] + 1) * _BIN_MM)
    return float(depth.max())
