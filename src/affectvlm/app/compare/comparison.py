"""Two answers about one face: in what they differ, in words."""

from __future__ import annotations

from affectvlm.app.face.bars import percent
from affectvlm.recognizer import UNSURE, Prediction

APART = 0.10
"""Probabilities this far apart are pointed out; less is hardly seen in the bars."""


def verdict(left: Prediction, right: Prediction) -> str:
    """Say in a sentence whether two models call a face the same.

    Parameters
    ----------
    left, right : Prediction
        Each over its own model's classes.
    """
    if left.label == right.label:
        return "Both are unsure." if left.label == UNSURE else f"Both read {left.label}."
    said = [("is unsure" if answer.label == UNSURE else f"reads {answer.label}") for answer in (left, right)]
    return f"They differ: the left one {said[0]}, the right one {said[1]}."


def apart(left: Prediction, right: Prediction) -> list[str]:
    """Name the classes that both know and see differently, the farthest first, then those that only one knows."""
    shared = [name for name in left.probabilities if name in right.probabilities]
    gaps = {name: right.probabilities[name] - left.probabilities[name] for name in shared}
    told = [
        f"{name}: {percent(left.probabilities[name])} and {percent(right.probabilities[name])}"
        for name in sorted(shared, key=lambda name: -abs(gaps[name]))
        if abs(gaps[name]) >= APART
    ]
    for side, mine, other in (("left", left, right), ("right", right, left)):
        if only := [name for name in mine.probabilities if name not in other.probabilities]:
            told.append(f"only the {side} one knows {', '.join(only)}")
    return told


def in_rows(answer: Prediction, other: Prediction) -> dict[str, float]:
    """Order a model's answer so that two columns of bars can be read across: classes that both know come first.

    Parameters
    ----------
    answer : Prediction
        The one that is ordered.
    other : Prediction
        The one that it stands beside.

    Returns
    -------
    dict of class -> probability
    """
    # Every model keeps the project's order of classes, so the shared ones are in the same rows.
    names = sorted(answer.probabilities, key=lambda name: name not in other.probabilities)
    return {name: answer.probabilities[name] for name in names}
