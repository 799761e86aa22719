"""One generated person: the face at rest, and the way in which it moves.

Beyond the axes of a face model, which were learned from or made for one kind of face, each person is warped smoothly
and moves in his own way: what is learned from one model's faces should carry over to faces that it has never made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numba
import numpy as np

from affectvlm.scan import FaceScan
from affectvlm.synthesis.expressions import Style, draw_style
from affectvlm.synthesis.face_model import FaceModel

WAVES = 12
WAVELENGTH_MM = (60.0, 240.0)
"""Shorter waves would bend single features out of shape."""

WARP_STRAIN = 0.05
"""Spread of one wave's stretching of the face: 10 mm become 10.5."""

ASYMMETRY = 0.25
"""Share of the warp that differs between the left and the right half."""

MOVEMENT_SPREAD = 0.25
"""Spread of the logarithm of how far the skin moves at a place."""

TURN_SPREAD_DEG = 10.0
"""Spread of the direction in which it moves there."""


@dataclass(frozen=True, eq=False)
class Person:
    """Someone who can be told to show an expression.

    Parameters
    ----------
    model : FaceModel
    identity : (I,) float
    neutral : (V, 3) float32, mm
        The face at rest; nose tip at the origin.
    shapes : (S, V, 3) float32, mm
    movement : (V, 4) float32
        How far the skin moves at each place, in parts of what the shapes say, and a small turn (a rotation vector) of
        the direction.
    style : Style
    """

    model: FaceModel
    identity: np.ndarray
    neutral: np.ndarray
    shapes: np.ndarray
    movement: np.ndarray
    style: Style

    @property
    def attributes(self) -> Mapping[str, str]:
        """What words can say of the person."""
        return self.model.attributes(self.identity)

    def vertices(self, strengths: np.ndarray) -> np.ndarray:
        """(V, 3) float32, mm: the face with the given (A, 2) strengths of action units."""
        return _blend(self.neutral, self.shapes, self.model.weights(strengths), self.movement)

    def face(self, strengths: np.ndarray, source: str = "", texture: np.ndarray | None = None) -> FaceScan:
        """Make the mesh with the given (A, 2) strengths of action units."""
        model = self.model
        return FaceScan(self.vertices(strengths), model.triangles, model.uv, model.uv_triangles, texture, source)


def draw_person(model: FaceModel, rng: np.random.Generator, variety: float = 1.0) -> Person:
    """Draw a person: a place on the model's axes, a warp, a way of moving and a style.

    Parameters
    ----------
    model : FaceModel
    rng : Generator
    variety : float
        How far people depart from the model and from the table of expressions: 0 for not at all, 1 for as far as the
        constants of this module and of :mod:`~affectvlm.synthesis.expressions` say.
    """
    identity = model.draw_identity(rng)
    face = model.neutral_of(identity)
    warped = face + np.float32(variety) * _draw_warp(face, rng)
    centred = warped - warped[model.landmarks[30]]
    movement = _draw_movement(model.neutral, rng, variety)
    return Person(model, identity, centred, model.shapes_of(identity), movement, draw_style(rng, variety))


def _draw_warp(points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(V, 3) float32, mm: a smooth displacement, mostly the same on both sides."""
    waves, phases = _draw_waves(rng)
    # Long waves are given more height, so that each stretches the face alike.
    heights = rng.normal(0, WARP_STRAIN, (WAVES, 3)) / np.linalg.norm(waves, axis=1, keepdims=True)
    mirror = np.array([-1, 1, 1], np.float32)
    here, there = _waves_at(points, waves, phases), _waves_at(points * mirror, waves, phases)
    even = 0.5 * (_combined(here, heights) + mirror * _combined(there, heights))
    return (1 - ASYMMETRY) * even + ASYMMETRY * _combined(here, heights)


def _draw_movement(points: np.ndarray, rng: np.random.Generator, variety: float) -> np.ndarray:
    """(V, 4) float32: gain and rotation vector at each place."""
    waves, phases = _draw_waves(rng)
    spread = variety * np.sqrt(2 / WAVES) * np.array([MOVEMENT_SPREAD, *3 * [np.radians(TURN_SPREAD_DEG)]])
    fields = _combined(_waves_at(points, waves, phases), rng.standard_normal((WAVES, 4)) * spread)
    return np.concatenate([np.exp(fields[:, :1]), fields[:, 1:]], axis=1)


def _draw_waves(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Wave vectors (WAVES, 3) in radians a mm, and phases (WAVES,)."""
    directions = rng.standard_normal((WAVES, 3))
    lengths = np.exp(rng.uniform(np.log(WAVELENGTH_MM[0]), np.log(WAVELENGTH_MM[1]), WAVES))
    waves = 2 * np.pi * directions / (np.linalg.norm(directions, axis=1) * lengths)[:, None]
    return waves, rng.uniform(0, 2 * np.pi, WAVES)


def _waves_at(points: np.ndarray, waves: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """(V, WAVES) float32 in [-1, 1]."""
    return np.sin(np.einsum("vx,wx->vw", points, waves.astype(np.float32)) + phases.astype(np.float32))


def _combined(waves_at: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """(V, n) float32: the waves with their heights (WAVES, n)."""
    return np.einsum("vw,wn->vn", waves_at, heights.astype(np.float32))


@numba.njit(cache=True, nogil=True)
def _blend(neutral: np.ndarray, shapes: np.ndarray, weights: np.ndarray, movement: np.ndarray) -> np.ndarray:
    """Add the weighted shapes, each place moving in its own way; compiled, since a scan takes only a few of many."""
    moved = np.zeros_like(neutral)
    for s in range(shapes.shape[0]):
        weight = weights[s]
        if weight != 0:
            for v in range(neutral.shape[0]):
                for axis in range(3):
                    moved[v, axis] += weight * shapes[s, v, axis]
    for v in range(neutral.shape[0]):
        x, y, z = moved[v, 0], moved[v, 1], moved[v, 2]
        gain, rx, ry, rz = movement[v, 0], movement[v, 1], movement[v, 2], movement[v, 3]
        moved[v, 0] = neutral[v, 0] + gain * (x + ry * z - rz * y)
        moved[v, 1] = neutral[v, 1] + gain * (y + rz * x - rx * z)
        moved[v, 2] = neutral[v, 2] + gain * (z + rx * y - ry * x)
    return moved
