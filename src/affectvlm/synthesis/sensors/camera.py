"""A pinhole camera before a face: what it sees of a mesh at each pixel, without any error."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numba
import numpy as np

from affectvlm.errors import ScanError
from affectvlm.scan import FaceScan
from affectvlm.scan.range_image import RangeImage
from affectvlm.scan.rasterizer import rasterize, sample_texture

_STRAIGHT = np.eye(3, dtype=np.float32)[None]


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera that looks along -z, +y up.

    Parameters
    ----------
    position : (3,) float, mm
    focal_px : float
    """

    position: np.ndarray
    focal_px: float


@dataclass(frozen=True, eq=False)
class Sight:
    """What a camera sees.

    Parameters
    ----------
    camera : Camera
    right : (C,) float32
        How far each column is to the right of the camera's axis, in pixels.
    up : (R,) float32
        How far each row is above it.
    depth : (R, C) float32
        Millimetres from the camera along its axis (not along the ray); NaN where nothing is seen.
    triangle : (R, C) int32
        The triangle that is seen; -1 for none.
    weights : (R, C, 3) float32
        Where in the triangle: barycentric coordinates on the surface, not on the picture.
    """

    camera: Camera
    right: np.ndarray
    up: np.ndarray
    depth: np.ndarray
    triangle: np.ndarray
    weights: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """(R, C, 3) float32, mm: what is seen, in the scan's own frame."""
        return self.points_at(self.depth)

    def points_at(self, depth: np.ndarray) -> np.ndarray:
        """(R, C, 3) float32, mm: the points at other depths ((R, C) mm) on the same rays."""
        x, y, z = self.camera.position.astype(np.float32)
        per_pixel = depth / np.float32(self.camera.focal_px)
        points = np.empty((*depth.shape, 3), np.float32)
        points[..., 0] = self.right * per_pixel + x
        points[..., 1] = self.up[:, None] * per_pixel + y
        points[..., 2] = z - depth
        return points

    def cut(self, rows: slice, columns: slice) -> Sight:
        """Return a part of the picture."""
        return replace(
            self,
            right=self.right[columns],
            up=self.up[rows],
            depth=self.depth[rows, columns],
            triangle=self.triangle[rows, columns],
            weights=self.weights[rows, columns],
        )

    def photograph(self, scan: FaceScan) -> np.ndarray | None:
        """(R, C, 3) uint8: the scan's texture, black beside the face; None without a texture."""
        return _colours(scan, self.triangle, self.weights)


def look(camera: Camera, scan: FaceScan, middle: np.ndarray, side_mm: float) -> Sight:
    """Find what a camera sees at the centre of every pixel, exactly.

    Parameters
    ----------
    camera : Camera
    scan : FaceScan
    middle : (3,) float, mm
        What the middle of the picture shows.
    side_mm : float
        Side of the square that the picture shows there.

    Raises
    ------
    ScanError
        The scan reaches behind the camera.
    """
    seen = scan.vertices - camera.position.astype(np.float32)
    distance = -seen[:, 2]
    if distance.min() <= 0:
        raise ScanError(
            f"{scan.source}: expected a head before a camera at {camera.position[2]:.0f} mm, "
            f"found it to reach to {scan.vertices[:, 2].max():.0f} mm; scan a face with its nose tip at the origin"
        )
    # In perspective a flat triangle stays flat when its corners go to (x/z, y/z, 1/z), so that a rasterizer without
    # perspective finds the exact 1/z. It is scaled to about 1, and what is nearer has more of it, as it should.
    focal = np.float32(camera.focal_px)
    per_pixel = float(camera.position[2] - middle[2]) / camera.focal_px
    projected = np.empty_like(seen)
    projected[:, 0] = focal * seen[:, 0] / distance
    projected[:, 1] = focal * seen[:, 1] / distance
    projected[:, 2] = focal / distance
    size = math.ceil(side_mm / per_pixel)
    centre = np.array([*np.round((middle - camera.position)[:2] / per_pixel), 0], np.float32)
    nearness, triangle, weights = rasterize(projected, scan.triangles, _STRAIGHT, centre, size, float(size))
    _onto_surface(triangle[0], weights[0], scan.triangles, projected[:, 2])
    step = np.arange(size, dtype=np.float32) + np.float32(0.5 - size / 2)
    return Sight(camera, centre[0] + step, centre[1] - step, focal / nearness[0], triangle[0], weights[0])


def ideal_grid(scan: FaceScan, spacing_mm: float = 0.6) -> RangeImage:
    """Measure a scan on a regular grid in x and y from the +z side, without error.

    Parameters
    ----------
    scan : FaceScan
    spacing_mm : float
        Between neighbouring points.

    Returns
    -------
    RangeImage
        With the scan's texture on the same grid, if it has one.
    """
    low, high = scan.vertices.min(axis=0), scan.vertices.max(axis=0)
    size = max(math.ceil(float((high - low)[:2].max()) / spacing_mm), 1)
    centre = np.array([*(low + high)[:2] / 2, 0], np.float32)
    depth, triangle, weights = rasterize(scan.vertices, scan.triangles, _STRAIGHT, centre, size, size * spacing_mm)
    step = (np.arange(size) + 0.5 - size / 2) * spacing_mm
    points = np.empty((size, size, 3), np.float32)
    points[..., 0] = centre[0] + step
    points[..., 1] = (centre[1] - step)[:, None]
    points[..., 2] = depth[0]
    points[triangle[0] < 0] = np.nan
    colours = _colours(scan, triangle[0], weights[0])
    rows, columns = extent(triangle[0] >= 0)
    return RangeImage(
        points[rows, columns], None if colours is None else colours[rows, columns], f"{scan.source}, on a grid"
    )


def _colours(scan: FaceScan, triangle: np.ndarray, weights: np.ndarray) -> np.ndarray | None:
    """Look up what (R, C) pixels show of a scan's texture, if it has one."""
    if scan.texture is None or scan.uv is None or scan.uv_triangles is None:
        return None
    return sample_texture(triangle[None], weights[None], scan.uv, scan.uv_triangles, np.asarray(scan.texture))[0]


def extent(mask: np.ndarray) -> tuple[slice, slice]:
    """Find the rows and columns that hold all of a (R, C) bool mask."""
    rows, columns = (np.flatnonzero(np.logical_or.reduce(mask, axis=axis)) for axis in (1, 0))
    if len(rows) == 0:
        return slice(0, 0), slice(0, 0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


@numba.njit(cache=True, nogil=True)
def _onto_surface(triangle: np.ndarray, weights: np.ndarray, triangles: np.ndarray, nearness: np.ndarray) -> None:
    """Turn barycentric coordinates on the picture to those on the surface, in place.

    What is interpolated on the picture without error is an attribute times 1/z, and 1/z itself.
    """
    rows, columns = triangle.shape
    for row in range(rows):
        for column in range(columns):
            t = triangle[row, column]
            if t >= 0:
                total = np.float32(0)
                for corner in range(3):
                    weights[row, column, corner] *= nearness[triangles[t, corner]]
                    total += weights[row, column, corner]
                for corner in range(3):
                    weights[row, column, corner] /= total
