"""Small forms on the embedded face's skin, laid on along its normals: brows, creases, philtrum, nostrils."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.sparse import coo_matrix

from affectvlm.synthesis.embedded.layout import lid_edges
from affectvlm.synthesis.embedded.sculpt import MOUTH_HALF_WIDTH, mouth_line, red_borders


def band(value: np.ndarray, start: float, full: float, end: float, gone: float) -> np.ndarray:
    """Rise smoothly from 0 at ``start`` to 1 at ``full``, stay to ``end`` and fall to 0 at ``gone``."""
    return _ease((value - start) / (full - start)) * _ease((gone - value) / (gone - end))


def _ease(t: np.ndarray) -> np.ndarray:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def along_curve(points: np.ndarray, curve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Place points beside a polyline, seen from the front.

    Parameters
    ----------
    points : (N, 2) float
    curve : (K, 2) float

    Returns
    -------
    share : (N,) float
        How far along the curve the nearest place is, 0 to 1.
    distance : (N,) float
        From the curve, mm, positive on the left of its direction.
    """
    lengths = np.linalg.norm(np.diff(curve, axis=0), axis=1)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    best = np.full(len(points), np.inf)
    share, distance = np.zeros(len(points)), np.zeros(len(points))
    for a, b, start, length in zip(curve[:-1], curve[1:], starts[:-1], lengths, strict=True):
        along = (b - a) / length
        t = np.clip((points - a) @ along, 0, length)
        gap = points - a - t[:, None] * along
        far = np.linalg.norm(gap, axis=1)
        sign = np.where(along[0] * gap[:, 1] - along[1] * gap[:, 0] >= 0, 1.0, -1.0)
        nearer = far < best
        best = np.where(nearer, far, best)
        share = np.where(nearer, (start + t) / starts[-1], share)
        distance = np.where(nearer, sign * far, distance)
    return share, distance


def smooth_curve(knots: np.ndarray, count: int = 24) -> np.ndarray:
    """Round a polyline of few knots off (a Bézier curve with the knots as its control points)."""
    t = np.linspace(0, 1, count)[:, None]
    rows = [np.broadcast_to(knot, (count, knot.size)) for knot in np.asarray(knots, float)]
    while len(rows) > 1:
        rows = [(1 - t) * a + t * b for a, b in pairwise(rows)]
    return rows[0]


BROW = smooth_curve(np.array([[11.0, 49.5], [22, 55.0], [38, 58.5], [52, 49.0]]))
"""The eyebrow's middle, from the nose outwards, seen from the front."""


NASOLABIAL = smooth_curve(np.array([[17.5, 1.0], [27, -8], [32, -24], [35, -42]]))
"""The fold from the nose's wing around the corner of the mouth, seen from the front."""


def nasolabial_fold(x: np.ndarray, y: np.ndarray, start: float = 0.0, end: float = 1.0) -> np.ndarray:
    """Height of a groove of depth 1 and its roll on the cheek's side, between two shares of the length."""
    share, distance = along_curve(np.stack([x, y], axis=1), NASOLABIAL)
    groove = -np.exp(-((distance / 2.8) ** 2))
    roll = 1.2 * np.exp(-(((distance - 7) / 5.0) ** 2))
    return (groove + roll) * band(share, start - 0.15, start + 0.2, end - 0.35, end + 0.01)


