"""The embedded face's triangulation, laid out flat: loops around the eyes and the mouth, finer where needed.

A vertex is a ray of :mod:`~affectvlm.synthesis.embedded.sculpt`: s goes around the head and v upwards. Only the
subject's left half, s >= 0, is laid out; the surface mirrors it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.spatial import Delaunay, cKDTree

from affectvlm.synthesis.embedded import sculpt

SIDE, TOP, BOTTOM = 185.0, 194.0, -122.0
"""The skin covers 0 <= s <= SIDE and BOTTOM <= v <= TOP."""
LID_POINTS = 44
MOUTH_COLUMNS = 17
INNER_CANTHUS = np.array([16.8, 30.2])
OUTER_CANTHUS = np.array([45.8, 32.6])
LID_LOOPS_MM = (1.1, 2.3, 3.6, 5.0, 6.6, 8.5)
"""Distances of the loops around an eye from the lids' edge."""


@dataclass(frozen=True, eq=False)
class Layout:
    """The flat left half.

    Parameters
    ----------
    s, v : (N,) float64
    triangles : (T, 3) int, counter-clockwise seen from outside
    lid_edge : (LID_POINTS,) int
        From the inner canthus along the upper lid to the outer one and back along the lower lid.
    upper_lip, lower_lip : (MOUTH_COLUMNS,) int
        The edges of the mouth's slit from the midline to the corner, which is the last of both.
    """

    s: np.ndarray
    v: np.ndarray
    triangles: np.ndarray
    lid_edge: np.ndarray
    upper_lip: np.ndarray
    lower_lip: np.ndarray


