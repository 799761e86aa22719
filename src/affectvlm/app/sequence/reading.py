"""From a sequence to all that the page shows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from affectvlm.app.sequence.frame_pictures import draw_frames
from affectvlm.app.sequence.frames_upload import without
from affectvlm.app.sequence.sources import SequenceSource
from affectvlm.app.settings import AppSettings
from affectvlm.app.work import Tell
from affectvlm.errors import ScanError
from affectvlm.recognizer import Prediction, Recognizer, Timeline
from affectvlm.recognizer.recognizer import WORKERS
from affectvlm.recognizer.timeline import USUAL_FPS
from affectvlm.scan import FaceScan, ScanSequence, normalize, read_scan

OPENED, RECOGNISED = 0.15, 0.75
"""Shares of the whole work at which the frames are there, and are answered; the rest is drawing."""


@dataclass(frozen=True, eq=False)
class SequenceReading:
    """What the model makes of one sequence.

    Parameters
    ----------
    title : str
        What it is, for people.
    answer : Prediction
        With a timeline. Frames are called as their owner calls them.
    pictures : tuple of T bytes or None
        Of each frame (:func:`affectvlm.app.sequence.frame_pictures.draw_frames`).
    note : str
        What the reader should know of the scans; empty where there is nothing.
    """

    title: str
    answer: Prediction
    pictures: tuple[bytes | None, ...]
    note: str = ""

    @property
    def timeline(self) -> Timeline:
        """The answer's."""
        assert self.answer.timeline is not None
        return self.answer.timeline

    @property
    def fps(self) -> float:
        """Frames a second to play it at."""
        return self.timeline.fps or USUAL_FPS

    @property
    def errors(self) -> dict[int, str]:
        """Number of each frame that cannot be used, and why."""
        return {number: a.error for number, a in enumerate(self.timeline.answers) if a.error is not None}


def read_sequence(recognizer: Recognizer, source: SequenceSource, settings: AppSettings, tell: Tell) -> SequenceReading:
    """Open a sequence, recognise it and draw it.

    Parameters
    ----------
    recognizer : Recognizer
    source : SequenceSource
    settings : AppSettings
        Where face models are.
    tell : callable
        Told how far it is; what it raises ends the work, and nothing is left on disk.

    Raises
    ------
    AffectVLMError
        The sequence cannot be opened, or none of its frames can be used.
    """
    with TemporaryDirectory(prefix="affectvlm-") as name:
        folder = Path(name)
        tell("Opening the frames", 0.0)
        sequence = source.open(settings, folder, _part(tell, "Making the frames", 0.0, OPENED))
        of_model = _part(tell, f"Recognising {len(sequence)} frames", OPENED, RECOGNISED)
        of_model(0.0)
        answer = recognizer.predict(sequence, on_progress=of_model)
        if answer.timeline is None:
            raise ScanError(without(folder, answer.error or "no answer"))
        first = sequence.frames[int(np.flatnonzero(np.isfinite(answer.timeline.strength))[0])]
        pose = normalize(first if isinstance(first, FaceScan) else read_scan(first)).pose
        drawing = _part(tell, f"Drawing {len(sequence)} frames", RECOGNISED, 1.0)
        pictures = draw_frames(sequence.frames, pose, WORKERS, drawing)
        note = "" if pose.unit == "millimetres" else f"The frames were taken to be in {pose.unit}."
        return SequenceReading(_title(source, sequence), _renamed(answer, folder), pictures, note)


def _part(tell: Tell, doing: str, start: float, end: float) -> Callable[[float], None]:
    """Give what is to be told the share of a part of the whole work."""
    return lambda share: tell(doing, start + share * (end - start))


def _title(source: SequenceSource, sequence: ScanSequence) -> str:
    return f"{source.title}: {sequence.source}" if source.title == "your own frames" else source.title


def _renamed(answer: Prediction, folder: Path) -> Prediction:
    """Call frames without the temporary folder."""
    assert answer.timeline is not None
    answers = tuple(
        replace(a, path=without(folder, a.path), error=None if a.error is None else without(folder, a.error))
        for a in answer.timeline.answers
    )
    return replace(answer, timeline=replace(answer.timeline, answers=answers))
