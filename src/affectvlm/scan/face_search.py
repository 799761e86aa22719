"""Where a face may be in a scan, whatever its pose: what stands out like a nose, and the turns that suit a face there.

No direction is preferred: a face is found upside down as well as upright.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import product

import numba
import numpy as np
from scipy.spatial.transform import Rotation

from affectvlm.scan.face_shape import FaceShape, face_shape
from affectvlm.scan.surfels import Surfels

CELLS = 2
"""Patches are merged to cells this many times as wide before noses are looked for."""

AROUND_MM = 30.0
"""A nose stands out from what is this near to it."""

APART_MM = 16.0
"""Places for noses are at least this far apart."""

ROLLS_DEG, YAWS_DEG, PITCHES_DEG = tuple(range(0, 360, 20)), (-40, -20, 0, 20, 40), (-30, -10, 10, 30)
"""How a face may lie about the direction in which its surroundings look."""

EVERY = 12
"""Each so many-th point of the face is compared."""

FAR_MM, FAR, ASKEW = 16.0, 0.7, 1.5
"""A point is as bad as can be (1) this far away, and nearly so at this price; direction costs more than distance."""

ALIKE_MM, ALIKE_DEG = 12.0, 32.0
"""Two starts nearer than this end up alike."""

_LOOKED_AT = 1000


def likely_starts(surface: Surfels, noses: int, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Find (rotation, nose tip) pairs from which a face may be fitted, the likely ones first, each unlike the others.

    Parameters
    ----------
    surface : Surfels
    noses : int
        How many places that stand out are looked at.
    count : int
        How many starts there may be.

    Returns
    -------
    list of ((3, 3) float, (3,) float mm), at most ``count``
    """
    patches, slot, corner, cell = _merged(surface.points, surface.normals, surface.areas, CELLS * surface.cell)
    relief, forward = _relief(patches, slot, corner, cell, AROUND_MM)
    peaks = _peaks(patches, relief, APART_MM, noses)
    tips = patches[peaks, 1:4] / patches[peaks, :1]
    turns = np.einsum("nij,tjk->ntik", np.stack([_facing(axis) for axis in forward[peaks]]), _turns())
    rotations = np.ascontiguousarray(turns.reshape(-1, 3, 3))
    places = np.repeat(tips, turns.shape[1], axis=0)
    face = _few_points()
    rank = _rank(rotations, places, face, surface)
    order = np.argsort(rank, kind="stable")[:_LOOKED_AT]
    chosen = _unlike(rotations, places, order, count, ALIKE_MM, 1 + 2 * math.cos(math.radians(ALIKE_DEG)))
    return [(rotations[i], places[i]) for i in chosen]


@lru_cache(maxsize=1)
def _few_points() -> FaceShape:
    return face_shape().every(EVERY, modes=1)


