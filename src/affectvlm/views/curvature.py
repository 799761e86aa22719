"""How a face bends at every pixel: mean curvature and shape index, from the depth that a camera sees.

A depth map is a surface over the picture's plane, so that its bending follows from its first and second derivatives
(the first and second fundamental forms, see any text on differential geometry). The derivatives are taken from
differences of neighbouring pixels and then smoothed, which inside a face is the same as smoothing the depth. At the
face's rim, where a smoothed depth would lean to one side, only those differences count that lie on the face; what
their lopsidedness would do to a slope is taken off. Every quadratic depth keeps its exact derivatives, up to the rim.
"""

from __future__ import annotations

import math

import numba
import numpy as np

SMOOTHING_MM = 2.0
"""Standard deviation of the Gaussian over which derivatives are averaged: finer relief is noise in most scans."""

STEEPEST_DEG = 75.0
"""A step between neighbouring pixels that is steeper is one surface before another, and does not count; on a surface
that is seen at such a slant curvature is undefined."""

LEAST_SUPPORT = 0.25
"""Curvature is undefined where less than this part of the Gaussian's weight lies on the face (a straight rim: half)."""

FLAT_PER_MM = 1e-3
"""A surface with a smaller curvedness (a radius over a metre) is a plane: its shape index is 0."""


