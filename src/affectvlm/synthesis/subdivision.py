"""Catmull and Clark's smooth subdivision of a mesh of quadrilaterals, as one fixed linear map.

Source: Catmull and Clark 1978, "Recursively generated B-spline surfaces on arbitrary topological meshes"; the rule
for open edges is that of Biermann, Levin and Zorin 2000 (a boundary is a cubic B-spline curve of its own). Because
the new vertices are fixed weighted means of the old ones, displacements are refined like positions, and a linear face
model stays linear.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, diags_array, eye_array, vstack


@dataclass(frozen=True, eq=False)
class Subdivision:
    """One step of subdivision of quads over V vertices, to V + E + Q vertices and 4 Q quads.

    Parameters
    ----------
    smooth : (V + E + Q, V) sparse
        The new vertices from the old: first the old ones in their order (moved), then one for each edge and each quad.
    straight : (V + E + Q, V) sparse
        The same without smoothing: old points stay, others are plain means; what each new vertex comes from.
    quads : (4 Q, 4) int32
    """

    smooth: csr_array
    straight: csr_array
    quads: np.ndarray


def subdivide(quads: np.ndarray, count: int) -> Subdivision:
    """Prepare a step of subdivision.

    Parameters
    ----------
    quads : (Q, 4) int
        Corners in order around each quad; one that is repeated makes the quad a triangle.
    count : int
        The number of vertices V.
    """
    quads = np.asarray(quads, np.int64)
    starts, ends = quads, np.roll(quads, -1, axis=1)
    edges, edge_of = np.unique(
        np.sort(np.stack([starts, ends], axis=-1).reshape(-1, 2), axis=1), axis=0, return_inverse=True
    )
    edge_of = edge_of.reshape(-1, 4)  # quad, corner -> the edge that leaves this corner

    faces = _means(quads, count)
    middles = _means(edges, count)
    beside = coo_array((np.ones(quads.size), (edge_of.ravel(), np.arange(quads.size) // 4)), (len(edges), len(quads)))
    beside = beside.tocsr()
    inner = np.asarray(beside.sum(axis=1)).ravel() == 2
    edge_points = diags_array(np.where(inner, 0.5, 1.0)) @ middles
    edge_points = edge_points + diags_array(np.where(inner, 0.25, 0.0)) @ (beside @ faces)

    at_edges = coo_array((np.ones(edges.size), (edges.ravel(), np.arange(edges.size) // 2)), (count, len(edges)))
    at_edges = at_edges.tocsr()
    at_faces = coo_array((np.ones(quads.size), (quads.ravel(), np.arange(quads.size) // 4)), (count, len(quads)))
    at_faces = at_faces.tocsr()
    valence = np.asarray(at_faces.sum(axis=1)).ravel()
    open_edges = np.asarray((at_edges @ diags_array((~inner).astype(float))).sum(axis=1)).ravel()
    closed = (open_edges == 0) & (valence >= 3)
    n = np.where(closed, valence, 1)
    # Inside: (mean of the faces' points + 2 x mean of the edges' middles + (n - 3) x the vertex) / n.
    around = diags_array(np.where(closed, 1 / n**2, 0)) @ (at_faces @ faces + 2 * (at_edges @ middles))
    # On a boundary: half the vertex and half the mean of its two open edges' middles.
    rim = open_edges == 2
    along = diags_array(np.where(rim, 0.25, 0)) @ (at_edges @ diags_array((~inner).astype(float)) @ middles)
    own = np.where(closed, (n - 3) / n, np.where(rim, 0.5, 1.0))
    points = around + along + diags_array(own)

    smooth = csr_array(vstack([points, edge_points, faces]))
    straight = csr_array(vstack([eye_array(count), middles, faces]))
    edge_ids = count + edge_of
    centres = (count + len(edges) + np.arange(len(quads)))[:, None].repeat(4, axis=1)
    new = np.stack([quads, edge_ids, centres, np.roll(edge_ids, 1, axis=1)], axis=-1)
    return Subdivision(smooth, straight, new.reshape(-1, 4).astype(np.int32))


def triangulate(quads: np.ndarray) -> np.ndarray:
    """Split each of (Q, 4) quads along a diagonal: (2 Q, 3), the two halves of a quad one after the other."""
    return quads[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3)


def _means(groups: np.ndarray, count: int) -> csr_array:
    """(G, V) sparse: the mean of each row of (G, K) vertices."""
    rows = np.arange(groups.size) // groups.shape[1]
    entries = np.full(groups.size, 1 / groups.shape[1])
    return coo_array((entries, (rows, groups.ravel())), (len(groups), count)).tocsr()
