"""Finding a face in a scan: a small mean face is laid on it, from as many starting poses as it takes.

Each fit is an iterated closest point with point-to-plane steps (Chen and Medioni, 1992), trimmed by distance and by
direction. The mean face takes on the person's size while it is fitted, which makes pose and nose tip more exact; the
scan itself is only ever moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, permutations, product
from pathlib import Path

import numpy as np
from scipy.ndimage import maximum_filter, uniform_filter
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

COARSE_REACH_MM = (25.0, 20.0, 15.0, 15.0)
"""How far a point of the mean face looks for its partner, step by step, while only some of its points do."""

FINE_REACH_MM = 10.0
"""The same once the face is nearly in place."""

SIZE_STIFFNESS = 100.0
"""How hard (mm2) the mean face's own size is held: without, it shrinks until it fits anywhere."""

FINE_STEPS = 16
"""At most this many steps with all the points."""

SURE_MISFIT = 0.39
"""A fit below this is taken without looking further: nothing but a face comes so near."""

FRONTAL_MISFIT = 0.45
"""The same for a fit within ``FRONTAL_DEG`` of upright and frontal, as scans mostly are."""

FRONTAL_DEG = 15.0

MAX_MISFIT = 0.5
"""A face very unlike the mean; above, the mean face lies on a cheek, an ear or no face at all."""

MAX_FRONTAL_MISFIT = 0.56
"""The same within ``FRONTAL_DEG`` of upright and frontal: chance rarely finds a face just there (in an egg: 0.58)."""

HEAD_MM = 250.0
"""From the top of the hair to the nose tip, at most."""


@dataclass(frozen=True)
class Surface:
    """Points spread evenly over a scan.

    Parameters
    ----------
    points : (P, 3) float, mm
    normals : (P, 3) float
    tree : cKDTree over ``points``
    inside_out : bool
        Whether the normals were turned round, because the scan's triangles face inwards.
    """

    points: np.ndarray
    normals: np.ndarray
    tree: cKDTree
    inside_out: bool = False


@dataclass(frozen=True)
class MeanFace:
    """Points of the mean face: nose tip at the origin, facing +z.

    Parameters
    ----------
    points : (M, 3) float, mm
    normals : (M, 3) float
    weights : (M,) float
        Less where expressions move the face.
    """

    points: np.ndarray
    normals: np.ndarray
    weights: np.ndarray

    def every(self, step: int) -> MeanFace:
        """Return each ``step``-th point."""
        return MeanFace(self.points[::step], self.normals[::step], self.weights[::step])

    def placed(self, fit: Fit) -> np.ndarray:
        """(M, 3) float, mm: the points as they lie in the scan."""
        return fit.scale * self.points @ fit.rotation.T + fit.translation


@dataclass(frozen=True)
class Fit:
    """Where the mean face lies: its point m is at ``scale * rotation @ m + translation``.

    Parameters
    ----------
    rotation : (3, 3) float
    translation : (3,) float, mm
        The mean face's nose tip.
    scale : float
    misfit : float
        0 (the same face) to 1 (no face there).
    """

    rotation: np.ndarray
    translation: np.ndarray
    scale: float = 1.0
    misfit: float = 1.0

    @property
    def frontal(self) -> bool:
        """Whether the scan is upright and faces the camera as it is."""
        return bool(np.degrees(Rotation.from_matrix(self.rotation).magnitude()) < FRONTAL_DEG)

    @property
    def tension(self) -> float:
        """The misfit in parts of what is allowed at this pose: above 1 there is no face."""
        return self.misfit / (MAX_FRONTAL_MISFIT if self.frontal else MAX_MISFIT)


@lru_cache(maxsize=1)
def mean_face() -> MeanFace:
    """Load the mean face that the package carries (made by ``tools/make_mean_face.py``)."""
    with np.load(Path(__file__).with_name("mean_face.npz"), allow_pickle=False) as arrays:
        return MeanFace(*(arrays[name].astype(np.float64) for name in ("points", "normals", "weights")))


