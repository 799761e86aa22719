"""The fine structure of a painted face: noise, spots and hairs, from a seed and the place alone.

All are functions of places in millimetres, so that they run on over the seams of a picture.
"""

from __future__ import annotations

import math

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def _hash(x: int, y: int, z: int, seed: int) -> float:
    """A number in [0, 1) for a cell of a lattice."""
    h = np.uint64(x & 0xFFFFFFFF) * np.uint64(0x9E3779B97F4A7C15)
    h ^= np.uint64(y & 0xFFFFFFFF) * np.uint64(0xC2B2AE3D27D4EB4F)
    h ^= np.uint64(z & 0xFFFFFFFF) * np.uint64(0x165667B19E3779F9)
    h ^= np.uint64(seed & 0xFFFFFFFF) * np.uint64(0xD6E8FEB86659FD93)
    h ^= h >> np.uint64(32)
    h *= np.uint64(0xD6E8FEB86659FD93)
    h ^= h >> np.uint64(32)
    h *= np.uint64(0xD6E8FEB86659FD93)
    h ^= h >> np.uint64(32)
    return float(h >> np.uint64(11)) / 9007199254740992.0


@numba.njit(cache=True, nogil=True)
def noise(places: np.ndarray, wavelength: float, seed: int) -> np.ndarray:
    """Smooth noise: random numbers on a lattice, blended between its points.

    Parameters
    ----------
    places : (N, 3) float32, mm
    wavelength : float, mm
        Side of the lattice.
    seed : int

    Returns
    -------
    (N,) float32
        In [-1, 1], mean 0.
    """
    out = np.empty(len(places), np.float32)
    share = np.empty((3, 2))
    cell = np.empty(3, np.int64)
    for i in range(len(places)):
        for axis in range(3):
            place = places[i, axis] / wavelength
            cell[axis] = math.floor(place)
            f = place - cell[axis]
            share[axis, 1] = f * f * (3 - 2 * f)
            share[axis, 0] = 1 - share[axis, 1]
        total = 0.0
        for a in range(2):
            for b in range(2):
                for c in range(2):
                    value = _hash(cell[0] + a, cell[1] + b, cell[2] + c, seed)
                    total += share[0, a] * share[1, b] * share[2, c] * value
        out[i] = 2 * total - 1
    return out


@numba.njit(cache=True, nogil=True)
def spots(places: np.ndarray, spacing: float, radius: float, density: np.ndarray, seed: int) -> np.ndarray:
    """Scattered round spots with soft edges: freckles, moles, spots of age.

    Parameters
    ----------
    places : (N, 3) float32, mm
    spacing : float, mm
        A cube of this side holds one spot or none.
    radius : float, mm
        The largest; the others are down to a third of it.
    density : (N,) float32
        How likely a cube holds one, 0 to 1.
    seed : int

    Returns
    -------
    (N,) float32
        0 outside to 1 inside.
    """
    out = np.zeros(len(places), np.float32)
    for i in range(len(places)):
        if density[i] <= 0:
            continue
        x0 = math.floor(places[i, 0] / spacing)
        y0 = math.floor(places[i, 1] / spacing)
        z0 = math.floor(places[i, 2] / spacing)
        for x in range(x0 - 1, x0 + 2):
            for y in range(y0 - 1, y0 + 2):
                for z in range(z0 - 1, z0 + 2):
                    if _hash(x, y, z, seed) >= density[i]:
                        continue
                    dx = places[i, 0] - spacing * (x + _hash(x, y, z, seed + 1))
                    dy = places[i, 1] - spacing * (y + _hash(x, y, z, seed + 2))
                    dz = places[i, 2] - spacing * (z + _hash(x, y, z, seed + 3))
                    size = radius * (0.33 + 0.67 * _hash(x, y, z, seed + 4))
                    depth = 1.5 * (1 - math.sqrt(dx * dx + dy * dy + dz * dz) / size)
                    if depth > out[i]:
                        out[i] = min(1.0, depth)
    return out


@numba.njit(cache=True, nogil=True)
def hairs(places: np.ndarray, roots: np.ndarray, tips: np.ndarray, radius: float) -> np.ndarray:
    """Tell how much hair covers each place of a flat strip.

    Parameters
    ----------
    places : (N, 2) float32, mm
    roots, tips : (H, 2) float32, mm
        Of straight hairs, which thin out towards the tip.
    radius : float, mm
        At the root; where a picture is coarser than a hair, its texel's.

    Returns
    -------
    (N,) float32
        0 to 1; crossing hairs add up.
    """
    out = np.empty(len(places), np.float32)
    for i in range(len(places)):
        bare = 1.0
        for h in range(len(roots)):
            along_x, along_y = tips[h, 0] - roots[h, 0], tips[h, 1] - roots[h, 1]
            x, y = places[i, 0] - roots[h, 0], places[i, 1] - roots[h, 1]
            t = (x * along_x + y * along_y) / (along_x * along_x + along_y * along_y)
            t = min(max(t, 0.0), 1.0)
            dx, dy = x - t * along_x, y - t * along_y
            near = (dx * dx + dy * dy) / (radius * radius)
            if near < 9:
                bare *= 1 - 0.75 * (1 - 0.6 * t) * math.exp(-near)
        out[i] = 1 - bare
    return out
