"""Files that belong to a scan and lie beside it under a like name, which nothing in it says: pictures, a camera."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

from affectvlm.errors import ScanError
from affectvlm.scan.picture_file import PictureFile


def file_beside(scan: Path, names: Iterable[str]) -> Path | None:
    """Find the first of some files; links that lead elsewhere are passed over.

    Parameters
    ----------
    scan : Path
        Itself never found.
    names : iterable of str
        The likeliest first; a folder below the scan's may stand before a name. Endings may also be in upper case.
    """
    folders = (scan.parent.resolve(), scan.resolve().parent)
    for name in names:
        stem, dot, suffix = name.rpartition(".")
        for path in (scan.parent / name, scan.parent / f"{stem}{dot}{suffix.upper()}"):
            # Where disks know no case, a depth picture is found under a second name.
            inside = path.is_file() and any(path.resolve().is_relative_to(folder) for folder in folders)
            if inside and not path.samefile(scan):
                return path
    return None


def picture_beside(scan: Path, stems: Iterable[str], suffixes: Iterable[str]) -> PictureFile | None:
    """Find the first of some pictures: a stem with each of the endings, then the next."""
    suffixes = tuple(suffixes)
    path = file_beside(scan, (stem + suffix for stem in stems for suffix in suffixes))
    return None if path is None else PictureFile(path)


def picture_on_grid(
    scan: Path, stems: Iterable[str], suffixes: Iterable[str], rows: int, columns: int
) -> PictureFile | None:
    """Find the first of some pictures; warns when it has no pixel for each of the scan's, or cannot be read."""
    picture = picture_beside(scan, stems, suffixes)
    if picture is None:
        return None
    try:
        height, width = picture.shape[:2]
    except ScanError as error:
        warnings.warn(f"{error}; the shape is used without it", stacklevel=3)
        return None
    if (height, width) == (rows, columns):
        return picture
    warnings.warn(
        f"{scan}: expected {picture.path.name} to have {rows} x {columns} pixels as the scan, found {height} x "
        f"{width}; the shape is used without it",
        stacklevel=3,
    )
    return None
