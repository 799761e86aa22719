"""A folder into which a scanner's software drops frames: each is given once, when it is whole.

No system tells every kind of folder's changes alike (network drives tell none), so the folder is looked at again and
again. A file is whole when it looks as at the last look: same size, same time of writing, whatever its name was then.
That holds for a file that was written in place, one look after its last byte, and at once for one that was written
under another name and then renamed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from affectvlm.errors import ScanError
from affectvlm.scan.read import is_scan
from affectvlm.scan.sequence import as_counted

LOOK_EVERY_S = 0.05
"""A file must rest for so long. One whose software pauses for longer is taken for whole, cannot be read, and is given
again when more of it has come."""

LOOKING_SHARE = 0.2
"""Of the time at most is spent on looking: a folder of ten thousand files is looked at less often."""

Stamp = tuple[int, int, int]
"""A file's number in its file system, its size in bytes, and when it was written last, in nanoseconds."""


def watch_folder(folder: str | Path, wait: Callable[[float], object] | None = None) -> Iterator[Path]:
    """Give the scans that come into a folder, each as soon as it is whole, in the order in which they were written.

    Of those that are there at the beginning only the newest is given. A file that is written anew is given again.
    What has no scan's ending, or is hidden, is passed over. Only what is in the folder now is remembered.

    To answer the newest and fall no further behind, give it to :meth:`Recognizer.stream` with ``live=True``.

    Parameters
    ----------
    folder : str or Path
        Folders within it are not looked into.
    wait : callable, optional
        Told how many seconds to wait before the next look; what it returns, if true, ends the watch. By default
        the time is slept, and the watch has no end.

    Raises
    ------
    ScanError
        The folder cannot be looked into, at first or later.
    """
    folder, wait = Path(folder), wait or threading.Event().wait
    given, before = _look(folder), frozenset[Stamp]()
    for path in _in_order(folder, given)[-1:]:
        del given[path.name]
    while True:
        began = time.monotonic()
        seen = _look(folder)
        looking_s = time.monotonic() - began
        given = {name: stamp for name, stamp in given.items() if seen.get(name) == stamp}
        # Some software makes an empty file long before it writes.
        whole = {name: stamp for name, stamp in seen.items() if name not in given and stamp in before and stamp[1] > 0}
        before = frozenset(seen.values())
        given |= whole
        yield from _in_order(folder, whole)
        if wait(max(LOOK_EVERY_S, looking_s * (1 / LOOKING_SHARE - 1))):
            return


def _look(folder: Path) -> dict[str, Stamp]:
    """Name of each file -> its stamp."""
    seen: dict[str, Stamp] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if entry.is_file():
                        found = entry.stat()
                        seen[entry.name] = (found.st_ino, found.st_size, found.st_mtime_ns)
                except FileNotFoundError:  # renamed or taken away since it was listed
                    continue
    except OSError as error:
        raise ScanError(
            f"{folder}: expected a folder to watch that can be read, found {error.strerror or error}; "
            "make the folder, or name another"
        ) from error
    return seen


def _in_order(folder: Path, files: dict[str, Stamp]) -> list[Path]:
    """Take the scans among files, by when they were written; where the clock is too coarse, by the numbers in names."""
    scans = [folder / name for name in files if not name.startswith(".") and is_scan(folder / name)]
    return sorted(scans, key=lambda path: (files[path.name][2], as_counted(path)))
