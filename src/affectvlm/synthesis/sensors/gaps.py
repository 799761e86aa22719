"""Where a sensor measures nothing: by its own geometry, by what the light meets, and by what its software does."""

from __future__ import annotations

import math

import numba
import numpy as np
from scipy.ndimage import label

from affectvlm.synthesis.sensors.camera import Sight


@numba.njit(cache=True, nogil=True)
def slant_and_normals(
    depth: np.ndarray, right: np.ndarray, up: np.ndarray, focal: float
) -> tuple[np.ndarray, np.ndarray]:
    """Tell how the surface lies at each pixel.

    Parameters
    ----------
    depth : (R, C) float32, mm
    right, up : (C,) and (R,) float32
        As in :class:`~affectvlm.synthesis.sensors.camera.Sight`.
    focal : float, pixels

    Returns
    -------
    slant_deg : (R, C) float32
        Angle between normal and ray; 90 where no neighbour tells.
    normals : (R, C, 3) float32
        Unit length, towards the camera; +x right, +y up, +z to the camera.
    """
    rows, columns = depth.shape
    slant = np.full((rows, columns), 90, np.float32)
    normals = np.zeros((rows, columns, 3), np.float32)
    nearness = 1 / depth
    missing = np.float32(np.nan)  # beyond the border
    for row in range(rows):
        for column in range(columns):
            here = nearness[row, column]
            if np.isnan(here):
                continue
            # On a plane 1/z is linear in the picture, and its slope is the plane's normal.
            before = here - nearness[row, column - 1] if column > 0 else missing
            after = nearness[row, column + 1] - here if column + 1 < columns else missing
            x = focal * _flatter(before, after)
            above = nearness[row - 1, column] - here if row > 0 else missing
            below = here - nearness[row + 1, column] if row + 1 < rows else missing
            y = focal * _flatter(above, below)
            if np.isnan(x) or np.isnan(y):
                continue
            z = here - (right[column] * x + up[row] * y) / focal
            length = math.sqrt(x * x + y * y + z * z)
            ray = math.sqrt(right[column] ** 2 + up[row] ** 2 + focal**2)
            cosine = focal * here / (length * ray)
            slant[row, column] = math.degrees(math.acos(min(max(cosine, 0.0), 1.0)))
            normals[row, column, 0] = -x / length
            normals[row, column, 1] = -y / length
            normals[row, column, 2] = z / length
    return slant, normals


@numba.njit(cache=True, nogil=True)
def _flatter(first: np.float32, second: np.float32) -> np.float32:
    """Return the mean of two slopes; one alone where the other is missing or leads over an edge."""
    if np.isnan(first) or abs(second) * 3 < abs(first):
        return second
    if np.isnan(second) or abs(first) * 3 < abs(second):
        return first
    return np.float32(0.5) * (first + second)


@numba.njit(cache=True, nogil=True)
def shadowed(depth: np.ndarray, right: np.ndarray, shift: float) -> np.ndarray:
    """Find what a projector beside the camera does not light.

    The projector stands ``baseline`` to the right of the camera (left, if negative) and looks the same way: each of
    its rows is the camera's. Along a row the places on its picture must follow each other as on the camera's; a place
    that comes out of turn lies behind a surface that was met before.

    Parameters
    ----------
    depth : (R, C) float32, mm
    right : (C,) float32, pixels
    shift : float
        Focal length (pixels) times baseline (mm).

    Returns
    -------
    (R, C) bool
    """
    rows, columns = depth.shape
    hidden = np.zeros((rows, columns), np.bool_)
    side = 1 if shift > 0 else -1
    first = columns - 1 if shift > 0 else 0
    if shift == 0:
        return hidden
    for row in range(rows):
        passed = np.inf
        for i in range(columns):
            column = first - side * i
            place = side * (right[column] - shift / depth[row, column])
            if np.isnan(place):
                continue
            if place > passed:
                hidden[row, column] = True
            else:
                passed = place
    return hidden


