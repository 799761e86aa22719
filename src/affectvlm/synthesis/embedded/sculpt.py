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

EYE = np.array([31.5, 31.5, -47.0])
"""Centre of the left eyeball."""
EYE_RADIUS = 12.0
LID_RADIUS = 13.2
"""The lids slide on this shell around the eyeball."""
MOUTH_HALF_WIDTH = 25.5
MOUTH_Y = -33.0
EAR = np.array([74.0, 15.0, -103.0])
"""Middle of the left ear; seen from above it stands off the head by ``_EAR_OFF``, and it leans back."""
_EAR_OFF, _EAR_LEAN = np.radians(28.0), np.radians(12.0)
CROWN_Y = 137.0
"""The skull is rounded off below this height."""
AXIS_Z = -95.0
"""The rays leave the line x = 0, z = AXIS_Z."""
RAY_SCALE = 85.0
"""A step of 1 mm in a ray's first coordinate turns it by 1 / RAY_SCALE."""

# Horizontal sections of the head without nose, lips and eyes, from the neck up:
# height, front of the midline, half width (at AXIS_Z), exponent of the superellipse.
_SECTIONS = np.array(
    [
        [-110, -36.0, 50.0, 2.0],
        [-82, -25.0, 52.0, 2.0],
        [-68, -22.5, 55.0, 2.15],
        [-58, -22.5, 57.0, 2.15],
        [-50, -23.0, 59.0, 2.1],
        [-40, -21.5, 61.0, 2.05],
        [-28, -21.0, 63.5, 2.05],
        [-15, -23.0, 67.0, 2.1],
        [0, -27.5, 67.5, 2.15],
        [12, -33.5, 69.0, 2.2],
        [24, -38.5, 70.0, 2.3],
        [33, -40.5, 71.0, 2.3],
        [42, -33.0, 73.0, 2.2],
        [50, -24.5, 74.0, 2.05],
        [60, -22.5, 75.5, 1.95],
        [75, -25.5, 77.0, 1.9],
        [90, -33.0, 75.0, 1.9],
        [105, -44.0, 71.5, 1.95],
        [120, -59.0, 63.0, 2.0],
        [135, -77.0, 52.0, 2.0],
        [150, -90.0, 38.0, 2.0],
    ]
)
_HEIGHTS = np.arange(-110.0, 150.1, 0.5)
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
    d = -smooth_union(-d, CROWN_Y - p[..., 1], 40)
    d = smooth_union(d, _cone(p, (0, -60, -120), (0, -170, -132), 50, 52), 14)
    d = smooth_union(d, _ellipsoid(p, (0, -67, -36), (18, 14, 17.5)), 12)  # chin boss
    d = smooth_union(d, _ellipsoid(p, (0, -31, -46), (30, 25, 28.0)), 12)  # teeth under the lips
    d = smooth_union(d, _ellipsoid(p, (46, 13, -63), (16, 12, 15)), 20)  # cheekbone
    d = smooth_union(d, _ellipsoid(p, (33, -7, -54), (18, 20, 17)), 18)  # cheek
    d = smooth_union(d, _ellipsoid(p, (42, -30, -69), (14, 20, 18)), 20)  # chewing muscle and the cheek before it
    return smooth_union(d, _cone(p, (3, 51, -31.8), (45, 48, -48.5), 8.5, 7.0), 15)  # brow ridge


def mouth_line(x: np.ndarray) -> np.ndarray:
    """Height at which the closed lips meet."""
    t = np.abs(x) / MOUTH_HALF_WIDTH
    return MOUTH_Y - 0.7 * np.exp(-((t / 0.22) ** 2)) + 0.5 * np.exp(-(((t - 0.42) / 0.25) ** 2)) - 1.3 * t**2


