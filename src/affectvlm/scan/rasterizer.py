"""The z-buffer: one compiled call draws every view and every geometric map of a scan.

Serial on purpose: parallel loops gained nothing at these sizes, and one process a core does the same without hanging
after a fork. Nothing is culled, or eyes and mouth would become holes. The kernels check no bounds and know no NaN:
:class:`~affectvlm.scan.FaceScan` has checked both before.
"""

from __future__ import annotations

import math

import numba
import numpy as np

NEAR = 0.01
"""What is nearer to a pinhole camera than this part of its distance is not drawn: a picture there has no bounds."""


@numba.njit(cache=True, nogil=True)
def rasterize(
    vertices: np.ndarray,
    triangles: np.ndarray,
    rotations: np.ndarray,
    centre: np.ndarray,
    size: int,
    field: float,
    distance: float = np.inf,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the triangle that every pixel's centre sees.

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
        Side of the square that a view shows, at the centre's distance.
    distance : float, mm
        From the centre to the pinhole; infinite for an orthographic camera. A triangle with a corner behind the
        pinhole, or nearer to it than :data:`NEAR` of this distance, is not drawn.

    Returns
    -------
    depth : (V, size, size) float32, mm, NaN where nothing is seen
        Along the camera's axis, not along the ray.
    triangle : (V, size, size) int32, -1 where nothing is seen
    weights : (V, size, size, 3) float32
        Barycentric coordinates, on the surface, of what the pixel's centre sees in its triangle.
    """
    n_views = rotations.shape[0]
    depth = np.empty((n_views, size, size), np.float32)
    triangle = np.empty((n_views, size, size), np.int32)
    weights = np.empty((n_views, size, size, 3), np.float32)
    projected = np.empty((vertices.shape[0], 3), np.float32)
    inverse_distance = np.float32(1 / distance)
    for view in range(n_views):
        # A view at a time, so that it stays in the processor's cache.
        depth[view] = -np.inf
        triangle[view] = -1
        _project(vertices, rotations[view], centre, size, field, inverse_distance, projected)
        _fill(projected, triangles, depth[view], triangle[view])
        _onto_surface(projected, triangles, inverse_distance, depth[view], triangle[view], weights[view])
    return depth, triangle, weights


@numba.njit(cache=True, nogil=True)
def _project(
    vertices: np.ndarray,
    rotation: np.ndarray,
    centre: np.ndarray,
    size: int,
    field: float,
    inverse_distance: np.float32,
    out: np.ndarray,
) -> None:
    """Write each vertex's column, row (pixels, centres at halves) and z / w into ``out``.

    z is the depth, and w = 1 - z / distance is how far the vertex is from the pinhole, 1 at the centre. Perspective
    keeps planes flat in (x / w, y / w, z / w), and the order in depth too, so that what follows needs to know of no
    projection. Without perspective w is 1. The depth of what is too near to the pinhole is infinite.
    """
    scale = np.float32(size / field)
    half = np.float32(size / 2)
    for i in range(vertices.shape[0]):
        x = vertices[i, 0] - centre[0]
        y = vertices[i, 1] - centre[1]
        z = vertices[i, 2] - centre[2]
        depth = rotation[2, 0] * x + rotation[2, 1] * y + rotation[2, 2] * z
        w = np.float32(1) - depth * inverse_distance
        drawn = w > np.float32(NEAR)
        inverse = np.float32(1) / w if drawn else np.float32(0)
        out[i, 0] = half + scale * (rotation[0, 0] * x + rotation[0, 1] * y + rotation[0, 2] * z) * inverse
        out[i, 1] = half - scale * (rotation[1, 0] * x + rotation[1, 1] * y + rotation[1, 2] * z) * inverse
        out[i, 2] = depth * inverse if drawn else np.float32(np.inf)


@numba.njit(cache=True, nogil=True)
def _fill(projected: np.ndarray, triangles: np.ndarray, depth: np.ndarray, triangle: np.ndarray) -> None:
    """Keep, at each pixel, the triangle nearest to the camera.

    At the size of a scan most triangles hold no pixel's centre, and are done with when that is known.
    """
    size = depth.shape[0]
    one, end = np.float32(1), np.float32(size)
    for t in range(triangles.shape[0]):
        a, b, c = _corners(triangles, t)
        ax, bx, cx = projected[a, 0], projected[b, 0], projected[c, 0]
        # Pixel centres stand at halves: the first one at or right of x is ceil(x - 0.5). (In double precision, for
        # which the processor rounds in one step.)
        first_col = max(0, math.ceil(max(min(ax, bx, cx), -one) - 0.5))
        last_col = min(size - 1, math.floor(min(max(ax, bx, cx), end) - 0.5))
        if first_col > last_col:
            continue
        ay, by, cy = projected[a, 1], projected[b, 1], projected[c, 1]
        first_row = max(0, math.ceil(max(min(ay, by, cy), -one) - 0.5))
        last_row = min(size - 1, math.floor(min(max(ay, by, cy), end) - 0.5))
        if first_row > last_row:
            continue
        az, bz, cz = projected[a, 2], projected[b, 2], projected[c, 2]
        if not math.isfinite(az + bz + cz):
            continue
        for row in range(first_row, last_row + 1):
            y = np.float32(row + 0.5)
            for col in range(first_col, last_col + 1):
                wa, wb, wc = _areas(ax, ay, bx, by, cx, cy, np.float32(col + 0.5), y)
                if (wa < 0 or wb < 0 or wc < 0) and (wa > 0 or wb > 0 or wc > 0):
                    continue
                total = wa + wb + wc
                if total == 0:
                    continue
                inverse = np.float32(1) / total
                z = wa * inverse * az + wb * inverse * bz + wc * inverse * cz
                if z > depth[row, col]:
                    depth[row, col] = z
                    triangle[row, col] = t


@numba.njit(cache=True, nogil=True, inline="always")
def _corners(triangles: np.ndarray, t: int) -> tuple[np.uint32, np.uint32, np.uint32]:
    """Give a triangle's rows, unsigned: of a signed one it would be asked each time whether it counts backwards."""
    return np.uint32(triangles[t, 0]), np.uint32(triangles[t, 1]), np.uint32(triangles[t, 2])


@numba.njit(cache=True, nogil=True, inline="always")
def _areas(
    ax: np.float32,
    ay: np.float32,
    bx: np.float32,
    by: np.float32,
    cx: np.float32,
    cy: np.float32,
    x: np.float32,
    y: np.float32,
) -> tuple[np.float32, np.float32, np.float32]:
    """Twice the areas that a point spans with the sides opposite the corners a, b and c of a triangle.

    In this form two neighbours find the same number, up to its sign, for the edge they share, so that rounding opens
    no crack between them.
    """
    wa = (bx - x) * (cy - y) - (by - y) * (cx - x)
    wb = (cx - x) * (ay - y) - (cy - y) * (ax - x)
    wc = (ax - x) * (by - y) - (ay - y) * (bx - x)
    return wa, wb, wc


@numba.njit(cache=True, nogil=True)
def _onto_surface(
    projected: np.ndarray,
    triangles: np.ndarray,
    inverse_distance: np.float32,
    depth: np.ndarray,
    triangle: np.ndarray,
    weights: np.ndarray,
) -> None:
    """Turn z / w to the depth z, in place, and find where on its triangle every visible pixel is."""
    one = np.float32(1)
    for row in range(depth.shape[0]):
        y = np.float32(row + 0.5)
        for col in range(depth.shape[1]):
            t = triangle[row, col]
            if t < 0:
                depth[row, col] = np.nan
                weights[row, col] = 0
                continue
            depth[row, col] /= one + depth[row, col] * inverse_distance
            a, b, c = _corners(triangles, t)
            x = np.float32(col + 0.5)
            wa, wb, wc = _areas(
                projected[a, 0], projected[a, 1], projected[b, 0], projected[b, 1], projected[c, 0], projected[c, 1],
                x, y,
            )  # fmt: skip
            # On the picture 1 / w is linear, and so is any attribute times 1 / w; 1 / w = 1 + (z / w) / distance.
            wa *= one + projected[a, 2] * inverse_distance
            wb *= one + projected[b, 2] * inverse_distance
            wc *= one + projected[c, 2] * inverse_distance
            inverse = one / (wa + wb + wc)
            weights[row, col, 0] = wa * inverse
            weights[row, col, 1] = wb * inverse
            weights[row, col, 2] = wc * inverse


@numba.njit(cache=True, nogil=True)
def shade_normals(
    triangle: np.ndarray,
    weights: np.ndarray,
    vertices: np.ndarray,
    triangles: np.ndarray,
    vertex_normals: np.ndarray,
    rotations: np.ndarray,
    centre: np.ndarray,
    distance: float,
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
    inverse_distance = np.float32(1 / distance)
    for view in range(n_views):
        rotation = rotations[view]
        for row in range(size):
            for col in range(size):
                t = triangle[view, row, col]
                if t < 0:
                    continue
                a, b, c = _corners(triangles, t)
                wa, wb, wc = weights[view, row, col, 0], weights[view, row, col, 1], weights[view, row, col, 2]
                x = wa * vertex_normals[a, 0] + wb * vertex_normals[b, 0] + wc * vertex_normals[c, 0]
                y = wa * vertex_normals[a, 1] + wb * vertex_normals[b, 1] + wc * vertex_normals[c, 1]
                z = wa * vertex_normals[a, 2] + wb * vertex_normals[b, 2] + wc * vertex_normals[c, 2]
                length = np.sqrt(x * x + y * y + z * z)
                if length == 0:
                    continue
                sign = np.float32(1) / length
                if not _faces_camera(vertices, a, b, c, rotation[2], centre, inverse_distance):
                    sign = -sign
                for axis in range(3):
                    normals[view, row, col, axis] = sign * (
                        rotation[axis, 0] * x + rotation[axis, 1] * y + rotation[axis, 2] * z
                    )
    return normals


@numba.njit(cache=True, nogil=True, inline="always")
def _faces_camera(
    vertices: np.ndarray,
    a: np.uint32,
    b: np.uint32,
    c: np.uint32,
    backward: np.ndarray,
    centre: np.ndarray,
    inverse_distance: np.float32,
) -> bool:
    """Whether the outside of the triangle of the vertices a, b and c is towards the camera."""
    ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
    vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
    # From the corner a to the pinhole, in units of its distance; the axis alone when that is infinite.
    x = backward[0] + (centre[0] - vertices[a, 0]) * inverse_distance
    y = backward[1] + (centre[1] - vertices[a, 1]) * inverse_distance
    z = backward[2] + (centre[2] - vertices[a, 2]) * inverse_distance
    return bool((uy * vz - uz * vy) * x + (uz * vx - ux * vz) * y + (ux * vy - uy * vx) * z >= 0)


# Contracted to fused operations: a colour may differ by one level between processors.
@numba.njit(cache=True, nogil=True, fastmath={"contract"})
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
    last_x, last_y = np.float32(width - 1), np.float32(height - 1)
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    colours = np.zeros((n_views, rows, columns, 3), np.uint8)
    for view in range(n_views):
        for row in range(rows):
            for col in range(columns):
                t = triangle[view, row, col]
                if t < 0:
                    continue
                a, b, c = _corners(uv_triangles, t)
                wa, wb, wc = weights[view, row, col, 0], weights[view, row, col, 1], weights[view, row, col, 2]
                u = wa * uv[a, 0] + wb * uv[b, 0] + wc * uv[c, 0]
                v = wa * uv[a, 1] + wb * uv[b, 1] + wc * uv[c, 1]
                x = min(max(u * np.float32(width) - half, zero), last_x)
                y = min(max((one - v) * np.float32(height) - half, zero), last_y)
                x0, y0 = np.uint32(x), np.uint32(y)
                x1, y1 = min(x0 + np.uint32(1), np.uint32(width - 1)), min(y0 + np.uint32(1), np.uint32(height - 1))
                fx, fy = x - np.float32(x0), y - np.float32(y0)
                both = fx * fy
                for channel in range(3):
                    colour = (one - fx - fy + both) * np.float32(texture[y0, x0, channel]) + half
                    colour += (fx - both) * np.float32(texture[y0, x1, channel])
                    colour += (fy - both) * np.float32(texture[y1, x0, channel])
                    colour += both * np.float32(texture[y1, x1, channel])
                    colours[view, row, col, channel] = np.uint8(np.int32(colour))
    return colours


@numba.njit(cache=True, nogil=True)
def blend_colours(
    triangle: np.ndarray, weights: np.ndarray, triangles: np.ndarray, vertex_colours: np.ndarray
) -> np.ndarray:
    """Interpolate the vertices' colours ((N, 3) uint8) at the visible pixels; black where nothing is seen.

    Returns
    -------
    colours : (V, rows, columns, 3) uint8
    """
    n_views, rows, columns = triangle.shape
    colours = np.zeros((n_views, rows, columns, 3), np.uint8)
    for view in range(n_views):
        for row in range(rows):
            for col in range(columns):
                t = triangle[view, row, col]
                if t < 0:
                    continue
                for channel in range(3):
                    total = np.float32(0.5)
                    for corner in range(3):
                        colour = np.float32(vertex_colours[triangles[t, corner], channel])
                        total += weights[view, row, col, corner] * colour
                    colours[view, row, col, channel] = np.uint8(total)
    return colours
