"""Where a sequence on the page comes from: made up on the spot, captured movement on a made-up face, or dropped."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from affectvlm.app.face.samples import SEED
from affectvlm.app.face.uploads import Dropped
from affectvlm.app.sequence.frames_upload import lay_out
from affectvlm.app.settings import AppSettings
from affectvlm.scan import ScanSequence
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.generate import BU4DFE_FOLDERS, REST, SEQUENCES, SPEECH, Study, Subject, Take
from affectvlm.synthesis.library import FaceModelName

SHOWN: dict[str, str] = BU4DFE_FOLDERS | {
    "neutral, looking around": REST,
    "neutral, speaking": SPEECH,
}
"""What a made-up person can show, in words -> the sequence of a study that shows it."""

FACE_MODELS: dict[FaceModelName, str] = {
    "embedded": "embedded face",
    "ict-facekit": "ICT-FaceKit",
    "makehuman": "MakeHuman",
}

SENSOR_WORDS: dict[str, str] = {"clean": "a perfect one"}
"""Of sensors whose name says too little."""

LONGEST_S = 20.0
"""Of a capture, at once."""


@dataclass(frozen=True)
class MadeFace:
    """A made-up person before a scanner.

    Parameters
    ----------
    model : str
        One of :data:`FACE_MODELS`.
    person : int
        From 1.
    sensor : str
        One of :data:`affectvlm.synthesis.sensors.SENSORS`.
    """

    model: FaceModelName = "embedded"
    person: int = 1
    sensor: str = "clean"

    def study(self, settings: AppSettings, fps: float, neutral: bool = False, capture: Path | None = None) -> Study:
        """Find the face model, and prepare to record.

        Raises
        ------
        DataError
            The face model's folder does not hold it.
        """
        folders = {"embedded": None, "ict-facekit": settings.ict, "makehuman": settings.makehuman}
        return Study(
            FaceSource.find(self.model, folders[self.model]),
            "neutral" if neutral else "bu4dfe",
            seed=SEED,
            sensor=self.sensor,
            fps=fps,
            capture=capture,
        )

    @property
    def subject(self) -> Subject:
        """As studies know people."""
        return Subject(self.person - 1, "", {})

    @property
    def title(self) -> str:
        """For people."""
        scanner = "" if self.sensor == "clean" else f", seen by a {self.sensor} sensor"
        return f"made-up person {self.person} ({FACE_MODELS[self.model]}{scanner})"


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

    face: MadeFace = MadeFace()
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
        """Make the frames; always the same ones."""
        shown = SHOWN[self.shown]
        study = self.face.study(settings, self.fps, neutral=SEQUENCES[shown] == "neutral")
        takes = study.sequence(self.face.subject, shown, SEQUENCES[shown])
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
            The capture cannot be read.
        """
        study = self.face.study(settings, self.fps, capture=self.file)
        takes = study.sequence(self.face.subject, self.file.stem, None)
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


def capture_files(settings: AppSettings) -> list[Path]:
    """List the captures in the folder that the page was started with."""
    return [] if settings.captures is None else sorted(settings.captures.rglob("*.csv"))


def face_models(settings: AppSettings) -> list[FaceModelName]:
    """Name the face models that the page was started with."""
    there = {"embedded": True, "ict-facekit": settings.ict is not None, "makehuman": settings.makehuman is not None}
    return [name for name in FACE_MODELS if there[name]]


def _recorded(study: Study, takes: Sequence[Take], called: str, on_frame: Callable[[float], None]) -> ScanSequence:
    """Record the takes; frames are called by what they show and their number."""
    frames = []
    for done, take in enumerate(takes):
        on_frame(done / len(takes))
        frames.append(replace(study.record(take).scan, source=f"{called}/{done:03d}"))
    return ScanSequence(tuple(frames), study.fps, called)
