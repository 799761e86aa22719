"""Where a face may be in a scan, whatever its pose: what stands out like a nose, and the turns that suit a face there.

No direction is preferred: a face is found upside down as well as upright.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import numba
import numpy as np

from affectvlm.scan.face_shape import FaceShape, face_shape
from affectvlm.scan.surfels import BLOCK, Surfels

CELLS = 2
"""Patches are merged to cells this many times as wide before noses are looked for."""

AROUND_MM = 30.0
"""A nose stands out from what is this near to it."""

APART_MM = 16.0
"""Places for noses are at least this far apart."""

ROLLS_DEG, YAWS_DEG, PITCHES_DEG = tuple(range(0, 360, 20)), (-40, -20, 0, 20, 40), (-30, -10, 10, 30)
"""How a face may lie about the direction in which its surroundings look."""

FEW_EVERY, EVERY = 36, 12
"""Each so many-th point of the face is compared: the first at every start, the second at those that suit best."""

FAR_MM, FAR, ASKEW = 16.0, 0.7, 1.5
"""A point is as bad as can be (1) this far away, and nearly so at this price; direction costs more than distance."""

ALIKE_MM, ALIKE_DEG = 12.0, 32.0
"""Two starts nearer than this end up alike."""

SUITING = 50
"""So many of these for each start that is wanted."""


class Places(NamedTuple):
    """What stands out in a scan, the most first.

    Parameters
    ----------
    tips : (N, 3) float, mm
    forward : (N, 3) float
        Where what is around each looks; unit length.
    """

    tips: np.ndarray
    forward: np.ndarray

    def first(self, count: int) -> Places:
        """Return the first so many."""
        return Places(self.tips[:count], self.forward[:count])


def standing_out(surface: Surfels, most: int) -> Places:
    """Find the places that stand out like a nose, at most so many."""
    cell = CELLS * surface.cell
    patches, starts = _merged(surface.points, surface.normals, surface.areas, cell)
    relief, forward = _relief(patches, starts, cell, AROUND_MM)
    places = patches[:3].T.astype(np.float64)
    peaks = _peaks(places, relief, APART_MM, most)
    return Places(places[peaks], forward[peaks])


def likely_starts(surface: Surfels, noses: Places, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Find (rotation, nose tip) pairs from which a face may be fitted, the likely ones first, each unlike the others.

    Parameters
    ----------
    surface : Surfels
    noses : Places
        That are taken for noses.
    count : int
        How many starts there may be.

    Returns
    -------
    list of ((3, 3) float, (3,) float mm), at most ``count``
    """
    facing, turns = np.stack([_facing(axis) for axis in noses.forward]), _turns()
    rotations = (facing[:, None] @ turns).reshape(-1, 3, 3)
    tips = np.repeat(noses.tips, len(turns), axis=0)
    order = np.arange(len(tips))
    for every in (FEW_EVERY, EVERY):
        rank = _rank(rotations, tips, order, _few_points(every), surface)
        order = order[np.argsort(rank, kind="stable")[: SUITING * count]]
    chosen = _unlike(rotations, tips, order, count, ALIKE_MM, 1 + 2 * math.cos(math.radians(ALIKE_DEG)))
    return [(rotations[i], tips[i]) for i in chosen]


@lru_cache(maxsize=2)
def _few_points(every: int) -> FaceShape:
    return face_shape().every(every, modes=1)


@lru_cache(maxsize=1)
def _turns() -> np.ndarray:
    """(S, 3, 3)."""
    angles = np.radians(list(product(ROLLS_DEG, YAWS_DEG, PITCHES_DEG)))
    return np.stack([_about(2, roll) @ _about(1, yaw) @ _about(0, pitch) for roll, yaw, pitch in angles])


