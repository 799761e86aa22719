"""What MakeHuman's targets mean in the language of this library: action units, axes of identity, landmarks.

The tables were found by looking at each target from the front and the side, and by comparing how far the 68
landmarks move with the same action unit of ICT-FaceKit.
"""

from __future__ import annotations

ANCESTRIES: dict[str, str] = {
    "ancestry_african": "african",
    "ancestry_asian": "asian",
    "ancestry_european": "caucasian",
}
"""Axis -> MakeHuman's word for it."""

# Action unit -> targets and their weights at full strength. "@" stands for the side; a name without folder is one of
# MakeHuman's expression units, which exist for each ancestry, and the others are parts of the face.
ACTION_UNITS: dict[str, dict[str, float]] = {
    "AU1": {"eyebrows-@-inner-up": 1.6},
    "AU2": {"eyebrows-@-extern-up": 1.5},
    "AU4": {"eyebrows-@-down": 1.3, "eyebrows/eyebrows-trans-down": 0.3},
    "AU5": {"eye-@-opened-up": 1.1},
    # MakeHuman has no cheek raiser: the lower lid's rise, and what makes cheeks high and full.
    "AU6": {
        "eye-@-slit": 0.45,
        "eye-@-opened-up": 0.25,
        "eyes/@-eye-height2-decr": 0.3,
        "eyes/@-eye-height3-decr": 0.25,
        "cheek/@-cheek-trans-up": 1.0,
        "cheek/@-cheek-volume-incr": 0.4,
    },
    "AU7": {
        "eye-@-slit": 0.45,
        "eye-@-opened-up": 0.25,
        "eyes/@-eye-height2-decr": 0.2,
        "eyes/@-eye-height3-decr": 0.2,
    },
    "AU9": {"nose-@-elevation": 1.0, "mouth-elevation": 0.5, "eyebrows-@-down": 0.7},
    "AU10": {"mouth-elevation": 1.0},
    "AU11": {"mouth-elevation": 0.5, "nose-@-elevation": 0.8},
    "AU12": {
        "mouth-corner-puller": 0.9,
        "mouth-retraction": 0.5,
        "mouth/mouth-scale-horiz-incr": 0.6,
        "cheek/@-cheek-volume-incr": 0.3,
    },
    "AU14": {"mouth-retraction": 0.6, "mouth/mouth-scale-horiz-incr": 0.3, "mouth/mouth-dimples-in": 0.5},
    "AU15": {"mouth-depression": 0.7, "neck-platysma": 0.35},
    "AU16": {"mouth-depression-retraction": 0.7},
    "AU17": {
        "mouth-eversion": 0.5,
        "mouth-depression": 0.4,
        "chin/chin-height-decr": 0.6,
        "mouth/mouth-lowerlip-height-decr": 0.4,
        "mouth/mouth-scale-vert-decr": 0.3,
        "mouth/mouth-trans-up": 0.3,
    },
    "AU18": {"mouth-pursing": 0.9},
    "AU20": {
        "mouth-retraction": 0.2,
        "mouth-depression": 0.3,
        "neck-platysma": 0.65,
        "mouth/mouth-scale-horiz-incr": 0.8,
    },
    "AU22": {"mouth-protusion": 0.9},
    "AU23": {
        "mouth-compression": 0.3,
        "mouth-depression": 0.25,
        "mouth/mouth-scale-vert-decr": 0.4,
        "mouth/mouth-scale-horiz-decr": 0.2,
        "mouth/mouth-lowerlip-volume-decr": 0.3,
        "mouth/mouth-upperlip-volume-decr": 0.3,
    },
    "AU24": {
        "mouth-compression": 0.2,
        "mouth-depression": 0.15,
        "chin/chin-height-decr": 0.35,
        "mouth/mouth-scale-vert-decr": 0.3,
        "mouth/mouth-lowerlip-volume-decr": 0.25,
        "mouth/mouth-upperlip-volume-decr": 0.2,
    },
    "AU25": {"mouth-depression-retraction": 0.3, "mouth-parling": 0.5},
    "AU26": {"mouth-open": 0.6},
    "AU27": {"mouth-open": 1.0},
    "AU43": {"eye-@-closure": 1.0},
}

WITHOUT_SIDES = ("AU17", "AU18", "AU22", "AU26", "AU27")
"""All others have a left and a right half."""

SPREADS: dict[str, float] = {
    "cheek": 0.25,
    "chin": 0.2,
    "eyebrows": 0.25,
    "eyes": 0.2,
    "forehead": 0.2,
    "head": 0.22,
    "mouth": 0.17,
    "nose": 0.2,
    "asym": 0.15,
}
"""Folder -> how much of the way to an end, which is an extreme, one standard deviation is: chosen by looking."""
SEX_SPREAD, AGE_SPREAD = 0.65, 0.45
"""Likewise, of the way from the middle to a man and to an old person."""

