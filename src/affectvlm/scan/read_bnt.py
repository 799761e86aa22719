"""Range images of Bosphorus: ``.bnt``, a point and a place in a photograph for each pixel of a scanner.

Little-endian: rows and columns (u16), the background's z (f64), the photograph's name (u16 length, bytes), the number
of values (u32), then blocks of f64: x, y, z, u, v; each row by row, the bottom row first.
"""

from __future__ import annotations

import struct
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np

from affectvlm.errors import ScanError
from affectvlm.scan.picture_beside import picture_beside
from affectvlm.scan.range_image import MAX_PIXELS, RangeImage

_START = struct.Struct("<HHdH")
_COUNT = struct.Struct("<I")
BLOCKS = 5


def read_bnt(path: Path) -> RangeImage:
    """Read a range image; the picture of the same name beside it becomes its texture.

    That v counts from the picture's top is taken from programs that read the data set, and unverified.

    Parameters
    ----------
    path : Path

    Raises
    ------
    ScanError
        The header is damaged, or announces more than the file holds.
    """
    with path.open("rb") as file:
        rows, columns, background, name = _read_header(file, path)
        blocks = np.fromfile(file, "<f8", BLOCKS * rows * columns).reshape(BLOCKS, rows, columns)[:, ::-1]
    points = np.empty((rows, columns, 3), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is no place on a face
        points[:] = np.moveaxis(blocks[:3], 0, -1)
    points[(blocks[2] == background) | ~np.isfinite(points).all(axis=2)] = np.nan
    picture = picture_beside(path, [path.stem], (".png", ".jpg", ".jpeg", ".bmp"))
    if picture is None:
        if name:
            warnings.warn(
                f"{path}: expected its picture {path.stem}.png beside it (it names {name!r}), found none; "
                "the shape is used without it",
                stacklevel=2,
            )
        return RangeImage(points, source=str(path))
    return RangeImage(points, picture, str(path), _uv(blocks[3:], points, path))


def _read_header(file: BinaryIO, path: Path) -> tuple[int, int, float, str]:
    """Rows, columns, the background's z and the photograph's name; the file is left at the first block."""
    size = path.stat().st_size
    start = file.read(_START.size)
    if len(start) < _START.size:
        raise ScanError(f"{path}: expected a .bnt range image, found {size} bytes; copy the file again")
    rows, columns, background, length = _START.unpack(start)
    name = file.read(length)
    count = file.read(_COUNT.size)
    if len(count) < _COUNT.size:
        raise ScanError(
            f"{path}: expected a .bnt range image, found the header to end within a name of {length} bytes; "
            "copy the file again"
        )
    (values,) = _COUNT.unpack(count)
    if rows * columns == 0 or values != BLOCKS * rows * columns:
        raise ScanError(
            f"{path}: expected {BLOCKS} values for each of {rows} x {columns} pixels, found {values} announced (byte "
            f"{_START.size + length}); it is no .bnt range image, or damaged"
        )
    if rows * columns > MAX_PIXELS:
        raise ScanError(f"{path}: expected at most {MAX_PIXELS} pixels, found {rows} x {columns}; the file is damaged")
    expected = _START.size + length + _COUNT.size + 8 * values
    if size < expected:
        raise ScanError(
            f"{path}: expected {expected} bytes for {rows} x {columns} pixels, found {size}; copy the file again"
        )
    if size > expected:
        warnings.warn(f"{path}: {size - expected} bytes after the last value are passed over", stacklevel=3)
    return rows, columns, background, name.decode("ascii", "replace")[:100]


def _uv(blocks: np.ndarray, points: np.ndarray, path: Path) -> np.ndarray:
    """(R, C, 2) float64 places in the picture, (0, 0) at its bottom left corner, of (2, R, C) that count downwards."""
    u, v = blocks
    beyond = ~((u >= 0) & (u <= 1) & (v >= 0) & (v <= 1)) & np.isfinite(points[..., 2])
    if beyond.any():
        warnings.warn(
            f"{path}: {int(beyond.sum())} points lie outside the picture (u or v not in 0 to 1); they take its border",
            stacklevel=3,
        )
    u, v = (np.clip(np.nan_to_num(block, nan=0.0), 0, 1) for block in (u, v))
    return np.stack([u, 1 - v], axis=-1)
