"""Dropped frames of a sequence, one file each or all in a zip: laid out in a folder for as long as they are read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from affectvlm.app.face.uploads import COMPANION_SUFFIXES, Dropped, safe_name
from affectvlm.app.sequence.archive import MAX_TOTAL_BYTES, unpack
from affectvlm.errors import ScanError, in_one_line
from affectvlm.scan import ScanSequence
from affectvlm.scan.read import SCAN_SUFFIXES, is_scan

ZIP = ".zip"

MAX_FRAMES = 600
"""24 seconds at 25 frames a second; pictures of so many are about 4 MB."""


def lay_out(files: Sequence[Dropped], folder: Path, fps: float | None) -> ScanSequence:
    """Put dropped frames, or what a zip holds of them, into a folder, and find the sequence in it.

    Parameters
    ----------
    files : sequence of (name, content)
        Frames with their pictures and materials, or one zip of them, which may hold them in a folder.
    folder : Path
        An empty one, which is to be there as long as the frames are used.
    fps : float, optional
        Frames a second.

    Raises
    ------
    ScanError
        The zip is refused (:func:`affectvlm.app.sequence.archive.unpack`), or what was dropped is not one sequence.
    """
    zips = [name for name, _ in files if name.lower().endswith(ZIP)]
    if zips and len(files) > 1:
        raise ScanError(f"expected either frames or one zip of them, found {zips[0]} among {len(files)} files")
    called = safe_name(files[0][0])
    if zips:
        laid = unpack(called, files[0][1], folder, _is_wanted)
        called = called[: -len(ZIP)] or called
    else:
        laid = _written(files, folder)
        called = f"{len(laid)} dropped files"
    try:
        sequence = ScanSequence.from_folder(_folder_of_frames(called, laid, folder), fps)
    except ScanError as error:
        raise ScanError(without(folder, str(error))) from error
    if len(sequence) < 2:
        raise ScanError(f"{called}: expected two frames or more, found one; for a single scan take “Read a scan”")
    if len(sequence) > MAX_FRAMES:
        raise ScanError(f"{called}: expected at most {MAX_FRAMES} frames, found {len(sequence)}; take a part of them")
    return ScanSequence(sequence.frames, fps, called)


def without(folder: Path, text: str) -> str:
    """Take a temporary folder out of a message, so that files are called as their owner knows them."""
    return text.replace(f"{folder}{os.sep}", "").replace(str(folder), "the folder")


def _is_wanted(name: str) -> bool:
    """Whether a file in a zip is of use: a scan or what stands beside one, and not hidden."""
    return not name.startswith(".") and name.lower().endswith((*SCAN_SUFFIXES, *COMPANION_SUFFIXES))


def _written(files: Sequence[Dropped], folder: Path) -> list[Path]:
    if sum(len(content) for _, content in files) > MAX_TOTAL_BYTES:
        raise ScanError(f"expected at most {MAX_TOTAL_BYTES / 1e6:,.0f} MB together, found more; drop fewer frames")
    laid = []
    for name, content in files:
        path = folder / safe_name(name)
        if path.exists():
            raise ScanError(f"{path.name}: two files of this name were dropped; drop the frames of one sequence")
        path.write_bytes(content)
        laid.append(path)
    return laid


def _folder_of_frames(called: str, laid: Sequence[Path], folder: Path) -> Path:
    """Find the one folder that holds scans."""
    holders = sorted({path.parent for path in laid if is_scan(path)})
    if len(holders) > 1:
        names = ", ".join(str(holder.relative_to(folder)) for holder in holders[:3])
        more = ", …" if len(holders) > 3 else ""
        raise ScanError(
            f"{called}: expected the frames of one sequence, found scans in {len(holders)} folders "
            f"({in_one_line(names)}{more}); zip one of them"
        )
    if not holders:
        found = ", ".join(path.name for path in laid[:3]) or "nothing of use"
        raise ScanError(
            f"{called}: expected frames that end in {', '.join(SCAN_SUFFIXES)}, found {in_one_line(found)}; a zip "
            "inside another is not opened"
        )
    return holders[0]
