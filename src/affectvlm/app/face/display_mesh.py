"""A face made for the screen: few enough triangles to turn smoothly, and a colour for each vertex.

A browser's 3D plot lays no picture on a mesh, and its own light shows little of the relief. The vertices therefore
carry the colours: of the picture, or of clay under the lights of :mod:`affectvlm.views.picture`. A coarse mesh with a
fine picture is divided, so that there are enough vertices, and a dense one is thinned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from affectvlm.scan import FaceScan
from affectvlm.views.picture import AMBIENT, CLAY, LIGHTS

MAX_TRIANGLES = 20_000
"""A browser without a graphics card draws these in less than a tenth of a second (``benchmarks/turning.py``)."""

LIGHT_GAIN = 1.25
"""Skin times clay would be too dark."""


@dataclass(frozen=True, eq=False)
class DisplayMesh:
    """A mesh with colours.

    Parameters
    ----------
    vertices : (V, 3) float32
        In the scan's own axes: +x to the viewer's right, +y up, +z towards the camera.
    triangles : (T, 3) int32
    colours : (V, 3) uint8
        RGB, light and shadow included.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    colours: np.ndarray


def display_mesh(scan: FaceScan, most: int = MAX_TRIANGLES) -> DisplayMesh:
    """Make a scan ready to be shown.

    Parameters
    ----------
    scan : FaceScan
        Normalised.
    most : int
        No more triangles than this.
    """
    vertices, triangles = scan.vertices, scan.triangles
    if scan.texture is None or scan.uv is None or scan.uv_triangles is None:
        return _thinned(DisplayMesh(vertices, triangles, _clay(scan.vertex_normals)), most)
    uv, uv_triangles = scan.uv, scan.uv_triangles
    while 4 * len(triangles) <= most:
        vertices, triangles = _divided(vertices, triangles)
        uv, uv_triangles = _divided(uv, uv_triangles)
    # At a seam a vertex has several places in the picture; they show the same spot of skin, so any will do.
    place = np.zeros((len(vertices), 2), np.float32)
    place[triangles.ravel()] = uv[uv_triangles.ravel()]
    return _thinned(DisplayMesh(vertices, triangles, _looked_up(np.asarray(scan.texture), place)), most)


def lit(mesh: DisplayMesh) -> DisplayMesh:
    """Put light and shadow on the colours of a made face, whose picture has none, unlike a photograph."""
    return replace(mesh, colours=lit_colours(mesh.colours, _clay(_normals(mesh))))


def lit_colours(skin: np.ndarray, clay: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 of skin and of clay at the same places -> (..., 3) uint8, skin in the clay's light."""
    return np.clip(LIGHT_GAIN / 255 * skin.astype(np.float32) * clay, 0, 255).astype(np.uint8)


def in_clay(mesh: DisplayMesh) -> DisplayMesh:
    """Take the colours off a mesh: what is left is its shape."""
    return replace(mesh, colours=_clay(_normals(mesh)))


def _normals(mesh: DisplayMesh) -> np.ndarray:
    return FaceScan(mesh.vertices, mesh.triangles).vertex_normals


def _clay(normals: np.ndarray) -> np.ndarray:
    """(V, 3) normals -> (V, 3) uint8 colours of clay, lit as in the pictures of the views."""
    if normals[:, 2].sum() < 0:
        normals = -normals  # a face that shows its inside to the camera has its triangles the wrong way round
    light = np.broadcast_to(AMBIENT, normals.shape)
    for direction, colour in LIGHTS:
        towards = np.array(direction) / np.linalg.norm(direction)
        light = light + np.clip(normals @ towards, 0, None)[:, None] * colour
    return np.rint(255 * np.clip(CLAY * light, 0, 1) ** (1 / 2.2)).astype(np.uint8)


def _divided(rows: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut every triangle into four at the middles of its edges.

    Parameters
    ----------
    rows : (N, k) float
        Positions or texture coordinates.
    triangles : (T, 3) int

    Returns
    -------
    rows : (N + edges, k)
    triangles : (4 T, 3) int32
    """
    edges = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1).astype(np.int64)
    key, which = np.unique(edges[:, 0] * len(rows) + edges[:, 1], return_inverse=True)
    middles = (rows[key // len(rows)] + rows[key % len(rows)]) / 2
    a, b, c = triangles.T
    ab, bc, ca = len(rows) + which.reshape(-1, 3).T
    quarters = np.stack([np.c_[a, ab, ca], np.c_[ab, b, bc], np.c_[ca, bc, c], np.c_[ab, bc, ca]], axis=1)
    return np.concatenate([rows, middles]), quarters.reshape(-1, 3).astype(np.int32)


def _looked_up(texture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 picture at (N, 2) coordinates, (0, 0) at its bottom left -> (N, 3) uint8, the nearest pixel."""
    height, width = texture.shape[:2]
    column = np.clip(uv[:, 0] * width, 0, width - 1).astype(int)
    row = np.clip((1 - uv[:, 1]) * height, 0, height - 1).astype(int)
    return texture[row, column]


def _thinned(mesh: DisplayMesh, most: int) -> DisplayMesh:
    """Merge the vertices of each cell of a grid, as fine a grid as leaves at most so many triangles."""
    if len(mesh.triangles) <= most:
        return mesh
    corners = mesh.vertices[mesh.triangles]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum() / 2
    side = float(np.sqrt(area / most))
    thinner = mesh
    while len(thinner.triangles) > most:
        thinner = _clustered(mesh, side)
        side *= 1.1
    return thinner


def _clustered(mesh: DisplayMesh, side: float) -> DisplayMesh:
    """Merge the vertices in each cell of ``side`` mm to their mean; triangles that vanish or repeat are dropped."""
    cell = np.floor((mesh.vertices - mesh.vertices.min(axis=0)) / side).astype(np.int64)
    span = cell.max(axis=0) + 1
    _, group = np.unique((cell[:, 0] * span[1] + cell[:, 1]) * span[2] + cell[:, 2], return_inverse=True)
    size = np.bincount(group)[:, None]

    def mean(values: np.ndarray) -> np.ndarray:
        return np.stack([np.bincount(group, column) for column in values.T], axis=1) / size

    triangles = group[mesh.triangles]
    a, b, c = triangles.T
    triangles = triangles[(a != b) & (b != c) & (c != a)]
    _, first = np.unique(np.sort(triangles, axis=1), axis=0, return_index=True)
    colours = np.rint(mean(mesh.colours)).astype(np.uint8)
    return DisplayMesh(mean(mesh.vertices).astype(np.float32), triangles[np.sort(first)].astype(np.int32), colours)
