"""A sequence's course: what each frame shows, and when the expression begins, is strongest and ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from affectvlm.emotions import NEUTRAL
from affectvlm.recognizer.encoder import Encoder
from affectvlm.recognizer.prediction import Prediction

if TYPE_CHECKING:
    import pandas as pd

USUAL_FPS = 25.0
"""Taken where a rate is not known: that of BU-4DFE and BP4D."""

MEDIAN_S, GAUSSIAN_S = 0.2, 0.06
"""Smoothing over time. The median takes away what lasts less than half of it (a scan gone wrong, most of a blink) and
leaves a step where it is; the Gaussian, by its standard deviation, what is left of the noise."""

SHOWN = 0.8
"""A sequence whose smoothed strength stays below this shows no expression: neutral has a fifth or more in every frame.

With the bundled model 6 of 12 generated neutral sequences stay below it, and none of 60 expressions.
"""

SHARE = 0.2
"""Onset and offset are where so much of the rise to the apex is there, and still there."""

LEAST_RISE = 0.1
"""Less is no rise: the expression was there from the first frame, or lasts to the last."""

PLATEAU = 0.02
"""Frames as strong as the strongest but for this are one plateau, and the apex is its middle."""

NEAR_APEX_S = 0.2
"""Frames so near the apex stand for the sequence. Of 60 generated sequences (12.5 frames a second, all face models,
mixed sensors) a bundled model named 43 rightly by these, 44 by the strongest third of the frames, 43 by the frames from
onset to offset, 42 by the apex alone, 39 by all frames; an earlier one 50, and 49 by the apex alone, 45 by all."""

BEGINNING = 3
"""Usable frames that stand for a sequence's beginning, where the model knows no neutral face."""


@dataclass(frozen=True, eq=False)
class Timeline:
    """The answer for each frame of a sequence, and the phases of its expression.

    Parameters
    ----------
    answers : tuple of T Prediction
        One a frame; a frame that cannot be used has an error.
    strength : (T,) float64
        How expressive each frame is (:func:`strengths`), smoothed; NaN where a frame cannot be used.
    fps : float, optional
        Frames a second, where it is known.
    onset, apex, offset : int, optional
        Frames, counted from 0. No apex: the sequence shows no expression. No onset: it was there from the first frame.
        No offset: it lasts to the last.
    """

    answers: tuple[Prediction, ...]
    strength: np.ndarray
    fps: float | None = None
    onset: int | None = None
    apex: int | None = None
    offset: int | None = None

    @classmethod
    def of(
        cls, answers: Sequence[Prediction], strength: np.ndarray, usable: np.ndarray, fps: float | None = None
    ) -> Timeline:
        """Find the phases, in the (n,) smoothed strengths of the n frames that can be used."""
        everywhere = np.full(len(answers), np.nan)
        everywhere[usable] = strength
        found = (None if at is None else int(usable[at]) for at in phases(strength))
        return cls(tuple(answers), everywhere, fps, *found)

    def __len__(self) -> int:
        return len(self.answers)

    @property
    def weights(self) -> np.ndarray:
        """(T,) float64, sum 1: how much each frame counts for the sequence, where a model was made for single scans.

        The frames near the apex count alike, the others nothing; where there is no expression, all count. Frames that
        cannot be used count nothing.
        """
        counts = np.isfinite(self.strength)
        if self.apex is not None:
            near = round(NEAR_APEX_S * (self.fps or USUAL_FPS))
            counts &= np.abs(np.arange(len(self)) - self.apex) <= near
        weights: np.ndarray = counts / counts.sum()
        return weights

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the probabilities."""
        return next(tuple(answer.probabilities) for answer in self.answers if answer.error is None)

    @property
    def probabilities(self) -> np.ndarray:
        """(T, classes) float64, rows sum to 1; NaN where a frame cannot be used."""
        unknown = dict.fromkeys(self.classes, np.nan)
        return np.array([list((answer.probabilities or unknown).values()) for answer in self.answers])

    def seconds(self, frame: int) -> float | None:
        """When a frame was recorded, from the first; None where the rate is not known."""
        return None if self.fps is None else frame / self.fps

    def to_dict(self) -> dict[str, Any]:
        """Lay it out for JSON: ``frames`` (each its number, answer and, where known, time), ``onset``, ``apex`` ..."""
        frames = [
            {"frame": number, **({} if self.fps is None else {"seconds": self.seconds(number)}), **answer.to_dict()}
            for number, answer in enumerate(self.answers)
        ]
        return {"frames": frames, "onset": self.onset, "apex": self.apex, "offset": self.offset}

    def to_dataframe(self) -> pd.DataFrame:
        """Lay it out as a table.

        A row a frame: ``frame``, ``seconds``, ``path``, ``label``, ``strength``, ``phase`` (``onset``, ``apex`` and
        ``offset`` in the rows of these), ``error``, and a column for every class.
        """
        import pandas as pd

        phases = {self.offset: "offset", self.onset: "onset", self.apex: "apex"}
        rows = [
            {
                "frame": number,
                "seconds": self.seconds(number),
                "path": answer.path,
                "label": answer.label,
                "strength": self.strength[number],
                "phase": phases.get(number),
                "error": answer.error,
                **answer.probabilities,
            }
            for number, answer in enumerate(self.answers)
        ]
        return pd.DataFrame(rows)


def strengths(encoder: Encoder, embeddings: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Tell how expressive frames are.

    Where the model knows a neutral face, by how little they are that. Else by how far they are from the sequence's
    beginning, in the space of faces and words: such a model has to call a face at rest something, so that its
    probabilities need not change where the face does. 1 is then as far as its classes are from each other.

    Parameters
    ----------
    encoder : Encoder
    embeddings : (T, D) float32, unit length
        Of each frame.
    probabilities : (T, classes) float64
        Of the model's own classes.

    Returns
    -------
    (T,) float64
    """
    if NEUTRAL in encoder.classes:
        return 1 - probabilities[:, encoder.classes.index(NEUTRAL)]
    beginning = embeddings[:BEGINNING].mean(axis=0, dtype=np.float64)
    words = np.asarray(encoder.class_embeddings, np.float64)
    between = 1 - (words @ words.T)[np.triu_indices(len(words), 1)].mean()
    away: np.ndarray = (1 - embeddings @ (beginning / np.linalg.norm(beginning))) / between
    return away


