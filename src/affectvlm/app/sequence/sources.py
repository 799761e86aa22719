"""Where a sequence on the page comes from: made up on the spot, captured movement on a made-up face, or dropped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from affectvlm.app.face.samples import SEED
from affectvlm.app.face.uploads import Dropped
from affectvlm.app.made_face import FIRST, MadeFace
from affectvlm.app.sequence.frames_upload import lay_out
from affectvlm.app.settings import AppSettings
from affectvlm.scan import ScanSequence
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.generate import BU4DFE_FOLDERS, REST, SEQUENCES, SPEECH, Study, Subject, Take

SHOWN: dict[str, str] = BU4DFE_FOLDERS | {
    "neutral, looking around": REST,
    "neutral, speaking": SPEECH,
}
"""What a made-up person can show, in words -> the sequence of a study that shows it."""

LONGEST_S = 20.0
"""Of a capture, at once."""


@dataclass(frozen=True)
class GeneratedSequence:
    """An expression that comes and goes, or a neutral face.

    Parameters
    ----------
    face : MadeFace
    shown : str
        One of :data:`SHOWN`.
    fps : float
        Frames a second.
    """

    face: MadeFace = FIRST
    shown: str = "happiness"
    fps: float = 25.0

    @property
    def key(self) -> str:
        """Tells it from every other."""
        return repr(self)

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.face.title}, made to show {self.shown}"

    def open(self, settings: AppSettings, folder: Path, on_frame: Callable[[float], None]) -> ScanSequence:
        """Make the frames; always the same ones.

        Raises
        ------
        DataError
            The face model's folder does not hold it.
        """
        shown = SHOWN[self.shown]
        study = _study(self.face, settings, self.fps, neutral=SEQUENCES[shown] == "neutral")
        takes = study.sequence(Subject(self.face.person - 1, "", {}), shown, SEQUENCES[shown])
        return _recorded(study, takes, self.shown, on_frame)


@dataclass(frozen=True)
class CapturedSequence:
    """A part of somebody's captured movement, on a made-up face.

    Parameters
    ----------
    face : MadeFace
    file : Path
        A Live Link Face csv.
    start_s, end_s : float
        The part, at most :data:`LONGEST_S`.
    fps : float
        Frames a second.
    """

    face: MadeFace
    file: Path
    start_s: float
    end_s: float
    fps: float

    @property
    def key(self) -> str:
        """Tells it from every other."""
        return repr(self)

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.face.title}, moved as captured in {self.file.name}, {self.start_s:g} to {self.end_s:g} s"

    def open(self, settings: AppSettings, folder: Path, on_frame: Callable[[float], None]) -> ScanSequence:
        """Make the frames; always the same ones.

        Raises
        ------
        DataError
            The capture cannot be read, or the face model's folder does not hold it.
        """
        study = _study(self.face, settings, self.fps, capture=self.file)
        takes = study.sequence(Subject(self.face.person - 1, "", {}), self.file.stem, None)
        part = takes[round(self.start_s * self.fps) : round(self.end_s * self.fps) + 1]
        return _recorded(study, part, self.file.stem, on_frame)


@dataclass(frozen=True, eq=False)
class DroppedSequence:
    """Frames of the visitor's own.

    Parameters
    ----------
    files : tuple of (name, content)
        As :func:`affectvlm.app.sequence.frames_upload.lay_out` takes them.
    fps : float, optional
        Frames a second, where the visitor knows.
    """

    files: tuple[Dropped, ...]
    fps: float | None

    @cached_property
    def key(self) -> str:
        """Tells it from every other."""
        digest = hashlib.sha256(repr((self.fps, [(name, len(content)) for name, content in self.files])).encode())
        for _, content in self.files:
            digest.update(content)
        return digest.hexdigest()

    @property
    def title(self) -> str:
        """For people; what the frames are called is known only once they are laid out."""
        return "your own frames"

    def open(self, settings: AppSettings, folder: Path, on_frame: Callable[[float], None]) -> ScanSequence:
        """Lay the files out in a folder, which is to be there as long as the frames are used.

        Raises
        ------
        ScanError
            There is not one sequence in them.
        """
        return lay_out(self.files, folder, self.fps)


SequenceSource = GeneratedSequence | CapturedSequence | DroppedSequence


def _study(
    face: MadeFace, settings: AppSettings, fps: float, neutral: bool = False, capture: Path | None = None
) -> Study:
    """Find the face model, and prepare to record."""
    return Study(
        FaceSource.find(face.model, face.folder(settings)),
        "neutral" if neutral else "bu4dfe",
        seed=SEED,
        sensor=face.sensor,
        fps=fps,
        capture=capture,
    )


def _recorded(study: Study, takes: Sequence[Take], called: str, on_frame: Callable[[float], None]) -> ScanSequence:
    """Record the takes; frames are called by what they show and their number."""
    frames = []
    for done, take in enumerate(takes):
        on_frame(done / len(takes))
        frames.append(replace(study.record(take).scan, source=f"{called}/{done:03d}"))
    return ScanSequence(tuple(frames), study.fps, called)
