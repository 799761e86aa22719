"""What all data sets have in common: samples by protocol, and an inspection."""

from __future__ import annotations

import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from affectvlm.datasets.file_tree import describe
from affectvlm.datasets.found import Findings, FoundScan, Problem
from affectvlm.datasets.inspection import Inspection, Whole, inspect_findings
from affectvlm.errors import ConfigError, DataError
from affectvlm.scan import Sample


@dataclass(frozen=True)
class Protocol:
    """Which scans of a data set are used.

    Parameters
    ----------
    summary : str
        A line: what is taken, and who says so.
    choose : callable
        Picks from the labelled scans.
    """

    summary: str
    choose: Callable[[Sequence[FoundScan]], Iterable[FoundScan]]


class Dataset(ABC):
    """A folder with a data set in it.

    Nothing is looked for before it is asked for; the folder is walked once.

    Parameters
    ----------
    root : str or Path
        The folder of the data set; one that holds it, or one inside it, will do.
    protocol : str, optional
        One of :attr:`protocols`; the first where none is given.
    classes : collection of str
        Of one's own, which names of folders and lists of labels may say beside the project's emotions.

    Raises
    ------
    ConfigError
        There is no such protocol.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    example: ClassVar[str]
    """A path as the data set has them."""
    protocols: ClassVar[Mapping[str, Protocol]]
    """By name; the first is the default."""
    whole: ClassVar[Whole] = Whole()

    def __init__(self, root: str | Path, protocol: str | None = None, classes: Collection[str] = ()) -> None:
        self.root = Path(root)
        self.classes = classes
        self.protocol = next(iter(self.protocols)) if protocol is None else protocol
        if self.protocol not in self.protocols:
            raise ConfigError(
                f"{self.title} has no protocol {self.protocol!r}; choose one of {', '.join(self.protocols)}"
            )

    @abstractmethod
    def _find(self) -> Findings:
        """Walk through the folder, which exists."""

    @cached_property
    def _findings(self) -> Findings:
        if not self.root.is_dir():
            found = "a file" if self.root.exists() else "none"
            raise DataError(f"{self.root}: expected a folder with {self.title}, found {found}; check the path")
        findings = self._find()
        findings.problems += _twice(findings.scans)
        findings.scans.sort(key=_order)
        if not findings.scans and not any(problem.blocks for problem in findings.problems):
            passed_over = "".join(f"; {odd.path} {odd.what}" for odd in findings.problems[:1])
            raise DataError(self._nothing_found() + passed_over)
        return findings

    def _nothing_found(self) -> str:
        return (
            f"{self.root}: expected {self.title}, with files such as {self.example}; found {describe(self.root)}; "
            "name the folder that holds them, and unpack archives first"
        )

    def samples(self) -> list[Sample]:
        """List the protocol's scans, sorted by subject, emotion, intensity, sequence and frame's number.

        Raises
        ------
        DataError
            The folder holds no such data set, what a file is labelled is unclear, or the protocol leaves nothing.
        """
        findings = self._findings
        blocking = [problem for problem in findings.problems if problem.blocks]
        if blocking:
            more = (
                f" (and {len(blocking) - 1} more: see `affectvlm inspect {self.name} {self.root}`)"
                if len(blocking) > 1
                else ""
            )
            raise DataError(f"{blocking[0].path}: {blocking[0].what}{more}")
        if findings.problems:
            odd = findings.problems[0]
            warnings.warn(
                f"{self.root}: found odd things ({len(findings.problems)}), the first: {odd.path}: {odd.what}; "
                f"`affectvlm inspect {self.name} {self.root}` lists all",
                stacklevel=2,
            )
        labelled = [scan for scan in findings.scans if scan.emotion is not None]
        chosen = list(self.protocols[self.protocol].choose(labelled))
        if not chosen:
            raise DataError(self._none_chosen(len(findings.scans), len(labelled)))
        return [scan.sample() for scan in chosen]

    def _none_chosen(self, scans: int, labelled: int) -> str:
        return (
            f"{self.root}: expected scans for the protocol {self.protocol} ({self.protocols[self.protocol].summary}); "
            f"found none among {scans}, {labelled} of them with an emotion; choose another protocol "
            f"({', '.join(self.protocols)}) or complete the data set"
        )

    def inspect(
        self, read: bool = False, jobs: int = 1, on_progress: Callable[[int], None] = lambda done: None
    ) -> Inspection:
        """Look over all scans, those that the protocol leaves out too.

        Parameters
        ----------
        read : bool
            Read every file, too.
        jobs : int
            With ``read``: processes at a time; what is found is the same for any number.
        on_progress : callable
            With ``read``: called with the number of files read so far, up to the inspection's ``counts["scans"]``.

        Raises
        ------
        DataError
            The folder holds no such data set.
        """
        return inspect_findings(self.name, str(self.root), self._findings, self.whole, read, jobs, on_progress)


def _order(scan: FoundScan) -> tuple[str, str, int, str, int, str]:
    return scan.subject, scan.emotion or "", scan.intensity or 0, scan.sequence or "", scan.frame or 0, scan.key


def _twice(scans: Iterable[FoundScan]) -> Iterable[Problem]:
    """Find scans that are there twice, and could differ."""
    first: dict[str, str] = {}
    for scan in scans:
        if (other := first.setdefault(scan.key, scan.file)) != scan.file:
            what = f"is {scan.key} again, which is {other} already; name the folder of the copy to use"
            yield Problem(scan.file, what, scan.subject, blocks=True)


def everything(scans: Sequence[FoundScan]) -> Sequence[FoundScan]:
    """Choose all labelled scans."""
    return scans


def showing(*emotions: str) -> Callable[[Sequence[FoundScan]], Iterable[FoundScan]]:
    """Make a choice of the scans of some emotions."""
    return lambda scans: [scan for scan in scans if scan.emotion in emotions]


def subject_of(name: str) -> str | None:
    """Write a subject's name alike however a folder has it, ``f1`` or ``F0001``: ``F001``; None when it is none."""
    found = re.fullmatch(r"([FM])(\d{1,4})", name, re.IGNORECASE | re.ASCII)
    return found and f"{found[1].upper()}{int(found[2]):03d}"


def sex_of(letter: str) -> dict[str, str]:
    """Tell a subject's sex from the letter that its name begins with."""
    return {"sex": {"F": "female", "M": "male"}[letter]}
