"""Small forms on the embedded face's skin, laid on along its normals: brows, creases, philtrum, nostrils."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.sparse import coo_matrix

from affectvlm.synthesis.embedded.layout import lid_edges


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


BROW = smooth_curve(np.array([[10.5, 48.0], [22, 52.0], [38, 54.5], [50, 46.5]]))
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
    half_height = 3.6 - 2.2 * share**2
    ends = np.where((share <= 0) | (share >= 1), 0.6, 1.0)
    return 1.5 * ends * np.exp(-((distance / half_height) ** 4))


def _lid_crease(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    upper, lower = lid_edges(x)
    inside = np.clip((x - 17) / 4, 0, 1) * np.clip((50 - x) / 6, 0, 1)
    fold = -1.0 * np.exp(-(((y - upper - 4.6) / 1.1) ** 2)) + 0.5 * np.exp(-(((y - upper - 7.2) / 1.8) ** 2))
    bag = -0.35 * np.exp(-(((lower - y - 7) / 2.0) ** 2))
    return inside * (np.where(y > upper, fold, 0) + np.where(y < lower, bag, 0))


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
    height = brow_thickness(x, y) + _lid_crease(x, y) + 0.6 * nasolabial_fold(x, y, 0.0, 0.9)
    groove = np.exp(-(((y + 19) / 5.5) ** 4))
    height += groove * (-1.1 * np.exp(-((x / 2.6) ** 2)) + 0.5 * np.exp(-(((x - 4.8) / 1.9) ** 2)))
    nostril = np.exp(-(((x - 6.8) / 2.7) ** 2) - ((z + 13.5) / 4.5) ** 2) * band(y, -15, -11, -6, -3)
    height -= 3.2 * nostril * band(-normals[:, 1], 0.1, 0.5, 1, 2)
    return points + (height * (z > -70))[:, None] * normals