def near_lines(sight: Sight, points: np.ndarray, lines: np.ndarray, width_mm: float) -> np.ndarray:
    """Tell how near the surface is to lines drawn on it.

    Parameters
    ----------
    sight : Sight
    points : (R, C, 3) float32, mm
        Its points.
    lines : (n, 2, 3) float, mm
        From where to where each line goes.
    width_mm : float
        Standard deviation of the fall-off.

    Returns
    -------
    (R, C) float32, 1 on a line and falling to 0 at 2.5 widths
    """
    out = np.zeros(sight.depth.shape, np.float32)
    distance = sight.camera.position[2] - lines[..., 2]  # (n, 2)
    ends = (lines[..., :2] - sight.camera.position[:2]) * (sight.camera.focal_px / distance)[..., None]
    margin = 2.5 * width_mm * sight.camera.focal_px / distance.min(axis=1)
    for (start, stop), (low, high), reach in zip(lines, np.sort(ends, axis=1), margin, strict=True):
        columns = slice(*np.searchsorted(sight.right, [low[0] - reach, high[0] + reach]))
        rows = slice(*np.searchsorted(-sight.up, [-high[1] - reach, -low[1] + reach]))
        if columns.start < columns.stop and rows.start < rows.stop:
            _near_line(points[rows, columns], start, stop, width_mm, out[rows, columns])
    return out


@numba.njit(cache=True, nogil=True)
def _near_line(points: np.ndarray, start: np.ndarray, stop: np.ndarray, width: float, out: np.ndarray) -> None:
    along = stop - start
    squared = max((along**2).sum(), 1e-6)
    for row in range(points.shape[0]):
        for column in range(points.shape[1]):
            x = points[row, column, 0] - start[0]
            y = points[row, column, 1] - start[1]
            z = points[row, column, 2] - start[2]
            part = min(max((x * along[0] + y * along[1] + z * along[2]) / squared, 0.0), 1.0)
            distance = (x - part * along[0]) ** 2 + (y - part * along[1]) ** 2 + (z - part * along[2]) ** 2
            if distance < (2.5 * width) ** 2:
                value = np.float32(math.exp(-0.5 * distance / width**2))
                out[row, column] = max(out[row, column], value)


@numba.njit(cache=True, nogil=True)
def below_share(field: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(R, C) bool: where a random field (normal, spread 1) is in its lowest ``share``, pixel by pixel."""
    below = np.zeros(field.shape, np.bool_)
    for row in range(field.shape[0]):
        for column in range(field.shape[1]):
            if share[row, column] > 0:
                rank = 0.5 * math.erfc(-field[row, column] / math.sqrt(2))
                below[row, column] = rank < share[row, column]
    return below


def without_islands(kept: np.ndarray, smallest: float) -> np.ndarray:
    """Drop the connected pieces of a (R, C) bool mask with fewer than ``smallest`` pixels."""
    pieces, _ = label(kept)
    large = np.bincount(pieces.ravel()) >= smallest
    large[0] = False
    return large[pieces]


def fill(depth: np.ndarray, kept: np.ndarray, largest: float) -> np.ndarray:
    """Close gaps of up to ``largest`` pixels by a membrane over their rims.

    Parameters
    ----------
    depth : (R, C) float32, mm
    kept : (R, C) bool
        Where depth was measured.
    largest : float

    Returns
    -------
    (R, C) float32, mm, NaN where nothing is measured even so
    """
    depth = np.where(kept, depth, np.float32(np.nan))
    gaps, _ = label(~kept)
    closed = np.bincount(gaps.ravel()) <= largest
    # What touches the border is no gap.
    closed[np.concatenate([gaps[0], gaps[-1], gaps[:, 0], gaps[:, -1]])] = False
    closed[0] = False
    _stretch(depth, np.argwhere(closed[gaps]), 30)
    return depth


@numba.njit(cache=True, nogil=True)
def _stretch(depth: np.ndarray, pixels: np.ndarray, sweeps: int) -> None:
    """Set the pixels to the mean of their neighbours, again and again, in place."""
    for _ in range(sweeps):
        for i in range(len(pixels)):
            row, column = pixels[i, 0], pixels[i, 1]
            total, count = 0.0, 0
            for value in (
                depth[row - 1, column],
                depth[row + 1, column],
                depth[row, column - 1],
                depth[row, column + 1],
            ):
                if not np.isnan(value):
                    total += value
                    count += 1
            if count > 0:
                depth[row, column] = total / count
