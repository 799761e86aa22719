"""Range images of FRGC: ``.abs``, text, plain or packed by gzip.

``480 rows``, ``640 columns``, ``pixels (flag X Y Z):``, and then four lines of numbers: whether each pixel was
measured, and its x, y and z; row by row, the top row first.
"""

from __future__ import annotations

import gzip
import re
import warnings
import zlib
from pathlib import Path
from typing import Protocol

import numpy as np

from affectvlm.errors import ScanError, in_one_line
from affectvlm.scan.mesh_text import GZIP_START, unpacked_stem
from affectvlm.scan.number_list import read_numbers
from affectvlm.scan.picture_beside import picture_on_grid
from affectvlm.scan.range_image import DEFLATE_LIMIT, MAX_PIXELS, RangeImage

NOTHING = -999999.0
"""Stands for a coordinate that was not measured."""

_HEADER = re.compile(rb"\s*(\d{1,9})[ \t]*rows\s+(\d{1,9})[ \t]*columns\s+pixels[^\n]*\n", re.IGNORECASE)
_LONGEST_HEADER = 1024
_CHUNK = 1 << 20
_LONGEST_NUMBER = 32
"""Bytes that are read for a number, at most; writers take 14."""
_SHORTEST_NUMBER = 2
"""A digit and a space."""


class _Text(Protocol):
    """A file, or what is unpacked of one."""

    def read(self, size: int, /) -> bytes: ...


def read_abs(path: Path) -> RangeImage:
    """Read a range image; a picture of the same name beside it, with as many pixels, becomes its texture.

    Parameters
    ----------
    path : Path
        ``.abs`` or ``.abs.gz``; which of the two it is tells its content.

    Raises
    ------
    ScanError
        The header is damaged or announces more than the file can hold, a number is none, or numbers are missing.
    """
    with path.open("rb") as raw:
        packed = raw.read(2) == GZIP_START
        raw.seek(0)
        try:
            with gzip.GzipFile(fileobj=raw) if packed else raw as file:
                rows, columns, values = _read_values(file, path, packed)
        except (OSError, EOFError, zlib.error) as error:
            raise ScanError(
                f"{path}: expected a file packed by gzip, found it damaged ({in_one_line(str(error))}); copy it again"
            ) from error
    flags, coordinates = values[0], values[1:]
    points = np.ascontiguousarray(np.moveaxis(coordinates, 0, -1))
    missing = (flags == 0) | (coordinates == NOTHING).any(axis=0) | ~np.isfinite(coordinates).all(axis=0)
    points[missing] = np.nan
    picture = picture_on_grid(path, [unpacked_stem(path)], (".ppm", ".jpg", ".png"), rows, columns)
    return RangeImage(points, picture, str(path))


def _read_values(file: _Text, path: Path, packed: bool) -> tuple[int, int, np.ndarray]:
    """Rows, columns and (4, R, C) float32 flags, x, y, z."""
    head = file.read(_LONGEST_HEADER)
    found = _HEADER.match(head)
    if found is None:
        raise ScanError(
            f"{path}: expected lines such as '480 rows', '640 columns' and 'pixels (flag X Y Z):', "
            f"found {head[:40]!r}; it is no .abs range image, or damaged"
        )
    rows, columns = int(found[1]), int(found[2])
    # Announced sizes are believed only as far as the file can hold them: memory for all pixels is taken next.
    holds = path.stat().st_size * (DEFLATE_LIMIT if packed else 1)
    if not 0 < rows * columns <= MAX_PIXELS or 4 * rows * columns * _SHORTEST_NUMBER > holds + 1:
        raise ScanError(
            f"{path}: announces {rows} x {columns} pixels, which its {path.stat().st_size} bytes cannot hold; "
            "copy the file again"
        )
    values = np.empty((4, rows, columns), np.float32)
    _fill(values.reshape(-1), head[found.end() :], found.end(), file, path)
    return rows, columns, values


def _fill(values: np.ndarray, text: bytes, at: int, file: _Text, path: Path) -> None:
    """Read numbers until there are enough, a piece of the file at a time; ``text`` is its first, from byte ``at``."""
    filled, end = 0, at + values.size * _LONGEST_NUMBER
    while filled < len(values):
        piece = file.read(_CHUNK) if at + len(text) < end else b""
        text += piece
        # The last word may go on in the next piece.
        whole = len(text) if not piece else 1 + max(text.rfind(space) for space in (b" ", b"\n", b"\t"))
        numbers, mistake = read_numbers(text[:whole] + b"]", 0, whole)
        if len(numbers) > len(values) - filled:
            numbers = numbers[: len(values) - filled]
            warnings.warn(f"{path}: what follows the last pixel's numbers is passed over", stacklevel=5)
        with np.errstate(over="ignore"):
            values[filled : filled + len(numbers)] = numbers
        filled += len(numbers)
        if filled == len(values):
            break
        if mistake >= 0 or len(text) - whole > _CHUNK:
            mistake = max(mistake, 0)
            raise ScanError(
                f"{path}: expected a number at byte {at + mistake} of the text, "
                f"found {text[mistake : mistake + 20]!r}; the file is damaged"
            )
        if not piece:
            raise ScanError(
                f"{path}: expected {len(values)} numbers (flag, X, Y and Z of each pixel), found {filled}; "
                "the file is cut short, copy it again"
            )
        at, text = at + whole, text[whole:]