def curvature(depth: np.ndarray, pixel_mm: float, distance_mm: float = math.inf) -> tuple[np.ndarray, np.ndarray]:
    """Find the mean curvature and the shape index of what a camera sees.

    Where the surface is convex towards the camera, as a sphere or a nose is, curvature is positive. With the
    principal curvatures k1 >= k2 the mean curvature is (k1 + k2) / 2, and the shape index 2/pi atan((k1 + k2) /
    (k1 - k2)): 1 on a cap, 0.5 on a ridge, 0 on a saddle, -0.5 in a rut, -1 in a cup (Koenderink and van Doorn 1992,
    in this sign).

    Parameters
    ----------
    depth : (V, H, W) float32, mm, NaN where nothing is seen
        Along the camera's axis, towards the camera.
    pixel_mm : float
        Side of a pixel at depth 0.
    distance_mm : float
        From depth 0 to the pinhole; infinite for an orthographic camera.

    Returns
    -------
    mean_curvature : (V, H, W) float32, 1/mm
    shape_index : (V, H, W) float32 in [-1, 1]
        Both NaN where nothing is seen, too little around it, or at too much of a slant. The shape index of a plane,
        undefined by its formula, is 0.
    """
    sigma = SMOOTHING_MM / pixel_mm
    radius = max(1, math.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(np.float32)
    steepest = math.tan(math.radians(STEEPEST_DEG))
    mean, shape = np.full_like(depth, np.nan), np.full_like(depth, np.nan)
    for view, seen in enumerate(depth):
        rows, columns = np.isfinite(seen).any(axis=1).nonzero()[0], np.isfinite(seen).any(axis=0).nonzero()[0]
        if len(rows) == 0:
            continue
        face = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        smooth = _smoothed(_differences(seen[face], pixel_mm, pixel_mm * steepest, radius), kernel)
        corner = np.array([columns[0], rows[0]], np.float32) + np.float32(0.5) - np.float32(len(seen) / 2)
        _bend(seen[face], smooth, corner, pixel_mm, 1 / distance_mm, steepest, mean[view][face], shape[view][face])
    return mean, shape


@numba.njit(cache=True, nogil=True)
def _differences(depth: np.ndarray, pixel: float, longest: float, margin: int) -> np.ndarray:
    """Take the derivatives of a depth map where they can be taken.

    Returns
    -------
    (H + 2 margin, W + 2 margin, 8) float32
        1, column, row, z_x, z_y, z_xx, z_xy, z_yy (x to the right, y up, mm) at the pixels whose eight neighbours
        are on the same surface; zero elsewhere and on the margin. Columns and rows count from the first pixel.
    """
    rows, columns = depth.shape
    found = np.zeros((rows + 2 * margin, columns + 2 * margin, 8), np.float32)
    half, one = np.float32(0.5 / pixel), np.float32(1 / pixel**2)
    limit = np.float32(longest)
    for row in range(1, rows - 1):
        for col in range(1, columns - 1):
            above, below = depth[row - 1], depth[row + 1]
            left, here, right = depth[row, col - 1], depth[row, col], depth[row, col + 1]
            # From here to the four beside it, and on to the corners; NaN fails the comparison.
            joined = (
                abs(right - here) <= limit
                and abs(here - left) <= limit
                and abs(above[col] - here) <= limit
                and abs(here - below[col]) <= limit
                and abs(above[col + 1] - above[col]) <= limit
                and abs(above[col] - above[col - 1]) <= limit
                and abs(below[col + 1] - below[col]) <= limit
                and abs(below[col] - below[col - 1]) <= limit
            )
            if not joined:
                continue
            place = found[row + margin, col + margin]
            place[0] = 1
            place[1] = col
            place[2] = row
            place[3] = (right - left) * half
            place[4] = (above[col] - below[col]) * half
            place[5] = (right + left - 2 * here) * one
            place[6] = (above[col + 1] - above[col - 1] - below[col + 1] + below[col - 1]) * (one / 4)
            place[7] = (above[col] + below[col] - 2 * here) * one
    return found


@numba.njit(cache=True, nogil=True)
def _smoothed(values: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve (H + 2r, W + 2r, 8) values with a kernel (2r + 1,) along rows and columns: (H, W, 8)."""
    margin = len(kernel) // 2
    rows, width = values.shape[0] - 2 * margin, values.shape[1] * 8
    columns = values.shape[1] - 2 * margin
    flat = values.reshape(values.shape[0], width)
    smooth = np.zeros((rows, columns * 8), np.float32)
    line = np.empty(width, np.float32)
    for row in range(rows):
        line[:] = 0
        for tap in range(len(kernel)):
            weight, source = kernel[tap], flat[row + tap]
            for i in range(width):
                line[i] += weight * source[i]
        out = smooth[row]
        for tap in range(len(kernel)):
            weight, shifted = kernel[tap], line[8 * tap :]
            for i in range(columns * 8):
                out[i] += weight * shifted[i]
    return smooth.reshape(rows, columns, 8)


@numba.njit(cache=True, nogil=True)
def _bend(
    depth: np.ndarray,
    smooth: np.ndarray,
    corner: np.ndarray,
    pixel: float,
    inverse_distance: float,
    steepest: float,
    mean: np.ndarray,
    shape: np.ndarray,
) -> None:
    """Write the mean curvature and the shape index of the pixels with enough support.

    The surface is r(x, y) = (x w, y w, z), with (x, y) the place on the picture (mm) and w = 1 - z / distance, which
    is 1 for an orthographic camera. E, F, G and L, M, N are the coefficients of its fundamental forms.
    """
    for row in range(depth.shape[0]):
        for col in range(depth.shape[1]):
            support = smooth[row, col, 0]
            z = depth[row, col]
            if not (support >= LEAST_SUPPORT and math.isfinite(z)):
                continue
            share = 1 / support
            zxx, zxy, zyy = smooth[row, col, 5] * share, smooth[row, col, 6] * share, smooth[row, col, 7] * share
            # The mean of a slope is the slope at the middle of what was averaged; brought back to this pixel.
            across = pixel * (col - smooth[row, col, 1] * share)
            upwards = pixel * (smooth[row, col, 2] * share - row)
            zx = smooth[row, col, 3] * share + zxx * across + zxy * upwards
            zy = smooth[row, col, 4] * share + zxy * across + zyy * upwards
            if zx * zx + zy * zy > steepest**2:
                continue

            x, y = pixel * (corner[0] + col), -pixel * (corner[1] + row)
            w = 1 - z * inverse_distance
            wx, wy = -zx * inverse_distance, -zy * inverse_distance
            wxx, wxy, wyy = -zxx * inverse_distance, -zxy * inverse_distance, -zyy * inverse_distance
            rx, ry = (w + x * wx, y * wx, zx), (x * wy, w + y * wy, zy)
            rxx, ryy = (2 * wx + x * wxx, y * wxx, zxx), (x * wyy, 2 * wy + y * wyy, zyy)
            rxy = (wy + x * wxy, wx + y * wxy, zxy)
            normal = (rx[1] * ry[2] - rx[2] * ry[1], rx[2] * ry[0] - rx[0] * ry[2], rx[0] * ry[1] - rx[1] * ry[0])
            E, F, G = _dot(rx, rx), _dot(rx, ry), _dot(ry, ry)
            squared = _dot(normal, normal)
            if squared == 0:
                continue
            # Times the normal's length. Towards the camera the normal points, and a dome falls away from it.
            L, M, N = _dot(rxx, normal), _dot(rxy, normal), _dot(ryy, normal)
            H = -0.5 * (E * N - 2 * F * M + G * L) / (squared * math.sqrt(squared))
            K = (L * N - M * M) / (squared * squared)
            spread = math.sqrt(max(H * H - K, 0.0))  # (k1 - k2) / 2
            mean[row, col] = H
            curvedness = math.sqrt(H * H + spread * spread)
            shape[row, col] = 2 / math.pi * math.atan2(H, spread) if curvedness >= FLAT_PER_MM else 0


@numba.njit(cache=True, nogil=True, inline="always")
def _dot(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
