"""A scan's surface as small flat patches in a grid, so that the nearest one to any place is looked up, not searched.

Each patch averages what the triangles in one cell of the grid say. This evens out the sensor's noise, and it does not
matter how finely which part is meshed.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from affectvlm.scan.cells import bounds

CELL_MM = 4.0
"""Side of a cell."""

MOST_CELLS = 6_000_000
"""Of a scan of much more than a head the cells are larger."""

BLOCK = 2
"""Blocks of so many cells along each axis know the nearest patch."""

LAYERS = 3
"""Up to so many blocks from it."""

MARGIN = BLOCK * LAYERS

SAMPLE_MM2 = 6.0
"""A larger triangle is known at several points."""

BEHIND = (2, 7)
"""Another surface from so many to fewer than so many cells in front of a patch, facing the same way, hides it."""

ALONG = 0.7
"""Least cosine between directions that are the same way."""

OUTLIERS = 0.2
"""Per cent of the vertices, at each end of each axis, that may lie far off."""


class Surfels(NamedTuple):
    """A scan's surface; a tuple, so that compiled code takes it whole.

    Parameters
    ----------
    points : (P, 3) float, mm
    normals : (P, 3) float
        Outward.
    areas : (P,) float, mm2
    corner : (3,) float, mm
        Of the grid.
    cell : float, mm
    slot : (X, Y, Z) int32
        The patch in each cell; -1 for none.
    nearest : (X / BLOCK, Y / BLOCK, Z / BLOCK) int32, rounded up
        The nearest patch to the middle of each block of cells, about; -1 where none is near.
    inside_out : bool
        Whether the normals were turned round, because the scan's triangles face inwards.
    """

    points: np.ndarray
    normals: np.ndarray
    areas: np.ndarray
    corner: np.ndarray
    cell: float
    slot: np.ndarray
    nearest: np.ndarray
    inside_out: bool = False


def surfels(vertices: np.ndarray, triangles: np.ndarray, factor: float, cell: float = CELL_MM) -> Surfels | None:
    """Average a mesh over cells.

    Parameters
    ----------
    vertices : (V, 3) float32
    triangles : (T, 3) int32
    factor : float
        Millimetres a unit of the vertices.
    cell : float, mm

    Returns
    -------
    Surfels, or None when no triangle has an area, or no part of the surface a direction
    """
    stride = max(1, len(vertices) // 4000)
    low, high = np.percentile(vertices[::stride], [OUTLIERS, 100 - OUTLIERS], axis=0) * factor
    low, high = low - 40.0, high + 40.0
    cell = max(cell, float(np.prod(high - low) / MOST_CELLS) ** (1 / 3))
    # Memory costs more than it seems: no cells where the scan does not reach.
    least, most = bounds(vertices)
    low += np.maximum((least * factor - low) // cell, 0) * cell
    high = np.minimum(high, most * factor)
    shape = tuple(int(n) + 2 * MARGIN + 1 for n in (high - low) // cell)
    corner = low - MARGIN * cell
    slot = np.full(shape, -1, np.int32)
    sums, cells, bulge = _gather(vertices, triangles, factor, corner, cell, slot, MARGIN, SAMPLE_MM2)
    if not sums[:, 0].any():
        return None
    area = sums[:, 0]
    points = sums[:, 1:4] / area[:, None]
    length = np.sqrt(np.einsum("ij,ij->i", sums[:, 4:7], sums[:, 4:7]))
    normals = sums[:, 4:7] / np.maximum(length, 1e-12)[:, None]
    if bulge < 0:
        normals = -normals
    # Two sheets back to back, or crumpled noise, have no direction.
    good = length > 0.3 * area
    # A mesh of a whole head has insides (mouth, nostrils, sockets), which a scan has not.
    good &= ~_hidden(points, normals, good, slot, corner, cell, BEHIND, ALONG)
    if not good.any():
        return None
    for_all = slot, corner, cell, bool(bulge < 0)
    return _in_grid(points[good], normals[good], area[good], cells[good], *for_all)


def part_of(surface: Surfels, kept: np.ndarray) -> Surfels | None:
    """Return some of a surface's patches ((P,) bool) as a surface of their own; None for none."""
    if not kept.any():
        return None
    points = surface.points[kept]
    cells = ((points - surface.corner) / surface.cell).astype(np.int32)
    low = cells.min(axis=0) - MARGIN
    cells -= low
    slot = np.empty(cells.max(axis=0) + MARGIN + 1, np.int32)
    corner = surface.corner + low * surface.cell
    for_all = slot, corner, surface.cell, surface.inside_out
    return _in_grid(points, surface.normals[kept], surface.areas[kept], cells, *for_all)