def find_face(surface: Surface) -> Fit:
    """Lay the mean face on a scan.

    Starts are tried in rounds, the likely ones first: upright and frontal; turned by up to 50 degrees; with other
    axes than ours up and forward. A sure fit ends the search at once.

    Returns
    -------
    Fit
        The one of least ``tension``.
    """
    fits = []
    for fit in chain(_round(surface, _FRONTAL, 3, 2), _round(surface, _TURNED, 16, 4)):
        if fit.misfit < (FRONTAL_MISFIT if fit.frontal else SURE_MISFIT):
            return fit
        fits.append(fit)
    # With any axes, chance finds faces upside down: only a sure one counts.
    other_axes = (fit for fit in _round(surface, _OTHER_AXES, 24, 4) if fit.misfit < SURE_MISFIT)
    return next(other_axes, min(fits, key=lambda fit: fit.tension))


def _round(surface: Surface, rotations: list[np.ndarray], starts: int, tries: int) -> Iterator[Fit]:
    """Fit from the most likely starts roughly, and yield the best of these fits after fitting them finely."""
    roughly = [_roughly(start, surface) for start in _likely_starts(surface, rotations, starts)]
    for fit in sorted(roughly, key=lambda fit: fit.misfit)[:tries]:
        yield _finely(fit, surface)


def _roughly(fit: Fit, surface: Surface) -> Fit:
    """Pull a start towards the face, with few points and a long reach."""
    face = mean_face().every(6)
    for reach in COARSE_REACH_MM:
        fit, _ = _step(fit, face, surface, reach)
    return _judged(fit, face, surface)


def _finely(fit: Fit, surface: Surface) -> Fit:
    """Bring a rough fit into place, with all points."""
    face = mean_face()
    for _ in range(FINE_STEPS):
        fit, turn = _step(fit, face, surface, FINE_REACH_MM)
        if turn < 1e-3:
            break
    return _judged(fit, face, surface)


def _step(fit: Fit, face: MeanFace, surface: Surface, reach: float) -> tuple[Fit, float]:
    """Take one Gauss-Newton step of turn, shift and growth; also return the turn in radians."""
    placed = face.placed(fit)  # (M, 3)
    normals, gap, agreement = _partners(placed, fit, face, surface, reach)
    weights = face.weights * (agreement > 0.5) / (1 + (gap / 3) ** 2)
    total = weights.sum()
    if total < 0.1 * face.weights.sum():
        return fit, 0.0
    centre = weights @ placed / total
    arm = placed - centre
    # How the distance to the partner's plane changes with a turn (3), a shift (3) and growth (1).
    jacobian = np.column_stack([np.cross(arm, normals), normals, np.einsum("mx,mx->m", arm, normals)])  # (M, 7)
    weighted = jacobian * weights[:, None]
    # Turn and shift are only damped; size is drawn back to the mean's.
    stiffness = np.array([1.0, 1.0, 1.0, 1e-3, 1e-3, 1e-3, SIZE_STIFFNESS]) * total
    drawn = np.array([0, 0, 0, 0, 0, 0, fit.scale - 1])
    change = np.linalg.solve(weighted.T @ jacobian + np.diag(stiffness), weighted.T @ gap - stiffness * drawn)
    turn = Rotation.from_rotvec(change[:3]).as_matrix()
    growth = np.clip(fit.scale + change[6], 0.75, 1.3) / fit.scale
    nose = centre + change[3:6] + growth * turn @ (fit.translation - centre)
    return Fit(turn @ fit.rotation, nose, fit.scale * growth), float(np.linalg.norm(change[:3]))


