"""A face that moves: scans one after the other, each loaded only when it is its turn."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from affectvlm.errors import ScanError
from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.read import is_scan, read_scan


@dataclass(frozen=True)
class ScanSequence:
    """Frames of one face in the order in which they were recorded.

    Parameters
    ----------
    frames : tuple of FaceScan or Path
        Paths are read when their frame is asked for.
    fps : float, optional
        Frames a second, where it is known.
    source : str
        The folder, or another word for where it comes from.

    Raises
    ------
    ScanError
        The rate is no number above 0.
    """

    frames: tuple[FaceScan | Path, ...]
    fps: float | None = None
    source: str = "sequence"

    def __post_init__(self) -> None:
        check_rate(self.fps)

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[FaceScan]:
        """Load one frame after the other."""
        for frame in self.frames:
            yield frame if isinstance(frame, FaceScan) else read_scan(frame)

    @classmethod
    def from_folder(cls, folder: Path, fps: float | None = None) -> ScanSequence:
        """Take the scans in a folder as frames, in the order of the numbers in their names (``2`` before ``10``).

        Raises
        ------
        ScanError
            It holds no scan, or cannot be looked into.
        """
        try:
            files = sorted((path for path in folder.iterdir() if _is_frame(path)), key=as_counted)
            within = [] if files else [inner.name for inner in sorted(folder.iterdir()) if _holds_scans(inner)]
        except OSError as error:
            raise ScanError(
                f"{folder}: expected a folder of frames that can be read, found {error.strerror}"
            ) from error
        if not files:
            found = f"; its folder {within[0]} has some: name that one" if within else ""
            raise ScanError(f"{folder}: expected a folder of frames, one scan a file; found no scan in it{found}")
        return cls(tuple(files), fps, str(folder))


def check_rate(fps: float | None) -> None:
    """Refuse what is no number of frames a second.

    Raises
    ------
    ScanError
        It is 0, negative, infinite or no number; None is a rate that is not known.
    """
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise ScanError(f"expected a number of frames a second above 0, or None where it is not known; found {fps}")


def _is_frame(path: Path) -> bool:
    """Whether a file is a scan and not hidden: some systems put a hidden file of the same ending beside each."""
    return not path.name.startswith(".") and is_scan(path)


def _holds_scans(folder: Path) -> bool:
    """Whether a folder holds a scan itself."""
    return folder.is_dir() and any(_is_frame(path) for path in folder.iterdir())


def as_counted(path: Path) -> list[tuple[int, str]]:
    """Key that sorts the numbers in a name by value."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
