"""Whole heads of a wanted number of vertices, in any expression and pose, as meshes in memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial.transform import Rotation

from affectvlm.scan import FaceScan
from affectvlm.synthesis.generate import Study
from affectvlm.synthesis.library import FaceSource

NOD = 2 / 3
"""Pitch and roll go this part as far as yaw."""


def turned_heads(
    sources: Sequence[FaceSource], people: int, turned_deg: float, vertices: int, seed: int
) -> list[FaceScan]:
    """Make a head of each person of each face model: any expression of the six at any intensity.

    Parameters
    ----------
    sources : sequence of FaceSource
    people : int
        Of each.
    turned_deg : float
        Yaw at most, evenly; pitch and roll two thirds of it.
    vertices : int
        That each head is brought to by halving edges; one that has more keeps them.
    seed : int
    """
    heads = []
    for number, source in enumerate(sources):
        study = Study(source, subjects=people, seed=seed)
        takes = study.takes()
        each = len(takes) // people
        rng = np.random.default_rng([seed, number, int(turned_deg)])
        halves: tuple[list[np.ndarray], np.ndarray] | None = None
        for person in range(people):
            made = study.record(takes[person * each + int(rng.integers(each))]).scan
            # The same edges for everybody of a face model, as its vertices are the same.
            halves = halves or halved(made.vertices, made.triangles, vertices)
            points = made.vertices
            for edges in halves[0]:
                points = np.concatenate([points, points[edges].mean(axis=1)])
            angles = rng.uniform(-1, 1, 3) * turned_deg * np.array([1, NOD, NOD])
            turn = Rotation.from_euler("yxz", angles, degrees=True).as_matrix()
            heads.append(FaceScan(points @ turn.T, halves[1], source=f"{source.name} {person}"))
    return heads


def halved(vertices: np.ndarray, triangles: np.ndarray, count: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Halve the longest edges of a mesh until there are so many vertices (longest-edge bisection: Rivara, 1984).

    Parameters
    ----------
    vertices : (V, 3) float
    triangles : (T, 3) int
    count : int

    Returns
    -------
    edges : list of (n, 2) int
        Go by go, the edges whose middles are new vertices.
    triangles : (T + ..., 3) int64
    """
    points, triangles, goes = np.asarray(vertices, np.float64), triangles.astype(np.int64), []
    while len(points) < count:
        sides = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=-1).reshape(-1, 2), axis=1)
        edges, edge_of = np.unique(sides, axis=0, return_inverse=True)
        edge_of = edge_of.reshape(-1, 3)
        length = np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)
        place = np.empty(len(edges), np.int64)
        place[np.argsort(-length, kind="stable")] = np.arange(len(edges))
        # An edge that is the longest of both its triangles, so that no triangle is cut twice in one go.
        longest = np.ones(len(edges), bool)
        longest[edge_of[place[edge_of] > place[edge_of].min(axis=1, keepdims=True)]] = False
        chosen = np.flatnonzero(longest)
        chosen = chosen[np.argsort(place[chosen])][: count - len(points)]
        middle = np.full(len(edges), -1)
        middle[chosen] = len(points) + np.arange(len(chosen))
        goes.append(edges[chosen])
        points = np.concatenate([points, points[edges[chosen]].mean(axis=1)])
        cut = (middle[edge_of] >= 0).any(axis=1)
        corner = np.argmax(middle[edge_of[cut]] >= 0, axis=1)
        rows, old = np.arange(cut.sum()), triangles[cut]
        a, b, c = (old[rows, (corner + step) % 3] for step in range(3))
        new = middle[edge_of[cut]][rows, corner]
        halves = [np.column_stack([a, new, c]), np.column_stack([new, b, c])]
        triangles = np.concatenate([triangles[~cut], *halves])
    return goes, triangles
