"""The rims of a mesh: closed walks along edges that only one triangle has."""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np


@dataclass(frozen=True, eq=False)
class Rims:
    """The rims of a mesh, each of which passes no vertex twice.

    Parameters
    ----------
    starts : (L + 1,) int64
        Rim i has the entries ``starts[i]`` to ``starts[i + 1]`` of the others.
    vertices : (E,) int64
        The rims' vertices, in the order in which the surface lies to their left, seen from outside: around a hole
        they run clockwise, along an outer border counter-clockwise.
    edges : (E,) int64
        The edge from each of these vertices to the next: 3 x its triangle + the corner where it starts.
    """

    starts: np.ndarray
    vertices: np.ndarray
    edges: np.ndarray

    def __len__(self) -> int:
        return len(self.starts) - 1


def find_rims(triangles: np.ndarray, count: int) -> Rims:
    """Find the rims of a mesh.

    Where rims touch at a vertex they are taken apart there.

    Parameters
    ----------
    triangles : (T, 3) int32
    count : int
        Of vertices.
    """
    edges = _border_edges(triangles, count)
    return Rims(*_walks(triangles, edges, count))


@numba.njit(cache=True, nogil=True)
def _border_edges(triangles: np.ndarray, count: int) -> np.ndarray:
    """List the edges (3 x triangle + corner) without an opposite one.

    At each vertex inside a surface every neighbour is once the start of an edge to it and once the end of an edge
    from it. Sums of a number for each neighbour tell fast where that is not so; few vertices are left to look at.
    """
    balance = np.zeros(count, np.uint64)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ha, hb, hc = _scrambled(a), _scrambled(b), _scrambled(c)
        balance[a] += hb - hc
        balance[b] += hc - ha
        balance[c] += ha - hb
    some = np.empty(triangles.shape[0], np.int64)
    size = 0
    for t in range(triangles.shape[0]):
        some[size] = t
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        size += balance[a] != 0 or balance[b] != 0 or balance[c] != 0
    some = some[:size]
    suspects = np.empty(3 * size, np.int64)
    names = np.empty(3 * size, np.int64)  # the same for an edge and its opposite
    size = 0
    for row in some:
        for corner in range(3):
            start, stop = np.int64(triangles[row, corner]), np.int64(triangles[row, (corner + 1) % 3])
            if balance[start] != 0 and balance[stop] != 0:
                suspects[size] = 3 * row + corner
                names[size] = min(start, stop) * count + max(start, stop)
                size += 1
    suspects, names = suspects[:size], names[:size]
    order = np.argsort(names, kind="mergesort")
    border = np.zeros(size, np.bool_)
    for i in range(size):
        alone = (i == 0 or names[order[i]] != names[order[i - 1]]) and (
            i == size - 1 or names[order[i]] != names[order[i + 1]]
        )
        border[order[i]] = alone
    return suspects[border]


@numba.njit(cache=True, nogil=True)
def _scrambled(vertex: np.int32) -> np.uint64:
    """Mix a row's bits (the finalizer of SplitMix64), so that no two different sums are the same but by chance."""
    x = np.uint64(vertex) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@numba.njit(cache=True, nogil=True)
def _walks(triangles: np.ndarray, edges: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Follow the edges from each to the next; whenever a vertex is met again, what lies between is a rim."""
    first = np.full(count, -1, np.int64)  # the vertex' first edge that is not yet walked
    following = np.full(len(edges), -1, np.int64)
    for i in range(len(edges) - 1, -1, -1):
        start = triangles[edges[i] // 3, edges[i] % 3]
        following[i] = first[start]
        first[start] = i
    place = np.full(count, -1, np.int64)  # of a vertex on the way
    way = np.empty(len(edges) + 1, np.int64)
    way_edges = np.empty(len(edges) + 1, np.int64)
    starts = [0]
    vertices = np.empty(len(edges), np.int64)
    found = np.empty(len(edges), np.int64)
    size = 0
    for i in range(len(edges)):
        length = 0
        here = np.int64(triangles[edges[i] // 3, edges[i] % 3])
        while True:
            if place[here] >= 0:
                since = place[here]
                for step in range(since, length):
                    vertices[size], found[size] = way[step], way_edges[step]
                    place[way[step]] = -1
                    size += 1
                starts.append(size)
                length = since
            edge = first[here]
            if edge < 0:
                break  # all walked; or a dead end, where triangles are wrongly oriented
            first[here] = following[edge]
            way[length], way_edges[length] = here, edges[edge]
            place[here] = length
            length += 1
            here = np.int64(triangles[edges[edge] // 3, (edges[edge] % 3 + 1) % 3])
        for step in range(length):
            place[way[step]] = -1
    return np.array(starts), vertices[:size], found[:size]
