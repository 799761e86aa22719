"""Points sorted into the cells of a grid, so that those near a place are found without looking at all."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np

CELL_MM = 8.0


@dataclass(frozen=True, eq=False)
class Cells:
    """Points in cells of :data:`CELL_MM`.

    Parameters
    ----------
    points : (N, 3) float32, mm
    low : (3,) float32, mm
        The grid's lowest corner.
    shape : (3,) int64
        Cells along each axis.
    starts : (cells + 1,) int64
        Cell i, the last axis running fastest, holds ``rows[starts[i] : starts[i + 1]]``.
    rows : (N,) int64
    """

    points: np.ndarray
    low: np.ndarray
    shape: np.ndarray
    starts: np.ndarray
    rows: np.ndarray

    @classmethod
    def of(cls, points: np.ndarray) -> Cells:
        """Sort points, which must lie within a metre or so, into cells."""
        low, high = bounds(points)
        shape = ((high - low) / CELL_MM).astype(np.int64) + 1
        return cls(points, low, shape, *_sorted(points, low, shape))

    def near(self, centre: np.ndarray, reach: float, axis: np.ndarray, aside: float) -> np.ndarray:
        """Find the points around a place that are near a line through it.

        Parameters
        ----------
        centre : (3,) float, mm
        reach : float, mm
            No farther from the place.
        axis : (3,) float
            The line's direction, of unit length.
        aside : float, mm
            No farther from the line.

        Returns
        -------
        (n,) int64
            Rows of ``points``.
        """
        return _near(self.points, self.low, self.shape, self.starts, self.rows, centre, reach, axis, aside)


@numba.njit(cache=True, nogil=True)
def bounds(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the least and the greatest of (N, 3) points along each axis, (3,) both: numpy takes ten times as long."""
    low, high = points[0].copy(), points[0].copy()
    for i in range(len(points)):
        for axis in range(3):
            low[axis] = min(low[axis], points[i, axis])
            high[axis] = max(high[axis], points[i, axis])
    return low, high


@numba.njit(cache=True, nogil=True)
def _sorted(points: np.ndarray, low: np.ndarray, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    cell = np.empty(len(points), np.int64)
    starts = np.zeros(shape[0] * shape[1] * shape[2] + 1, np.int64)
    for i in range(len(points)):
        x = int((points[i, 0] - low[0]) / CELL_MM)
        y = int((points[i, 1] - low[1]) / CELL_MM)
        z = int((points[i, 2] - low[2]) / CELL_MM)
        cell[i] = (x * shape[1] + y) * shape[2] + z
        starts[cell[i] + 1] += 1
    for i in range(1, len(starts)):
        starts[i] += starts[i - 1]
    rows = np.empty(len(points), np.int64)
    place = starts.copy()
    for i in range(len(points)):
        rows[place[cell[i]]] = i
        place[cell[i]] += 1
    return starts, rows


@numba.njit(cache=True, nogil=True)
def _near(
    points: np.ndarray,
    low: np.ndarray,
    shape: np.ndarray,
    starts: np.ndarray,
    rows: np.ndarray,
    centre: np.ndarray,
    reach: float,
    axis: np.ndarray,
    aside: float,
) -> np.ndarray:
    first, last = np.empty(3, np.int64), np.empty(3, np.int64)
    for side in range(3):
        # How far a line of this length, and as thick, reaches along each side of the grid.
        extent = min(abs(axis[side]) * reach + math.sqrt(max(1 - axis[side] ** 2, 0.0)) * aside, reach)
        first[side] = max(int(np.floor((centre[side] - extent - low[side]) / CELL_MM)), 0)
        last[side] = min(int(np.floor((centre[side] + extent - low[side]) / CELL_MM)), shape[side] - 1)
    found = np.empty(len(points), np.int64)
    size = 0
    for x in range(first[0], last[0] + 1):
        for y in range(first[1], last[1] + 1):
            line = (x * shape[1] + y) * shape[2]
            for i in range(starts[line + first[2]], starts[line + last[2] + 1] if last[2] >= first[2] else 0):
                row = rows[i]
                distance = along = 0.0
                for side in range(3):
                    distance += (points[row, side] - centre[side]) ** 2
                    along += (points[row, side] - centre[side]) * axis[side]
                if distance <= reach**2 and distance - along**2 <= aside**2:
                    found[size] = row
                    size += 1
    return found[:size].copy()
