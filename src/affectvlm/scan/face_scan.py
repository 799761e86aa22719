"""What a face scan is: a triangle mesh in millimetres, perhaps with a texture or coloured vertices."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numba
import numpy as np

from affectvlm.errors import ScanError
from affectvlm.scan.picture_file import PictureFile


@dataclass(frozen=True, eq=False)
class FaceScan:
    """One 3D face.

    Parameters
    ----------
    vertices : (V, 3) float32
        Millimetres, right-handed, +x to the viewer's right, +y up, +z towards the camera. A scan as read from a
        file is in whatever unit and pose the file has; :func:`affectvlm.scan.normalize` brings it here.
    triangles : (T, 3) int32
        Rows of ``vertices``, counter-clockwise seen from outside.
    uv : (U, 2) float32, optional
        Texture coordinates, (0, 0) at the picture's bottom left corner.
    uv_triangles : (T, 3) int32, optional
        Rows of ``uv``. Kept apart from ``triangles``, so that a seam does not split the mesh.
    texture : (H, W, 3) uint8 or PictureFile, optional
        RGB, top row first. ``np.asarray`` gives the pixels of either; a picture file is read only then.
    source : str
        The file, or a word about where it comes from; stands in messages.
    colours : (V, 3) uint8, optional
        RGB of the vertices, where a scanner gives that instead of a texture.

    Raises
    ------
    ScanError
        A shape, an index or a number is wrong.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray | None = None
    uv_triangles: np.ndarray | None = None
    texture: np.ndarray | PictureFile | None = None
    source: str = "scan"
    colours: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "vertices", np.ascontiguousarray(self.vertices, np.float32))
        object.__setattr__(self, "triangles", np.ascontiguousarray(self.triangles, np.int32))
        _check_mesh(self.vertices, self.triangles, self.source)
        if self.colours is not None:
            object.__setattr__(self, "colours", np.ascontiguousarray(self.colours, np.uint8))
            if self.colours.shape != self.vertices.shape:
                raise ScanError(
                    f"{self.source}: expected a colour for each vertex {self.vertices.shape}, "
                    f"found {self.colours.shape}"
                )
        if self.uv is None or self.uv_triangles is None:
            if self.uv is not None or self.uv_triangles is not None:
                raise ScanError(f"{self.source}: uv and uv_triangles go together; only one was given")
            return
        object.__setattr__(self, "uv", np.ascontiguousarray(self.uv, np.float32))
        object.__setattr__(self, "uv_triangles", np.ascontiguousarray(self.uv_triangles, np.int32))
        _check_uv(self.uv, self.uv_triangles, len(self.triangles), self.source)

    @property
    def textured(self) -> bool:
        """Whether there are both a picture and the coordinates that lay it on the mesh."""
        return self.texture is not None and self.uv is not None

    @cached_property
    def vertex_normals(self) -> np.ndarray:
        """(V, 3) float32 outward unit normals, each triangle weighted by its area; zero at unused vertices."""
        return _vertex_normals(self.vertices, self.triangles)

    def moved(self, rotation: np.ndarray, translation: np.ndarray, scale: float = 1.0) -> FaceScan:
        """Return the scan with every vertex v at ``scale * rotation @ v + translation``.

        Parameters
        ----------
        rotation : (3, 3) float
        translation : (3,) float, in the unit of the result
        scale : float
        """
        return replace(self, vertices=scale * (self.vertices @ np.asarray(rotation).T) + translation)

    def kept(self, vertex_mask: np.ndarray) -> FaceScan:
        """Return the part of the mesh whose triangles have all three corners in ``vertex_mask`` ((V,) bool)."""
        whole, rows, triangles = _kept(self.triangles, np.asarray(vertex_mask, bool))
        return replace(
            self,
            vertices=self.vertices[rows],
            triangles=triangles,
            colours=None if self.colours is None else self.colours[rows],
            uv_triangles=None if self.uv_triangles is None else self.uv_triangles[whole],
        )


@numba.njit(cache=True, nogil=True)
def _vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Add each triangle's cross product to its corners, and bring the sums to unit length."""
    normals = np.zeros_like(vertices)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        x, y, z = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for corner in range(3):
            v = triangles[t, corner]
            normals[v, 0] += x
            normals[v, 1] += y
            normals[v, 2] += z
    for v in range(normals.shape[0]):
        length = math.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2)
        if length > 0:
            for axis in range(3):
                normals[v, axis] /= length
    return normals


@numba.njit(cache=True, nogil=True)
def _kept(triangles: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Triangles (rows) whose corners are all inside, the vertices (rows) that they use, and the former renumbered."""
    whole = np.empty(triangles.shape[0], np.int64)
    used = np.zeros(inside.shape[0], np.bool_)
    count = 0
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        if inside[a] and inside[b] and inside[c]:
            whole[count] = t
            count += 1
            used[a] = used[b] = used[c] = True
    new_row = np.cumsum(used) - 1
    renumbered = np.empty((count, 3), np.int32)
    for row in range(count):
        for corner in range(3):
            renumbered[row, corner] = new_row[triangles[whole[row], corner]]
    return whole[:count], np.flatnonzero(used), renumbered


def _check_mesh(vertices: np.ndarray, triangles: np.ndarray, source: str) -> None:
    if vertices.ndim != 2 or vertices.shape[1] != 3:
        raise ScanError(f"{source}: expected vertices of shape (V, 3), found {vertices.shape}")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or len(triangles) == 0:
        raise ScanError(
            f"{source}: expected a surface with triangles, found {len(vertices)} vertices without any; "
            "export the scan as a mesh, not as a point cloud"
        )
    if not np.isfinite(vertices).all():
        bad = int((~np.isfinite(vertices)).any(axis=1).sum())
        raise ScanError(f"{source}: {bad} of {len(vertices)} vertices are not finite numbers; clean the scan first")
    if triangles.min() < 0 or triangles.max() >= len(vertices):
        raise ScanError(
            f"{source}: triangles refer to vertices {triangles.min()} to {triangles.max()}, "
            f"but there are {len(vertices)}; the file is damaged"
        )


def _check_uv(uv: np.ndarray, uv_triangles: np.ndarray, count: int, source: str) -> None:
    if uv.ndim != 2 or uv.shape[1] != 2 or uv_triangles.shape != (count, 3):
        raise ScanError(
            f"{source}: expected uv (U, 2) and uv_triangles ({count}, 3), found {uv.shape} and {uv_triangles.shape}"
        )
    if uv_triangles.min() < 0 or uv_triangles.max() >= len(uv) or not np.isfinite(uv).all():
        raise ScanError(f"{source}: the texture coordinates are damaged; export the scan again")