def _in_grid(
    points: np.ndarray,
    normals: np.ndarray,
    areas: np.ndarray,
    cells: np.ndarray,
    slot: np.ndarray,
    corner: np.ndarray,
    cell: float,
    inside_out: bool,
) -> Surfels:
    """Write patches into the cells ((P, 3) int32) of a grid, and into the blocks around them."""
    slot.fill(-1)
    slot[cells[:, 0], cells[:, 1], cells[:, 2]] = np.arange(len(points), dtype=np.int32)
    nearest = np.full([-(-n // BLOCK) for n in slot.shape], -1, np.int32)
    _spread(nearest, points, cells // BLOCK, corner, BLOCK * cell, LAYERS)
    return Surfels(points, normals, areas, corner, cell, slot, nearest, inside_out)


@numba.njit(cache=True, nogil=True)
def _gather(vertices, triangles, factor, corner, cell, slot, margin, sample_mm2):  # type: ignore[no-untyped-def]
    """Add area, place and direction of each triangle to its cell.

    Returns
    -------
    sums : (P, 7) float64
    cells : (P, 3) int32
    bulge : float
        How much the whole bulges outwards.
    """
    room = 4096
    sums = np.zeros((room, 7))
    cells = np.empty((room, 3), np.int32)
    count = 0
    bulge = 0.0
    total = 0.0
    mean = np.zeros(3)
    across = np.zeros(3)  # sum of direction x area, for the bulge about the mean
    inverse = 1.0 / cell
    nx, ny, nz = slot.shape
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = vertices[a, 0] * factor, vertices[a, 1] * factor, vertices[a, 2] * factor
        ux, uy, uz = vertices[b, 0] * factor - ax, vertices[b, 1] * factor - ay, vertices[b, 2] * factor - az
        vx, vy, vz = vertices[c, 0] * factor - ax, vertices[c, 1] * factor - ay, vertices[c, 2] * factor - az
        mx, my, mz = 0.5 * (uy * vz - uz * vy), 0.5 * (uz * vx - ux * vz), 0.5 * (ux * vy - uy * vx)
        area = np.sqrt(mx * mx + my * my + mz * mz)
        if not area > 0:
            continue
        pieces = 1 if area < 1.5 * sample_mm2 else min(int(area / sample_mm2) + 1, 2000)
        share = 1.0 / pieces
        for piece in range(pieces):
            if pieces == 1:
                p = q = 1.0 / 3.0
            else:
                # Where in the triangle: the R2 sequence covers it evenly without chance (Roberts, 2018).
                p, q = ((piece + 0.5) * 0.7548776662466927) % 1.0, ((piece + 0.5) * 0.5698402909980532) % 1.0
                if p + q > 1:
                    p, q = 1 - p, 1 - q
            x, y, z = ax + p * ux + q * vx, ay + p * uy + q * vy, az + p * uz + q * vz
            i, j, k = int((x - corner[0]) * inverse), int((y - corner[1]) * inverse), int((z - corner[2]) * inverse)
            if i < margin or j < margin or k < margin or i >= nx - margin or j >= ny - margin or k >= nz - margin:
                continue
            s = slot[i, j, k]
            if s < 0:
                if count == room:
                    grown, more = np.zeros((2 * room, 7)), np.empty((2 * room, 3), np.int32)
                    grown[:room], more[:room] = sums, cells
                    sums, cells = grown, more
                    room *= 2
                s = count
                slot[i, j, k] = s
                cells[s, 0], cells[s, 1], cells[s, 2] = i, j, k
                count += 1
            w = area * share
            sums[s, 0] += w
            sums[s, 1] += w * x
            sums[s, 2] += w * y
            sums[s, 3] += w * z
            sums[s, 4] += mx * share
            sums[s, 5] += my * share
            sums[s, 6] += mz * share
            total += w
            mean[0] += w * x
            mean[1] += w * y
            mean[2] += w * z
            across[0] += mx * share
            across[1] += my * share
            across[2] += mz * share
            bulge += share * (x * mx + y * my + z * mz)
    if total > 0:
        # A head bulges outwards; one whose normals point inwards was meshed inside out.
        bulge -= (mean[0] * across[0] + mean[1] * across[1] + mean[2] * across[2]) / total
    return sums[:count].copy(), cells[:count].copy(), bulge


@numba.njit(cache=True, nogil=True)
def _hidden(points, normals, good, slot, corner, cell, behind, along):  # type: ignore[no-untyped-def]
    """(P,) bool: something outer lies in front of the patch."""
    hidden = np.zeros(points.shape[0], np.bool_)
    for p in range(points.shape[0]):
        u, v, w = cell * normals[p, 0], cell * normals[p, 1], cell * normals[p, 2]
        for step in range(behind[0], behind[1]):
            i = int((points[p, 0] + step * u - corner[0]) / cell)
            j = int((points[p, 1] + step * v - corner[1]) / cell)
            k = int((points[p, 2] + step * w - corner[2]) / cell)
            if i < 0 or j < 0 or k < 0 or i >= slot.shape[0] or j >= slot.shape[1] or k >= slot.shape[2]:
                break
            q = slot[i, j, k]
            if q >= 0 and good[q]:
                same = normals[q, 0] * u + normals[q, 1] * v + normals[q, 2] * w
                if same > along * cell:
                    hidden[p] = True
                    break
    return hidden


@numba.njit(cache=True, nogil=True)
def _spread(nearest, points, blocks, corner, side, layers):  # type: ignore[no-untyped-def]
    """Write each patch's number into its block, and spread it over the empty blocks around, a layer at a time."""
    nx, ny, nz = nearest.shape
    flat = nearest.reshape(-1)
    reached = np.zeros(flat.shape[0], np.uint8)
    squared = np.empty(flat.shape[0], np.float32)
    front, after = np.empty((flat.shape[0], 4), np.int32), np.empty((flat.shape[0], 4), np.int32)
    size = 0
    for s in range(points.shape[0]):
        i, j, k = blocks[s, 0], blocks[s, 1], blocks[s, 2]
        at = (i * ny + j) * nz + k
        here = _from_middle(points, s, i, j, k, corner, side)
        if flat[at] < 0:
            front[size, 0], front[size, 1], front[size, 2], front[size, 3] = i, j, k, at
            size += 1
        elif here >= squared[at]:
            continue
        flat[at] = s
        squared[at] = here
        reached[at] = 1
    for layer in range(layers):
        count = 0
        for f in range(size):
            s = flat[front[f, 3]]
            for d in range(6):
                i, j, k = front[f, 0], front[f, 1], front[f, 2]
                step = 1 - 2 * (d & 1)
                if d < 2:
                    k += step
                elif d < 4:
                    j += step
                else:
                    i += step
                if i < 0 or j < 0 or k < 0 or i >= nx or j >= ny or k >= nz:
                    continue
                at = (i * ny + j) * nz + k
                known = reached[at]
                if (known != 0 and known != layer + 2) or flat[at] == s:
                    continue
                here = _from_middle(points, s, i, j, k, corner, side)
                if known == 0:
                    reached[at] = layer + 2
                    after[count, 0], after[count, 1], after[count, 2], after[count, 3] = i, j, k, at
                    count += 1
                elif here >= squared[at]:
                    continue
                flat[at] = s
                squared[at] = here
        front, after = after, front
        size = count


@numba.njit(cache=True, nogil=True, inline="always")
def _from_middle(points, s, i, j, k, corner, side):  # type: ignore[no-untyped-def]
    """Squared distance (mm2) of a point to the middle of a block."""
    x = corner[0] + (i + 0.5) * side - points[s, 0]
    y = corner[1] + (j + 0.5) * side - points[s, 1]
    z = corner[2] + (k + 0.5) * side - points[s, 2]
    return x * x + y * y + z * z
