"""One generated person: the face at rest, and the way in which it moves.

Beyond the axes of a face model, which were learned from or made for one kind of face, each person is warped smoothly
and moves in his own way: what is learned from one model's faces should carry over to faces that it has never made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np

from affectvlm.scan import FaceScan
from affectvlm.scan.pose import nose_tip
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.expressions import Style, draw_style
from affectvlm.synthesis.face_model import FaceModel
from affectvlm.synthesis.upright import upright_turn

WAVES = 12
WAVELENGTH_MM = (60.0, 240.0)
"""Of the waves that change a face as a whole, and how it moves."""

FEATURE_WAVELENGTH_MM = (25.0, 60.0)
"""Of those that change single features: how high a brow lies, how wide a mouth is. Shorter ones would tear them."""

FEATURE_SHARE = 0.7
"""Of what the latter would stretch a face by, had they the strain of the former: noses and brows stay a person's."""

WARP_STRAIN = 0.05
"""Spread of one wave's stretching of the face: 10 mm become 10.5."""

ASYMMETRY = 0.25
"""Share of the warp that differs between the left and the right half."""

MOVEMENT_SPREAD = 0.25
"""Spread of the logarithm of how far the skin moves at a place."""

TURN_SPREAD_DEG = 10.0
"""Spread of the direction in which it moves there."""

UNIT_WAVELENGTH_MM = (40.0, 160.0)
UNIT_SPREAD, UNIT_TURN_DEG = 0.3, 15.0
"""As the two above, of the waves by which each action unit moves the skin in a way of its own: each face model has its
own idea of where a muscle pulls and how far, and so will those that nothing was learned from."""

UNIT_STRENGTH_SPREAD = 0.2
"""Spread of the logarithm of how strong each action unit is as a whole."""

MIDDLE_MM = 6.0
"""Half the width of the strip around the middle in which a turn to one side becomes a turn to the other."""

REST_UNITS: tuple[str, ...] = ("AU1", "AU2", "AU4", "AU5", "AU6", "AU7", "AU9", "AU10", "AU12", "AU14", "AU15", "AU16")
REST_UNITS += ("AU17", "AU20", "AU23", "AU24")
REST_SPREAD = 0.15
"""Spread of each of these action units in a face at rest, either way: one's brows at rest are another's frown.

Without those that part the lips, drop the jaw or close the eyes.
"""

SHARES_CONCENTRATION = 0.7
"""Of the Dirichlet distribution of the shares that several face models have in how a person's action unit looks."""

SHARES_BEYOND = 0.2
"""Spread by which the shares go beyond what any mixture of the models would be; they still sum to 1."""


