"""The statistical face that scans are registered to: a mean, and the ways in which faces differ from it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np


class FaceShape(NamedTuple):
    """Points of a face, upright, facing +z: ``points + modes @ coefficients``, the latter of unit variance.

    Parameters
    ----------
    points : (M, 3) float64, mm
        Of the mean face, whose nose tip is near the origin.
    normals : (M, 3) float64
    plain : (M, 3) float64
        The directions of a smooth bowl instead of a face.
    weights : (M,) float64
        How much of what makes a face a face is around each point; the sum is 1.
    modes : (M, 3, K) float64, mm
        The most varying first. None of them turns the face: a person's pose is what is left.
    """

    points: np.ndarray
    normals: np.ndarray
    plain: np.ndarray
    weights: np.ndarray
    modes: np.ndarray

    def every(self, step: int, modes: int | None) -> FaceShape:
        """Return each ``step``-th point, and the first modes or all."""
        parts = self.points[::step], self.normals[::step], self.plain[::step]
        weights = self.weights[::step] / self.weights[::step].sum()
        return FaceShape(*map(np.ascontiguousarray, (*parts, weights, self.modes[::step, :, :modes])))


@lru_cache(maxsize=1)
def face_shape() -> FaceShape:
    """Load the face that the package carries (made by ``tools/make_face_shape.py``)."""
    with np.load(Path(__file__).with_name("face_shape.npz"), allow_pickle=False) as arrays:
        points, normals, modes = (arrays[name].astype(np.float64) for name in ("points", "normals", "modes"))
    return FaceShape(points, normals, _bowl(points), _weights(points), modes)


def _bowl(points: np.ndarray) -> np.ndarray:
    """(M, 3): the directions of the paraboloid that is nearest to the points ((M, 3) mm)."""
    x, y, z = points.T
    terms = np.column_stack([np.ones_like(x), x, y, x**2, x * y, y**2])
    _, cx, cy, cxx, cxy, cyy = np.linalg.lstsq(terms, z, rcond=None)[0]
    normals = np.column_stack([-cx - 2 * cxx * x - cxy * y, -cy - cxy * x - 2 * cyy * y, np.ones_like(x)])
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def _weights(points: np.ndarray) -> np.ndarray:
    """(M,): most around the eyes and the nose."""
    x, y, _ = points.T
    weights = 0.2 + np.exp(-((x / 36) ** 2) - ((y - 12) / 40) ** 2)
    return weights / weights.sum()
