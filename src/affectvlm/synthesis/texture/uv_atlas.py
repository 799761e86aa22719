"""Bring the texture coordinates of foreign face models into one picture, with room for each part."""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from affectvlm.scan.rasterizer import rasterize

MARGIN = 0.004
"""Of a cell, left free on each side, so that neighbouring cells do not bleed into each other."""

SKIN_SHARE = 0.8
"""Of the width, for the skin of a head that is laid out anew."""

# Heights of the cells beside it: an eye's front and its back; layers of the mouth, of the teeth, and of skin that lies
# behind other skin, first unrolled and then, for what stands edgeways to that, as the front shows it.
EYE_CELLS, MOUTH_CELLS, TEETH_CELLS = (0.17, 0.01), (0.08, 0.05, 0.04), (0.08, 0.04, 0.02)
BEHIND_CELLS, EDGEWAYS_CELLS = (0.09, 0.06), (0.1, 0.05, 0.03)

OVERLAP = 0.1
"""Two pieces lie over each other when they share more than this part of the smaller one."""

_GRID = 128


def pack_tiles(uv: np.ndarray, uv_triangles: np.ndarray) -> np.ndarray:
    """Lay several whole pictures, and pieces that lie over each other in one, side by side into one picture.

    Film models keep a picture for each part: the coordinates' whole part numbers the picture (UDIM). Others draw both
    eyes from one place. Pieces that share a picture without touching stay together. The sheet of the first triangle,
    which is the face, takes most of the room: it fills a square at the bottom left, and the others a row above it and
    a column at its right.

    Parameters
    ----------
    uv : (U, 2) float
    uv_triangles : (T, 3) int32

    Returns
    -------
    (U, 2) float32
        In [0, 1]; coordinates that no triangle uses are 0.
    """
    piece_of_uv, sheets = _sheets(uv, uv_triangles)
    cells = _cells(len(sheets))
    packed = np.zeros((len(uv), 2), np.float32)
    used = np.zeros(len(uv), bool)
    used[uv_triangles] = True
    for pieces, (left, bottom, side) in zip(sheets, cells, strict=True):
        rows = used & np.isin(piece_of_uv, pieces)
        inside = uv[rows] - np.floor(uv[rows].mean(axis=0))
        packed[rows] = np.array([left, bottom]) + side * (MARGIN + (1 - 2 * MARGIN) * np.clip(inside, 0, 1))
    return packed


