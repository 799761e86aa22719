"""The classes, in the one order that every array, table and checkpoint uses."""

EMOTIONS: tuple[str, ...] = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
"""The six expressions of BU-3DFE, BU-4DFE and Bosphorus."""

NEUTRAL = "neutral"
"""A face at rest."""

FURTHER_EXPRESSIONS: tuple[str, ...] = (NEUTRAL, "embarrassment", "pain", "contempt")
"""Those that only some data sets hold; they follow the six, in this order."""


def class_order(present: set[str]) -> tuple[str, ...]:
    """Put the names of the classes that a data set holds into the project's order; a user's own follow, by alphabet."""
    known = EMOTIONS + FURTHER_EXPRESSIONS
    return (*(name for name in known if name in present), *sorted(present - set(known)))