def lid_edges(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Heights of the upper and lower lid's edge at ``x`` >= 0; both the canthi's own beyond them."""
    t = np.clip((x - INNER_CANTHUS[0]) / (OUTER_CANTHUS[0] - INNER_CANTHUS[0]), 0, 1)
    line = INNER_CANTHUS[1] + t * (OUTER_CANTHUS[1] - INNER_CANTHUS[1])
    # Narrow where the tear duct is.
    open_share = 0.3 + 0.7 * np.clip(t / 0.25, 0, 1) ** 0.8
    upper, lower = 5.9 * np.sin(np.pi * t**0.85) ** 0.9, 4.5 * np.sin(np.pi * t**1.15)
    return line + upper * open_share, line - lower * open_share


def _lid_loop() -> np.ndarray:
    """(LID_POINTS, 2) the lids' edge in (s, v)."""
    half = LID_POINTS // 2
    t = (1 - np.cos(np.linspace(0, np.pi, half + 1))) / 2
    t = 0.55 * t + 0.45 * np.linspace(0, 1, half + 1)
    x = INNER_CANTHUS[0] + t * (OUTER_CANTHUS[0] - INNER_CANTHUS[0])
    upper, lower = lid_edges(x)
    x = np.concatenate([x, x[-2:0:-1]])
    y = np.concatenate([upper, lower[-2:0:-1]])
    return np.stack([sculpt.towards(x, y), y], axis=1)


def _around(loop: np.ndarray, distance: float) -> np.ndarray:
    """Push a clockwise loop outwards."""
    along = np.roll(loop, -1, axis=0) - np.roll(loop, 1, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
    return loop + distance * normal / np.linalg.norm(normal, axis=1, keepdims=True)


def _lip_rows() -> tuple[np.ndarray, np.ndarray]:
    """The slit's columns (MOUTH_COLUMNS, 2), and rows over and around both lips (many, 2)."""
    t = np.sin(np.linspace(0, np.pi / 2, MOUTH_COLUMNS)) * 0.6 + 0.4 * np.linspace(0, 1, MOUTH_COLUMNS)
    x = t * sculpt.MOUTH_HALF_WIDTH
    y = sculpt.mouth_line(x)
    slit = np.stack([sculpt.towards(x, y), y], axis=1)
    slit[0, 0] = 0
    full = (1 - t**2) ** 0.62 + 0.14
    rows = []
    for fraction in (0.16, 0.34, 0.52, 0.7, 0.86, 1.0, 1.16, 1.4, 1.7):
        for height in (8.3, -10.2):
            rows.append(slit + np.stack([t**3 * fraction * 2.5, fraction * height * full], axis=1))
    return slit, np.concatenate(rows)


def _spacing(s: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Wanted distance between neighbours, in mm."""
    size = np.where(v > 120, 7.5, 5.5)
    size[(s < 100) & (v > -100) & (v < 85)] = 3.6
    size[(s < 62) & (v > -92) & (v < 72)] = 2.6
    size[(s < 56) & (v > 20) & (v < 62)] = 2.0
    size[(s < 34) & (v > -50) & (v < -14)] = 1.8
    size[(s < 25) & (v > -16) & (v < 16)] = 1.35
    size[(s < 14) & (v >= 16) & (v < 40)] = 1.7
    size[(s > 116) & (s < 170) & (v > -16) & (v < 56)] = 2.3
    return size


def _hexagonal(h: float) -> np.ndarray:
    rows = np.arange(BOTTOM + h / 2, TOP - h / 2, h * np.sqrt(3) / 2)
    columns = np.arange(0.75 * h, SIDE - h / 2, h)
    s = columns[None, :] + np.where(np.arange(len(rows)) % 2, h / 2, 0.0)[:, None]
    return np.stack([s.ravel(), np.repeat(rows, len(columns))], axis=1)


def _frame() -> np.ndarray:
    """Points on the border of the half: the midline first, at its own spacing, then the outer sides."""
    heights = [BOTTOM]
    while heights[-1] < TOP:
        heights.append(heights[-1] + float(_spacing(np.zeros(1), np.array([heights[-1]]))[0]))
    heights[-1] = TOP
    side = np.linspace(BOTTOM, TOP, 56)
    across = np.linspace(0, SIDE, 32)[1:-1]
    return np.concatenate(
        [
            np.stack([np.zeros(len(heights)), heights], axis=1),
            np.stack([np.full(len(side), SIDE), side], axis=1),
            np.stack([across, np.full(len(across), TOP)], axis=1),
            np.stack([across, np.full(len(across), BOTTOM)], axis=1),
        ]
    )


def _apart(points: np.ndarray, kept: np.ndarray, share: float) -> np.ndarray:
    """Drop those of ``points`` that come nearer to ``kept`` than ``share`` of the wanted spacing."""
    distance, _ = cKDTree(kept).query(points)
    return points[distance > share * _spacing(points[:, 0], points[:, 1])]


def _spread(points: np.ndarray) -> np.ndarray:
    """Keep the first of any two points that crowd each other."""
    near = cKDTree(points).query_pairs(0.62, output_type="ndarray")
    return np.delete(points, np.unique(near.max(axis=1)) if len(near) else [], axis=0)


def _relaxed(points: np.ndarray, fixed: int, on_midline: np.ndarray) -> np.ndarray:
    """Even the free points out: each moves towards the mean of its neighbours."""
    for _ in range(6):
        simplices = Delaunay(points).simplices
        i, j = simplices.ravel(), np.roll(simplices, 1, axis=1).ravel()
        count = len(points)
        links = coo_matrix((np.ones(2 * len(i)), (np.r_[i, j], np.r_[j, i])), (count, count)).tocsr()
        links.data[:] = 1
        mean = (links @ points) / np.asarray(links.sum(axis=1)).reshape(-1, 1)
        moved = 0.4 * points + 0.6 * mean
        moved[:fixed] = points[:fixed]
        moved[on_midline, 0] = 0
        points = moved
    return points


def lay_out() -> Layout:
    """Triangulate the left half of the skin."""
    lid = _lid_loop()
    slit, lip_rows = _lip_rows()
    opening = 0.35 * np.sqrt(np.maximum(1 - np.linspace(0, 1, MOUTH_COLUMNS) ** 2, 0))
    upper = slit + np.stack([0 * opening, opening], axis=1)
    lower = slit[:-1] - np.stack([0 * opening, opening], axis=1)[:-1]
    edges = np.concatenate([lid, upper, lower])
    loops = np.concatenate([_around(lid, d) for d in LID_LOOPS_MM])
    loops = _spread(loops[loops[:, 0] > 1.0])
    rows = _spread(lip_rows)
    rows = rows[cKDTree(edges).query(rows)[0] > 0.75]
    features = np.concatenate([edges, loops, rows])
    frame = _frame()
    on_midline = frame[:, 0] == 0
    in_rows = cKDTree(features[features[:, 0] < 0.3]).query(frame)[0] < 1.0
    frame = frame[~(on_midline & in_rows)]
    fixed = np.concatenate([features, frame])
    free = np.empty((0, 2))
    for h in (1.35, 1.7, 1.8, 2.0, 2.3, 2.6, 3.6, 5.5, 7.5):
        grid = _hexagonal(h)
        grid = grid[_spacing(grid[:, 0], grid[:, 1]) == h]
        grid = grid[~_inside(grid, lid)]
        free = np.concatenate([free, _apart(grid, np.concatenate([fixed, free]), 0.68)])
    points = np.concatenate([fixed, free])
    points = _relaxed(points, len(fixed), np.flatnonzero(points[:, 0] == 0))
    points[len(lid) : len(edges), 1] = np.concatenate([slit[:, 1], slit[:-1, 1]])
    return _cut_open(np.concatenate([np.concatenate([lid, upper, lower]), points[len(edges) :]]), points, len(lid))


def _inside(points: np.ndarray, loop: np.ndarray) -> np.ndarray:
    """Whether points lie inside a closed polygon (even-odd rule)."""
    a, b = loop, np.roll(loop, -1, axis=0)
    crosses = (a[:, 1] > points[:, None, 1]) != (b[:, 1] > points[:, None, 1])
    rise = np.where(b[:, 1] == a[:, 1], 1.0, b[:, 1] - a[:, 1])
    at = a[:, 0] + (points[:, None, 1] - a[:, 1]) / rise * (b[:, 0] - a[:, 0])
    return (crosses & (points[:, None, 0] < at)).sum(axis=1) % 2 == 1


def _cut_open(opened: np.ndarray, points: np.ndarray, lid_count: int) -> Layout:
    """Triangulate with the slit held open, leave eye and slit out, and return the closed coordinates."""
    triangles = Delaunay(opened).simplices
    role = np.zeros(len(points), int)
    role[:lid_count] = 1
    role[lid_count : lid_count + 2 * MOUTH_COLUMNS - 1] = 2
    corner_role = role[triangles]
    hole = (corner_role > 0).all(axis=1) & (corner_role == corner_role[:, :1]).all(axis=1)
    a, b, c = (opened[triangles[:, k]] for k in range(3))
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    upper = lid_count + np.arange(MOUTH_COLUMNS)
    lower = np.append(upper[-1] + 1 + np.arange(MOUTH_COLUMNS - 1), upper[-1])
    return Layout(
        points[:, 0],
        points[:, 1],
        triangles[~hole & (area > 1e-6)],
        np.arange(lid_count),
        upper,
        lower,
    )
