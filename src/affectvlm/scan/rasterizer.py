"""The z-buffer: one compiled call draws every view and every geometric map of a scan.

Serial on purpose: parallel loops gained nothing at these sizes, and one process a core does the same without hanging
after a fork. Nothing is culled, or eyes and mouth would become holes. The kernels check no bounds and know no NaN:
:class:`~affectvlm.scan.FaceScan` has checked both before.
"""

from __future__ import annotations

import math

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def rasterize(
    vertices: np.ndarray, triangles: np.ndarray, rotations: np.ndarray, centre: np.ndarray, size: int, field: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the triangle that every pixel's centre sees, orthographically.

    Parameters
    ----------
    vertices : (N, 3) float32, mm
    triangles : (T, 3) int32
    rotations : (V, 3, 3) float32
        Rows are each camera's right, up and backward axes.
    centre : (3,) float32, mm
        Drawn at the middle of every view; depth is measured from it, towards the camera.
    size : int, pixels
    field : float, mm
        Side of the square that a view shows.

    Returns
    -------
    depth : (V, size, size) float32, mm, NaN where nothing is seen
    triangle : (V, size, size) int32, -1 where nothing is seen
    weights : (V, size, size, 3) float32
        Barycentric coordinates of the pixel's centre in its triangle.
    """
    n_views = rotations.shape[0]
    depth = np.full((n_views, size, size), -np.inf, np.float32)
    triangle = np.full((n_views, size, size), -1, np.int32)
    weights = np.zeros((n_views, size, size, 3), np.float32)
    projected = np.empty((vertices.shape[0], 3), np.float32)
    for view in range(n_views):
        _project(vertices, rotations[view], centre, size, field, projected)
        _fill(projected, triangles, depth[view], triangle[view], weights[view])
        for row in range(size):
            for col in range(size):
                if triangle[view, row, col] < 0:
                    depth[view, row, col] = np.nan
    return depth, triangle, weights


@numba.njit(cache=True, nogil=True)
def _project(
    vertices: np.ndarray, rotation: np.ndarray, centre: np.ndarray, size: int, field: float, out: np.ndarray
) -> None:
    """Write each vertex's column, row (pixels, centres at halves) and depth (mm) into ``out``."""
    scale = np.float32(size / field)
    half = np.float32(size / 2)
    for i in range(vertices.shape[0]):
        x = vertices[i, 0] - centre[0]
        y = vertices[i, 1] - centre[1]
        z = vertices[i, 2] - centre[2]
        out[i, 0] = half + scale * (rotation[0, 0] * x + rotation[0, 1] * y + rotation[0, 2] * z)
        out[i, 1] = half - scale * (rotation[1, 0] * x + rotation[1, 1] * y + rotation[1, 2] * z)
        out[i, 2] = rotation[2, 0] * x + rotation[2, 1] * y + rotation[2, 2] * z


@numba.njit(cache=True, nogil=True)
def _fill(
    projected: np.ndarray, triangles: np.ndarray, depth: np.ndarray, triangle: np.ndarray, weights: np.ndarray
) -> None:
    """Keep, at each pixel, the triangle nearest to the camera."""
    size = depth.shape[0]
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = projected[a, 0], projected[a, 1], projected[a, 2]
        bx, by, bz = projected[b, 0], projected[b, 1], projected[b, 2]
        cx, cy, cz = projected[c, 0], projected[c, 1], projected[c, 2]
        # Pixel centres stand at halves: the first one at or right of x is ceil(x - 0.5).
        first_col = max(0, math.ceil(max(min(ax, bx, cx), np.float32(-1)) - 0.5))
        last_col = min(size - 1, math.floor(min(max(ax, bx, cx), np.float32(size)) - 0.5))
        first_row = max(0, math.ceil(max(min(ay, by, cy), np.float32(-1)) - 0.5))
        last_row = min(size - 1, math.floor(min(max(ay, by, cy), np.float32(size)) - 0.5))
        for row in range(first_row, last_row + 1):
            y = np.float32(row + 0.5)
            for col in range(first_col, last_col + 1):
                x = np.float32(col + 0.5)
                # Twice the areas opposite the corners. In this form two neighbours find the same number, up to
                # its sign, for the edge they share, so that rounding opens no crack between them.
                wa = (bx - x) * (cy - y) - (by - y) * (cx - x)
                wb = (cx - x) * (ay - y) - (cy - y) * (ax - x)
                wc = (ax - x) * (by - y) - (ay - y) * (bx - x)
                if (wa < 0 or wb < 0 or wc < 0) and (wa > 0 or wb > 0 or wc > 0):
                    continue
                total = wa + wb + wc
                if total == 0:
                    continue
                inverse = np.float32(1) / total
                wa, wb, wc = wa * inverse, wb * inverse, wc * inverse
                z = wa * az + wb * bz + wc * cz
                if z > depth[row, col]:
                    depth[row, col] = z
                    triangle[row, col] = t
                    weights[row, col, 0] = wa
                    weights[row, col, 1] = wb
                    weights[row, col, 2] = wc


@numba.njit(cache=True, nogil=True)
def shade_normals(
    triangle: np.ndarray,
    weights: np.ndarray,
    vertices: np.ndarray,
    triangles: np.ndarray,
    vertex_normals: np.ndarray,
    rotations: np.ndarray,
) -> np.ndarray:
    """Interpolate the vertex normals at the visible pixels, in each camera's own axes.

    Where a triangle is seen from behind (the inside of a mouth, say), the normals are turned round to face the camera.
    The triangle decides, not the interpolated normal: near an outline that one may lean a little away from the camera
    on a triangle that faces it.

    Returns
    -------
    normals : (V, size, size, 3) float32
        Unit length; zero where nothing is seen.
    """
    n_views, size = triangle.shape[0], triangle.shape[1]
    normals = np.zeros((n_views, size, size, 3), np.float32)
    world = np.empty(3, np.float32)
    for view in range(n_views):
        rotation = rotations[view]
        for row in range(size):
            for col in range(size):
                t = triangle[view, row, col]
                if t < 0:
                    continue
                for axis in range(3):
                    world[axis] = 0
                    for corner in range(3):
                        world[axis] += weights[view, row, col, corner] * vertex_normals[triangles[t, corner], axis]
                length = math.sqrt(world[0] ** 2 + world[1] ** 2 + world[2] ** 2)
                if length == 0:
                    continue
                facing = _faces_camera(vertices, triangles[t], rotation[2])
                sign = np.float32(1 / length) if facing else np.float32(-1 / length)
                for axis in range(3):
                    normals[view, row, col, axis] = sign * (
                        rotation[axis, 0] * world[0] + rotation[axis, 1] * world[1] + rotation[axis, 2] * world[2]
                    )
    return normals


@numba.njit(cache=True, nogil=True)
def _faces_camera(vertices: np.ndarray, corners: np.ndarray, backward: np.ndarray) -> bool:
    """Whether a triangle's outside is towards the camera."""
    a, b, c = corners[0], corners[1], corners[2]
    ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
    vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
    along = (uy * vz - uz * vy) * backward[0] + (uz * vx - ux * vz) * backward[1] + (ux * vy - uy * vx) * backward[2]
    return bool(along >= 0)


@numba.njit(cache=True, nogil=True)
def sample_texture(
    triangle: np.ndarray, weights: np.ndarray, uv: np.ndarray, uv_triangles: np.ndarray, texture: np.ndarray
) -> np.ndarray:
    """Look the visible pixels up in the texture, bilinearly; black where nothing is seen.

    Returns
    -------
    colours : (V, rows, columns, 3) uint8
    """
    n_views, rows, columns = triangle.shape
    height, width = texture.shape[0], texture.shape[1]
    colours = np.zeros((n_views, rows, columns, 3), np.uint8)
    for view in range(n_views):
        for row in range(rows):
            for col in range(columns):
                t = triangle[view, row, col]
                if t < 0:
                    continue
                u = np.float32(0)
                v = np.float32(0)
                for corner in range(3):
                    w = weights[view, row, col, corner]
                    u += w * uv[uv_triangles[t, corner], 0]
                    v += w * uv[uv_triangles[t, corner], 1]
                x = min(max(u * width - 0.5, 0.0), width - 1.0)
                y = min(max((1 - v) * height - 0.5, 0.0), height - 1.0)
                x0, y0 = int(x), int(y)
                x1, y1 = min(x0 + 1, width - 1), min(y0 + 1, height - 1)
                fx, fy = x - x0, y - y0
                for channel in range(3):
                    top = (1 - fx) * texture[y0, x0, channel] + fx * texture[y0, x1, channel]
                    bottom = (1 - fx) * texture[y1, x0, channel] + fx * texture[y1, x1, channel]
                    colours[view, row, col, channel] = np.uint8((1 - fy) * top + fy * bottom + 0.5)
    return colours
