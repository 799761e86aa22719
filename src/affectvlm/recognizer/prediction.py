"""What a recognizer answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from affectvlm.recognizer.own_rest import OwnRest

if TYPE_CHECKING:
    import pandas as pd

    from affectvlm.recognizer.timeline import Timeline

UNSURE = "unsure"
"""The label of a face whose most probable expression is not probable enough to be called."""


@dataclass(frozen=True)
class Prediction:
    """The answer for one scan, or for one sequence.

    Parameters
    ----------
    path : str
        The file or folder, or the scan's own word for its source.
    label : str, optional
        The most probable expression, an apparent one, not an emotion felt; or :data:`UNSURE`. None where there is an
        error.
    probabilities : dict of class -> float
        All classes in the model's order, sum 1; empty where there is an error.
    error : str, optional
        Why there is no answer.
    timeline : Timeline, optional
        Of a sequence: the answer for each frame, and when the expression begins, is strongest and ends.
    """

    path: str
    label: str | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    timeline: Timeline | None = None

    @property
    def confidence(self) -> float | None:
        """Highest probability; None where there is an error."""
        return max(self.probabilities.values(), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Lay the answer out for JSON: path, and either label and probabilities (and frames) or the error."""
        if self.error is not None:
            return {"path": self.path, "error": self.error}
        answer = {"path": self.path, "label": self.label, "probabilities": self.probabilities}
        return answer if self.timeline is None else {**answer, **self.timeline.to_dict()}


@dataclass(frozen=True, eq=False)
class Choice:
    """What an answer is one of.

    Parameters
    ----------
    classes : sequence of str
        The model's own, or labels in somebody's words.
    prompts : (classes, D) float32
        Their embeddings.
    unsure_below : float
        Answers whose highest probability is lower are withheld. It is fitted for the model's own classes: of other
        labels, as many as one likes and as alike, the likeliest is always given.
    own_rest : OwnRest, optional
        The person's face at rest, which is taken out of what is to be answered.
    """

    classes: Sequence[str]
    prompts: np.ndarray
    unsure_below: float = 0.0
    own_rest: OwnRest | None = None

    def answer(self, path: str, probabilities: np.ndarray) -> Prediction:
        """Name the most probable of them, or :data:`UNSURE`."""
        best = int(probabilities.argmax())
        label = self.classes[best] if probabilities[best] >= self.unsure_below else UNSURE
        return Prediction(path, label, dict(zip(self.classes, probabilities.tolist(), strict=True)))


class Predictions(list[Prediction]):
    """The answers for several scans, in their order."""

    def to_dataframe(self) -> pd.DataFrame:
        """Lay them out as a table: a row each, ``path``, ``label``, ``error`` and a column for every class."""
        import pandas as pd

        rows = [{"path": p.path, "label": p.label, "error": p.error, **p.probabilities} for p in self]
        return pd.DataFrame(rows, columns=None if rows else ["path", "label", "error"])
