"""What is in a data set's folder and what is odd about it, as a table."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

import numpy as np

from affectvlm.datasets.found import Findings, FoundScan, Problem, with_all_six
from affectvlm.emotions import class_order
from affectvlm.errors import AffectVLMError
from affectvlm.scan import read_scan

FIRST_FRAME = 1
"""The highest number of a sequence's first frame that is not late: some count from 0, some from 1."""

NAMED_GAPS = 8
"""How many gaps in a sequence's numbers one line names."""


@dataclass(frozen=True)
class Whole:
    """What a data set has when nothing is missing, as far as it is published.

    Parameters
    ----------
    counts : mapping of str -> int
        In the words of :attr:`Inspection.counts`.
    shows : tuple of (emotion, intensity)
        What every subject shows; empty where they differ.
    landmarks : bool
        Whether each scan has a file of landmarks.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    shows: tuple[tuple[str, int | None], ...] = ()
    landmarks: bool = False


@dataclass(frozen=True)
class Inspection:
    """What a data set's folder holds.

    Parameters
    ----------
    dataset : str
        Its name in :data:`affectvlm.datasets.DATASETS`.
    root : str
    counts : mapping of str -> int
        What there is, in the order to be shown: subjects, scans, sequences, scans without a picture beside them...
    expected : mapping of str -> int
        The same of the whole data set, as published; only where that is known.
    problems : tuple of Problem
    unreadable : tuple of Problem
        Those of them that mean that a scan is lost: empty, or, where every file was read, damaged.
    subjects : tuple of dict
        A row for each subject; see :meth:`rows`.
    read : bool
        Whether every file was read.
    """

    dataset: str
    root: str
    counts: Mapping[str, int]
    expected: Mapping[str, int]
    problems: tuple[Problem, ...]
    unreadable: tuple[Problem, ...]
    subjects: tuple[Mapping[str, object], ...]
    read: bool

    def rows(self) -> list[dict[str, object]]:
        """List the subjects: ``subject``, ``sex``, ``sequences``, ``scans``, a count for each emotion, ``problems``.

        All rows have the same columns; one that would be empty for everybody is left out.
        """
        return [dict(row) for row in self.subjects]

    def summary(self) -> list[dict[str, object]]:
        """List the counts: ``what``, ``found``, ``expected`` (None where it is not known)."""
        return [{"what": name, "found": n, "expected": self.expected.get(name)} for name, n in self.counts.items()]

    def to_dict(self) -> dict[str, object]:
        """Give everything as what JSON can hold."""
        return {
            "dataset": self.dataset,
            "root": self.root,
            "read": self.read,
            "counts": dict(self.counts),
            "expected": dict(self.expected),
            "problems": [{"path": p.path, "what": p.what, "subject": p.subject} for p in self.problems],
            "subjects": self.rows(),
        }


def inspect_findings(
    dataset: str, root: str, findings: Findings, whole: Whole, read: bool, jobs: int, on_progress: Callable[[int], None]
) -> Inspection:
    """Look a data set's scans over.

    Parameters
    ----------
    dataset, root : str
    findings : Findings
    whole : Whole
    read : bool
        Read every file, too, with its picture.
    jobs : int
        Worker processes that read.
    on_progress : callable
        Called with the number of files read so far.
    """
    scans = findings.scans
    unreadable = [Problem(scan.file, "is empty; copy it again", scan.subject) for scan in scans if scan.size == 0]
    remarks: list[Problem] = []
    if read:
        for done, (lost, odd) in enumerate(_read_all(scans, jobs), 1):
            unreadable += lost
            remarks += odd
            on_progress(done)
    problems = [
        *findings.problems,
        *_missing(scans, whole.shows),
        *_sequence_problems(scans),
        *unreadable,
        *remarks,
        *_lonely(scans, "picture beside it", [scan.picture for scan in scans]),
    ]
    if whole.landmarks:
        problems += _lonely(scans, "file of landmarks", [scan.landmarks is not None for scan in scans])
    counts = {
        **_counts(scans),
        "scans without a picture beside them": sum(not scan.picture for scan in scans),
        **({"scans without landmarks": sum(scan.landmarks is None for scan in scans)} if whole.landmarks else {}),
        **findings.counts,
        ("unreadable scans" if read else "empty scans"): len(unreadable),
    }
    problems.sort(key=lambda problem: not problem.blocks)  # what has to be put right before anything else
    rows = tuple(_subjects(scans, problems))
    return Inspection(dataset, root, counts, whole.counts, tuple(problems), tuple(unreadable), rows, read)


def _counts(scans: Sequence[FoundScan]) -> dict[str, int]:
    sexes = Counter({scan.subject: scan.attributes.get("sex", "") for scan in scans}.values())
    counts = {
        "subjects": len({scan.subject for scan in scans}),
        "female": sexes["female"],
        "male": sexes["male"],
        "with all six emotions": len(with_all_six(scans)),
        "sequences": len({scan.sequence for scan in scans if scan.sequence}),
        "scans": len(scans),
        "labelled scans": sum(scan.emotion is not None for scan in scans),
    }
    if not sexes["female"] + sexes["male"]:
        del counts["female"], counts["male"]
    if not counts["labelled scans"]:
        del counts["with all six emotions"]
    if not counts["sequences"]:
        del counts["sequences"]
    kinds = Counter(scan.kind for scan in scans if scan.kind)
    return {**counts, **{f"{kind} scans": count for kind, count in sorted(kinds.items())}}


def _subjects(scans: Sequence[FoundScan], problems: Sequence[Problem]) -> Iterator[dict[str, object]]:
    """A row for each subject."""
    shown = class_order({scan.emotion for scan in scans if scan.emotion is not None})
    sexed = any("sex" in scan.attributes for scan in scans)
    sequenced = any(scan.sequence for scan in scans)
    odd = Counter(problem.subject for problem in problems)
    for subject, group in groupby(sorted(scans, key=_subject), _subject):
        own = list(group)
        emotions = Counter(scan.emotion for scan in own)
        yield {
            "subject": subject,
            **({"sex": own[0].attributes.get("sex")} if sexed else {}),
            **({"sequences": len({scan.sequence for scan in own if scan.sequence})} if sequenced else {}),
            "scans": len(own),
            **{emotion: emotions[emotion] for emotion in shown},
            "problems": odd[subject],
        }


def _subject(scan: FoundScan) -> str:
    return scan.subject


def _missing(scans: Sequence[FoundScan], shows: Sequence[tuple[str, int | None]]) -> Iterator[Problem]:
    """Name what a subject does not show though everybody does."""
    shown: dict[str, set[tuple[str | None, int | None]]] = {}
    for scan in scans:
        shown.setdefault(scan.subject, set()).add((scan.emotion, scan.intensity))
    for subject, own in sorted(shown.items()) if shows else ():
        lacking = [
            emotion if level is None else f"{emotion} {level}"
            for emotion, level in shows
            if (emotion, level) not in own
        ]
        if lacking:
            yield Problem(subject, f"misses {len(lacking)} of {len(shows)}: {', '.join(lacking)}", subject)


def _sequence_problems(scans: Sequence[FoundScan]) -> Iterator[Problem]:
    """Find sequences that start late and gaps in their frames' numbers."""
    frames: dict[tuple[str, str], list[int]] = {}
    for scan in scans:
        if scan.sequence is not None and scan.frame is not None:
            frames.setdefault((scan.sequence, scan.subject), []).append(scan.frame)
    for (sequence, subject), numbers in sorted(frames.items()):
        numbers.sort()
        odd = [f"starts late: its first frame is {numbers[0]}"] if numbers[0] > FIRST_FRAME else []
        gaps = [(before + 1, after - 1) for before, after in pairwise(numbers) if after > before + 1]
        if gaps:
            lost = sum(last - first + 1 for first, last in gaps)
            named = [str(first) if first == last else f"{first}-{last}" for first, last in gaps[:NAMED_GAPS]]
            named += ["..."] if len(gaps) > NAMED_GAPS else []
            odd.append(f"misses {lost} of {numbers[-1] - numbers[0] + 1} frames: {', '.join(named)}")
        if odd:
            yield Problem(sequence, "; ".join(odd), subject)


