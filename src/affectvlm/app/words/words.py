"""How well descriptions in one's own words fit a face."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from affectvlm.recognizer.encoder import Encoder
from affectvlm.recognizer.softmax import softmax

MOST_DESCRIPTIONS = 20

OWN_PROMPTS = "the model's own prompts"


@dataclass(frozen=True, eq=False)
class Fit:
    """How well each description of a set fits.

    Parameters
    ----------
    descriptions : tuple of N str
    cosines : (N,) float64
        Between the face's embedding and each description's, -1 to 1.
    shares : (N,) float64
        Among the descriptions of the set, sum 1: what they would be as classes.
    """

    descriptions: tuple[str, ...]
    cosines: np.ndarray
    shares: np.ndarray

    @property
    def best(self) -> str:
        """The description that fits best."""
        return self.descriptions[int(self.cosines.argmax())]


def descriptions_in(text: str) -> tuple[str, ...]:
    """Take the lines of a text that say something, each once, the first :data:`MOST_DESCRIPTIONS` of them."""
    lines = (line.strip() for line in text.splitlines())
    return tuple(dict.fromkeys(line for line in lines if line))[:MOST_DESCRIPTIONS]


def fit(descriptions: Sequence[str], face: np.ndarray, words: np.ndarray, logit_scale: float) -> Fit:
    """Compare a face with descriptions.

    Parameters
    ----------
    descriptions : sequence of N str
        At least one.
    face : (D,) float
        Unit length.
    words : (N, D) float
        Of the descriptions, unit length.
    logit_scale : float
        Of the model: cosines times this are logits.
    """
    cosines = np.einsum("nd,d->n", words, face, dtype=np.float64)
    return Fit(tuple(descriptions), cosines, softmax(logit_scale * cosines))


def prompt_sets(encoder: Encoder) -> dict[str, tuple[str, ...]]:
    """Give sets to begin with, by what they are called; a description for each class that the set has words for."""
    words = [encoder.grammar.vocabulary.classes[name] for name in encoder.classes]
    return {
        OWN_PROMPTS: encoder.class_prompts,
        "what somebody does": tuple(f"a person {own.doing[0]}" for own in words if own.doing),
        "what a face expresses": tuple(f"a look of {own.nouns[0]} on a face" for own in words if own.nouns),
    }
