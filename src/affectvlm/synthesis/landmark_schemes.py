"""The face models' 68 landmarks as the data sets count theirs: 83 of BU-3DFE, 22 of Bosphorus.

Neither set publishes its points in terms of the 68, so both are our approximation. What programs that read the sets
agree on is kept: how many points each part has and in which order the parts come. Both sets' "left" is the viewer's
left, the subject's right side.
"""

from __future__ import annotations

import numpy as np

BROW_HALF_MM = (1.5, 3.0, 3.0, 3.0, 1.5)
"""From a brow's middle line to its upper and its lower edge, along the five points of the 68."""

_JAW = slice(0, 17)
_RIGHT_BROW, _LEFT_BROW = slice(17, 22), slice(22, 27)
_RIDGE = 28  # the second point down from between the eyes: where the bridge's sides are
_TIP = 30
_UNDER_NOSE = slice(31, 36)
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)
_RIGHT_EYE_INNER, _LEFT_EYE_INNER = 39, 42
_EYES, _MOUTH = slice(36, 48), slice(48, 68)


def bu_points(landmarks: np.ndarray) -> np.ndarray:
    """Resample the 68 landmarks' curves into the 83 points of BU-3DFE and BU-4DFE.

    Parameters
    ----------
    landmarks : (68, 3) float, mm

    Returns
    -------
    (83, 3) float64, mm
        Eyes 0-7 and 8-15, each from the corner on the viewer's left over the upper lid and back under the eye; brows
        16-25 and 26-35, upper edge and back along the lower; the nose's sides 36-38 and 39-41 downwards and its base
        42-47; lips 48-59 outside and 60-67 inside; the jaw 68-82.
    """
    points = np.asarray(landmarks, np.float64)
    saddle_right, saddle_left = _saddles(points)
    up = points[_EYES].mean(axis=0) - points[_MOUTH].mean(axis=0)
    parts = [
        _eye(points[_RIGHT_EYE]),
        _eye(points[_LEFT_EYE]),
        _brow(points[_RIGHT_BROW], up),
        _brow(points[_LEFT_BROW], up),
        _along(np.stack([saddle_right, points[31]]), 4)[:3],  # the wing itself belongs to the base
        _along(np.stack([saddle_left, points[35]]), 4)[:3],
        _along(points[_UNDER_NOSE], 6),
        points[_MOUTH],
        _along(points[_JAW], 15),
    ]
    return np.concatenate(parts)


def bosphorus_points(landmarks: np.ndarray) -> dict[str, np.ndarray]:
    """Pick the 22 points of Bosphorus from the 68 landmarks ((68, 3) float, mm): label -> (3,) float64, mm."""
    points = np.asarray(landmarks, np.float64)
    saddle_right, saddle_left = _saddles(points)
    return {
        "Outer left eyebrow": points[17],
        "Middle left eyebrow": points[19],
        "Inner left eyebrow": points[21],
        "Inner right eyebrow": points[22],
        "Middle right eyebrow": points[24],
        "Outer right eyebrow": points[26],
        "Outer left eye corner": points[36],
        "Inner left eye corner": points[_RIGHT_EYE_INNER],
        "Inner right eye corner": points[_LEFT_EYE_INNER],
        "Outer right eye corner": points[45],
        "Nose saddle left": saddle_right,
        "Nose saddle right": saddle_left,
        "Left nose peak": points[31],
        "Nose tip": points[_TIP],
        "Right nose peak": points[35],
        "Left mouth corner": points[48],
        "Upper lip outer middle": points[51],
        "Right mouth corner": points[54],
        "Upper lip inner middle": points[62],
        "Lower lip inner middle": points[66],
        "Lower lip outer middle": points[57],
        "Chin middle": points[8],
    }


def _saddles(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sides of the nose's bridge, the subject's right and left: half-way from its ridge to the eyes' corners."""
    right, left = ((points[_RIDGE] + points[corner]) / 2 for corner in (_RIGHT_EYE_INNER, _LEFT_EYE_INNER))
    return right, left


def _eye(lids: np.ndarray) -> np.ndarray:
    """(8, 3): six points around an eye, the first and fourth its corners, as eight."""
    upper, lower = _along(lids[:4], 5), _along(lids[[3, 4, 5, 0]], 5)
    return np.concatenate([upper, lower[1:4]])


def _brow(line: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(10, 3): both edges of a brow from the five points of its middle line."""
    chord = line[-1] - line[0]
    across = up - chord * (np.einsum("x,x", up, chord) / np.einsum("x,x", chord, chord))
    offset = np.array(BROW_HALF_MM)[:, None] * across / np.sqrt(np.einsum("x,x", across, across))
    return np.concatenate([line + offset, (line - offset)[::-1]])


def _along(curve: np.ndarray, count: int) -> np.ndarray:
    """(count, 3): points at equal distances along a curve of straight pieces, both ends among them."""
    steps = np.sqrt(np.einsum("px,px->p", np.diff(curve, axis=0), np.diff(curve, axis=0)))
    at = np.concatenate([[0], np.cumsum(steps)])
    wanted = np.linspace(0, at[-1], count)
    return np.stack([np.interp(wanted, at, curve[:, axis]) for axis in range(3)], axis=1)