def _lip_half_heights(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Half the height of the upper and of the lower lip; the upper one has Cupid's bow."""
    t = np.clip(np.abs(x) / (MOUTH_HALF_WIDTH + 1), 0, 1)
    full = (1 - t**2) ** 0.62 + 0.10
    bow = 1 - 0.13 * np.exp(-((x / 3.0) ** 2)) + 0.10 * np.exp(-(((np.abs(x) - 6.5) / 3.5) ** 2))
    return 4.0 * full * bow, 4.9 * full


def red_borders(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heights of the borders where the red of the upper and of the lower lip ends."""
    upper, lower = _lip_half_heights(x)
    return mouth_line(x) + 1.85 * upper, mouth_line(x) - 1.95 * lower


def _lip(p: np.ndarray, lower: bool) -> np.ndarray:
    """One lip: a tube along the mouth line that thins towards the corner."""
    x, y, z = p[..., 0], p[..., 1], p[..., 2]
    t = np.clip(np.abs(x) / (MOUTH_HALF_WIDTH + 1), 0, 1)
    tall = _lip_half_heights(x)[lower]
    arch = -15.8 - 0.0165 * x**2
    if lower:
        # The line's dip below the upper lip's tubercle is no part of the lower lip's outline.
        centre_y, centre_z = MOUTH_Y - 0.2 - 1.3 * t**2 - tall, arch - 2.8
        deep = 5.6 * tall / 4.9
    else:
        centre_y, centre_z = mouth_line(x) + tall - 0.2, arch - 1.2
        deep = 5.4 * ((1 - t**2) ** 0.62 + 0.10)
    q = np.hypot((y - centre_y) / tall, (z - centre_z) / deep)
    beyond = np.maximum(np.abs(x) - MOUTH_HALF_WIDTH - 1, 0)
    return np.hypot((q - 1) * np.minimum(tall, deep), beyond) * np.sign(q - 1 + beyond)


def _nose(p: np.ndarray, d: np.ndarray) -> np.ndarray:
    d = smooth_union(d, _cone(p, (0, 44, -34.5), (0, 9, -13.0), 6.5, 6.6), 12)  # bridge
    d = smooth_union(d, _cone(p, (3.5, 28, -34), (8, 6, -21), 5.5, 7.0), 12)  # side walls
    d = smooth_union(d, _ellipsoid(p, (13, 6, -33), (9, 15, 8)), 15)  # foot of the side walls
    d = smooth_union(d, _ellipsoid(p, (9, 42, -39.5), (8, 10, 9.5)), 10)  # inner corner of the orbit
    tip = _ellipsoid(p, (0, -0.8, -10.4), (11.0, 9.0, 10.4))
    wing = _ellipsoid(p, (12.6, -5.4, -19.5), (5.4, 6.4, 7.6))
    d = smooth_union(d, smooth_union(tip, wing, 12), 5)
    return smooth_union(d, _cone(p, (0, -5, -8.0), (0, -9.8, -19), 2.8, 4.0), 4)  # columella


def _ear(p: np.ndarray) -> np.ndarray:
    """A shell that stands off the head, with a rolled rim, an inner ridge, a bowl, a lobe and a tragus."""
    q = p - EAR
    back = q[..., 0] * np.sin(_EAR_OFF) - q[..., 2] * np.cos(_EAR_OFF)
    out = q[..., 0] * np.cos(_EAR_OFF) + q[..., 2] * np.sin(_EAR_OFF)
    up = q[..., 1] * np.cos(_EAR_LEAN) - back * np.sin(_EAR_LEAN)
    back = back * np.cos(_EAR_LEAN) + q[..., 1] * np.sin(_EAR_LEAN)
    # An egg seen from the side, narrower below.
    wide = 16.0 + 0.13 * np.clip(up, -40, 40)
    q2 = np.hypot(up / 29.0, back / wide)
    from_rim = (q2 - 1) * np.minimum(wide, 29.0)
    sheet = np.maximum(np.abs(out + 3.0) - 3.0, from_rim)
    rim = np.hypot(from_rim + 2.2, out - 1.2) - 2.6
    ridge = np.hypot((np.hypot((up - 3) / 1.6, back + 1.0) - 9.5), out + 0.3) - 1.8
    bowl = np.linalg.norm(np.stack([(up + 5) / 1.35, back + 5.5, out - 1.5], axis=-1), axis=-1) - 7.0
    lobe = np.linalg.norm(np.stack([(up + 24) / 1.1, back + 4.0, (out + 0.5) * 1.6], axis=-1), axis=-1) - 6.5
    tragus = np.linalg.norm(np.stack([(up + 6) / 1.4, back + 13.0, out - 0.5], axis=-1), axis=-1) - 3.2
    d = smooth_union(smooth_union(sheet, rim, 2.0), ridge, 2.0)
    d = smooth_cut(smooth_union(d, lobe, 4.0), bowl, 2.0)
    return smooth_union(d, tragus, 3.0)


def head_distance(p: np.ndarray) -> np.ndarray:
    """Roughly the signed distance from the skin, in mm, negative inside.

    Parameters
    ----------
    p : (..., 3) float, x >= 0
    """
    d = _nose(p, skull_distance(p))
    d = smooth_union(d, _ear(p), 2.5)
    d = smooth_union(d, np.linalg.norm(p - EYE, axis=-1) - LID_RADIUS, 9)
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
    return _first_hit(*ray(s, v), np.linspace(130, 20, 62))


def towards(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Find the s of the level rays that meet the skin at ``x``, at heights ``y`` where rays are level."""
    origin = np.stack([x, y, np.zeros_like(x)], axis=-1)
    place = _first_hit(origin, np.broadcast_to([0.0, 0.0, 1.0], origin.shape), np.linspace(5, -75, 45))
    return RAY_SCALE * np.arctan2(x, place[:, 2] - AXIS_Z)


def _first_hit(origin: np.ndarray, direction: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Walk back along ``origin + step * direction`` until inside the head, then halve the last step."""
    outside = np.full(len(origin), steps[0])
    searching = np.ones(len(origin), bool)
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