# fmt: off
FACE_PARTS: dict[str, tuple[str, ...]] = {
    "cheek": (
        "@-cheek-bones decr incr", "@-cheek-inner decr incr", "@-cheek-trans down up", "@-cheek-volume decr incr",
    ),
    "chin": (
        "chin-bones decr incr", "chin-cleft decr incr", "chin-height decr incr", "chin-jaw-drop decr incr",
        "chin-prognathism decr incr", "chin-prominent decr incr", "chin-width decr incr",
    ),
    "eyebrows": (
        "eyebrows-angle down up", "eyebrows-trans down up", "eyebrows-trans backward forward",
    ),
    "eyes": (
        "@-eye-bag decr incr", "@-eye-bag in out", "@-eye-bag-height decr incr", "@-eye-corner1 down up",
        "@-eye-corner2 down up", "@-eye-epicanthus in out", "@-eye-eyefold-angle down up", "@-eye-height1 decr incr",
        "@-eye-height2 decr incr", "@-eye-height3 decr incr", "@-eye-push1 in out", "@-eye-push2 in out",
        "@-eye-scale decr incr", "@-eye-trans down up", "@-eye-trans in out",
    ),
    "forehead": (
        "forehead-nubian decr incr", "forehead-scale-vert decr incr", "forehead-temple decr incr",
        "forehead-trans backward forward",
    ),
    "head": (
        "head-angle in out", "head-back-scale-depth decr incr", "head-fat decr incr", "head-scale-depth decr incr",
        "head-scale-horiz decr incr", "head-scale-vert decr incr",
    ),
    "mouth": (
        "mouth-cupidsbow decr incr", "mouth-cupidsbow-width decr incr", "mouth-lowerlip-height decr incr",
        "mouth-lowerlip-middle down up", "mouth-lowerlip-volume decr incr", "mouth-lowerlip-width decr incr",
        "mouth-philtrum-volume decr incr", "mouth-scale-depth decr incr", "mouth-scale-horiz decr incr",
        "mouth-scale-vert decr incr", "mouth-trans down up", "mouth-trans backward forward",
        "mouth-upperlip-height decr incr", "mouth-upperlip-middle down up", "mouth-upperlip-volume decr incr",
        "mouth-upperlip-width decr incr",
    ),
    "nose": (
        "nose-base down up", "nose-compression compress uncompress", "nose-curve concave convex",
        "nose-flaring decr incr", "nose-greek decr incr", "nose-hump decr incr", "nose-nostrils-angle down up",
        "nose-nostrils-width decr incr", "nose-point down up", "nose-point-width decr incr",
        "nose-scale-depth decr incr", "nose-scale-horiz decr incr", "nose-scale-vert decr incr",
        "nose-septumangle decr incr", "nose-trans down up", "nose-trans backward forward", "nose-volume decr incr",
        "nose-width1 decr incr", "nose-width2 decr incr", "nose-width3 decr incr",
    ),
    "asym": (
        "asym-brown-1 l r", "asym-brown-2 l r", "asym-cheek-1 l r", "asym-cheek-2 l r", "asym-eye-1 l r",
        "asym-eye-2 l r", "asym-eye-3 l r", "asym-jaw-1 l r", "asym-jaw-2 l r", "asym-jaw-3 l r", "asym-mouth-1 l r",
        "asym-mouth-2 l r", "asym-nose-1 l r", "asym-nose-2 l r", "asym-nose-3 l r", "asym-nose-4 l r",
    ),
}
"""Folder -> pairs of targets, the beginning of their names and the ends of an axis; "@" stands for both sides.

What would look like an expression is left out (``mouth-angles`` smiles, ``mouth-laugh-lines`` and ``mouth-dimples``
likewise), and so are ``head-age`` (age is an axis already) and single targets without an opposite.
"""
LANDMARKS = (
    5239, 5202, 5203, 5205, 735, 5297, 5223, 5167, 5171, 11780, 11833, 11902, 7455, 11816, 11814, 11813, 11848, 262,
    225, 204, 205, 208, 6983, 6980, 6979, 6999, 7031, 134, 5063, 291, 297, 286, 313, 317, 7076, 7055, 4854, 4849,
    4865, 4870, 4862, 4859, 11488, 11483, 11467, 11472, 11477, 11480, 402, 448, 460, 466, 7219, 7208, 7162, 7166,
    7235, 492, 480, 406, 433, 470, 474, 7226, 7193, 7236, 523, 481,
)
"""Vertices of the 68 points of Multi-PIE, by their numbers in ``base.obj`` from 0."""
LIP_CONTACT = (
    433, 418, 419, 469, 5362, 470, 471, 472, 473, 474, 7229, 7228, 7227, 7226, 11964, 7225, 7179, 7178, 7193, 10400,
    7191, 7192, 10375, 7204, 7197, 7230, 7236, 7242, 7264, 523, 517, 487, 481, 475, 437, 444, 3707, 432, 431, 3732,
)
# fmt: on
"""The closed ring of vertices where the lips meet: what it parts from the skin is the inside of the mouth."""
MOUTH_INSIDE = 696
"""A vertex of it, at the throat."""
