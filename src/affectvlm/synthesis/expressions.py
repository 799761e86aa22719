"""Emotion -> action units, with the spread that people show.

Sources: Du, Tao and Martinez 2014 (PNAS 111, E1454), "Compound facial expressions of emotion", table 1, for the
action units that an emotion is made of and those that only a share of people add; Ekman, Friesen and Hager 2002
(FACS Investigator's Guide, emotion prediction table), for the other ways in which an emotion is shown; and the apexes
of real captures (:func:`~affectvlm.synthesis.live_link.measured_apex`), which move more of the face than these. Every
person mixes them in his own way, with his own strengths, habits and asymmetry, and keeps to it in all his scans.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affectvlm.emotions import EMOTIONS
from affectvlm.synthesis.action_units import ACTION_UNITS, UNIT_INDEX, action_strengths
from affectvlm.synthesis.live_link import measured_apex

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

VARIANTS: dict[str, tuple[str, ...]] = {
    "anger": (
        "4 5 7 10 22 23 25 26",
        "4 5 7 10 23 25 26",
        "4 5 7 23 25 26",
        "4 5 7 17 23",
        "4 5 7 17 24",
        "4 5 7 23",
        "4 7 10 23 25",
        "4 7 17 23",
    ),
    "disgust": ("9", "9 16 25 26", "9 17", "10", "10 16 25 26", "10 17", "9 15 25", "9 10 25"),
    "fear": ("1 2 4 5 20 25 26", "1 2 4 5 20 25 27", "1 2 4 5 25 26", "1 2 4 5", "1 2 5 25 26", "5 20 25 26"),
    "happiness": ("6 12", "12", "6 12 25", "6 12 25 26"),
    "sadness": ("1 4 11 15", "1 4 15", "6 15", "1 4 11", "1 4 15 17", "11 15", "11 17", "1 4 15 25"),
    "surprise": ("1 2 5 26 25", "1 2 5 27 25", "1 2 5", "1 2 26 25", "1 2 27 25", "5 26 25", "5 27 25"),
}
"""Other ways to show an emotion, as numbers of action units: the prototypes and major variants of FACS.

Where the jaw drops the lips part, which the table leaves unsaid; gaze and turns of the head are left out, and of the
variants without one of an anger's brow, lids or lip the two that stay clear of other emotions are taken. One variant is
both fear's and surprise's: the table tells them apart by how wide the eyes open alone, which people's gains blur.
"""

INTENSITIES = (1, 2, 3, 4)
STRENGTH = {1: 0.35, 2: 0.55, 3: 0.75, 4: 0.95}
"""Mean strength of an emotion's action units at the four intensities of BU-3DFE (our reading of "low" to "extreme")."""

MAX_STRENGTH = 1.3
"""Some people's extreme goes beyond the face model's full action."""

# How much people differ: our choice, no published distribution is known to us.
VARIANT_SHARE = 0.4
"""Share of a person's apexes that start from one of the variants in place of the table's action units."""
MEASURED_MOST = 0.5
"""Share of the measured apex in a person's own, at most: fear's and surprise's are hard to tell apart."""
GAIN_RANGE = (0.6, 1.15)
LEAN_SPREAD = 0.12
BLEND_SHARE, BLEND_MOST = 0.2, 0.25
HABITS, HABIT_MOST = 2, 0.25
CO_ACTIVATED, CO_ACTIVATION_MOST = 3, 0.25
SYNKINESIS_SPREAD = 0.2

NEIGHBOURS: tuple[tuple[str, ...], ...] = (
    ("AU1", "AU2", "AU4"),
    ("AU4", "AU9"),
    ("AU5", "AU1", "AU2"),
    ("AU6", "AU7", "AU12"),
    ("AU9", "AU10", "AU11"),
    ("AU12", "AU14", "AU20"),
    ("AU15", "AU17", "AU20"),
    ("AU16", "AU20", "AU25"),
    ("AU23", "AU24", "AU17"),
    ("AU25", "AU26"),
)
"""Muscles that few people move quite apart."""


