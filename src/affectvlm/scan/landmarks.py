"""Landmark files: ``.bnd`` of BU-3DFE and BU-4DFE, ``.lm3`` and ``.lm2`` of Bosphorus."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from affectvlm.errors import ScanError, in_one_line

LANDMARK_SUFFIXES: tuple[str, ...] = (".bnd", ".lm2", ".lm3")

BU_PARTS: dict[str, int] = {
    "left eye": 8,
    "right eye": 8,
    "left brow": 10,
    "right brow": 10,
    "nose": 12,
    "mouth": 20,
    "contour": 15,
}
"""Parts of the face in the order of a ``.bnd`` file, and how many landmarks each has: 83 together."""

BU_NAMES: tuple[str, ...] = tuple(f"{part} {i}" for part, count in BU_PARTS.items() for i in range(count))
"""Our names for them, since the data set only counts: ``left eye 0`` is row 0, ``nose 0`` row 36."""

_LARGEST = 1 << 20
_COUNT = re.compile(r"(\d{1,6})\s+landmarks\b.*", re.IGNORECASE)
_HEADING = re.compile(r".*\b(?:labels|coordinates|points)\s*:", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Named points of a face.

    Parameters
    ----------
    points : (L, 3) or (L, 2) float32
        In the frame and unit of the scan that they belong to; or pixels of its picture, to the right and down.
    names : tuple of L str
    vertices : (L,) int32, optional
        The scan's vertices (rows, from 0) that they are.
    source : str
        The file; stands in messages.
    """

    points: np.ndarray
    names: tuple[str, ...]
    vertices: np.ndarray | None = None
    source: str = "landmarks"

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: str) -> bool:
        return _plain(name) in map(_plain, self.names)

    def __getitem__(self, name: str) -> np.ndarray:
        """(3,) or (2,) float32: the first landmark of a name; case and the number of spaces do not matter.

        Raises
        ------
        ScanError
            There is none: which landmarks a file has differs from scan to scan.
        """
        wanted = _plain(name)
        for row, own in enumerate(self.names):
            if _plain(own) == wanted:
                return self.points[row]
        raise ScanError(
            f"{self.source}: expected a landmark {name!r}, found {in_one_line(', '.join(self.names), 500) or 'none'}"
        )


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def read_landmarks(path: str | Path) -> Landmarks:
    """Read a landmark file.

    Parameters
    ----------
    path : str or Path
        ``.bnd``: 83 rows of a vertex and its x, y and z. ``.lm3``: comments (``#``), ``N landmarks:``, then a label
        and its x, y, z in turn. ``.lm2``: the same with x and y in the picture; or, since its layout is unverified,
        all labels and then all points, with or without a line such as ``Labels:`` before each.

    Raises
    ------
    ScanError
        It is missing, of another kind, or damaged; the message names the line.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in LANDMARK_SUFFIXES:
        raise ScanError(
            f"{path}: expected landmarks in a file that ends in {', '.join(LANDMARK_SUFFIXES)}, "
            f"found {suffix or 'no ending'!r}"
        )
    lines = _read_lines(path)
    if suffix == ".bnd":
        return _read_bnd(lines, path)
    return _read_labelled(lines, 3 if suffix == ".lm3" else 2, path)


def _read_lines(path: Path) -> list[tuple[int, str]]:
    """Lines that say something, and their numbers from 1."""
    if not path.is_file():
        raise ScanError(f"{path}: expected a file of landmarks, found none; check the path")
    try:
        if path.stat().st_size > _LARGEST:
            raise ScanError(f"{path}: expected some 83 landmarks, found {path.stat().st_size} bytes; copy it again")
        text = path.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        raise ScanError(f"{path}: expected a file that can be read, found {error.strerror or error}") from error
    lines = enumerate(re.split(r"\r\n|\r|\n", text), 1)
    return [(number, line.strip()) for number, line in lines if line.strip() and not line.lstrip().startswith("#")]


def _read_bnd(lines: list[tuple[int, str]], path: Path) -> Landmarks:
    expected = len(BU_NAMES)
    if len(lines) > expected:
        warnings.warn(
            f"{path}: {len(lines) - expected} rows after the {expected} landmarks are passed over", stacklevel=3
        )
    if len(lines) < expected:
        raise ScanError(f"{path}: expected {expected} rows of 'vertex x y z', found {len(lines)}; copy the file again")
    rows = []
    for number, line in lines[:expected]:
        row = _numbers(line)
        if row is None or len(row) != 4 or row[0] != int(row[0]) or not 0 <= row[0] < 2**31:
            raise ScanError(f"{path}: line {number}: expected 'vertex x y z', found {line[:60]!r}; the file is damaged")
        rows.append(row)
    table = np.array(rows)
    return Landmarks(table[:, 1:].astype(np.float32), BU_NAMES, table[:, 0].astype(np.int32), str(path))


def _read_labelled(lines: list[tuple[int, str]], dimensions: int, path: Path) -> Landmarks:
    count = _COUNT.fullmatch(lines[0][1]) if lines else None
    if count is None:
        found = f"{lines[0][1][:60]!r} (line {lines[0][0]})" if lines else "an empty file"
        raise ScanError(f"{path}: expected a line such as '22 landmarks:', found {found}; the file is damaged")
    expected = int(count[1])
    body = [(number, line) for number, line in lines[1:] if not _HEADING.fullmatch(line)]
    labels_first = len(body) > 1 and _numbers(body[1][1]) is None
    labels: list[str] = []
    points: list[list[float]] = []
    for number, line in body:
        if len(points) == expected:
            warnings.warn(f"{path}: from line {number} on, after {expected} landmarks, it is passed over", stacklevel=3)
            break
        row = _numbers(line)
        label_next = len(labels) < expected if labels_first else len(labels) == len(points)
        if label_next and row is None:
            labels.append(line)
        elif not label_next and row is not None and len(row) == dimensions:
            points.append(row)
        else:
            wanted = "a label" if label_next else f"{dimensions} coordinates of {labels[len(points)][:60]!r}"
            raise ScanError(f"{path}: line {number}: expected {wanted}, found {line[:60]!r}; the file is damaged")
    if len(points) < expected:
        raise ScanError(f"{path}: expected {expected} landmarks, found {len(points)}; copy the file again")
    return Landmarks(np.array(points, np.float32).reshape(-1, dimensions), tuple(labels), source=str(path))


def _numbers(line: str) -> list[float] | None:
    """Read finite numbers between white space or commas; None for anything else."""
    try:
        numbers = [float(word) for word in line.replace(",", " ").split()]
    except ValueError:
        return None
    return numbers if numbers and all(abs(number) < 1e9 for number in numbers) else None
