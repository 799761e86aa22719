"""A data set's folder, walked once: strays passed over, links that lead out of it never followed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from affectvlm.datasets.found import Findings, FoundScan, Problem
from affectvlm.scan.picture_file import PICTURE_SUFFIXES
from affectvlm.scan.read import SCAN_SUFFIXES

SCANS: tuple[str, ...] = tuple(suffix for suffix in SCAN_SUFFIXES if suffix not in PICTURE_SUFFIXES)
"""Endings of files that are scans wherever they stand; a picture of depths is one only where a list says so."""

STRAYS = {"__macosx", "bu_wrlviewer_v2", "$recycle.bin", "system volume information", "lost+found"}
"""Folders that travel with data sets and are none of theirs; also any name that begins with a dot."""

MAX_DEPTH = 6
"""Folders below the one given; the deepest data set has four of them when it is given one level too high."""


@dataclass(frozen=True)
class Folder:
    """A folder and the files in it.

    Parameters
    ----------
    path : Path
    below : tuple of str
        Names of the folders from the data set's folder down to this one; empty for itself.
    files : dict of str -> DirEntry
        By name, sorted.
    """

    path: Path
    below: tuple[str, ...]
    files: dict[str, os.DirEntry[str]]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All names of the path, those above the data set's folder too: it may have been given one level too low."""
        return Path(os.path.abspath(self.path)).parts

    @cached_property
    def lowered(self) -> dict[str, os.DirEntry[str]]:
        """The files by their names in lower case."""
        return {name.lower(): entry for name, entry in self.files.items()}

    def find(self, stem: str, *suffixes: str) -> list[os.DirEntry[str]]:
        """List the files of a name with one of these endings, in the endings' order, whatever the case."""
        names = (stem.lower() + suffix for suffix in suffixes)
        return [self.lowered[name] for name in names if name in self.lowered]

    def first(self, stem: str, *suffixes: str) -> str | None:
        """Path of the first of the files that :meth:`find` lists."""
        return next((entry.path for entry in self.find(stem, *suffixes)), None)


def split_suffix(name: str) -> tuple[str, str]:
    """Part a file's name from its ending, lower case, which is a double one where it is packed: ``.wrl.gz``."""
    stem, suffix = os.path.splitext(name)
    if suffix.lower() == ".gz":
        stem, inner = os.path.splitext(stem)
        return stem, (inner + suffix).lower()
    return stem, suffix.lower()


def walk(root: Path, findings: Findings) -> Iterator[Folder]:
    """Go through a data set's folder in the order of the names.

    Links to folders, and links to files outside the root, are not followed, and neither is anything deeper than
    ``MAX_DEPTH`` or with a name that is not in UTF-8; each is noted in ``findings``, and so are folders that may not
    be listed.
    """
    real = str(root.resolve())
    yield from _walk(root, (), real, findings)


def _walk(path: Path, below: tuple[str, ...], real: str, findings: Findings) -> Iterator[Folder]:
    try:
        with os.scandir(path) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        findings.problems.append(Problem(str(path), f"cannot be listed ({error.strerror}); check the permissions"))
        return
    folders, files = [], {}
    for entry in entries:
        if entry.name.startswith(".") or entry.name.lower() in STRAYS:
            continue
        if not _is_text(entry.name):
            what = "has a name that is not in UTF-8, which no table can hold; it is passed over: rename it"
            findings.problems.append(Problem(entry.path, what))
        elif entry.is_symlink() and (why := _refused(entry, real)):
            findings.problems.append(Problem(entry.path, why))
        elif entry.is_dir(follow_symlinks=False):
            folders.append(entry.name)
        elif os.path.isfile(entry.path):  # not entry.is_file(), which raises where a link leads to itself
            files[entry.name] = entry
    yield Folder(path, below, files)
    if folders and len(below) == MAX_DEPTH:
        findings.problems.append(Problem(str(path), f"is {MAX_DEPTH} folders deep; those in it are not looked into"))
        return
    for name in folders:
        yield from _walk(path / name, (*below, name), real, findings)


def _is_text(name: str) -> bool:
    """Whether a name is more than bytes, which Python keeps as surrogates: disks written by old systems have such."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refused(entry: os.DirEntry[str], real: str) -> str | None:
    """Tell why a link is not followed; None when it may be."""
    if os.path.isdir(entry.path):
        return "is a link to a folder, which is not followed; name that folder itself, or copy it here"
    if Path(real) not in Path(os.path.realpath(entry.path)).parents:
        return "is a link that leads out of the data set's folder, which is not followed; copy the file here"
    return None


def scans_in(folder: Folder, first: tuple[str, ...], findings: Findings) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the scans of a folder as (stem, file).

    Parameters
    ----------
    folder : Folder
    first : tuple of str
        The data set's own endings: where a scan is there in several formats, the one that comes first in this list,
        then in :data:`SCANS`, is taken, and that is noted.
    findings : Findings
    """
    order = list(dict.fromkeys(first + SCANS))
    by_stem: dict[str, list[tuple[int, str]]] = {}
    for name in folder.files:
        stem, suffix = split_suffix(name)
        if suffix in order:
            by_stem.setdefault(stem, []).append((order.index(suffix), name))
    for stem, found in by_stem.items():
        (_, best), *others = sorted(found)
        entry = folder.files[best]
        if others:
            also = ", ".join(name for _, name in others)
            findings.problems.append(Problem(entry.path, f"is there as {also} too; this one is used"))
        yield stem, entry


def add_scan(
    findings: Findings,
    folder: Folder,
    stem: str,
    entry: os.DirEntry[str],
    *,
    key: str,
    subject: str,
    emotion: str | None = None,
    intensity: int | None = None,
    sequence: str | None = None,
    frame: int | None = None,
    attributes: Mapping[str, str] | None = None,
    kind: str = "",
    landmarks: str | None = None,
) -> None:
    """Add a scan to ``findings``, with what the file system says of it."""
    # Of all pictures of its name: which of them is read depends on the scan's format.
    pictures = [other for other in folder.find(stem, *PICTURE_SUFFIXES) if other.name != entry.name]
    try:
        status, *looks = (file.stat() for file in (entry, *pictures))
    except OSError as error:
        findings.problems.append(Problem(entry.path, f"cannot be looked at ({error.strerror})", subject))
        return
    findings.scans.append(
        FoundScan(
            file=entry.path,
            size=status.st_size,
            stamp=" ".join(f"{look.st_size}-{look.st_mtime_ns}" for look in (status, *looks)),
            key=key,
            subject=subject,
            emotion=emotion,
            intensity=intensity,
            sequence=sequence,
            frame=frame,
            attributes=attributes or {},
            kind=kind,
            picture=bool(pictures),
            landmarks=landmarks,
        )
    )


def describe(root: Path) -> str:
    """Say in a few words what a folder holds, for a message that says that it is not what was expected."""
    endings: Counter[str] = Counter()
    example = ""
    for folder in walk(root, Findings()):
        for name in folder.files:
            endings[split_suffix(name)[1] or "no ending"] += 1
            example = example or "/".join((*folder.below, name))
    if not endings:
        return "no files"
    kinds = ", ".join(f"{count} {suffix}" for suffix, count in endings.most_common(4))
    return f"{endings.total()} files ({kinds}), such as {example}"