def smooth(values: np.ndarray, frames: np.ndarray, fps: float | None) -> np.ndarray:
    """Smooth what was measured at some of the frames of a sequence: by a median, then a Gaussian.

    Parameters
    ----------
    values : (n,) float
    frames : (n,) int
        Where they stand, rising; what is missing between them is taken to lie on a straight line.
    fps : float, optional

    Returns
    -------
    (n,) float64
    """
    rate = fps or USUAL_FPS
    whole = np.interp(np.arange(frames[0], frames[-1] + 1), frames, values)
    window = 2 * int(MEDIAN_S * rate / 2) + 1  # odd: 5 frames of 25 a second
    from scipy.ndimage import gaussian_filter1d, median_filter  # slow to import, and single scans need it not

    whole = gaussian_filter1d(median_filter(whole, window, mode="nearest"), GAUSSIAN_S * rate, mode="nearest")
    smoothed: np.ndarray = whole[frames - frames[0]]
    return smoothed


def phases(strength: np.ndarray) -> tuple[int | None, int | None, int | None]:
    """Find onset, apex and offset in a smoothed strength.

    The apex is the strongest frame (the middle one of a plateau). The onset is the last frame before it where less
    than :data:`SHARE` of the rise from the weakest earlier frame is there; the offset, the first after it where less
    than that of the fall to the weakest later one is left.

    Parameters
    ----------
    strength : (T,) float

    Returns
    -------
    onset, apex, offset : int or None
        As :class:`Timeline` has them.
    """
    if strength.max() < SHOWN:
        return None, None, None
    top = int(strength.argmax())
    lower = np.flatnonzero(strength < strength[top] - PLATEAU)
    first = int(lower[lower < top].max(initial=-1)) + 1
    last = int(lower[lower > top].min(initial=len(strength))) - 1
    apex = (first + last) // 2
    before, after = _low(strength[: apex + 1][::-1]), _low(strength[apex:])
    return None if before is None else apex - before, apex, None if after is None else apex + after


def _low(falling: np.ndarray) -> int | None:
    """Count the steps from an apex, the first frame, to where little is left of it."""
    weakest = falling.min()
    rise = falling[0] - weakest
    return int((falling < weakest + SHARE * rise).argmax()) if rise >= LEAST_RISE else None
