"""Single points that stand off the surface, as range sensors make them, and how rough a surface is."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numba
import numpy as np

from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.patch import height, quadric

MOST_TOGETHER = 1
"""Of the vertices in the two rings around a spike so many may stand off too: more are a fold or a groove."""

FLOOR_MM = 0.8
"""Less is no spike, however smooth the scan."""

STEEPNESS = 0.7
"""A spike stands off its neighbours by at least this part of the distance to them; of a coarse mesh much is small."""

ROUGHNESS = 6.0
"""Nor is it one unless it is this many times the scan's own roughness, and"""

UNLIKENESS = 5.0
"""this many times what the vertices around it are off the surface through them: the edge of a lid is no spike."""


@dataclass(frozen=True, eq=False)
class Grain:
    """How finely and how smoothly a surface is meshed.

    Parameters
    ----------
    offset : (V,) float32, mm
        How far each vertex is off the mean of its neighbours, along its normal; NaN on a rim.
    edge : (V,) float32, mm
        How far the neighbours are, along the surface; 0 on a rim.
    noise_mm : float
        Standard deviation of the offset, by its median.
    spacing_mm : float
        Median of the edge.
    """

    offset: np.ndarray
    edge: np.ndarray
    noise_mm: float
    spacing_mm: float


def find_grain(face: FaceScan) -> Grain:
    """Compare each vertex with its neighbours."""
    offset, edge = _offsets(face.vertices, face.triangles)
    inside = np.flatnonzero(edge > 0)
    if len(inside) == 0:
        return Grain(offset, edge, 0.0, 0.0)
    some = inside[:: max(1, len(inside) // 5000)]
    return Grain(offset, edge, 1.4826 * float(np.median(np.abs(offset[some]))), float(np.median(edge[some])))


def without_spikes(face: FaceScan, grain: Grain) -> tuple[FaceScan, int]:
    """Move vertices that stand off the surface back to it.

    A spike is told by the quadric through the two rings of vertices around it, those left out that may be spikes
    themselves. It is moved to the middle of its neighbours, onto that quadric. Vertices on a rim stay.

    Parameters
    ----------
    face : FaceScan
        Millimetres.
    grain : Grain
        Its own.

    Returns
    -------
    face : FaceScan
    moved : int
        Vertices that were spikes.
    """
    least = max(FLOOR_MM, ROUGHNESS * grain.noise_mm)
    off = np.abs(grain.offset)  # NaN compares false
    suspects = np.flatnonzero((off > least) & (off > STEEPNESS * grain.edge))
    if len(suspects) == 0:
        return face, 0
    rings = _rings(face.triangles, suspects, len(face.vertices))
    spikes, places = _judged(face.vertices, suspects, grain.edge, *rings, least)
    if len(spikes) == 0:
        return face, 0
    vertices = face.vertices.copy()
    vertices[spikes] = places
    return replace(face, vertices=vertices), len(spikes)


@numba.njit(cache=True, nogil=True)
def _offsets(vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compare each vertex with its neighbours.

    Returns
    -------
    offset : (V,) float32, mm
        From the mean of the neighbours outwards; NaN on a rim, and where there are no neighbours.
    edge : (V,) float32, mm
        The mean distance of the neighbours, along the surface.
    """
    count = len(vertices)
    total, normal = np.zeros((count, 3), np.float32), np.zeros((count, 3), np.float32)
    # The edges opposite to a vertex go round it, and end where they began, unless it is on a rim.
    around, degree = np.zeros(count, np.int64), np.zeros(count, np.int32)
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for v, first, second in ((a, b, c), (b, c, a), (c, a, b)):
            normal[v, 0] += x
            normal[v, 1] += y
            normal[v, 2] += z
            for axis in range(3):
                total[v, axis] += vertices[first, axis]
            degree[v] += 1
            around[v] += first * np.int64(first) - second * np.int64(second)
    offset = np.full(count, np.nan, np.float32)
    edge = np.zeros(count, np.float32)
    for v in range(count):
        length = math.sqrt(normal[v, 0] ** 2 + normal[v, 1] ** 2 + normal[v, 2] ** 2)
        if around[v] == 0 and degree[v] > 2 and length > 0:
            along = np.float32(0)
            for axis in range(3):
                along += (vertices[v, axis] - total[v, axis] / degree[v]) * normal[v, axis] / length
            offset[v] = along
            # The area of the triangles around, projected onto the surface: that of as many equilateral ones.
            edge[v] = math.sqrt(length / degree[v] * 2 / math.sqrt(3))
    return offset, edge


@numba.njit(cache=True, nogil=True)
def _rings(triangles: np.ndarray, centres: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the neighbours of some vertices and of their neighbours.

    Returns
    -------
    place : (V,) int32
        Of a vertex in the list; -1 for those that are not in it.
    starts : (n + 1,) int64
    neighbours : (N,) int32
        Those of the vertex at place i, most of them twice: ``neighbours[starts[i] : starts[i + 1]]``.
    """
    near = np.zeros(count, np.bool_)
    chosen = np.zeros(count, np.bool_)
    for v in centres:
        near[v] = chosen[v] = True
    for t in range(len(triangles)):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        if chosen[a] or chosen[b] or chosen[c]:
            near[a] = near[b] = near[c] = True
    place = np.full(count, -1, np.int32)
    size = 0
    for v in range(count):
        if near[v]:
            place[v] = size
            size += 1
    starts = np.zeros(size + 1, np.int64)
    for t in range(len(triangles)):
        for corner in range(3):
            if near[triangles[t, corner]]:
                starts[place[triangles[t, corner]] + 1] += 2
    starts = np.cumsum(starts)
    neighbours = np.empty(starts[-1], np.int32)
    free = starts.copy()
    for t in range(len(triangles)):
        for corner in range(3):
            if near[triangles[t, corner]]:
                here = place[triangles[t, corner]]
                neighbours[free[here]] = triangles[t, (corner + 1) % 3]
                neighbours[free[here] + 1] = triangles[t, (corner + 2) % 3]
                free[here] += 2
    return place, starts, neighbours


@numba.njit(cache=True, nogil=True)
def _judged(
    vertices: np.ndarray,
    suspects: np.ndarray,
    edge: np.ndarray,
    place: np.ndarray,
    starts: np.ndarray,
    neighbours: np.ndarray,
    least: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Tell which suspects are spikes, and where they belong ((n, 3) float32, mm)."""
    spikes = np.empty(len(suspects), np.int64)
    places = np.empty((len(suspects), 3), np.float32)
    suspected = np.zeros(len(vertices), np.bool_)
    suspected[suspects] = True
    met = np.full(len(vertices), -1, np.int64)
    size = 0
    for v in suspects:
        met[v] = v
        inner = neighbours[starts[place[v]] : starts[place[v] + 1]]
        ring = np.empty((400, 3))
        middle = np.zeros(3)
        count = others = 0
        for first in inner:
            if met[first] != v:
                met[first] = v
                others += suspected[first]
                if not suspected[first] and count < len(ring):
                    ring[count] = vertices[first]
                    middle += vertices[first]
                    count += 1
        near = count
        for first in inner:
            for other in neighbours[starts[place[first]] : starts[place[first] + 1]]:
                if met[other] != v:
                    met[other] = v
                    others += suspected[other]
                    if not suspected[other] and count < len(ring):
                        ring[count] = vertices[other]
                        count += 1
        if others > MOST_TOGETHER or near < 3 or count < 8:
            continue
        off, unlike, target = _off(vertices[v].astype(np.float64), middle / near, ring[:count])
        if abs(off) > max(least, STEEPNESS * edge[v], UNLIKENESS * unlike):
            spikes[size] = v
            places[size] = target
            size += 1
    return spikes[:size], places[:size]


@numba.njit(cache=True, nogil=True)
def _off(here: np.ndarray, middle: np.ndarray, ring: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Compare a vertex with the quadric through others.

    Returns
    -------
    off : float, mm
        How far it is off.
    unlike : float, mm
        How far the others are: three quarters of them less than this.
    target : (3,) float64, mm
        ``middle``, moved onto the quadric.
    """
    centre = np.zeros(3)
    for i in range(len(ring)):
        centre += ring[i] / len(ring)
    spread = np.zeros((3, 3))
    for i in range(len(ring)):
        arm = ring[i] - centre
        for row in range(3):
            for column in range(3):
                spread[row, column] += arm[row] * arm[column]
    _, axes = np.linalg.eigh(spread)  # the smallest first: its axis is the normal
    axes = np.ascontiguousarray(axes[:, ::-1].T)
    local = (ring - centre) @ np.ascontiguousarray(axes.T)
    ground = quadric(local[:, :2], local[:, 2])
    errors = np.empty(len(ring))
    for i in range(len(ring)):
        errors[i] = abs(local[i, 2] - height(ground, local[i, 0], local[i, 1]))
    place = axes @ (here - centre)
    goal = axes @ (middle - centre)
    goal[2] = height(ground, goal[0], goal[1])
    off = place[2] - height(ground, place[0], place[1])
    return off, np.quantile(errors, 0.75), centre + np.ascontiguousarray(axes.T) @ goal
