"""Polygons of any number of corners, as rows of vertices with a -1 behind each: cut into triangles, and coloured."""

from __future__ import annotations

import numba
import numpy as np


def fan(rows: np.ndarray, corners: np.ndarray, flip: bool = False) -> tuple[np.ndarray, int]:
    """Cut each polygon into the triangles at its first corner; one that is not convex gets folds.

    Parameters
    ----------
    rows : (N,) int32
        What the triangles' corners shall be: the vertices, or the places in the picture. Ends in -1.
    corners : (N,) int32
        With the same -1.
    flip : bool
        Whether to turn each triangle round.

    Returns
    -------
    triangles : (T, 3) int32
    thin : int
        Polygons of fewer than three corners, which make no triangle.
    """
    triangles = np.empty((len(corners), 3), np.int32)
    count, thin = _fan(rows, corners, flip, triangles)
    return triangles[:count], thin


@numba.njit(cache=True, nogil=True)
def _fan(rows: np.ndarray, corners: np.ndarray, flip: bool, triangles: np.ndarray) -> tuple[int, int]:
    count = thin = first = 0
    for i in range(corners.shape[0]):
        if corners[i] != -1:
            if i - first >= 2:
                triangles[count, 0] = rows[first]
                triangles[count, 1] = rows[i] if flip else rows[i - 1]
                triangles[count, 2] = rows[i - 1] if flip else rows[i]
                count += 1
        else:
            thin += i - first < 3
            first = i + 1
    return count, thin


def mean_at_vertices(
    values: np.ndarray, rows: np.ndarray | None, per_face: bool, corners: np.ndarray, count: int
) -> np.ndarray | None:
    """Give each vertex its value, or the mean of those that the polygons give it.

    Parameters
    ----------
    values : (N, k) float
    rows : (M,) int32, optional
        Of ``values``: for each corner (with the same -1 as ``corners``), or for each polygon. Without them the
        values are the vertices', or the polygons', in their order.
    per_face : bool
    corners : (C,) int32
        Rows of vertices, -1 behind each polygon.
    count : int
        Of vertices.

    Returns
    -------
    (count, k) float, zero at vertices in no polygon; None when the numbers do not fit.
    """
    if not per_face and rows is None:
        return values[:count] if len(values) >= count else None
    inside = corners >= 0
    if per_face:
        face = np.cumsum(~inside)[inside]
        order = np.arange(int((~inside).sum()), dtype=np.int32) if rows is None else rows[rows >= 0]
        if len(face) and face.max() >= len(order):
            return None
        taken = order[face]
    elif rows is None or len(rows) != len(corners) or not np.array_equal(rows >= 0, inside):
        return None
    else:
        taken = rows[inside]
    if len(values) == 0 or len(taken) == 0 or taken.max() >= len(values):
        return None
    share = np.maximum(np.bincount(corners[inside], minlength=count), 1)
    return np.stack(
        [np.bincount(corners[inside], column, minlength=count) / share for column in values[taken].T], axis=1
    )
