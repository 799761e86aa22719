"""The form of the embedded face: one implicit function, sculpted from adult mean anthropometry.

The head is where :func:`head_distance` is negative: a lofted skull and jaw, to which cheekbones, brow ridge,
nose, lips and the lids' shells are joined by smooth unions. :func:`cast` looks the skin up along a family of
rays that leave an axis inside the head, which gives every skin vertex two lasting coordinates.

Frame: millimetres, nose tip at the origin, +x the subject's left, +y up, +z towards the camera. The form is
symmetric; all functions here take x >= 0.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d

EYE = np.array([31.5, 31.5, -41.0])
"""Centre of the left eyeball."""
EYE_RADIUS = 12.0
LID_RADIUS = 13.5
"""The lids slide on this shell around the eyeball."""
MOUTH_HALF_WIDTH = 25.5
MOUTH_Y = -33.0
AXIS_Z = -95.0
"""The rays leave the line x = 0, z = AXIS_Z."""
RAY_SCALE = 85.0
"""A step of 1 mm in a ray's first coordinate turns it by 1 / RAY_SCALE."""

# Horizontal sections of the head without nose, lips and eyes, from the neck up:
# height, front of the midline, half width (at AXIS_Z), exponent of the superellipse.
_SECTIONS = np.array(
    [
        [-110, -36.0, 46.0, 2.0],
        [-82, -25.0, 48.0, 2.0],
        [-68, -22.0, 51.0, 1.95],
        [-58, -22.0, 53.0, 1.95],
        [-50, -22.5, 55.0, 1.95],
        [-40, -21.0, 57.0, 1.95],
        [-28, -20.0, 60.0, 2.0],
        [-15, -21.5, 63.0, 2.1],
        [0, -25.0, 66.0, 2.2],
        [12, -28.0, 67.5, 2.3],
        [24, -30.0, 68.0, 2.4],
        [33, -29.5, 68.0, 2.45],
        [42, -24.0, 68.0, 2.4],
        [50, -20.0, 68.5, 2.3],
        [60, -18.5, 69.5, 2.2],
        [75, -21.0, 71.0, 2.15],
        [90, -28.0, 71.0, 2.1],
        [105, -42.0, 67.0, 2.1],
        [120, -64.0, 57.0, 2.05],
        [135, -90.0, 16.0, 2.0],
    ]
)
_HEIGHTS = np.arange(-110.0, 135.1, 0.5)
# A little smoothing takes the bends at the sections away, which shading would show as bands.
_FRONT, _HALF_WIDTH, _EXPONENT = (
    gaussian_filter1d(PchipInterpolator(_SECTIONS[:, 0], column)(_HEIGHTS), 8.0, mode="nearest")
    for column in _SECTIONS[:, 1:].T
)


def smooth_union(a: np.ndarray, b: np.ndarray, blend: float) -> np.ndarray:
    """Join two signed distances; within ``blend`` mm of each other they melt together."""
    near = np.maximum(blend - np.abs(a - b), 0) / blend
    return np.minimum(a, b) - near**2 * blend / 4


def smooth_cut(a: np.ndarray, b: np.ndarray, blend: float) -> np.ndarray:
    """Take ``b`` away from ``a``."""
    return -smooth_union(-a, b, blend)