def _about(axis: int, angle: float) -> np.ndarray:
    """(3, 3): a turn about an axis by an angle in radians (scipy's own would make every program start slower)."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = math.cos(angle)
    turn[second, first] = math.sin(angle)
    turn[first, second] = -math.sin(angle)
    return turn


def _facing(forward: np.ndarray) -> np.ndarray:
    """(3, 3): some rotation that takes +z to ``forward``."""
    up = np.array([0.0, 1.0, 0.0]) if abs(forward[1]) < 0.9 else np.array([0.0, 0.0, -1.0])
    side = np.cross(up, forward)
    side /= np.linalg.norm(side)
    return np.column_stack([side, np.cross(forward, side), forward])


@numba.njit(cache=True, nogil=True)
def _merged(points, normals, areas, cell):  # type: ignore[no-untyped-def]
    """Merge patches into larger cells.

    Returns
    -------
    patches : (7, Q) float32
        Mean place (3, mm), sum of direction x area (3) and area (mm2) of each, ordered by column (x, y) of cells and by
        z in it.
    starts : (X, Y + 1) int32
        The patches of the column (i, j) are those from ``starts[i, j]`` to ``starts[i, j + 1]``.
    """
    corner, span = np.empty(3), np.empty(3)
    for axis in range(3):
        corner[axis] = points[:, axis].min()
        span[axis] = points[:, axis].max() - corner[axis]
    nx, ny, nz = int(span[0] / cell) + 1, int(span[1] / cell) + 1, int(span[2] / cell) + 1
    row_of = np.full((nx, ny, nz), -1, np.int32)
    for p in range(points.shape[0]):
        i, j, k = _cell_of(points[p, 0], points[p, 1], points[p, 2], corner, cell)
        row_of[i, j, k] = 0
    starts = np.empty((nx, ny + 1), np.int32)
    count = 0
    for i in range(nx):
        for j in range(ny):
            starts[i, j] = count
            for k in range(nz):
                if row_of[i, j, k] == 0:
                    row_of[i, j, k] = count
                    count += 1
        starts[i, ny] = count
    patches = np.zeros((7, count))
    for p in range(points.shape[0]):
        i, j, k = _cell_of(points[p, 0], points[p, 1], points[p, 2], corner, cell)
        q = row_of[i, j, k]
        patches[6, q] += areas[p]
        for axis in range(3):
            patches[axis, q] += areas[p] * points[p, axis]
            patches[3 + axis, q] += areas[p] * normals[p, axis]
    patches[:3] /= patches[6]
    return patches.astype(np.float32), starts


@numba.njit(cache=True, nogil=True, inline="always")
def _cell_of(x, y, z, corner, cell):  # type: ignore[no-untyped-def]
    return int((x - corner[0]) / cell), int((y - corner[1]) / cell), int((z - corner[2]) / cell)


# Sums may be taken in any order, several patches at a time.
@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _relief(patches, starts, cell, radius):  # type: ignore[no-untyped-def]
    """Tell how far each patch stands out from those around it (mm), and where these look ((Q, 3) unit vectors)."""
    count = patches.shape[1]
    relief, forward = np.full(count, -np.inf), np.zeros((count, 3))
    nx, ny, reach = starts.shape[0], starts.shape[1] - 1, int(radius / cell) + 1
    zero, one, limit = np.float32(0), np.float32(1), np.float32(radius * radius)
    # What may be near to the patches of a column is copied together: most of the time goes into the innermost loop.
    near = np.empty((7, count), np.float32)
    place_x, place_y, place_z, looks_x, looks_y, looks_z, areas = near
    for column in range(nx * ny):
        i, j = column // ny, column % ny
        if starts[i, j] == starts[i, j + 1]:
            continue
        size = 0
        for a in range(max(i - reach, 0), min(i + reach + 1, nx)):
            # A row of columns lies in one piece.
            first, last = starts[a, max(j - reach, 0)], starts[a, min(j + reach + 1, ny)]
            near[:, size : size + last - first] = patches[:, first:last]
            size += last - first
        for p in range(starts[i, j], starts[i, j + 1]):
            x, y, z, u, v, w, _ = patches[:, p]
            look_x = look_y = look_z = shift_x = shift_y = shift_z = area = zero
            for q in range(size):
                dx, dy, dz = place_x[q] - x, place_y[q] - y, place_z[q] - z
                close = dx * dx + dy * dy + dz * dz <= limit
                # Not the other side of something thin.
                alike = looks_x[q] * u + looks_y[q] * v + looks_z[q] * w >= zero
                share = one if close & alike else zero
                look_x += share * looks_x[q]
                look_y += share * looks_y[q]
                look_z += share * looks_z[q]
                weight = share * areas[q]
                shift_x += weight * dx
                shift_y += weight * dy
                shift_z += weight * dz
                area += weight
            length = math.sqrt(look_x**2 + look_y**2 + look_z**2)
            if length > 0 and area > 0:
                forward[p, 0], forward[p, 1], forward[p, 2] = look_x / length, look_y / length, look_z / length
                # Where little is around, as at a border, standing out means little.
                enough = min(1.0, area / (0.5 * math.pi * radius * radius))
                relief[p] = -(shift_x * look_x + shift_y * look_y + shift_z * look_z) / (length * area) * enough
    return relief, forward


@numba.njit(cache=True, nogil=True)
def _peaks(places, relief, apart, most):  # type: ignore[no-untyped-def]
    """Return the patches (rows) that stand out most."""
    chosen = np.empty(most, np.int64)
    count = 0
    for p in np.argsort(-relief):
        if count == most or relief[p] == -np.inf:
            break
        far = True
        for c in range(count):
            q = chosen[c]
            squared = 0.0
            for axis in range(3):
                squared += (places[p, axis] - places[q, axis]) ** 2
            far = far and squared >= apart * apart
        if far:
            chosen[count] = p
            count += 1
    return chosen[:count]


@numba.njit(cache=True, nogil=True)
def _rank(rotations, places, rows, face, surface):  # type: ignore[no-untyped-def]
    """(R,): how far a rigid face at each of these starts is from the scan, in distance and direction; 0 to 1."""
    nearest, count = surface.nearest, face.points.shape[0]
    # What is looked up at random lies together, and is as small as the places allow.
    patches = np.empty((surface.points.shape[0], 6), np.float32)
    for p in range(patches.shape[0]):
        for axis in range(3):
            patches[p, axis], patches[p, 3 + axis] = surface.points[p, axis], surface.normals[p, axis]
    inverse = 1.0 / (BLOCK * surface.cell)
    rank = np.empty(rows.shape[0])
    for s in range(rows.shape[0]):
        r, t = rotations[rows[s]], places[rows[s]]
        bad = 0.0
        for m in range(count):
            u, v, w = face.points[m, 0], face.points[m, 1], face.points[m, 2]
            x = r[0, 0] * u + r[0, 1] * v + r[0, 2] * w + t[0]
            y = r[1, 0] * u + r[1, 1] * v + r[1, 2] * w + t[1]
            z = r[2, 0] * u + r[2, 1] * v + r[2, 2] * w + t[2]
            i = int((x - surface.corner[0]) * inverse)
            j = int((y - surface.corner[1]) * inverse)
            k = int((z - surface.corner[2]) * inverse)
            cost = 1.0
            if 0 <= i < nearest.shape[0] and 0 <= j < nearest.shape[1] and 0 <= k < nearest.shape[2]:
                q = nearest[i, j, k]
                if q >= 0:
                    u, v, w = face.normals[m, 0], face.normals[m, 1], face.normals[m, 2]
                    agreement = patches[q, 3] * (r[0, 0] * u + r[0, 1] * v + r[0, 2] * w)
                    agreement += patches[q, 4] * (r[1, 0] * u + r[1, 1] * v + r[1, 2] * w)
                    agreement += patches[q, 5] * (r[2, 0] * u + r[2, 1] * v + r[2, 2] * w)
                    away = math.sqrt((patches[q, 0] - x) ** 2 + (patches[q, 1] - y) ** 2 + (patches[q, 2] - z) ** 2)
                    cost = min(1.0, FAR * away / FAR_MM + ASKEW * (1 - agreement))
            bad += face.weights[m] * cost
        rank[s] = bad
    return rank


@numba.njit(cache=True, nogil=True)
def _unlike(rotations, places, order, most, apart, least_trace):  # type: ignore[no-untyped-def]
    """Return the first rows, in the order given, each of which differs from those before in place or in turn."""
    chosen = np.empty(most, np.int64)
    count = 0
    for i in order:
        new = True
        for c in range(count):
            q = chosen[c]
            squared = trace = 0.0
            for a in range(3):
                squared += (places[i, a] - places[q, a]) ** 2
                for b in range(3):
                    trace += rotations[i, a, b] * rotations[q, a, b]
            new = new and (squared > apart * apart or trace < least_trace)
        if new:
            chosen[count] = i
            count += 1
            if count == most:
                break
    return chosen[:count]
