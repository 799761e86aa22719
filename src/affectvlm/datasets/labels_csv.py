"""A list of labels beside the scans: ``labels.csv``, one line a scan.

Columns, in any order: ``path`` (from the folder of the list), ``subject``, ``emotion``; as one likes ``intensity``
(1 to 4), ``sequence`` and ``frame`` (both or neither), ``sex``, ``age``, ``ancestry``. Others are not read.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath

from affectvlm.datasets.found import Problem
from affectvlm.emotions import EMOTIONS, FURTHER_EXPRESSIONS

LABELS = "labels.csv"

SHOWN = 60
"""How much of a cell stands in a message."""

ATTRIBUTES = ("sex", "age", "ancestry")
"""What prompts can say of a subject."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "anger": ("angry", "an"),
    "disgust": ("disgusted", "di"),
    "fear": ("afraid", "fearful", "scared", "fe"),
    "happiness": ("happy", "joy", "smile", "ha"),
    "sadness": ("sad", "sa"),
    "surprise": ("surprised", "su"),
    "neutral": ("ne",),
    "embarrassment": ("embarrassed",),
    "pain": ("painful",),
    "contempt": ("contemptuous",),
}
"""What people call the expressions; upper and lower case are the same."""

_EMOTION_OF: dict[str, str] = {
    name: emotion for emotion in EMOTIONS + FURTHER_EXPRESSIONS for name in (emotion, *SYNONYMS[emotion])
}

_SEXES = {"f": "female", "female": "female", "m": "male", "male": "male"}
_REQUIRED = ("path", "emotion")
_COLUMNS = ("path", "subject", "emotion", "intensity", "sequence", "frame", *ATTRIBUTES)


@dataclass(frozen=True)
class Label:
    """A line of the list.

    Parameters
    ----------
    line : int
        Of the file, from 1.
    path : str
        POSIX, from the folder of the list; does not lead out of it by its text. Links are another matter.
    subject : str
        Empty where the list has no such column.
    emotion : str
    intensity, sequence, frame : optional
        As in :class:`~affectvlm.scan.Sample`.
    attributes : dict of str -> str
    """

    line: int
    path: str
    subject: str
    emotion: str
    intensity: int | None = None
    sequence: str | None = None
    frame: int | None = None
    attributes: dict[str, str] = field(default_factory=dict)


class _CellError(Exception):
    """What is wrong with a line."""


def emotion_named(text: str, own: Collection[str] = ()) -> str | None:
    """Name the emotion that somebody's word stands for, or the class of one's own; None where it is not known."""
    name = text.strip().lower()
    return name if name in own else _EMOTION_OF.get(name)


def emotions_known(own: Collection[str] = ()) -> str:
    """List the emotions, and classes of one's own, that labels can name, for a message."""
    return ", ".join(dict.fromkeys((*SYNONYMS, *own)))


