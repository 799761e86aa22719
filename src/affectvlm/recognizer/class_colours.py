"""A colour for each class, the same wherever a course over time is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from affectvlm.emotions import NEUTRAL

COLOURS = {
    "anger": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happiness": "#E69F00",
    "sadness": "#0072B2",
    "surprise": "#56B4E9",
    NEUTRAL: "#D9D9D9",
}
"""Of Okabe and Ito's colours, which people of every colour vision tell apart (Wong 2011, Nature Methods 8); a calm grey
for a calm face."""

OTHERS = ("#F0E442", "#000000", "#8C564B", "#7F7F7F", *[c for name, c in COLOURS.items() if name != NEUTRAL])
"""For classes of another name, in turn."""


def class_colours(names: Sequence[str]) -> dict[str, str]:
    """Give each class its colour; the same one twice only where there are more than :data:`OTHERS` can tell apart."""
    spare = iter(OTHERS * len(names))
    return {name: COLOURS.get(name) or next(spare) for name in names}