@dataclass(frozen=True, eq=False)
class Style:
    """How one person shows emotions, the same in each of his scans.

    Parameters
    ----------
    apexes : dict of emotion -> (A, 2) float32
        His own full expression.
    habits : (A, 2) float32
        What moves along a little in any of his expressions.
    """

    apexes: dict[str, np.ndarray]
    habits: np.ndarray


def draw_style(rng: np.random.Generator, variety: float = 1.0) -> Style:
    """Draw a person's way of showing the six emotions.

    Parameters
    ----------
    rng : Generator
    variety : float
        How far people depart from the table's action units: 0 for not at all but for gains and asymmetry, 1 for as
        far as the constants of this module say.
    """
    synkinesis = _draw_synkinesis(rng, variety)
    own = {emotion: _draw_apex(emotion, rng, variety) for emotion in EMOTIONS}
    apexes = {}
    for emotion in EMOTIONS:
        apex = own[emotion]
        if rng.random() < BLEND_SHARE:
            other = rng.choice([name for name in EMOTIONS if name != emotion])
            apex = apex + variety * rng.uniform(0, BLEND_MOST) * (own[other] - apex)
        lean = np.clip(rng.normal(0, LEAN_SPREAD, len(ACTION_UNITS)), -0.4, 0.4)
        sides = np.stack([1 + lean, 1 - lean], axis=1)
        apexes[emotion] = (np.einsum("ab,bs->as", synkinesis, apex) * sides).astype(np.float32)
    habits = np.zeros((len(ACTION_UNITS), 2), np.float32)
    for unit in rng.choice(len(ACTION_UNITS), HABITS, replace=False):
        habits[unit] = variety * rng.uniform(0, HABIT_MOST)
    return Style(apexes, habits)


def _draw_apex(emotion: str, rng: np.random.Generator, variety: float) -> np.ndarray:
    """(A, 2): somewhere between the textbook's action units and the measured apex, with gains of one's own."""
    used = dict.fromkeys(PROTOTYPES[emotion], 1.0)
    used |= {unit: 1.0 for unit, share in SECONDARIES[emotion].items() if rng.random() < share}
    if rng.random() < variety * VARIANT_SHARE:
        used = {f"AU{number}": 1.0 for number in str(rng.choice(VARIANTS[emotion])).split()}
    measured = variety * rng.uniform(0, MEASURED_MOST)
    gains = rng.uniform(*GAIN_RANGE, (len(ACTION_UNITS), 1))
    return gains * ((1 - measured) * action_strengths(used) + measured * measured_apex(emotion))


def _draw_synkinesis(rng: np.random.Generator, variety: float) -> np.ndarray:
    """(A, A): how much of each action unit comes along with each other; the diagonal is 1."""
    along = np.eye(len(ACTION_UNITS))
    for leader, *followers in NEIGHBOURS:
        for follower in followers:
            along[UNIT_INDEX[follower], UNIT_INDEX[leader]] = max(0.0, variety * rng.normal(0, SYNKINESIS_SPREAD))
    return along


def draw_expression(style: Style, emotion: str, intensity: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the action units of one scan.

    Parameters
    ----------
    style : Style
    emotion : str
        One of the six.
    intensity : int
        1 to 4.

    Returns
    -------
    (A, 2) float32, within [0, MAX_STRENGTH]
    """
    strengths = STRENGTH[intensity] * style.apexes[emotion] * rng.uniform(0.8, 1.2, (len(ACTION_UNITS), 1))
    strengths = strengths + style.habits
    # Real expressions are never the prototype alone.
    for unit in rng.choice(len(ACTION_UNITS), CO_ACTIVATED, replace=False):
        strengths[unit] = np.maximum(strengths[unit], rng.uniform(0, CO_ACTIVATION_MOST))
    return np.clip(strengths, 0, MAX_STRENGTH).astype(np.float32)