def read_labels(file: Path, subjects: bool = True, own: Collection[str] = ()) -> tuple[list[Label], list[Problem]]:
    """Read a list of labels; a line that cannot be used becomes a problem that blocks.

    Parameters
    ----------
    file : Path
    subjects : bool
        Whether the column ``subject`` must be there; a data set whose file names tell the subject needs none.
    own : collection of str
        Classes that the column ``emotion`` may name beside the project's.
    """
    labels: list[Label] = []
    problems: list[Problem] = []
    if file.resolve().parent != file.parent.resolve():
        return [], [Problem(str(file), "is a link that leads out of its folder; copy the list there", blocks=True)]
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            delimiter = _delimiter(text.readline())
            text.seek(0)
            lines = csv.DictReader(text, delimiter=delimiter, restval="", strict=True)
            names = [name.strip().lower() for name in lines.fieldnames or ()]
            lines.fieldnames = names
            required = (*_REQUIRED, "subject") if subjects else _REQUIRED
            if absent := [name for name in required if name not in names]:
                lacking = ", ".join(absent)
                what = f"expected the columns {', '.join(required)} in the first line, found no {lacking}; add it"
                return [], [Problem(str(file), what, blocks=True)]
            if others := [repr(name) for name in names if name not in _COLUMNS]:
                problems.append(Problem(str(file), f"has columns that are not read: {', '.join(others)}"))
            for cells in lines:
                try:
                    labels.append(_label(lines.line_num, cells, subjects, own))
                except _CellError as bad:
                    problems.append(Problem(f"{file}, line {lines.line_num}", str(bad), blocks=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        what = f"expected a table in UTF-8, found one that cannot be read ({error}); save it again as CSV UTF-8"
        return [], [Problem(str(file), what, blocks=True)]
    if not labels and not any(problem.blocks for problem in problems):
        problems.append(Problem(str(file), "lists no scan below its first line; write one line a scan", blocks=True))
    return labels, problems + _clashes(file, labels)


def _delimiter(header: str) -> str:
    """Spreadsheets of half the world write semicolons."""
    return max(",;\t", key=header.count)


def _label(line: int, cells: Mapping[str | None, str | list[str]], subjects: bool, own: Collection[str]) -> Label:
    if None in cells:
        raise _CellError("has more cells than the first line has names; put cells that hold a comma in quotes")
    row = {name: str(cells.get(name, "")).strip() for name in _COLUMNS}
    if subjects and not row["subject"]:
        raise _CellError("names no subject; nobody may stand on both sides of a split, so that it is needed")
    if (emotion := emotion_named(row["emotion"], own)) is None:
        raise _CellError(f"expected an emotion, one of {emotions_known(own)}; found {row['emotion'][:SHOWN]!r}")
    if bool(row["sequence"]) != bool(row["frame"]):
        raise _CellError("has a sequence without a frame's number, or the other way round; fill in both or neither")
    intensity, frame = _number(row, "intensity", 1, 4), _number(row, "frame", 0, 10**9)
    attributes = {name: row[name].lower() for name in ATTRIBUTES if row[name]}
    if "sex" in attributes:
        if attributes["sex"] not in _SEXES:
            raise _CellError(f"expected the sex female, male, f, m or nothing; found {row['sex'][:SHOWN]!r}")
        attributes["sex"] = _SEXES[attributes["sex"]]
    path = _inside(row["path"])
    return Label(line, path, row["subject"], emotion, intensity, row["sequence"] or None, frame, attributes)


def _number(row: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = row[name]
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and least <= int(text) <= most):
        raise _CellError(f"expected a whole number from {least} to {most} as {name}, found {text[:SHOWN]!r}")
    return int(text)


def _inside(text: str) -> str:
    """Bring a path into one form; refuse one that leads elsewhere."""
    text = text.replace("\\", "/")
    path = PurePosixPath(text)
    if not text.isprintable() or not text or path.is_absolute() or PureWindowsPath(text).drive or ".." in path.parts:
        raise _CellError(f"expected a path below the folder of the list, found {text[:SHOWN]!r}; copy the scan there")
    return path.as_posix()


def _clashes(file: Path, labels: list[Label]) -> list[Problem]:
    """Find scans and frames that are listed twice, and sequences of two people or emotions."""
    problems = []
    first: dict[tuple[object, ...], Label] = {}
    for label in labels:
        clash = ""
        if (other := first.setdefault(("path", label.path), label)) is not label:
            clash = f"lists {label.path} again"
        elif label.sequence is not None:
            if (other := first.setdefault(("frame", label.sequence, label.frame), label)) is not label:
                clash = f"lists frame {label.frame} of the sequence {label.sequence!r} again"
            else:
                other = first.setdefault(("sequence", label.sequence), label)
                if (other.subject, other.emotion) != (label.subject, label.emotion):
                    clash = f"gives the sequence {label.sequence!r} another subject or emotion"
        if clash:
            what = f"{clash} (first in line {other.line}); correct one of the lines"
            problems.append(Problem(f"{file}, line {label.line}", what, label.subject or None, blocks=True))
    return problems
