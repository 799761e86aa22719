"""What most scanners deliver: a grid of measured points, and the surface between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np

from affectvlm.errors import ScanError
from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.picture_file import PictureFile

MAX_PIXELS = 20_000_000
"""Range sensors have a tenth of this; a file that announces more is damaged or hostile."""

DEFLATE_LIMIT = 1032
"""What gzip, PNG and npz pack holds at most so many times its own bytes (258 of them from two bits)."""

STEEPEST_DEG = 83.0
"""No sensor measures a surface that it sees at more than this slant: a longer step on the grid is a gap."""

ISOLATED = 2.0
"""A step this many times longer than the steps before and after it is no slope, but one surface over another."""


@dataclass(frozen=True, eq=False)
class RangeImage:
    """Points measured on the pixels of a camera, perspective or not; the camera need not be known.

    Parameters
    ----------
    points : (R, C, 3) float32
        Millimetres, +x to the viewer's right, +y up, +z towards the camera; NaN where nothing was measured. Row 0 is
        the picture's top, column 0 its left.
    texture : (H, W, 3) uint8 or PictureFile, optional
        RGB, top row first. Without ``uv`` it has the points' own rows and columns: a colour for each.
    source : str
        The file, or a word about where it comes from; stands in messages.
    uv : (R, C, 2) float32, optional
        Where in the texture each point is, (0, 0) at the bottom left corner, where a camera of its own has taken it.
        What stands where nothing was measured does not matter.

    Raises
    ------
    ScanError
        The shapes do not fit.
    """

    points: np.ndarray
    texture: np.ndarray | PictureFile | None = None
    source: str = "range image"
    uv: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", np.ascontiguousarray(self.points, np.float32))
        if self.points.ndim != 3 or self.points.shape[2] != 3:
            raise ScanError(f"{self.source}: expected a grid of points (R, C, 3), found {self.points.shape}")
        if self.uv is not None:
            object.__setattr__(self, "uv", np.ascontiguousarray(self.uv, np.float32))
            if self.uv.shape != (*self.points.shape[:2], 2):
                raise ScanError(f"{self.source}: expected uv on the grid {self.points.shape}, found {self.uv.shape}")
        elif self.texture is not None and self.texture.shape != self.points.shape:
            raise ScanError(
                f"{self.source}: expected a picture on the grid of points {self.points.shape}, "
                f"found {self.texture.shape}"
            )

    @property
    def measured(self) -> np.ndarray:
        """(R, C) bool: where there is a point."""
        return np.isfinite(self.points).all(axis=2)

    @property
    def texture_uv(self) -> np.ndarray:
        """(R, C, 2) float32: where in the texture each point is; the middle of its own pixel, if not said otherwise."""
        if self.uv is not None:
            return self.uv
        height, width = self.points.shape[:2]
        uv = np.empty((height, width, 2), np.float32)
        uv[..., 0] = (np.arange(width) + 0.5) / width
        uv[..., 1] = 1 - (np.arange(height)[:, None] + 0.5) / height
        return uv

    @property
    def spacing_mm(self) -> float:
        """How far apart neighbouring points are, along rows or columns, whichever is more; 0 without neighbours."""
        return max(map(_spacing, self._both_steps))

    @cached_property
    def _both_steps(self) -> tuple[np.ndarray, np.ndarray]:
        """From each point to the next in its row, and to the next in its column (as rows), see :func:`_steps`."""
        return _steps(self.points), _steps(self.points.transpose(1, 0, 2))

    def mesh(self, jump_mm: float) -> FaceScan:
        """Join neighbouring points by triangles.

        A 2 x 2 block of measured points gives two triangles that share its shorter diagonal, three points give one.
        A step between two neighbours is not bridged when it is longer than ``jump_mm`` and stands out: it is twice
        as long as the steps before and after it in its row or column, or they lead back (so a nose over a cheek is
        cut, and so is a spike, but not a steep cheek, where all steps are long); or no slope of up to 83 degrees
        makes it at this spacing.

        Parameters
        ----------
        jump_mm : float
            Shorter steps are always bridged. A few times the noise.

        Returns
        -------
        FaceScan
            Points with a triangle, row by row; with the picture as its texture, if there is one.

        Raises
        ------
        ScanError
            There is no block of three neighbouring points.
        """
        along, down = self._both_steps
        joined_along = _joined(self.points, along, jump_mm)
        joined_down = _joined(self.points.transpose(1, 0, 2), down, jump_mm).T
        pixels, triangles = _triangulate(self.points, joined_along, joined_down)
        if len(triangles) == 0:
            raise ScanError(
                f"{self.source}: expected a range image of a face, found {int(self.measured.sum())} points in "
                f"{self.points[..., 0].size} pixels and no three that are neighbours; scan again"
            )
        vertices = self.points.reshape(-1, 3).take(pixels, axis=0)
        if self.texture is None:
            return FaceScan(vertices, triangles, source=self.source)
        uv = self.texture_uv.reshape(-1, 2).take(pixels, axis=0)
        return FaceScan(vertices, triangles, uv, triangles, self.texture, self.source)


@numba.njit(cache=True, nogil=True)
def _steps(points: np.ndarray) -> np.ndarray:
    """(R, C - 1) float32, mm: from each point to the next in its row; NaN where one of the two is missing."""
    rows, columns = points.shape[0], points.shape[1]
    steps = np.empty((rows, max(columns - 1, 0)), np.float32)
    for row in range(rows):
        for column in range(columns - 1):
            x = points[row, column + 1, 0] - points[row, column, 0]
            y = points[row, column + 1, 1] - points[row, column, 1]
            z = points[row, column + 1, 2] - points[row, column, 2]
            steps[row, column] = np.sqrt(x * x + y * y + z * z)
    return steps


def _joined(points: np.ndarray, steps: np.ndarray, jump_mm: float) -> np.ndarray:
    """(R, C - 1) bool: each point and the next in its row are there, and on the same surface."""
    return _judged(points, steps, jump_mm, float(_spacing(steps) / np.cos(np.radians(STEEPEST_DEG))))


def _spacing(steps: np.ndarray) -> float:
    """Tell how far apart the pixels are, of :func:`_steps`; 0 when there are none."""
    sample = steps[:: max(1, len(steps) // 100)]
    sample = sample[np.isfinite(sample)]
    # Most of a face is slanted; the shorter steps tell.
    return float(np.percentile(sample, 25)) if len(sample) else 0.0


@numba.njit(cache=True, nogil=True)
def _judged(points: np.ndarray, steps: np.ndarray, jump: float, longest: float) -> np.ndarray:
    """(R, C - 1) bool: steps up to the jump, and longer ones, up to the longest, that go on from one to the next."""
    rows, columns = steps.shape
    joined = np.zeros((rows, columns), np.bool_)
    for row in range(rows):
        for column in range(columns):
            step = steps[row, column]
            if step <= jump:
                joined[row, column] = True
            elif step <= longest:  # and no NaN
                for other in (column - 1, column + 1):
                    # A missing neighbour (NaN) tells of no slope: it compares false.
                    if 0 <= other < columns and step < ISOLATED * steps[row, other]:
                        onward = np.float32(0)  # not so at a spike, where the next step leads back
                        for axis in range(3):
                            onward += (points[row, column + 1, axis] - points[row, column, axis]) * (
                                points[row, other + 1, axis] - points[row, other, axis]
                            )
                        joined[row, column] |= onward > 0
    return joined


@numba.njit(cache=True, nogil=True)
def _triangulate(points: np.ndarray, along: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make the triangles whose two sides on the grid are joined.

    Parameters
    ----------
    points : (R, C, 3) float32
    along : (R, C - 1) bool
        Each point is joined to the next in its row.
    down : (R - 1, C) bool
        Each point is joined to the next in its column.

    Returns
    -------
    pixels : (V,) int32
        Those in a triangle, row by row: row * C + column.
    triangles : (T, 3) int32
        Rows of ``pixels``, counter-clockwise seen from the camera.
    """
    rows, columns = points.shape[0], points.shape[1]
    triangles = np.empty((2 * max(rows - 1, 0) * max(columns - 1, 0), 3), np.int32)
    used = np.zeros(rows * columns, np.bool_)
    count = 0
    for row in range(rows - 1):
        for column in range(columns - 1):
            top, bottom = along[row, column], along[row + 1, column]
            left, right = down[row, column], down[row, column + 1]
            if not ((top or bottom) and (left or right)):
                continue
            a = row * columns + column  # top left, and clockwise: b, c, d
            b, c, d = a + 1, a + columns + 1, a + columns
            falling = rising = np.float32(0)  # the diagonals a-c and b-d, squared
            for axis in range(3):
                falling += (points[row + 1, column + 1, axis] - points[row, column, axis]) ** 2
                rising += (points[row + 1, column, axis] - points[row, column + 1, axis]) ** 2
            # With a point missing its diagonal is NaN, and the other is taken.
            if rising <= falling or np.isnan(falling):
                if top and left:
                    triangles[count, 0], triangles[count, 1], triangles[count, 2] = a, d, b
                    used[a] = used[d] = used[b] = True
                    count += 1
                if bottom and right:
                    triangles[count, 0], triangles[count, 1], triangles[count, 2] = c, b, d
                    used[c] = used[b] = used[d] = True
                    count += 1
            else:
                if left and bottom:
                    triangles[count, 0], triangles[count, 1], triangles[count, 2] = a, d, c
                    used[a] = used[d] = used[c] = True
                    count += 1
                if top and right:
                    triangles[count, 0], triangles[count, 1], triangles[count, 2] = a, c, b
                    used[a] = used[c] = used[b] = True
                    count += 1
    pixels = np.flatnonzero(used).astype(np.int32)
    place = np.empty(rows * columns, np.int32)
    for i in range(len(pixels)):
        place[pixels[i]] = i
    for t in range(count):
        for corner in range(3):
            triangles[t, corner] = place[triangles[t, corner]]
    return pixels, triangles[:count]
