"""A piece of surface for a hole: triangles between the rim's vertices, and new vertices where those are long."""

from __future__ import annotations

import math

import numba
import numpy as np

RELAXATIONS = 30
"""Sweeps in which new vertices move to the middle of their neighbours."""


@numba.njit(cache=True, nogil=True)
def patch(rim: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Close a polygon in the plane with triangles.

    Parameters
    ----------
    rim : (n, C) float64
        Counter-clockwise; the first two columns are the place in the plane, the others are carried along.
    edge : float
        Inner edges longer than this are halved, until there is none.

    Returns
    -------
    points : (n + m, C) float64
        The rim and new ones, which are spread evenly, all columns alike (a membrane over the rim).
    triangles : (P, 3) int64
        Counter-clockwise rows of the former; none where the polygon crosses itself.
    """
    ears = _ears(rim[:, :2])
    if len(ears) == 0:
        return rim, ears
    points, triangles = _refined(rim, ears, edge)
    return _relaxed(points, triangles, len(rim)), triangles


@numba.njit(cache=True, nogil=True)
def _ears(polygon: np.ndarray) -> np.ndarray:
    """(n - 2, 3): cut the ear with the shortest base away, again and again (Meisters, 1975); (0, 3) if that fails."""
    n = len(polygon)
    triangles = np.empty((n - 2, 3), np.int64)
    before, after = np.empty(n, np.int64), np.empty(n, np.int64)
    base = np.empty(n)
    for i in range(n):
        before[i], after[i] = (i - 1) % n, (i + 1) % n
    for i in range(n):
        base[i] = _ear_base(polygon, before, after, i)
    gone = np.zeros(n, np.bool_)
    for cut in range(n - 2):
        best = _shortest(base, gone)
        if best < 0:
            # What is gone may have stood in others' way.
            for i in range(n):
                if not gone[i]:
                    base[i] = _ear_base(polygon, before, after, i)
            best = _shortest(base, gone)
            if best < 0:
                return np.empty((0, 3), np.int64)
        left, right = before[best], after[best]
        triangles[cut, 0], triangles[cut, 1], triangles[cut, 2] = left, best, right
        gone[best] = True
        after[left], before[right] = right, left
        if cut < n - 3:
            base[left] = _ear_base(polygon, before, after, left)
            base[right] = _ear_base(polygon, before, after, right)
    return triangles


@numba.njit(cache=True, nogil=True)
def _shortest(base: np.ndarray, gone: np.ndarray) -> int:
    """Return the corner with the shortest base that is still there; -1 if none can be cut."""
    best = -1
    for i in range(len(base)):
        if not gone[i] and base[i] < np.inf and (best < 0 or base[i] < base[best]):
            best = i
    return best


@numba.njit(cache=True, nogil=True)
def _ear_base(polygon: np.ndarray, before: np.ndarray, after: np.ndarray, i: int) -> float:
    """Return the squared length of the edge that cutting a corner away makes; infinite if it cannot be cut."""
    a, b, c = before[i], i, after[i]
    if _turn(polygon, a, b, c) <= 0:
        return np.inf
    j = after[c]
    while j != a:
        if _turn(polygon, a, b, j) >= 0 and _turn(polygon, b, c, j) >= 0 and _turn(polygon, c, a, j) >= 0:
            return np.inf
        j = after[j]
    return float((polygon[a, 0] - polygon[c, 0]) ** 2 + (polygon[a, 1] - polygon[c, 1]) ** 2)


@numba.njit(cache=True, nogil=True)
def _turn(points: np.ndarray, a: int, b: int, c: int) -> float:
    """Return twice the area of a triangle in the plane, positive if it is counter-clockwise."""
    ux, uy = points[b, 0] - points[a, 0], points[b, 1] - points[a, 1]
    vx, vy = points[c, 0] - points[a, 0], points[c, 1] - points[a, 1]
    return float(ux * vy - uy * vx)


@numba.njit(cache=True, nogil=True)
def _refined(rim: np.ndarray, ears: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray]:
    """Halve the longest inner edge, again and again (Rivara, 1984)."""
    # Each cut adds a vertex and two triangles; evenly spread, so many vertices more than fill the hole.
    most = 4 * len(rim) + 400
    points = np.empty((len(rim) + most, rim.shape[1]))
    points[: len(rim)] = rim
    triangles = np.empty((len(ears) + 2 * most, 3), np.int64)
    triangles[: len(ears)] = ears
    n, count, size = len(rim), len(rim), len(ears)
    for _ in range(most):
        longest, start, stop = edge**2, -1, -1
        for t in range(size):
            for corner in range(3):
                a, b = triangles[t, corner], triangles[t, (corner + 1) % 3]
                if a < b:  # each inner edge is met once this way round
                    step = b - a
                    if b < n and (step == 1 or step == n - 1):
                        continue  # the rim's own
                    length = (points[a, 0] - points[b, 0]) ** 2 + (points[a, 1] - points[b, 1]) ** 2
                    if length > longest:
                        longest, start, stop = length, a, b
        if start < 0:
            break
        for column in range(points.shape[1]):
            points[count, column] = (points[start, column] + points[stop, column]) / 2
        for t in range(size):
            for corner in range(3):
                a, b = triangles[t, corner], triangles[t, (corner + 1) % 3]
                if (a == start and b == stop) or (a == stop and b == start):
                    c = triangles[t, (corner + 2) % 3]
                    triangles[t, 0], triangles[t, 1], triangles[t, 2] = a, count, c
                    triangles[size, 0], triangles[size, 1], triangles[size, 2] = count, b, c
                    size += 1
                    break
        count += 1
    return points[:count], triangles[:size]


@numba.njit(cache=True, nogil=True)
def _relaxed(points: np.ndarray, triangles: np.ndarray, fixed: int) -> np.ndarray:
    """Move the points after the first ``fixed`` to the mean of their neighbours; not if that folds."""
    moved = points.copy()
    total, weight = np.zeros_like(points), np.zeros(len(points))
    if len(points) == fixed:
        return moved
    for _ in range(RELAXATIONS):
        total[:] = 0
        weight[:] = 0
        for t in range(len(triangles)):
            for corner in range(3):
                v = triangles[t, corner]
                if v >= fixed:
                    for other in range(1, 3):
                        neighbour = triangles[t, (corner + other) % 3]
                        weight[v] += 1
                        for column in range(points.shape[1]):
                            total[v, column] += moved[neighbour, column]
        for v in range(fixed, len(points)):
            for column in range(points.shape[1]):
                moved[v, column] = total[v, column] / weight[v]
    for t in range(len(triangles)):
        if _turn(moved, triangles[t, 0], triangles[t, 1], triangles[t, 2]) <= 0:
            return points
    return moved


@numba.njit(cache=True, nogil=True)
def quadric(places: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Fit heights over the plane by least squares.

    Parameters
    ----------
    places : (P, 2) float64
    heights : (P,) float64

    Returns
    -------
    (6,) float64
        Coefficients of 1, x, y, x², xy, y².
    """
    size = 1e-9
    for i in range(len(places)):
        size = max(size, abs(places[i, 0]), abs(places[i, 1]))
    system, right = np.zeros((6, 6)), np.zeros(6)
    for i in range(len(places)):
        terms = _terms(places[i, 0] / size, places[i, 1] / size)
        for row in range(6):
            right[row] += terms[row] * heights[i]
            for column in range(6):
                system[row, column] += terms[row] * terms[column]
    for row in range(6):
        system[row, row] += 1e-6 * len(places)  # few points may lie on a line
    fitted = np.linalg.solve(system, right)
    scales = _terms(1 / size, 1 / size)
    for row in range(6):
        fitted[row] *= scales[row]
    return fitted


@numba.njit(cache=True, nogil=True)
def height(coefficients: np.ndarray, x: float, y: float) -> float:
    """Evaluate what :func:`quadric` fitted."""
    terms = _terms(x, y)
    total = 0.0
    for row in range(6):
        total += coefficients[row] * terms[row]
    return total


@numba.njit(cache=True, nogil=True)
def _terms(x: float, y: float) -> tuple[float, float, float, float, float, float]:
    return 1.0, x, y, x * x, x * y, y * y


@numba.njit(cache=True, nogil=True)
def inside(polygon: np.ndarray, x: float, y: float) -> bool:
    """Tell whether a place is in a polygon ((n, 2)): a line from it crosses the border an odd number of times."""
    odd = False
    j = len(polygon) - 1
    for i in range(len(polygon)):
        if (polygon[i, 1] > y) != (polygon[j, 1] > y):
            slope = (polygon[j, 0] - polygon[i, 0]) / (polygon[j, 1] - polygon[i, 1])
            if x < polygon[i, 0] + slope * (y - polygon[i, 1]):
                odd = not odd
        j = i
    return odd


@numba.njit(cache=True, nogil=True)
def area(polygon: np.ndarray) -> float:
    """Area of a counter-clockwise polygon ((n, 2))."""
    total = 0.0
    for i in range(len(polygon)):
        j = (i + 1) % len(polygon)
        total += polygon[i, 0] * polygon[j, 1] - polygon[j, 0] * polygon[i, 1]
    return math.fabs(total) / 2
