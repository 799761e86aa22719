"""What a look into a data set's folder gives: its scans, and what is odd about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import in_one_line
from affectvlm.scan import Sample, read_scan


@dataclass(frozen=True, slots=True)
class FoundScan:
    """A scan, or frame of a sequence, that a data set holds, labelled or not.

    Parameters
    ----------
    file : str
        Its path; a text, because a data set has up to some hundred thousands.
    size : int
        Bytes.
    stamp : str
        Changes when the file does, or a picture beside it.
    key, subject : str
        As in :class:`~affectvlm.scan.Sample`.
    emotion : str, optional
        None where the data set does not say.
    intensity, sequence, frame : optional
        As in :class:`~affectvlm.scan.Sample`.
    attributes : mapping of str -> str
    kind : str
        What else the data set calls it, such as Bosphorus' ``LFAU``; counted by an inspection.
    picture : bool
        Whether a picture of its name stands beside it.
    landmarks : str, optional
        Path of its file of landmarks.
    """

    file: str
    size: int
    stamp: str
    key: str
    subject: str
    emotion: str | None = None
    intensity: int | None = None
    sequence: str | None = None
    frame: int | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""
    picture: bool = False
    landmarks: str | None = None

    def sample(self) -> Sample:
        """Turn a labelled scan into a sample."""
        assert self.emotion is not None
        return Sample(
            key=self.key,
            subject=self.subject,
            emotion=self.emotion,
            load=partial(read_scan, self.file),
            intensity=self.intensity,
            attributes=self.attributes,
            stamp=self.stamp,
            sequence=self.sequence,
            frame=self.frame,
            landmarks=None if self.landmarks is None else Path(self.landmarks),
        )


def with_all_six(scans: Iterable[FoundScan]) -> set[str]:
    """Name the subjects who show all six emotions."""
    shown: dict[str, set[str | None]] = {}
    for scan in scans:
        shown.setdefault(scan.subject, set()).add(scan.emotion)
    return {subject for subject, own in shown.items() if own.issuperset(EMOTIONS)}


@dataclass(frozen=True)
class Problem:
    """Something odd.

    Parameters
    ----------
    path : str
        The file, folder, subject or sequence that it is about.
    what : str
        One line; it is made so, since what it quotes may be anything.
    subject : str, optional
        Whose scans it concerns.
    blocks : bool
        Whether the data set cannot be used before it is put right: which label or which file is meant is unclear.
    """

    path: str
    what: str
    subject: str | None = None
    blocks: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", in_one_line(self.path, 4096))
        object.__setattr__(self, "what", in_one_line(self.what, 500))


@dataclass
class Findings:
    """Everything that was found.

    Parameters
    ----------
    scans : list of FoundScan
    problems : list of Problem
    counts : dict of str -> int
        Of files that are no scans to use: raw meshes, archives.
    """

    scans: list[FoundScan] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, by: int = 1) -> None:
        """Add to one of the counts."""
        self.counts[name] = self.counts.get(name, 0) + by