def _normals(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Normals of the left half; those on the midline lie in it."""
    corners = points[triangles]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(points)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], area)
    normals[points[:, 0] == 0, 0] = 0
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)


def _relaxed(points: np.ndarray, triangles: np.ndarray, rounds: int = 4) -> np.ndarray:
    """Take the steps out that the rays leave on steep walls, such as the nose's underside; borders stay."""
    count = len(points)
    midline = points[:, 0] == 0
    i, j = triangles.ravel(), np.roll(triangles, -1, axis=1).ravel()
    links = coo_matrix((np.ones(len(i)), (i, j)), (count, count)).tocsr()
    border = abs(links - links.T).tocoo()
    outer = ~(midline[border.row] & midline[border.col])
    fixed = np.isin(np.arange(count), np.r_[border.row[outer], border.col[outer]])
    # Across the midline stand the mirrored neighbours.
    links = ((links + links.T) > 0).astype(float).tocoo()
    weight = np.where(midline[links.row] & ~midline[links.col], 2.0, 1.0)
    links = coo_matrix((weight, (links.row, links.col)), (count, count)).tocsr()
    total = np.asarray(links.sum(axis=1)).reshape(-1, 1)
    relaxed = points
    for _ in range(rounds):
        relaxed = np.where(fixed[:, None], points, 0.6 * relaxed + 0.4 * (links @ relaxed) / total)
        relaxed[midline, 0] = 0
    return relaxed


def brow_thickness(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Thickness of the eyebrow's hair, mm, at places x >= 0 seen from the front."""
    share, distance = along_curve(np.stack([x, y], axis=1), BROW)
    half_height = 4.2 - 2.2 * share**2
    ends = np.where((share <= 0) | (share >= 1), 0.7, 1.0)
    return 0.9 * ends * np.exp(-((distance / half_height) ** 2))


def _lid_crease(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    upper, lower = lid_edges(x)
    inside = _ease((x - 16) / 6) * _ease((52 - x) / 8)
    fold = -0.6 * np.exp(-(((y - upper - 4.3) / 1.3) ** 2)) + 0.4 * np.exp(-(((y - upper - 7.5) / 2.2) ** 2))
    bag = -0.25 * np.exp(-(((lower - y - 7.5) / 2.6) ** 2))
    return inside * (np.where(y > upper, fold, 0) + np.where(y < lower, bag, 0))


def _hill(x: np.ndarray, y: np.ndarray, centre: tuple[float, float], radii: tuple[float, float]) -> np.ndarray:
    return np.exp(-0.5 * (((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2))


TEAR_TROUGH = smooth_curve(np.array([[15.0, 26], [19, 17], [27, 11]]))
"""The groove from the inner canthus down along the orbit's border."""


def _bones_and_fat(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """What keeps a forehead and a cheek from being egg-smooth."""
    share, distance = along_curve(np.stack([x, y], axis=1), TEAR_TROUGH)
    return (
        1.3 * _hill(x, y, (25, 76), (14, 11))  # frontal eminence
        - 0.4 * _hill(x, y, (0, 62), (15, 7))  # between it and the brow ridges
        - 0.3 * _hill(x, y, (30, 63), (18, 6))
        + 0.4 * _hill(x, y, (15, 49), (10, 5))  # superciliary arch
        - 1.1 * _hill(x, y, (61, 42), (7, 17))  # temple
        - 0.6 * np.exp(-((distance / 2.6) ** 2)) * band(share, -0.1, 0.25, 0.6, 1.05)
        - 0.4 * _hill(x, y, (47, -18), (9, 12))  # below the cheekbone
        + 0.8 * _hill(x, y, (9, -66), (8, 6))  # the chin's two sides
        - 0.5 * _hill(x, y, (0, -66), (3, 6))
        - 0.7 * _hill(x, y, (27, -66), (8, 8))  # before the chin's sides
        + 0.6 * _hill(x, y, (31, -36), (4, 6))  # the knot of muscle beside the mouth's corner
    )


def _red_border(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The fine roll of skin around the lips' red."""
    upper, lower = red_borders(x)
    roll = 0.45 * np.exp(-(((y - upper - 1.4) / 1.5) ** 2)) - 0.4 * np.exp(-(((y - upper + 1.0) / 1.4) ** 2))
    roll += 0.25 * np.exp(-(((lower - y - 1.5) / 1.8) ** 2)) - 0.2 * np.exp(-(((lower - y + 1.0) / 1.8) ** 2))
    return roll * band(x, -2, -1, 15, 24)


def carve(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Lay the relief on the left half of the skin.

    Parameters
    ----------
    points : (N, 3) float, mm, x >= 0
    triangles : (T, 3) int

    Returns
    -------
    (N, 3) float
    """
    points = _relaxed(points, triangles)
    normals = _normals(points, triangles)
    x, y, z = points.T
    height = brow_thickness(x, y) + _lid_crease(x, y) + 0.42 * nasolabial_fold(x, y, 0.0, 0.9)
    height += _bones_and_fat(x, y) + _red_border(x, y)
    groove = np.exp(-(((y + 20.5) / 6.0) ** 4))
    height += groove * (-0.8 * np.exp(-((x / 2.6) ** 2)) + 0.5 * np.exp(-(((x - 4.8) / 1.9) ** 2)))
    nostril = np.exp(-(((x - 6.8) / 2.7) ** 2) - ((z + 13.5) / 4.5) ** 2) * band(y, -15, -11, -6, -3)
    height -= 3.2 * nostril * band(-normals[:, 1], 0.1, 0.5, 1, 2)
    # The lips' edges stay where they meet.
    beside = np.exp(-(((y - mouth_line(x)) / 1.5) ** 2)) * band(x, -2, -1, MOUTH_HALF_WIDTH + 1, MOUTH_HALF_WIDTH + 5)
    height *= 1 - beside
    return points + (height * band(z, -82, -66, 50, 60))[:, None] * normals