def _ellipsoid(p: np.ndarray, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> np.ndarray:
    q = (p - np.array(centre)) / np.array(radii)
    length = np.linalg.norm(q, axis=-1)
    gradient = np.linalg.norm(q / np.array(radii), axis=-1)
    return length * (length - 1) / np.maximum(gradient, 1e-6)


def _cone(
    p: np.ndarray, a: tuple[float, float, float], b: tuple[float, float, float], ra: float, rb: float
) -> np.ndarray:
    """A capsule from ``a`` to ``b`` whose radius goes from ``ra`` to ``rb``."""
    start, along = np.array(a), np.array(b) - np.array(a)
    t = np.clip((p - start) @ along / (along @ along), 0, 1)
    return np.linalg.norm(p - start - t[..., None] * along, axis=-1) - (ra + t * (rb - ra))


def _loft(p: np.ndarray) -> np.ndarray:
    x, y, z = p[..., 0], p[..., 1], p[..., 2]
    front, width, power = (np.interp(y, _HEIGHTS, table) for table in (_FRONT, _HALF_WIDTH, _EXPONENT))
    depth = np.where(z > AXIS_Z, front - AXIS_Z, 95.0 * width / 70)
    radial = (np.abs(x) / width) ** power + (np.abs(z - AXIS_Z) / depth) ** power
    level = np.maximum(radial, 1e-9) ** (1 / power)
    return np.hypot(x, z - AXIS_Z) * (1 - 1 / level)


def _under_jaw(p: np.ndarray) -> np.ndarray:
    """Height below the border of the jaw, which climbs towards the ear at the sides."""
    back = np.clip((-28 - p[..., 2]) / 67, 0, 1.3)
    return 0.85 * (-80.5 + 36 * back * np.clip(np.abs(p[..., 0]) / 48, 0, 1.1) ** 1.5 - p[..., 1])


def skull_distance(p: np.ndarray) -> np.ndarray:
    """The head without nose, lips and lids."""
    d = -smooth_union(-_loft(p), -_under_jaw(p), 16)
    d = smooth_union(d, _cone(p, (0, -60, -120), (0, -170, -132), 50, 52), 14)
    d = smooth_union(d, _ellipsoid(p, (0, -67, -36), (18, 14, 17.5)), 12)  # chin boss
    d = smooth_union(d, _ellipsoid(p, (0, -30, -46), (30, 22, 28.0)), 12)  # teeth under the lips
    d = smooth_union(d, _ellipsoid(p, (45, 12, -59), (17, 12, 15)), 20)  # cheekbone
    d = smooth_union(d, _ellipsoid(p, (34, -7, -50), (18, 19, 17)), 18)  # cheek
    return smooth_union(d, _cone(p, (7, 49.5, -29), (44, 47, -44), 8.5, 7.0), 14)  # brow ridge


def mouth_line(x: np.ndarray) -> np.ndarray:
    """Height at which the closed lips meet."""
    t = np.abs(x) / MOUTH_HALF_WIDTH
    return MOUTH_Y - 0.7 * np.exp(-((t / 0.22) ** 2)) + 0.5 * np.exp(-(((t - 0.42) / 0.25) ** 2)) - 1.3 * t**2


def _lip(p: np.ndarray, lower: bool) -> np.ndarray:
    """One lip: a tube along the mouth line that thins towards the corner."""
    x, y, z = p[..., 0], p[..., 1], p[..., 2]
    t = np.clip(np.abs(x) / (MOUTH_HALF_WIDTH + 1), 0, 1)
    full = (1 - t**2) ** 0.62 + 0.10
    arch = -15.0 - 0.0165 * x**2
    if lower:
        tall = 4.9 * full
        # The line's dip below the upper lip's tubercle is no part of the lower lip's outline.
        centre_y, centre_z = MOUTH_Y - 0.2 - 1.3 * t**2 - tall, arch - 2.8
        deep = 5.6 * full
    else:
        bow = 1 - 0.13 * np.exp(-((x / 3.0) ** 2)) + 0.10 * np.exp(-(((np.abs(x) - 6.5) / 3.5) ** 2))
        tall = 4.0 * full * bow
        centre_y, centre_z = mouth_line(x) + tall - 0.2, arch - 1.2
        deep = 5.4 * full
    q = np.hypot((y - centre_y) / tall, (z - centre_z) / deep)
    beyond = np.maximum(np.abs(x) - MOUTH_HALF_WIDTH - 1, 0)
    return np.hypot((q - 1) * np.minimum(tall, deep), beyond) * np.sign(q - 1 + beyond)


def _nose(p: np.ndarray, d: np.ndarray) -> np.ndarray:
    d = smooth_union(d, _cone(p, (0, 44, -31), (0, 8, -12.5), 6.5, 6.5), 12)  # bridge
    d = smooth_union(d, _cone(p, (3.5, 28, -31), (9, 3, -22), 5.5, 7.5), 12)  # side walls
    d = smooth_union(d, _ellipsoid(p, (14, 6, -31), (9, 15, 8)), 15)  # foot of the side walls
    d = smooth_union(d, _ellipsoid(p, (9, 42, -35), (8, 10, 9.5)), 10)  # inner corner of the orbit
    d = smooth_union(d, _ellipsoid(p, (0, 0.3, -10.0), (9.4, 8.4, 10.0)), 6)  # tip
    d = smooth_union(d, _ellipsoid(p, (12.0, -3.0, -19.5), (5.8, 6.6, 9.5)), 3.5)  # wing
    return smooth_union(d, _cone(p, (0, -4, -8), (0, -9.2, -19), 3.6, 4.2), 5)  # columella


def head_distance(p: np.ndarray) -> np.ndarray:
    """Roughly the signed distance from the skin, in mm, negative inside.

    Parameters
    ----------
    p : (..., 3) float, x >= 0
    """
    d = _nose(p, skull_distance(p))
    d = smooth_union(d, np.linalg.norm(p - EYE, axis=-1) - LID_RADIUS, 7)
    lips = smooth_union(_lip(p, lower=False), _lip(p, lower=True), 0.8)
    return smooth_union(d, lips, 3.0)


def ray(s: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Origins and unit directions of the rays with coordinates ``s`` (around the head) and ``v`` (up), mm.

    Level between the mouth and the brows, where v is the height y; they tilt up over the forehead and down under
    the chin, so that they meet the skin there at a good angle.
    """
    up, down = np.maximum(v - 60, 0), np.maximum(-45 - v, 0)
    height = v - up + 0.6 * down
    tilt = up / 90 - down / 85
    turn = s / RAY_SCALE
    origin = np.stack([np.zeros_like(height), height, np.full_like(height, AXIS_Z)], axis=-1)
    direction = np.stack([np.sin(turn) * np.cos(tilt), np.sin(tilt), np.cos(turn) * np.cos(tilt)], axis=-1)
    return origin, direction


def cast(s: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Find the skin along rays, from outside.

    Returns
    -------
    (N, 3) float64, mm
    """
    origin, direction = ray(s, v)
    steps = np.linspace(130, 20, 62)
    outside = np.full(len(s), steps[0])
    searching = np.ones(len(s), bool)
    for step in steps[1:]:
        rows = np.flatnonzero(searching)
        hit = head_distance(origin[rows] + step * direction[rows]) < 0
        outside[rows[~hit]] = step
        searching[rows[hit]] = False
    inside = outside - (steps[0] - steps[1])
    for _ in range(13):
        middle = (outside + inside) / 2
        hit = head_distance(origin + middle[:, None] * direction) < 0
        inside = np.where(hit, middle, inside)
        outside = np.where(hit, outside, middle)
    return origin + outside[:, None] * direction
