"""Action units as BP4D's coders wrote them down, frame by frame."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affectvlm.errors import DataError, in_one_line

UNKNOWN = 9
"""What the files say of a unit that could not be judged: not that it is absent."""

_UNIT = re.compile(r"(?:AU)?\s*0*(\d+)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class ActionUnits:
    """What is seen in the frames of a sequence.

    Parameters
    ----------
    frames : (N,) int64
        Numbers of the frames, as the scans count them.
    units : tuple of str
        ``AU1``, ``AU12``...
    values : (N, A) float32
        0 absent, 1 present; or grades 0 to 5; NaN where it could not be judged.
    """

    frames: np.ndarray
    units: tuple[str, ...]
    values: np.ndarray


def read_occurrence(file: Path, frame_offset: int = 0) -> ActionUnits:
    """Read which units are present: a header that names them, then a line for each frame, its number first.

    Parameters
    ----------
    file : Path
        ``AU_OCC/F001_T1.csv``
    frame_offset : int
        Added to the numbers of the file, so that they are those of the scans. Unverified: one program that reads
        the set takes -1, others 0.

    Raises
    ------
    DataError
        A line is not as expected.
    """
    header, *lines = _lines(file)
    named = [_UNIT.fullmatch(name.strip()) for name in header[1][1:]]
    if not named or not all(named):
        raise DataError(
            f"{file}, line {header[0]}: expected a header with action units, "
            f"found {in_one_line(','.join(header[1]), 60)}"
        )
    units = tuple(f"AU{match[1]}" for match in named if match)
    if len(set(units)) < len(units):
        raise DataError(f"{file}, line {header[0]}: the header names an action unit twice; mend it")
    return _coded(file, lines, units, (0, 1, UNKNOWN), frame_offset)


def read_intensity(file: Path, frame_offset: int = 0) -> ActionUnits:
    """Read how strong one unit is: no header, lines of a frame's number and a grade 0 to 5.

    Parameters
    ----------
    file : Path
        ``AU_INT/AU06/F001_T1_AU06.csv``; the unit is taken from its name.
    frame_offset : int
        As for :func:`read_occurrence`.

    Raises
    ------
    DataError
        The name tells no unit, or a line is not as expected.
    """
    named = re.search(r"AU0*(\d+)$", file.stem, re.IGNORECASE)
    if named is None:
        raise DataError(f"{file}: expected a name that ends in the unit, such as F001_T1_AU06.csv; rename it")
    return _coded(file, _lines(file), (f"AU{named[1]}",), (*range(6), UNKNOWN), frame_offset)


def _lines(file: Path) -> list[tuple[int, list[str]]]:
    """Cut a file into lines that are not empty: (line's number, cells)."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.reader(text)
            lines = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{file}: expected a table of action units, found one that cannot be read ({in_one_line(str(error))})"
        ) from error
    if not lines:
        raise DataError(f"{file}: expected a table of action units, found an empty file; copy it again")
    return lines


def _coded(
    file: Path, lines: list[tuple[int, list[str]]], units: tuple[str, ...], allowed: tuple[int, ...], frame_offset: int
) -> ActionUnits:
    """Turn the cells into numbers, NaN where a unit is unknown."""
    frames = np.empty(len(lines), np.int64)
    values = np.empty((len(lines), len(units)), np.float32)
    for n, (line, cells) in enumerate(lines):
        try:
            frame, *codes = (int(cell) for cell in cells)
        except ValueError:
            frame, codes = -1, []
        if frame < 0 or frame > 10**9 or len(codes) != len(units) or not set(codes) <= set(allowed):
            raise DataError(
                f"{file}, line {line}: expected a frame's number and {len(units)} of "
                f"{', '.join(map(str, allowed))}, found {in_one_line(','.join(cells), 60)}; copy the file again"
            )
        frames[n] = frame + frame_offset
        values[n] = [np.nan if code == UNKNOWN else code for code in codes]
    return ActionUnits(frames, units, values)
