"""Closing the holes that a sensor leaves, but not the openings that a face has."""

from __future__ import annotations

import math
from dataclasses import replace

import numba
import numpy as np

from affectvlm.scan.boundary import find_rims
from affectvlm.scan.cells import Cells
from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.patch import area, height, inside, patch, quadric

WIDEST_MM = 25.0
"""A wider hole stays: what was there is anybody's guess."""

LEVEL = 0.6
"""How far a hole's rim must lie as the surface goes on: 1 in a plane, 0 where the surface dives into the hole."""

BEHIND_MM = 40.0
"""A surface this near behind a hole is the inside of an opening."""

COVERED = 0.15
"""An opening shows this share of the vertices that would lie behind it if it were wholly covered."""

LONGEST = 1.5
"""A new edge is at most this many times as long as the rim's."""

FINEST = 10
"""Nor are new edges shorter than a hole's width divided by this."""

MOUTH_MM = ((-32.0, 32.0), (-65.0, -18.0))
"""Where mouths are, in x and y from the nose tip."""

WIDEST_IN_MOUTH_MM = 10.0
"""There a wider hole may be the dark inside of an open mouth, and a patch would close the lips."""

_CENTRE, _OUTWARDS, _WIDTH, _LEVEL, _FARTHEST, _EDGE, _LONGEST_EDGE = slice(0, 3), slice(3, 6), 6, 7, 8, 9, 10
_HOLE, _OPENING, _TWISTED, _WIDE = range(4)


def fill_holes(face: FaceScan, radius_mm: float) -> tuple[FaceScan, int, int]:
    """Close a face's holes up to :data:`WIDEST_MM`.

    An opening is no hole: its rim turns inwards, or there is another surface behind it, as the eyeballs are behind
    the lids and the mouth's inside behind the lips. A range image has one surface only, and where that lacks nothing
    was measured. New vertices follow a quadric through the surroundings; texture and colours go on from the rim.

    Parameters
    ----------
    face : FaceScan
        Normalised.
    radius_mm : float
        The crop's: what ends there is cut, not missing.

    Returns
    -------
    face : FaceScan
        Its first vertices and triangles are those that were given, unchanged.
    filled, left : int
        Holes that were closed, and those that were not.
    """
    rims = find_rims(face.triangles, len(face.vertices))
    shapes = _shapes(face.vertices, face.triangles, rims.starts, rims.vertices, rims.edges)
    # What lies within a triangle of the crop was cut by it.
    holes = np.flatnonzero((shapes[:, _LEVEL] > LEVEL) & (shapes[:, _FARTHEST] + 2 * shapes[:, _EDGE] < radius_mm))
    if len(holes) == 0:
        return face, 0, 0
    cells = Cells.of(face.vertices)
    on_rim = np.zeros(len(face.vertices), bool)
    patches = []
    left = 0
    for hole in holes:
        shape = shapes[hole]
        # The other way round than the rim runs: what is to its right is to be covered.
        rim = rims.vertices[rims.starts[hole] : rims.starts[hole + 1]][::-1]
        edges = rims.edges[rims.starts[hole] : rims.starts[hole + 1]][::-1]
        uv_rows = _uv_rows(face, edges)
        # What is looked at is around the rim, whose vertices are at most 1.8 widths from its centre, or behind it.
        reach, aside = max(shape[_WIDTH], BEHIND_MM), 2 * shape[_WIDTH] + shape[_EDGE]
        near = cells.near(shape[_CENTRE], reach, shape[_OUTWARDS], aside)
        state, new, values, triangles = _closed(
            face.vertices, face.vertex_normals, rim, _values(face, rim, uv_rows), near, shape, on_rim
        )
        if state == _HOLE:
            patches.append((rim, uv_rows, new, values, triangles))
        left += state in (_TWISTED, _WIDE)
    return (_with_patches(face, patches) if patches else face), len(patches), left