def unroll(places: np.ndarray, triangles: np.ndarray, regions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lay a head out anew, with most of the room for the face.

    For a model whose own layout is that of a whole body, where the face is a few pixels. The skin is unrolled around
    the vertical axis, finest at the front; each eye, the mouth, the teeth and what skin lies behind other skin (the
    eyes' sockets) are laid flat beside it, in layers, so that the back of a tooth does not lie over its front.

    Parameters
    ----------
    places : (V, 3) float, mm
    triangles : (T, 3) int32
    regions : (V,) uint8

    Returns
    -------
    uv : (3 T, 2) float32
        Each triangle has corners of its own.
    uv_triangles : (T, 3) int32
    """
    corners = places[triangles].astype(np.float64)  # (T, 3, 3)
    part = regions[triangles].min(axis=1)
    skin = part == 0
    low, high = corners[skin].min(axis=(0, 1)), corners[skin].max(axis=(0, 1))
    axis_z = (low[2] + high[2]) / 2
    across = 0.5 + 0.5 * np.sin(np.arctan2(corners[..., 0], corners[..., 2] - axis_z) / 2)
    at_seam = np.ptp(across, axis=1) > 0.5  # behind the head, where left and right meet
    across[at_seam] = across[at_seam].round().max(axis=1, keepdims=True)
    up = (corners[..., 1] - low[1]) / (high[1] - low[1])
    outward = np.hypot(corners[..., 0], corners[..., 2] - axis_z)
    unrolled = np.stack([across, up, outward], axis=-1)

    uv = np.stack([SKIN_SHARE * across, up], axis=-1)
    left = corners[..., 0].mean(axis=1) > 0
    behind = np.flatnonzero(skin)
    behind = behind[~_outermost(unrolled[behind])]
    *layers, edgeways = _layers(unrolled, behind, len(BEHIND_CELLS) + 1)
    cells = list(zip(layers, BEHIND_CELLS, [unrolled] * len(layers), strict=True))
    groups: list[tuple[np.ndarray, tuple[float, ...]]]
    groups = [
        (edgeways, EDGEWAYS_CELLS),
        (np.flatnonzero(part == 2), MOUTH_CELLS),
        (np.flatnonzero(part == 3), TEETH_CELLS),
    ]
    groups += [(np.flatnonzero((part == 1) & side), EYE_CELLS) for side in (left, ~left)]
    for rows, heights in groups:
        cells += zip(_layers(corners, rows, len(heights)), heights, [corners] * len(heights), strict=True)
    bottom = 0.0
    for rows, height, shown_as in cells:
        if len(rows):
            cell = np.array([1 - SKIN_SHARE, height]) * (MARGIN + (1 - 2 * MARGIN) * _filling(shown_as[rows])[..., :2])
            uv[rows] = np.array([SKIN_SHARE, bottom]) + cell
        bottom += height
    numbers = np.arange(3 * len(triangles), dtype=np.int32).reshape(-1, 3)
    return uv.reshape(-1, 2).astype(np.float32), numbers


def _filling(corners: np.ndarray) -> np.ndarray:
    """Stretch places (n, 3, 3) to fill 0 to 1 along each axis."""
    low = corners.min(axis=(0, 1))
    return (corners - low) / np.maximum(corners.max(axis=(0, 1)) - low, 1e-6)


def _layers(corners: np.ndarray, rows: np.ndarray, count: int) -> list[np.ndarray]:
    """Part triangles into ``count`` layers, each of what lies outermost once those before are taken off.

    The last one takes all that is left.
    """
    layers = []
    for _ in range(count - 1):
        top = _outermost(_filling(corners[rows])) if len(rows) else np.zeros(0, bool)
        layers.append(rows[top])
        rows = rows[~top]
    return [*layers, rows]


def _outermost(corners: np.ndarray) -> np.ndarray:
    """(T,) bool: which of (T, 3, 3) triangles, flat but for their height, mostly lie above the others."""
    flat = corners.reshape(-1, 3).astype(np.float32)
    numbers = np.arange(len(flat), dtype=np.int32).reshape(-1, 3)
    view, centre = np.eye(3, dtype=np.float32)[None], np.array([0.5, 0.5, 0], np.float32)
    size = 16 * _GRID
    _, triangle, _ = rasterize(flat, numbers, view, centre, size, 1.0)
    pixels = np.bincount(triangle[triangle >= 0], minlength=len(numbers))
    edges = corners[:, 1:, :2] - corners[:, :1, :2]
    area = 0.5 * np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0]) * size**2
    # What stands edgeways and has no pixels reads its neighbours'.
    return pixels > 0.5 * (area - 1)


def _cells(count: int) -> list[tuple[float, float, float]]:
    """Left, bottom and side of ``count`` cells, the first one the largest."""
    if count == 1:
        return [(0.0, 0.0, 1.0)]
    # A square of n - 1 by n - 1 cells leaves 2 n - 1 free of n by n.
    n = max(3, math.ceil(count / 2))
    free = [(n - 1, row) for row in range(n)] + [(column, n - 1) for column in range(n - 1)]
    return [(0.0, 0.0, (n - 1) / n), *((column / n, row / n, 1 / n) for column, row in free[: count - 1])]


def _sheets(uv: np.ndarray, uv_triangles: np.ndarray) -> tuple[np.ndarray, list[list[int]]]:
    """(U,) the connected piece of each coordinate, and the pieces that may share a picture, the first one's first."""
    corners, neighbours = uv_triangles.ravel(), np.roll(uv_triangles, 1, axis=1).ravel()
    links = coo_matrix((np.ones(len(corners)), (corners, neighbours)), (len(uv), len(uv)))
    piece_of_uv = connected_components(links, directed=False)[1]
    piece_of_triangle = piece_of_uv[uv_triangles[:, 0]]
    pieces, first = np.unique(piece_of_triangle, return_index=True)
    sheets: list[list[int]] = []
    covered: list[tuple[tuple[int, int], np.ndarray]] = []
    for piece in pieces[np.argsort(first)]:
        triangles = uv_triangles[piece_of_triangle == piece]
        low = np.floor(uv[triangles].mean(axis=(0, 1)))
        tile = (int(low[0]), int(low[1]))
        mask = _coverage(uv - low, triangles)
        for sheet, (of, taken) in zip(sheets, covered, strict=True):
            shared = (mask & taken).sum() > OVERLAP * max(1, min(mask.sum(), taken.sum()))
            if of == tile and not shared:
                sheet.append(int(piece))
                taken |= mask
                break
        else:
            sheets.append([int(piece)])
            covered.append((tile, mask))
    return piece_of_uv, sheets


def _coverage(uv: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(_GRID, _GRID) bool: where the triangles lie in their picture."""
    flat = np.concatenate([uv, np.zeros((len(uv), 1))], axis=1).astype(np.float32)
    view = np.eye(3, dtype=np.float32)[None]
    centre = np.array([0.5, 0.5, 0], np.float32)
    _, triangle, _ = rasterize(flat, triangles, view, centre, _GRID, 1.0)
    return triangle[0] >= 0
