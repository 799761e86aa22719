"""Emotion -> action units, with the spread that people show.

Source of the table: Du, Tao and Martinez 2014 (PNAS 111, E1454), "Compound facial expressions of emotion", table 1:
the action units that an emotion is made of, and those that only a share of people add.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PROTOTYPES: dict[str, tuple[str, ...]] = {
    "anger": ("AU4", "AU7", "AU24"),
    "disgust": ("AU9", "AU10", "AU17"),
    "fear": ("AU1", "AU4", "AU20", "AU25"),
    "happiness": ("AU12", "AU25"),
    "sadness": ("AU4", "AU15"),
    "surprise": ("AU1", "AU2", "AU25", "AU26"),
}
"""What nearly everybody shows."""

SECONDARIES: dict[str, dict[str, float]] = {
    "anger": {"AU17": 0.52, "AU10": 0.26, "AU23": 0.29},
    "disgust": {"AU4": 0.31, "AU24": 0.26},
    "fear": {"AU2": 0.57, "AU5": 0.63, "AU26": 0.33},
    "happiness": {"AU6": 0.51},
    "sadness": {"AU1": 0.60, "AU6": 0.50, "AU11": 0.26, "AU17": 0.67},
    "surprise": {"AU5": 0.66},
}
"""Action unit -> share of people who add it."""

INTENSITIES = (1, 2, 3, 4)
STRENGTH = {1: 0.35, 2: 0.55, 3: 0.75, 4: 0.95}
"""Mean strength of an emotion's action units at the four intensities of BU-3DFE (our reading of "low" to "extreme")."""

CO_ACTIVATED = 3
"""Further action units that show a little in any expression; real ones are never the prototype alone."""


@dataclass(frozen=True)
class Style:
    """How one person shows one emotion, the same in each of his scans.

    Parameters
    ----------
    gains : dict of action unit -> float
        Those that he uses, with his own strength of each.
    lean : dict of action unit -> float
        How much stronger the left half is than the mean, in parts of it (negative: the right one).
    """

    gains: dict[str, float]
    lean: dict[str, float]


def draw_style(emotion: str, rng: np.random.Generator) -> Style:
    """Draw a person's way of showing an emotion."""
    used = list(PROTOTYPES[emotion])
    used += [unit for unit, share in SECONDARIES[emotion].items() if rng.random() < share]
    gains = {unit: float(rng.uniform(0.6, 1.15)) for unit in used}
    lean = {unit: float(np.clip(rng.normal(0, 0.12), -0.4, 0.4)) for unit in used}
    return Style(gains, lean)


def draw_expression(
    style: Style, intensity: int, shape_names: Sequence[str], rng: np.random.Generator
) -> dict[str, float]:
    """Draw the shape weights of one scan.

    Parameters
    ----------
    style : Style
    intensity : int
        1 to 4.
    shape_names : sequence of str
        The face model's shapes (``AU12_L``, ``AU26``, ...); others are never named in the answer.

    Returns
    -------
    dict of shape name -> weight in [0, 1.3]
    """
    units = sorted({name.split("_")[0] for name in shape_names})
    strengths = {
        unit: gain * STRENGTH[intensity] * rng.uniform(0.8, 1.2) for unit, gain in style.gains.items() if unit in units
    }
    for unit in rng.choice(units, CO_ACTIVATED, replace=False):
        strengths[unit] = max(strengths.get(unit, 0.0), float(rng.uniform(0, 0.25)))

    weights = {}
    for name in shape_names:
        unit, _, side = name.partition("_")
        if unit in strengths:
            lean = style.lean.get(unit, 0.0) * {"L": 1, "R": -1}.get(side, 0)
            weights[name] = float(np.clip(strengths[unit] * (1 + lean), 0, 1.3))
    return weights
