"""The classes, in the one order that every array, table and checkpoint uses."""

EMOTIONS: tuple[str, ...] = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
"""The six expressions of BU-3DFE, BU-4DFE and Bosphorus."""

FURTHER_EXPRESSIONS: tuple[str, ...] = ("neutral", "embarrassment", "pain", "contempt")
"""Those that only some data sets hold; they follow the six, in this order."""


def class_order(present: set[str]) -> tuple[str, ...]:
    """Put the names of the expressions that a data set holds into the project's order.

    Raises
    ------
    ValueError
        A name is none of the project's expressions.
    """
    known = EMOTIONS + FURTHER_EXPRESSIONS
    if unknown := sorted(present - set(known)):
        raise ValueError(f"unknown expressions {unknown}; known are {', '.join(known)}")
    return tuple(name for name in known if name in present)