def _lonely(scans: Sequence[FoundScan], what: str, has: Sequence[bool]) -> Iterator[Problem]:
    """Name the scans that lack what others have; where all lack it, their number says enough."""
    if not any(has):
        return
    for scan, there in zip(scans, has, strict=True):
        if not there:
            yield Problem(scan.file, f"has no {what}", scan.subject)


def _read_all(scans: Sequence[FoundScan], jobs: int) -> Iterable[tuple[list[Problem], list[Problem]]]:
    """Give what :func:`_read` says of each scan, in their order."""
    if jobs == 1:
        return map(_read, scans)
    import joblib  # only whoever wants several processes needs it: it comes with the extra `train`

    return joblib.Parallel(n_jobs=jobs, return_as="generator")(joblib.delayed(_read)(scan) for scan in scans)


def _read(scan: FoundScan) -> tuple[list[Problem], list[Problem]]:
    """Read a scan and its picture; tell why that fails, and what is wrong with the picture or remarked first."""
    if not scan.size:
        return [], []  # known to be lost
    remarks = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            face = read_scan(scan.file)
        except AffectVLMError as error:
            return [Problem(scan.file, _without_path(error, scan.file), scan.subject)], []
        try:
            np.asarray(face.texture)  # read only when it is asked for
        except AffectVLMError as error:
            remarks.append(Problem(scan.file, _without_path(error, scan.file), scan.subject))
    if told:
        remarks.append(Problem(scan.file, _without_path(told[0].message, scan.file), scan.subject))
    return [], remarks


def _without_path(message: Exception | str, file: str) -> str:
    """Leave out what a message begins with where the table names the file already."""
    return str(message).removeprefix(file).lstrip(":, ")