def _uv_rows(face: FaceScan, edges: np.ndarray) -> np.ndarray | None:
    """(n,) int32: the row of ``uv`` at the start of each edge of a rim; all the first one's where a seam crosses it."""
    if face.uv is None or face.uv_triangles is None:
        return None
    rows = face.uv_triangles[edges // 3, edges % 3]
    stops = face.uv_triangles[edges // 3, (edges % 3 + 1) % 3]
    # The rim is reversed: an edge stops where the one before it in the list starts.
    if np.abs(face.uv[stops] - face.uv[np.roll(rows, 1)]).max() > 1e-3:
        rows[:] = rows[0]
    return rows


def _values(face: FaceScan, rim: np.ndarray, uv_rows: np.ndarray | None) -> np.ndarray:
    """(n, 0, 2, 3 or 5) float64: what the rim's vertices carry, texture coordinates and colours."""
    values = np.empty((len(rim), 0))
    if face.uv is not None and uv_rows is not None:
        values = np.column_stack([values, face.uv[uv_rows]])
    if face.colours is not None:
        values = np.column_stack([values, face.colours[rim]])
    return values


def _with_patches(face: FaceScan, patches: list[tuple]) -> FaceScan:
    """Add new vertices and triangles to a face."""
    vertices, triangles, uv, uv_triangles, colours = [face.vertices], [face.triangles], [], [], []
    count = 0
    for rim, uv_rows, new, values, corners in patches:
        # In the face's own types, or the whole of it would be converted to the wider ones and back.
        rows = np.append(rim, len(face.vertices) + count + np.arange(len(new)))
        vertices.append(new.astype(np.float32))
        triangles.append(rows[corners].astype(np.int32))
        if face.uv is not None:
            rows = np.append(uv_rows, len(face.uv) + count + np.arange(len(new)))
            uv.append(values[:, :2].astype(np.float32))
            uv_triangles.append(rows[corners].astype(np.int32))
        if face.colours is not None:
            colours.append((values[:, -3:] + 0.5).astype(np.uint8))
        count += len(new)
    return replace(
        face,
        vertices=np.concatenate(vertices),
        triangles=np.concatenate(triangles),
        uv=None if face.uv is None else np.concatenate([face.uv, *uv]),
        uv_triangles=None if face.uv_triangles is None else np.concatenate([face.uv_triangles, *uv_triangles]),
        colours=None if face.colours is None else np.concatenate([face.colours, *colours]),
    )


@numba.njit(cache=True, nogil=True)
def _shapes(
    vertices: np.ndarray, triangles: np.ndarray, starts: np.ndarray, rims: np.ndarray, edges: np.ndarray
) -> np.ndarray:
    """(L, 11) float64: what is known of each rim, column by column as above."""
    shapes = np.zeros((len(starts) - 1, 11))
    low, high = np.empty(3), np.empty(3)
    for rim in range(len(starts) - 1):
        first, last = starts[rim], starts[rim + 1]
        shape = shapes[rim]
        low[:], high[:] = np.inf, -np.inf
        for i in range(first, last):
            distance = 0.0
            for axis in range(3):
                x = float(vertices[rims[i], axis])
                shape[axis] += x / (last - first)
                low[axis], high[axis] = min(low[axis], x), max(high[axis], x)
                distance += x * x
            shape[_FARTHEST] = max(shape[_FARTHEST], math.sqrt(distance))
        shape[_WIDTH] = (high - low).max()
        outwards, level = np.zeros(3), np.zeros(3)
        for i in range(first, last):
            here = vertices[rims[i]].astype(np.float64)
            onward = vertices[rims[i + 1 if i + 1 < last else first]].astype(np.float64)
            outwards += _cross(onward - shape[:3], here - shape[:3])  # a hole's rim runs clockwise
            length = math.sqrt(((onward - here) ** 2).sum())
            shape[_EDGE] += length / (last - first)
            shape[_LONGEST_EDGE] = max(shape[_LONGEST_EDGE], length)
            third = vertices[triangles[edges[i] // 3, (edges[i] % 3 + 2) % 3]].astype(np.float64)
            normal = _cross(onward - here, third - here)
            level += normal / max(math.sqrt((normal**2).sum()), 1e-12) / (last - first)
        shape[3:6] = outwards / max(math.sqrt((outwards**2).sum()), 1e-12)
        shape[_LEVEL] = (shape[3:6] * level).sum()
    return shapes


@numba.njit(cache=True, nogil=True)
def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.array([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


@numba.njit(cache=True, nogil=True)
def _closed(
    vertices: np.ndarray,
    normals: np.ndarray,
    rim: np.ndarray,
    values: np.ndarray,
    near: np.ndarray,
    shape: np.ndarray,
    on_rim: np.ndarray,
) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """Close a hole.

    Parameters
    ----------
    vertices, normals : (V, 3) float32
    rim : (n,) int64
        Counter-clockwise seen from outside.
    values : (n, A) float64
        What is carried on from the rim.
    near : (N,) int64
        Vertices around the hole and behind it.
    shape : (11,) float64
        What is known of the rim.
    on_rim : (V,) bool
        Room to work in; False before and after.

    Returns
    -------
    state : int
        Whether it is a hole that was closed.
    new : (m, 3) float64, mm
        Vertices.
    values : (m, A) float64
        Theirs.
    triangles : (P, 3) int64
        Rows of the rim and, from n on, of the new vertices.
    """
    n, edge = len(rim), shape[_EDGE]
    nothing = np.empty((0, 3)), np.empty((0, values.shape[1])), np.empty((0, 3), np.int64)
    axes = _axes(shape[3:6])
    border = np.empty((n, 3 + values.shape[1]))
    farthest = 0.0
    for i in range(n):
        border[i, :3] = _place(vertices[rim[i]], shape, axes)
        farthest = max(farthest, border[i, 0] ** 2 + border[i, 1] ** 2)
        border[i, 3:] = values[i]
        on_rim[rim[i]] = True
    around = np.empty((len(near), 3))
    size = behind = 0
    for i in range(len(near)):
        x, y, z = _place(vertices[near[i]], shape, axes)
        squared = x * x + y * y
        if on_rim[near[i]]:
            around[size, 0], around[size, 1], around[size, 2] = x, y, z
            size += 1
        elif squared < farthest and inside(border, x, y):
            # The nose's other side is behind this one, but looks the other way.
            facing = normals[near[i], 0] * shape[3] + normals[near[i], 1] * shape[4] + normals[near[i], 2] * shape[5]
            behind += -BEHIND_MM < z < edge and facing > 0
        elif squared + z * z < (0.75 * shape[_WIDTH] + edge) ** 2:
            around[size, 0], around[size, 1], around[size, 2] = x, y, z
            size += 1
    for i in range(n):
        on_rim[rim[i]] = False
    if behind > COVERED * area(border) / edge**2:
        return _OPENING, *nothing
    if shape[_WIDTH] > _widest(shape):
        return _WIDE, *nothing
    ground = quadric(around[:size, :2], around[:size, 2])
    for i in range(n):
        border[i, 2] -= height(ground, border[i, 0], border[i, 1])
    # Beside a long edge of the rim, which is not cut, shorter ones would be cut without end.
    points, triangles = patch(border, max(LONGEST * edge, shape[_WIDTH] / FINEST, shape[_LONGEST_EDGE]))
    if len(triangles) == 0:
        return _TWISTED, *nothing
    new = np.empty((len(points) - n, 3))
    for i in range(len(new)):
        place = points[n + i, :3].copy()
        place[2] += height(ground, place[0], place[1])
        new[i] = shape[:3] + axes.T @ place
    return _HOLE, new, points[n:, 3:].copy(), triangles


@numba.njit(cache=True, nogil=True)
def _widest(shape: np.ndarray) -> float:
    """Tell how wide (mm) a hole at this place may be."""
    (left, right), (bottom, top) = MOUTH_MM
    return WIDEST_IN_MOUTH_MM if left < shape[0] < right and bottom < shape[1] < top else WIDEST_MM


@numba.njit(cache=True, nogil=True)
def _place(vertex: np.ndarray, shape: np.ndarray, axes: np.ndarray) -> tuple[float, float, float]:
    """Return a vertex in a hole's own frame."""
    x, y, z = vertex[0] - shape[0], vertex[1] - shape[1], vertex[2] - shape[2]
    return (
        axes[0, 0] * x + axes[0, 1] * y + axes[0, 2] * z,
        axes[1, 0] * x + axes[1, 1] * y + axes[1, 2] * z,
        axes[2, 0] * x + axes[2, 1] * y + axes[2, 2] * z,
    )


@numba.njit(cache=True, nogil=True)
def _axes(outwards: np.ndarray) -> np.ndarray:
    """(3, 3) float64: rows are two unit vectors along a plane and its normal, right-handed."""
    aside = np.zeros(3)
    aside[np.argmin(np.abs(outwards))] = 1
    first = _cross(outwards, aside)
    first /= math.sqrt((first**2).sum())
    axes = np.empty((3, 3))
    axes[0], axes[1], axes[2] = first, _cross(outwards, first), outwards
    return axes