@dataclass(frozen=True, eq=False)
class Person:
    """Someone who can be told to show an expression.

    Parameters
    ----------
    model : FaceModel
    identity : (I,) float
    neutral : (V, 3) float32, mm
        The face at rest, upright by its own landmarks (:mod:`~affectvlm.synthesis.upright`); landmark 31 at the origin.
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

    @cached_property
    def tip(self) -> np.ndarray:
        """(3,) float, mm: what :func:`~affectvlm.scan.normalize` takes for the nose tip of the face at rest.

        Each face model has its own place for landmark 31, some millimetres above or below.
        """
        return nose_tip(FaceScan(self.neutral, self.model.triangles), np.zeros(3), np.eye(3))

    def vertices(self, strengths: np.ndarray) -> np.ndarray:
        """(V, 3) float32, mm: the face with the given (A, 2) strengths of action units."""
        return _blend(self.neutral, self.shapes, self.model.weights(strengths), self.movement)

    def face(self, strengths: np.ndarray, source: str = "", texture: np.ndarray | None = None) -> FaceScan:
        """Make the mesh with the given (A, 2) strengths of action units."""
        model = self.model
        return FaceScan(self.vertices(strengths), model.triangles, model.uv, model.uv_triangles, texture, source)


Loan = tuple[np.ndarray, np.ndarray]
"""What :func:`~affectvlm.synthesis.transfer.lend_shapes` gives: shapes (S, V, 3), and which of them are lent (S,)."""


def draw_person(model: FaceModel, rng: np.random.Generator, variety: float = 1.0, loans: Sequence[Loan] = ()) -> Person:
    """Draw a person: a place on the model's axes, a warp, a way of moving and a style.

    Parameters
    ----------
    model : FaceModel
    rng : Generator
    variety : float
        How far people depart from the model and from the table of expressions: 0 for not at all, 1 for as far as the
        constants of this module and of :mod:`~affectvlm.synthesis.expressions` say.
    loans : sequence of (shapes, lent)
        How other face models would make this model's shapes: each of the person's action units is his own mixture, with
        the others' shares in it times ``variety``.
    """
    identity = model.draw_identity(rng)
    face = model.neutral_of(identity)
    warp = _draw_warp(face, WAVELENGTH_MM, rng) + FEATURE_SHARE * _draw_warp(face, FEATURE_WAVELENGTH_MM, rng)
    warped = face + np.float32(variety) * warp
    centred = warped - warped[model.landmarks[30]]
    movement = _draw_movement(model.neutral, rng, variety)
    style = draw_style(rng, variety)
    shapes = model.shapes_of(identity)
    if loans:
        shapes = _draw_mixture(model.shape_names, shapes, loans, rng, variety)
    if variety > 0:
        shapes = _draw_units(model.shape_names, shapes, model.neutral, rng, variety)
    at_rest = variety * _draw_rest(model.shape_names, rng)
    centred = _blend(centred, shapes, at_rest.astype(np.float32), np.eye(1, 4, dtype=np.float32).repeat(len(face), 0))
    centred -= centred[model.landmarks[30]]
    # Identity and warp lean the head by some degrees, which finding the pose of its scans takes away again.
    embedded = embedded_face()
    upright, _ = upright_turn(centred[model.landmarks], embedded.neutral[embedded.landmarks])
    turn = upright.astype(np.float32)
    movement[:, None, 1:] = _turned(movement[:, None, 1:], turn)
    return Person(model, identity, _turned(centred[None], turn)[0], _turned(shapes, turn), movement, style)


def _draw_mixture(
    names: Sequence[str], own: np.ndarray, loans: Sequence[Loan], rng: np.random.Generator, variety: float
) -> np.ndarray:
    """(S, V, 3) float32: each action unit between the models' ideas of it, and a little beyond; both sides alike."""
    lent = np.stack([np.ones(len(names), bool), *(known for _, known in loans)], axis=1)  # (S, models)
    shares = np.zeros(lent.shape, np.float32)
    drawn: dict[str, np.ndarray] = {}
    for s, name in enumerate(names):
        unit, known = name.partition("_")[0], np.flatnonzero(lent[s])
        if unit not in drawn:
            beyond = rng.normal(0, SHARES_BEYOND, lent.shape[1:])
            drawn[unit] = rng.dirichlet([SHARES_CONCENTRATION] * lent.shape[1]) + beyond - beyond.mean()
        # A model that lacks the action unit leaves its share to the others.
        shares[s, known] = drawn[unit][known] + (1 - drawn[unit][known].sum()) / len(known)
    # What the others give up is the model's own again; at a variety of 1 the shares are as drawn, to the last bit.
    shares *= np.float32(variety)
    shares[:, 0] += np.float32(1 - variety)
    mixed = shares[:, 0, None, None] * own
    for share, (shapes, _) in zip(shares.T[1:], loans, strict=True):
        mixed += share[:, None, None] * shapes
    return mixed


