"""Depth pictures: a 16-bit grey PNG as depth cameras and their tools write it, with its camera in a JSON file."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from affectvlm.errors import ScanError, in_one_line
from affectvlm.scan.depth_camera import EXPECTED, points_before_camera, read_intrinsics, read_unit_mm
from affectvlm.scan.picture_beside import file_beside, picture_on_grid
from affectvlm.scan.range_image import DEFLATE_LIMIT, MAX_PIXELS, RangeImage

DEFAULT_UNIT_MM = 1.0
"""Of a step of depth, as Kinect, RealSense and most others write it."""

CAMERA_NAMES = ("intrinsics", "camera_intrinsic", "camera")
"""JSON files that hold for all depth pictures of a folder."""

_PNG_START = struct.Struct(">8s4x4sIIBB")
_LARGEST_JSON = 1 << 20


def is_depth_picture(path: Path) -> bool:
    """Whether a file is a PNG with 16 bits of grey: no camera and no painter makes such a photograph or texture."""
    header = _png_header(path)
    return header is not None and header[2:] == (16, 0)


def read_depth_picture(path: Path) -> RangeImage:
    """Read what a depth camera saw of a person.

    The camera is described by ``<name>.json``, or one of ``intrinsics.json``, ``camera_intrinsic.json`` and
    ``camera.json`` in the same folder, as :func:`~affectvlm.scan.depth_camera.read_intrinsics` tells; a step is 1 mm
    unless it says otherwise. 0 stands for nothing measured. A photograph of the same size on the same pixels becomes
    the texture: ``<name>.jpg``, ``<name>_color.png``, or ``color/<name>.jpg`` and the like.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ScanError
        It is no depth picture or damaged, its camera is not described, or nothing is near enough.
    """
    header = _png_header(path)
    if header is None:
        raise ScanError(f"{path}: expected a depth picture (PNG, 16 bits of grey), found no PNG; copy the file again")
    width, height, bits, colour = header
    if (bits, colour) != (16, 0):
        found = f"one of {bits} bits" if colour == 0 else "one in colour"
        raise ScanError(
            f"{path}: expected a depth picture (PNG, 16 bits of grey), found {found}; "
            "a photograph alone has no shape: name a scan"
        )
    if not 0 < width * height <= MAX_PIXELS or width * height * 2 > DEFLATE_LIMIT * path.stat().st_size:
        raise ScanError(
            f"{path}: announces {width} x {height} pixels, which its {path.stat().st_size} bytes cannot hold; "
            "copy the file again"
        )
    described, source = _camera_of(path)
    camera = read_intrinsics(described, source)
    unit = read_unit_mm(described, source) or DEFAULT_UNIT_MM
    try:
        with Image.open(path, formats=("PNG",)) as picture:
            steps = np.asarray(picture, np.float32)
    except Exception as error:
        # Pillow meets damaged pixels with anything from SyntaxError to zlib.error.
        reason = in_one_line(str(error).replace(str(path), "it"), 150) or type(error).__name__
        raise ScanError(
            f"{path}: expected a depth picture, found it damaged ({reason}); copy the file again"
        ) from error
    points = points_before_camera(steps * np.float32(unit), camera, str(path))
    stem = path.stem
    stems = [stem, *(f"{stem}_{word}" for word in ("color", "colour", "rgb"))]
    stems += [stem.replace("depth", word) for word in ("color", "colour", "rgb") if "depth" in stem]
    stems += [f"{word}/{stem}" for word in ("color", "colour", "rgb")]
    photograph = picture_on_grid(path, stems, (".jpg", ".jpeg", ".png"), height, width)
    return RangeImage(points, photograph, str(path))


def _png_header(path: Path) -> tuple[int, int, int, int] | None:
    """Width, height, bits and kind of colour, which is 0 for grey; None for what is no PNG."""
    with path.open("rb") as file:
        start = file.read(_PNG_START.size)
    if len(start) == _PNG_START.size:
        signature, name, width, height, bits, colour = _PNG_START.unpack(start)
        if signature == b"\x89PNG\r\n\x1a\n" and name == b"IHDR":
            return width, height, bits, colour
    return None


def _camera_of(path: Path) -> tuple[dict[str, Any], str]:
    """Read what is said of a depth picture's camera, and in which file."""
    file = file_beside(path, (f"{name}.json" for name in (path.stem, *CAMERA_NAMES)))
    if file is None:
        raise ScanError(
            f"{path}: expected its camera's intrinsics in {path.stem}.json or {CAMERA_NAMES[0]}.json beside it, "
            f"found neither; write {EXPECTED} there"
        )
    try:
        if file.stat().st_size > _LARGEST_JSON:
            raise ValueError(f"{file.stat().st_size} bytes")
        described = json.loads(file.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        reason = in_one_line(str(error), 100)
        raise ScanError(f"{file}: expected the camera's intrinsics, {EXPECTED}, found no JSON ({reason})") from error
    if not isinstance(described, dict):
        raise ScanError(f"{file}: expected the camera's intrinsics, {EXPECTED}, found a {type(described).__name__}")
    return described, str(file)