def _partners(
    placed: np.ndarray, fit: Fit, face: MeanFace, surface: Surface, reach: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find each placed point's partner on the scan.

    Returns
    -------
    normals : (M, 3) float
        The partner's.
    gap : (M,) float, mm
        Distance to the partner's plane, along its normal.
    agreement : (M,) float
        Cosine of the angle between the two normals; -1 where no partner is in reach.
    """
    distance, index = surface.tree.query(placed, distance_upper_bound=reach)
    found = np.isfinite(distance)
    index = np.where(found, index, 0)
    normals = surface.normals[index]
    gap = np.einsum("mx,mx->m", surface.points[index] - placed, normals)
    agreement = np.einsum("mx,mx->m", face.normals @ fit.rotation.T, normals)
    return normals, gap, np.where(found, agreement, -1.0)


def _judged(fit: Fit, face: MeanFace, surface: Surface) -> Fit:
    """Set the misfit: the mean, over the face, of the distance in units of 10 mm and the difference in direction.

    Each point counts at most 1. Direction is what tells a face from a cheek, an ear or a smooth ball.
    """
    _, gap, agreement = _partners(face.placed(fit), fit, face, surface, 10.0)
    differs = np.where(agreement > 0.5, np.minimum(np.abs(gap) / 10 + 2 * (1 - agreement), 1), 1)
    return replace(fit, misfit=float(differs @ face.weights / face.weights.sum()))


def _likely_starts(surface: Surface, rotations: list[np.ndarray], count: int) -> list[Fit]:
    """Rank (rotation, nose) starts by how far the coarse mean face is from the scan there; return the best few."""
    face = mean_face().every(12)
    starts = [Fit(r, nose) for r in rotations for nose in _protruding(surface.points, r)]
    turns = np.stack([start.rotation for start in starts])  # (S, 3, 3)
    placed = np.einsum("sij,mj->smi", turns, face.points) + np.stack([s.translation for s in starts])[:, None]
    distance, index = surface.tree.query(placed, distance_upper_bound=20.0)  # (S, M)
    facing = np.einsum("sij,mj->smi", turns, face.normals)
    found = np.isfinite(distance)
    agree = (facing * surface.normals[np.where(found, index, 0)]).sum(axis=-1) > 0.3
    rank = np.where(found & agree, distance, 20.0) @ np.sqrt(face.weights)
    return [starts[i] for i in np.argsort(rank, kind="stable")[:count]]


def _protruding(points: np.ndarray, rotation: np.ndarray, cell: float = 10.0, count: int = 8) -> np.ndarray:
    """Points that stand out most from the 70 mm around them, when the scan's face looks along ``rotation``'s +z."""
    seen = points @ rotation  # the scan turned back to the camera
    # The nose is no lower than this under the top of the head: shoulders, arms and a body are left out.
    high = seen[:, 1] > seen[:, 1].max() - HEAD_MM
    points, seen = points[high], seen[high]
    corner = seen[:, :2].min(axis=0)
    column, row = ((seen[:, :2] - corner) / cell).astype(int).T
    shape = (row.max() + 1, column.max() + 1)
    nearest = np.full(shape, -1)
    order = np.argsort(seen[:, 2], kind="stable")
    nearest[row[order], column[order]] = order  # the last one written is the nearest to the camera
    there = nearest >= 0
    height = np.where(there, seen[nearest, 2], 0.0)
    around = uniform_filter(height, 7, mode="constant") / np.maximum(
        uniform_filter(there.astype(float), 7, mode="constant"), 1e-6
    )
    relief = np.where(there, height - around, -np.inf)
    peaks = there & (relief == maximum_filter(relief, 3, mode="constant", cval=-np.inf))
    strongest = np.argsort(-relief[peaks], kind="stable")[:count]
    return points[nearest[peaks][strongest]]


def _turns(yaw: Iterable[float], pitch: Iterable[float], roll: Iterable[float]) -> list[np.ndarray]:
    return [Rotation.from_euler("YXZ", angles, degrees=True).as_matrix() for angles in product(yaw, pitch, roll)]


def _axis_conventions() -> list[np.ndarray]:
    """Return the 24 ways to lay right-handed axes along the coordinate axes."""
    rotations = []
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3)):
        matrix = np.zeros((3, 3))
        matrix[range(3), order] = signs
        if np.linalg.det(matrix) > 0:
            rotations.append(matrix)
    return rotations


_FRONTAL = [np.eye(3)]
_TURNED = _turns((-50, -25, 0, 25, 50), (-25, 0, 25), (-25, 0, 25))
_OTHER_AXES = [axes @ turn for axes in _axis_conventions() for turn in _turns((-30, 0, 30), (0,), (0,))]