def _draw_units(
    names: Sequence[str], shapes: np.ndarray, points: np.ndarray, rng: np.random.Generator, variety: float
) -> np.ndarray:
    """(S, V, 3) float32: each action unit in a way of the person's own; both sides alike."""
    folded = np.abs(points[:, :1]) * np.array([1, 0, 0], np.float32) + points * np.array([0, 1, 1], np.float32)
    side = np.tanh(points[:, :1] / np.float32(MIDDLE_MM))
    # In a mirror a turn about x stays what it is, and those about y and z go the other way.
    mirror = np.concatenate([np.ones_like(side), side, side], axis=1)
    spread = variety * np.sqrt(2 / WAVES) * np.array([UNIT_SPREAD, *3 * [np.radians(UNIT_TURN_DEG)]])
    moved = np.empty_like(shapes)
    drawn: dict[str, np.ndarray] = {}
    for s, name in enumerate(names):
        unit = name.partition("_")[0]
        if unit not in drawn:
            waves, phases = _draw_waves(UNIT_WAVELENGTH_MM, rng)
            fields = _combined(_waves_at(folded, waves, phases), rng.standard_normal((WAVES, 4)) * spread)
            gain = np.exp(fields[:, :1] + np.float32(variety * rng.normal(0, UNIT_STRENGTH_SPREAD)))
            drawn[unit] = np.concatenate([gain, fields[:, 1:] * mirror], axis=1)
        moved[s] = _blend(np.zeros_like(points), shapes[s : s + 1], np.ones(1, np.float32), drawn[unit])
    return moved


def _draw_rest(names: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """(S,): how far each shape is there in the face at rest; both sides alike."""
    resting = dict(zip(REST_UNITS, rng.normal(0, REST_SPREAD, len(REST_UNITS)), strict=True))
    return np.array([resting.get(name.partition("_")[0], 0.0) for name in names])


def _draw_warp(points: np.ndarray, wavelength_mm: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """(V, 3) float32, mm: a smooth displacement, mostly the same on both sides."""
    waves, phases = _draw_waves(wavelength_mm, rng)
    # Long waves are given more height, so that each stretches the face alike.
    heights = rng.normal(0, WARP_STRAIN, (WAVES, 3)) / np.linalg.norm(waves, axis=1, keepdims=True)
    mirror = np.array([-1, 1, 1], np.float32)
    here, there = _waves_at(points, waves, phases), _waves_at(points * mirror, waves, phases)
    even = 0.5 * (_combined(here, heights) + mirror * _combined(there, heights))
    return (1 - ASYMMETRY) * even + ASYMMETRY * _combined(here, heights)


def _draw_movement(points: np.ndarray, rng: np.random.Generator, variety: float) -> np.ndarray:
    """(V, 4) float32: gain and rotation vector at each place."""
    waves, phases = _draw_waves(WAVELENGTH_MM, rng)
    spread = variety * np.sqrt(2 / WAVES) * np.array([MOVEMENT_SPREAD, *3 * [np.radians(TURN_SPREAD_DEG)]])
    fields = _combined(_waves_at(points, waves, phases), rng.standard_normal((WAVES, 4)) * spread)
    return np.concatenate([np.exp(fields[:, :1]), fields[:, 1:]], axis=1)


def _draw_waves(wavelength_mm: tuple[float, float], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Wave vectors (WAVES, 3) in radians a mm, and phases (WAVES,)."""
    directions = rng.standard_normal((WAVES, 3))
    shortest, longest = np.log(wavelength_mm)
    lengths = np.exp(rng.uniform(shortest, longest, WAVES))
    waves = 2 * np.pi * directions / (np.linalg.norm(directions, axis=1) * lengths)[:, None]
    return waves, rng.uniform(0, 2 * np.pi, WAVES)


def _waves_at(points: np.ndarray, waves: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """(V, WAVES) float32 in [-1, 1]."""
    return np.sin(np.einsum("vx,wx->vw", points, waves.astype(np.float32)) + phases.astype(np.float32))


def _combined(waves_at: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """(V, n) float32: the waves with their heights (WAVES, n)."""
    return np.einsum("vw,wn->vn", waves_at, heights.astype(np.float32))


@numba.njit(cache=True, nogil=True)
def _turned(vectors: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """(S, V, 3): each vector turned; compiled, since the shapes are many, and BLAS adds up as each machine likes."""
    turned = np.empty_like(vectors)
    for s in range(vectors.shape[0]):
        for v in range(vectors.shape[1]):
            x, y, z = vectors[s, v, 0], vectors[s, v, 1], vectors[s, v, 2]
            for axis in range(3):
                turned[s, v, axis] = turn[axis, 0] * x + turn[axis, 1] * y + turn[axis, 2] * z
    return turned


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