@lru_cache(maxsize=1)
def _turns() -> np.ndarray:
    """(S, 3, 3)."""
    angles = list(product(ROLLS_DEG, YAWS_DEG, PITCHES_DEG))
    return Rotation.from_euler("ZYX", angles, degrees=True).as_matrix()


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
    patches : (Q, 7) sums of area, place x area and direction x area
    slot : (X, Y, Z) int32, the patch in each cell or -1
    corner : (3,) float, mm
    cell : float, mm
    """
    corner, span = np.empty(3), np.empty(3)
    for axis in range(3):
        corner[axis] = points[:, axis].min()
        span[axis] = points[:, axis].max() - corner[axis]
    slot = np.full((int(span[0] / cell) + 1, int(span[1] / cell) + 1, int(span[2] / cell) + 1), -1, np.int32)
    patches = np.zeros((points.shape[0], 7))
    count = 0
    for p in range(points.shape[0]):
        i, j, k = _cell_of(points[p, 0], points[p, 1], points[p, 2], corner, cell)
        q = slot[i, j, k]
        if q < 0:
            q = count
            slot[i, j, k] = q
            count += 1
        patches[q, 0] += areas[p]
        for axis in range(3):
            patches[q, 1 + axis] += areas[p] * points[p, axis]
            patches[q, 4 + axis] += areas[p] * normals[p, axis]
    return patches[:count].copy(), slot, corner, cell


@numba.njit(cache=True, nogil=True, inline="always")
def _cell_of(x, y, z, corner, cell):  # type: ignore[no-untyped-def]
    return int((x - corner[0]) / cell), int((y - corner[1]) / cell), int((z - corner[2]) / cell)


@numba.njit(cache=True, nogil=True)
def _relief(patches, slot, corner, cell, radius):  # type: ignore[no-untyped-def]
    """Tell how far each patch stands out from those around it (mm), and where these look ((Q, 3) unit vectors)."""
    relief, forward = np.full(patches.shape[0], -np.inf), np.zeros((patches.shape[0], 3))
    reach = int(radius / cell) + 1
    for p in range(patches.shape[0]):
        x, y, z = patches[p, 1] / patches[p, 0], patches[p, 2] / patches[p, 0], patches[p, 3] / patches[p, 0]
        i, j, k = _cell_of(x, y, z, corner, cell)
        look, shift = np.zeros(3), np.zeros(3)
        area = 0.0
        for a in range(max(i - reach, 0), min(i + reach + 1, slot.shape[0])):
            for b in range(max(j - reach, 0), min(j + reach + 1, slot.shape[1])):
                for c in range(max(k - reach, 0), min(k + reach + 1, slot.shape[2])):
                    q = slot[a, b, c]
                    if q < 0:
                        continue
                    share = patches[q, 0]
                    dx, dy, dz = patches[q, 1] / share - x, patches[q, 2] / share - y, patches[q, 3] / share - z
                    if dx * dx + dy * dy + dz * dz > radius * radius:
                        continue
                    if (
                        patches[q, 4] * patches[p, 4] + patches[q, 5] * patches[p, 5] + patches[q, 6] * patches[p, 6]
                        < 0
                    ):
                        continue  # the other side of something thin
                    for axis in range(3):
                        look[axis] += patches[q, 4 + axis]
                    shift[0] += share * dx
                    shift[1] += share * dy
                    shift[2] += share * dz
                    area += share
        length = math.sqrt(look[0] ** 2 + look[1] ** 2 + look[2] ** 2)
        if length > 0 and area > 0:
            forward[p] = look / length
            # Where little is around, as at a border, standing out means little.
            enough = min(1.0, area / (0.5 * math.pi * radius * radius))
            relief[p] = -(shift[0] * look[0] + shift[1] * look[1] + shift[2] * look[2]) / (length * area) * enough
    return relief, forward


@numba.njit(cache=True, nogil=True)
def _peaks(patches, relief, apart, most):  # type: ignore[no-untyped-def]
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
            for axis in range(1, 4):
                squared += (patches[p, axis] / patches[p, 0] - patches[q, axis] / patches[q, 0]) ** 2
            far = far and squared >= apart * apart
        if far:
            chosen[count] = p
            count += 1
    return chosen[:count]


@numba.njit(cache=True, nogil=True)
def _rank(rotations, places, face, surface):  # type: ignore[no-untyped-def]
    """(S,): how far a rigid face at each start is from the scan, in distance and direction; 0 to 1."""
    nearest = surface.nearest
    rank = np.empty(rotations.shape[0])
    for s in range(rotations.shape[0]):
        r, t = rotations[s], places[s]
        bad = 0.0
        for m in range(face.points.shape[0]):
            u, v, w = face.points[m, 0], face.points[m, 1], face.points[m, 2]
            x = r[0, 0] * u + r[0, 1] * v + r[0, 2] * w + t[0]
            y = r[1, 0] * u + r[1, 1] * v + r[1, 2] * w + t[1]
            z = r[2, 0] * u + r[2, 1] * v + r[2, 2] * w + t[2]
            i, j, k = _cell_of(x, y, z, surface.corner, surface.cell)
            cost = 1.0
            if 0 <= i < nearest.shape[0] and 0 <= j < nearest.shape[1] and 0 <= k < nearest.shape[2]:
                q = nearest[i, j, k]
                if q >= 0:
                    agreement = 0.0
                    for axis in range(3):
                        agreement += surface.normals[q, axis] * (
                            r[axis, 0] * face.normals[m, 0]
                            + r[axis, 1] * face.normals[m, 1]
                            + r[axis, 2] * face.normals[m, 2]
                        )
                    away = math.sqrt(
                        (surface.points[q, 0] - x) ** 2
                        + (surface.points[q, 1] - y) ** 2
                        + (surface.points[q, 2] - z) ** 2
                    )
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
