"""The language in which faces are told to move: action units, each with a strength on the left and on the right.

Source: Ekman and Friesen's Facial Action Coding System (FACS, 1978; Ekman, Friesen and Hager, 2002), which numbers
the visible actions of the facial muscles.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

ACTION_UNITS: dict[str, str] = {
    "AU1": "inner brow raiser",
    "AU2": "outer brow raiser",
    "AU4": "brow lowerer",
    "AU5": "upper lid raiser",
    "AU6": "cheek raiser",
    "AU7": "lid tightener",
    "AU9": "nose wrinkler",
    "AU10": "upper lip raiser",
    "AU11": "nasolabial deepener",
    "AU12": "lip corner puller",
    "AU14": "dimpler",
    "AU15": "lip corner depressor",
    "AU16": "lower lip depressor",
    "AU17": "chin raiser",
    "AU18": "lip pucker",
    "AU20": "lip stretcher",
    "AU22": "lip funneler",
    "AU23": "lip tightener",
    "AU24": "lip presser",
    "AU25": "lips part",
    "AU26": "jaw drop",
    "AU27": "mouth stretch",
    "AU28": "lip suck",
    "AU29": "jaw thrust",
    "AU30": "jaw sideways",
    "AU34": "cheek puff",
    "AU43": "eyes closed",
}
"""Action unit -> its name in FACS. The order is that of every array of strengths."""

UNIT_INDEX: dict[str, int] = {unit: index for index, unit in enumerate(ACTION_UNITS)}

FACS_GRADES = 5.0
"""FACS grades an action from A (a trace) to E (maximum), kept in data sets as 1 to 5; a strength of 1 is E."""


def action_strengths(units: Mapping[str, float | tuple[float, float]]) -> np.ndarray:
    """Lay named strengths out as the array that face models take.

    Parameters
    ----------
    units : mapping of action unit -> strength, or (left, right)
        0 is rest and 1 the full action; sides are the subject's own.

    Returns
    -------
    (A, 2) float32
        A row for each of :data:`ACTION_UNITS`; the left half's strength and the right half's.
    """
    strengths = np.zeros((len(ACTION_UNITS), 2), np.float32)
    for unit, strength in units.items():
        strengths[UNIT_INDEX[unit]] = strength
    return strengths
