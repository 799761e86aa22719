"""The embedded face's axes of identity: each warps the space around the head by one standard deviation.

Because an axis is a smooth motion of space, what lies inside (an eyeball) stays inside (its lids).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from affectvlm.synthesis.embedded import sculpt
from affectvlm.synthesis.embedded.ancestry import ancestry_axes
from affectvlm.synthesis.embedded.relief import band, nasolabial_fold
from affectvlm.synthesis.embedded.surface import embedded_surface

Warp = Callable[[np.ndarray], np.ndarray]


def _zone(p: np.ndarray, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
    """Gaussian around a place of the left half, folded, so the same on the right."""
    q = np.stack([np.abs(p[:, 0]), p[:, 1], p[:, 2]], axis=1)
    return np.exp(-0.5 * (((q - np.array(centre)) / np.array(radii)) ** 2).sum(axis=1))


def _move(p: np.ndarray, weight: np.ndarray, out: float, up: float, forward: float) -> np.ndarray:
    """Motion away from the midline, up and forward."""
    side = np.tanh(p[:, 0] / 8)
    return weight[:, None] * np.stack([out * side, np.full_like(side, up), np.full_like(side, forward)], axis=1)


def _grow(
    p: np.ndarray, weight: np.ndarray, centre: tuple[float, float, float], rate: tuple[float, float, float]
) -> np.ndarray:
    """Scaling about a place of the left half and its mirror."""
    middle = np.stack([np.tanh(p[:, 0] / 8) * centre[0], *(np.full(len(p), c) for c in centre[1:])], axis=1)
    return weight[:, None] * (p - middle) * np.array(rate)


def _everywhere(p: np.ndarray) -> np.ndarray:
    return np.ones(len(p))


def _jaw_width(p: np.ndarray) -> np.ndarray:
    return _grow(p, band(p[:, 1], -200, -60, -45, 10), (0, 0, 0), (0.05, 0, 0))


def _chin_width(p: np.ndarray) -> np.ndarray:
    return _grow(p, _zone(p, (0, -70, -35), (28, 14, 25)), (0, 0, 0), (0.10, 0, 0))


def _lower_face(p: np.ndarray) -> np.ndarray:
    return _move(p, 1 - band(p[:, 1], -75, -20, 500, 501), 0, -3.2, 0)


def _nose_tip(p: np.ndarray) -> np.ndarray:
    return _zone(p, (0, -1, -10), (11, 9, 14))


def _sex(p: np.ndarray) -> np.ndarray:
    return (
        0.016 * (p - [0, 0, -60])
        + 0.8 * _jaw_width(p)
        + 0.5 * _lower_face(p)
        + _move(p, _zone(p, (14, 48, -25), (22, 7, 14)), 0, -0.8, 1.5)
        + _move(p, _nose_tip(p), 0.8, -0.4, 1.0)
        + _move(p, _zone(p, (0, -68, -25), (20, 12, 20)), 0, -0.5, 1.0)
        + 0.5 * _chin_width(p)
        + _grow(p, _zone(p, (0, -34, -16), (20, 9, 12)), (0, -34, -20), (0, -0.07, -0.05))
        + _move(p, _zone(p, (42, -8, -48), (15, 15, 20)), -0.6, 0, -0.9)
        + _grow(p, _zone(p, tuple(sculpt.EYE), (14, 12, 14)), tuple(sculpt.EYE), (-0.03, -0.05, 0))
    )


def _age(p: np.ndarray) -> np.ndarray:
    jowl = _zone(p, (36, -52, -50), (11, 12, 20))
    fold = nasolabial_fold(np.abs(p[:, 0]), p[:, 1], 0.0, 0.95) * band(p[:, 2], -80, -55, 50, 60)
    return (
        _move(p, _zone(p, (34, -10, -45), (14, 16, 20)), 0, -1.6, -1.0)
        + _move(p, jowl, 1.2, -1.6, 0.6)
        + _move(p, _zone(p, (36, 48, -32), (16, 8, 16)), 0, -1.6, 0)
        + _move(p, _nose_tip(p), 0.4, -1.3, 0.2)
        + _grow(p, _zone(p, (0, -34, -16), (22, 9, 12)), (0, -34, -20), (0.02, -0.10, -0.06))
        + _move(p, fold, 0, 0, 0.55)
        + _move(p, _zone(p, (33, 20, -36), (10, 4, 12)), 0, -0.8, 0.6)
        + _move(p, _zone(p, (55, 45, -60), (12, 16, 18)), -1.0, 0, -0.8)
    )


def _nose_deviation(p: np.ndarray) -> np.ndarray:
    motion = np.zeros_like(p)
    motion[:, 0] = 1.2 * _zone(p, (0, 5, -10), (14, 14, 16))
    return motion


def _tilted_mouth(p: np.ndarray) -> np.ndarray:
    motion = np.zeros_like(p)
    motion[:, 1] = 0.7 * np.tanh(p[:, 0] / 15) * _zone(p, (20, -36, -25), (18, 14, 20))
    return motion


def _uneven_brows(p: np.ndarray) -> np.ndarray:
    motion = np.zeros_like(p)
    motion[:, 1] = 1.1 * np.tanh(p[:, 0] / 15) * _zone(p, (32, 48, -35), (18, 10, 20))
    return motion


def _eye(p: np.ndarray, radius: float = 17.0) -> np.ndarray:
    return _zone(p, tuple(sculpt.EYE), (radius, radius, 2 * radius))


def _eye_slant(p: np.ndarray) -> np.ndarray:
    turn = 0.045 * _eye(p, 15) * (np.abs(p[:, 0]) - sculpt.EYE[0])
    return np.stack([np.zeros_like(turn), turn, np.zeros_like(turn)], axis=1)


def _nose_angle(p: np.ndarray) -> np.ndarray:
    return _move(p, _zone(p, (0, -2, -4), (10, 8, 10)), 0, 1.5, 0.3)


def _lid_fold(p: np.ndarray) -> np.ndarray:
    """A fuller upper lid, whose fold comes down over the inner corner of the eye."""
    fuller = _zone(p, (32, 41.5, -34), (13, 3.6, 14))
    corner = _zone(p, (19, 34.5, -36), (4.5, 3.0, 9))
    return _move(p, fuller, 0, -1.0, 1.2) + _move(p, corner, 0.4, -1.3, 0.8)


AXES: dict[str, Warp] = {
    "sex": _sex,
    "age": _age,
    "size": lambda p: 0.028 * (p - [0, 0, -60]),
    "face_width": lambda p: _grow(p, _everywhere(p), (0, 0, 0), (0.035, 0, 0)),
    "face_height": lambda p: _grow(p, _everywhere(p), (0, 0, 0), (0, 0.03, 0)),
    "face_depth": lambda p: _grow(p, _everywhere(p), (0, 0, -60), (0, 0, 0.035)),
    "jaw_width": _jaw_width,
    "lower_face_height": _lower_face,
    "chin_protrusion": lambda p: _move(p, _zone(p, (0, -68, -25), (22, 13, 25)), 0, 0, 2.4),
    "chin_width": _chin_width,
    "forehead_slope": lambda p: _move(p, band(p[:, 1], 48, 100, 500, 501), 0, 0, -4.5),
    "forehead_width": lambda p: _grow(p, band(p[:, 1], 30, 60, 500, 501), (0, 0, 0), (0.045, 0, 0)),
    "brow_ridge": lambda p: _move(p, _zone(p, (16, 47, -25), (20, 6, 14)), 0, 0, 1.6),
    "brow_height": lambda p: _move(p, _zone(p, (30, 50, -32), (20, 7, 20)), 0, 1.7, 0),
    "eye_size": lambda p: _grow(p, _eye(p, 13), tuple(sculpt.EYE), (0.045, 0.06, 0.02)),
    "eye_spacing": lambda p: _move(p, _eye(p, 19), 1.5, 0, 0),
    "eye_depth": lambda p: _move(p, _eye(p, 18), 0, 0, -1.4),
    "eye_slant": _eye_slant,
    "cheekbone": lambda p: _move(p, _zone(p, (52, 12, -58), (15, 11, 20)), 2.2, 0.3, 1.6),
    "cheek_fullness": lambda p: _move(p, _zone(p, (44, -22, -52), (17, 20, 24)), 2.0, 0, 1.5),
    "nose_length": lambda p: _move(p, _zone(p, (0, -4, -12), (15, 11, 18)), 0, -1.9, 0),
    "nose_width": lambda p: _move(p, _zone(p, (13, -3, -18), (8, 9, 11)), 1.5, 0, 0),
    "nose_protrusion": lambda p: _move(p, _zone(p, (0, 1, -6), (12, 13, 12)), 0, 0, 2.0),
    "nose_hump": lambda p: _move(p, _zone(p, (0, 21, -12), (6, 8, 10)), 0, 0, 1.3),
    "nose_root": lambda p: _move(p, _zone(p, (0, 36, -24), (8, 10, 12)), 0.5, 0, 1.6),
    "nose_tip_angle": _nose_angle,
    "nose_bridge_width": lambda p: _move(p, _zone(p, (7, 18, -20), (7, 14, 12)), 1.0, 0, 0),
    "lip_thickness": lambda p: _grow(p, _zone(p, (0, -34, -16), (20, 9, 12)), (0, -34, -20), (0, 0.13, 0.12)),
    "mouth_width": lambda p: _grow(p, _zone(p, (0, -35, -20), (26, 13, 20)), (0, 0, 0), (0.085, 0, 0)),
    "mouth_protrusion": lambda p: _move(p, _zone(p, (0, -34, -16), (26, 13, 20)), 0, 0, 1.5),
    "upper_lip_height": lambda p: _move(p, _zone(p, (0, -34, -18), (28, 10, 20)), 0, -1.3, 0),
    "nose_deviation": _nose_deviation,
    "tilted_mouth": _tilted_mouth,
    "uneven_brows": _uneven_brows,
}
"""Name of an axis -> the motion of places (V, 3) by one standard deviation, in mm."""


def embedded_axes() -> dict[str, np.ndarray]:
    """Every axis, (V, 3) float64 mm."""
    vertices = embedded_surface().vertices
    axes = {name: warp(vertices) for name, warp in AXES.items()}
    return {**axes, **ancestry_axes(axes | {"lid_fold": _lid_fold(vertices)})}
