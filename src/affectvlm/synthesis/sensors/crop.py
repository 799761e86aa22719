"""How much of a head a scan shows: a more or less oval piece of it, which may end above the chin or before an ear."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numba
import numpy as np

from affectvlm.synthesis.sensors.presets import Sensor

SHIFT_MM = 5.0
"""Spread of the crop's middle, sideways."""

RAGGED = 0.03
"""Spread of the crop's border, in parts of its radius."""


@dataclass(frozen=True, eq=False)
class FaceAxes:
    """Where a face is and how it is turned, as its 68 points tell.

    Parameters
    ----------
    origin : (3,) float, mm
        Between the brows.
    right, up : (3,) float
        Unit vectors, to the viewer's right and up when the face is upright.
    half_width : float, mm
        Half the distance between the ends of the jaw line.
    chin_mm : float
        How far the chin is above the origin; below zero.
    """

    origin: np.ndarray
    right: np.ndarray
    up: np.ndarray
    half_width: float
    chin_mm: float

    @classmethod
    def of(cls, landmarks: np.ndarray) -> FaceAxes:
        """Measure a face by its (68, 3) landmarks (mm)."""
        marks = np.asarray(landmarks, np.float64)
        origin = marks[17:27].mean(axis=0)
        across = marks[16] - marks[0]
        right = across / np.linalg.norm(across)
        rise = origin - marks[8]
        rise = rise - (rise * right).sum() * right
        up = rise / np.linalg.norm(rise)
        return cls(origin, right, up, float(np.linalg.norm(across)) / 2, float(((marks[8] - origin) * up).sum()))


@dataclass(frozen=True, eq=False)
class Crop:
    """The outline of what is kept.

    Parameters
    ----------
    axes : FaceAxes
    middle : (2,) float, mm
        Along the face's axes.
    radii : (2,) float, mm
    squareness : float
        0 for an ellipse, 1 for a rectangle.
    waves : (n, 4) float
        Two wave numbers in radians a radius, the phase, and the height of each wave of the border.
    """

    axes: FaceAxes
    middle: np.ndarray
    radii: np.ndarray
    squareness: float
    waves: np.ndarray

    @property
    def middle_point(self) -> np.ndarray:
        """(3,) float, mm: about the middle of the kept part."""
        return self.axes.origin + self.middle[0] * self.axes.right + self.middle[1] * self.axes.up

    @property
    def side_mm(self) -> float:
        """Side of a square that holds the kept part."""
        return 2 * (1 + 3 * RAGGED) * float(self.radii.max())

    def keeps(self, points: np.ndarray) -> np.ndarray:
        """(R, C) bool: which of (R, C, 3) points (mm) are kept; not those that are NaN."""
        axes = np.stack([self.axes.right / self.radii[0], self.axes.up / self.radii[1]])
        return _within(points, self.middle_point, axes, self.squareness, self.waves)


def draw_crop(sensor: Sensor, axes: FaceAxes, rng: np.random.Generator) -> Crop:
    """Draw how a scan of a face is cropped."""
    low = axes.chin_mm - rng.uniform(*sensor.below_chin_mm)
    high = rng.uniform(*sensor.above_brows_mm)
    half_width = axes.half_width * rng.uniform(*sensor.width)
    middle = np.array([rng.normal(0, SHIFT_MM), (low + high) / 2])
    numbers = rng.normal(0, 4, (4, 2))
    phases, heights = rng.uniform(0, 2 * np.pi, (4, 1)), rng.normal(0, RAGGED / 2, (4, 1))
    waves = np.concatenate([numbers, phases, heights], axis=1)
    return Crop(axes, middle, np.array([half_width, (high - low) / 2]), rng.uniform(0, 0.6), waves)


@numba.njit(cache=True, nogil=True)
def _within(
    points: np.ndarray, middle: np.ndarray, axes: np.ndarray, squareness: float, waves: np.ndarray
) -> np.ndarray:
    inside = np.zeros(points.shape[:2], np.bool_)
    for row in range(points.shape[0]):
        for column in range(points.shape[1]):
            if np.isnan(points[row, column, 2]):
                continue
            across = upward = 0.0
            for axis in range(3):
                offset = points[row, column, axis] - middle[axis]
                across += axes[0, axis] * offset
                upward += axes[1, axis] * offset
            radius = across**2 + upward**2 - squareness * across**2 * upward**2
            if abs(across) > 1.2 or abs(upward) > 1.2 or not radius < 1.4:
                continue
            limit = 1.0
            if radius > 0.6:  # no wave reaches farther in
                for i in range(len(waves)):
                    limit += waves[i, 3] * math.sin(waves[i, 0] * across + waves[i, 1] * upward + waves[i, 2])
            inside[row, column] = radius < limit**2
    return inside
