"""Laying a statistical face on a scan: turn, shift, size and shape together, each as likely as the face says.

An iterated closest point with point-to-plane steps (Chen and Medioni, 1992). A rigid mean face takes a receding chin
for a head thrown back; here such differences among people are explained by the face's modes, which cost what they are
unlikely, and the turn is left with what no shape explains. Far partners count less (Geman and McClure, 1987).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numba
import numpy as np

from affectvlm.scan.face_shape import FaceShape, face_shape
from affectvlm.scan.least_squares import normal_equations, solve
from affectvlm.scan.surfels import BLOCK, Surfels

# The numbers were chosen on generated people of all three face models and all sensors.
SIGMA_MM = 1.5
"""Spread of the distance between a scan and the face that was found in it."""

POINT_SHARE = 0.15
"""How many independent observations a point stands for: neighbours err together."""

SIZE_SPREAD = 0.06
"""Of the logarithm of people's size, beyond the modes."""

ROBUST_MM = 4.0
"""Points this far from the scan count a quarter."""

ROUGH_REACH_MM = (20.0, 20.0, 15.0, 15.0, 12.0, 12.0)
"""How far a point looks for its partner, step by step, while few points and modes are used."""

ROUGH_ROBUST_MM = 5.0
ROUGH_EVERY, ROUGH_MODES = 6, 6

REACH_MM = 12.0
STEPS, LAST_STEPS = 18, 10
"""At most this many steps with all the modes, and then with all the points, too."""

FINE_EVERY = 2
"""Each so many-th point is enough to tell which fit is best."""

UNLIKELY_SHARE = 0.2
"""How much an unlikely shape adds to the misfit."""

ENOUGH, ENOUGH_OF_HALF = 0.8, 0.65
"""Share of a face, and of either half, that must be there for it to look like one."""

LEAST_PARTNERS = 12
MOST_TURN, STILL = 0.4, 5e-4
"""Radians: a step turns no more than the one, and is the last one when it turns less than the other."""

JUDGED_MM = 10.0
"""Points with no partner this near are missing in the scan."""

AGREEMENT = 0.4
"""Least cosine of the angle between the directions of partners."""


@dataclass(frozen=True)
class Fit:
    """Where and what the face is: its point m is at ``scale * rotation @ (m + modes @ shape) + translation``.

    Parameters
    ----------
    rotation : (3, 3) float
    translation : (3,) float, mm
    scale : float
    shape : (K,) float
    misfit : float
        0 (the scan is that face) to 1 (nothing is there).
    """

    rotation: np.ndarray
    translation: np.ndarray
    scale: float
    shape: np.ndarray
    misfit: float = 1.0

    @property
    def nose(self) -> np.ndarray:
        """(3,) float, mm: where the nose tip of the face with its shape is, about."""
        return self.translation + self.scale * self.rotation @ (_nose_modes() @ self.shape)


@lru_cache(maxsize=1)
def _nose_modes() -> np.ndarray:
    """(3, K), mm: how the modes move the points at the nose tip."""
    face = face_shape()
    return face.modes[np.hypot(face.points[:, 0], face.points[:, 1]) < 4].mean(axis=0)


@lru_cache(maxsize=2)
def part_of_face(every: int, modes: int | None) -> FaceShape:
    """Return each so many-th point of the statistical face, and so many of its modes, or all."""
    return face_shape().every(every, modes)


def rough(rotation: np.ndarray, nose: np.ndarray, surface: Surfels) -> Fit:
    """Fit few points and modes of the face from where it may be.

    Parameters
    ----------
    rotation : (3, 3) float
    nose : (3,) float, mm
    surface : Surfels
    """
    reach, robust = np.array(ROUGH_REACH_MM), np.full(len(ROUGH_REACH_MM), ROUGH_ROBUST_MM)
    start = Fit(rotation, nose, 1.0, np.zeros(ROUGH_MODES))
    return _fitted(start, surface, part_of_face(ROUGH_EVERY, ROUGH_MODES), reach, robust)


def fine(fit: Fit, surface: Surfels) -> Fit:
    """Go on from a fit with all the modes, and points enough to tell which fit is best."""
    return _with_all_modes(fit, surface, part_of_face(FINE_EVERY, None), STEPS)


def last(fit: Fit, surface: Surfels) -> Fit:
    """Go on from a fine fit with all the points."""
    return _with_all_modes(fit, surface, face_shape(), LAST_STEPS)


def _with_all_modes(fit: Fit, surface: Surfels, face: FaceShape, steps: int) -> Fit:
    shape = np.append(fit.shape, np.zeros(face.modes.shape[2] - len(fit.shape)))
    reach, robust = np.full(steps, REACH_MM), np.maximum(ROBUST_MM, 6.0 - np.arange(steps))
    return _fitted(replace(fit, shape=shape), surface, face, reach, robust)


def _fitted(fit: Fit, surface: Surfels, face: FaceShape, reach: np.ndarray, robust: np.ndarray) -> Fit:
    """Take steps from a fit: as many as there are reaches ((N,) mm) and robust distances ((N,) mm)."""
    start = fit.rotation.copy(), fit.translation.copy(), fit.scale, fit.shape.copy()
    return Fit(*_fit(*start, surface, face, reach, robust))


@numba.njit(cache=True, nogil=True)
def _fit(rotation, translation, scale, shape, surface, face, reach, robust):  # type: ignore[no-untyped-def]
    count, size = face.points.shape[0], 7 + shape.shape[0]
    placed, turned = np.empty((count, 3)), np.empty((count, 3))
    partner = np.empty(count, np.int64)
    jacobian, weights, gaps = np.empty((count, size)), np.empty(count), np.empty(count)
    matrix, pull = np.empty((size, size)), np.empty(size)
    for step in range(reach.shape[0]):
        _place(rotation, translation, scale, shape, face, placed, turned)
        _pair(placed, turned, reach[step], surface, partner)
        centre = np.zeros(3)
        rows = 0
        for m in range(count):
            if partner[m] >= 0:
                rows += 1
                centre += placed[m]
        if rows < max(LEAST_PARTNERS, 0.05 * count):
            break
        centre /= rows
        _linearise(rotation, scale, centre, surface, face, placed, partner, robust[step], jacobian, weights, gaps)
        normal_equations(jacobian[:rows], weights, gaps, matrix, pull)
        for c in range(6):
            matrix[c, c] += 1e-6
        matrix[6, 6] += 1 / SIZE_SPREAD**2
        pull[6] -= math.log(scale) / SIZE_SPREAD**2
        for c in range(7, size):
            matrix[c, c] += 1
            pull[c] -= shape[c - 7]
        solve(matrix, pull)
        change = pull
        angle = math.sqrt(change[0] ** 2 + change[1] ** 2 + change[2] ** 2)
        turn = _turn(change[:3] * min(1.0, MOST_TURN / max(angle, 1e-12)))
        growth = math.exp(min(max(change[6], -0.1), 0.1))
        translation = centre + change[3:6] + growth * np.dot(turn, translation - centre)
        rotation = np.dot(turn, rotation)
        scale *= growth
        shape = shape + change[7:]
        if angle < STILL and step > 4:
            break
    _place(rotation, translation, scale, shape, face, placed, turned)
    _pair(placed, turned, JUDGED_MM, surface, partner)
    unlikely = np.dot(shape, shape) / shape.shape[0]
    misfit = min(1.0, 1.0 - _likeness(rotation, face, surface, partner) + UNLIKELY_SHARE * unlikely)
    return rotation, translation, scale, shape, misfit


@numba.njit(cache=True, nogil=True)
def _place(rotation, translation, scale, shape, face, placed, turned):  # type: ignore[no-untyped-def]
    """Write the face's points and directions as they lie in the scan."""
    for m in range(placed.shape[0]):
        x, y, z = face.points[m, 0], face.points[m, 1], face.points[m, 2]
        for c in range(shape.shape[0]):
            x += face.modes[m, 0, c] * shape[c]
            y += face.modes[m, 1, c] * shape[c]
            z += face.modes[m, 2, c] * shape[c]
        u, v, w = face.normals[m, 0], face.normals[m, 1], face.normals[m, 2]
        for a in range(3):
            placed[m, a] = scale * (rotation[a, 0] * x + rotation[a, 1] * y + rotation[a, 2] * z) + translation[a]
            turned[m, a] = rotation[a, 0] * u + rotation[a, 1] * v + rotation[a, 2] * w


@numba.njit(cache=True, nogil=True)
def _linearise(  # type: ignore[no-untyped-def]
    rotation, scale, centre, surface, face, placed, partner, robust, jacobian, weights, gaps
):
    """Write, for each point with a partner, how far it is from its plane, and how a change of the fit alters that.

    The columns: a turn about ``centre`` (3), a shift (3), growth (1), the shape (K).
    """
    row = 0
    for m in range(placed.shape[0]):
        q = partner[m]
        if q < 0:
            continue
        u, v, w = surface.normals[q, 0], surface.normals[q, 1], surface.normals[q, 2]
        x, y, z = placed[m, 0] - centre[0], placed[m, 1] - centre[1], placed[m, 2] - centre[2]
        j = jacobian[row]
        j[0], j[1], j[2] = y * w - z * v, z * u - x * w, x * v - y * u
        j[3], j[4], j[5] = u, v, w
        j[6] = x * u + y * v + z * w
        # The plane's direction in the face's own frame.
        own_u = scale * (rotation[0, 0] * u + rotation[1, 0] * v + rotation[2, 0] * w)
        own_v = scale * (rotation[0, 1] * u + rotation[1, 1] * v + rotation[2, 1] * w)
        own_w = scale * (rotation[0, 2] * u + rotation[1, 2] * v + rotation[2, 2] * w)
        for c in range(face.modes.shape[2]):
            j[7 + c] = own_u * face.modes[m, 0, c] + own_v * face.modes[m, 1, c] + own_w * face.modes[m, 2, c]
        gap = 0.0
        for a in range(3):
            gap += surface.normals[q, a] * (surface.points[q, a] - placed[m, a])
        gaps[row] = gap
        # What expressions and age move most counts less: the mouth, the chin, the cheeks.
        share = POINT_SHARE * math.sqrt(face.weights[m] * placed.shape[0])
        weights[row] = share / SIGMA_MM**2 / (1 + (gap / robust) ** 2) ** 2
        row += 1


@numba.njit(cache=True, nogil=True)
def _pair(placed, turned, reach, surface, partner):  # type: ignore[no-untyped-def]
    """Write the number of each placed point's partner; -1 for none that is in reach and faces the same way."""
    slot, corner, cell = surface.slot, surface.corner, surface.cell
    for m in range(placed.shape[0]):
        partner[m] = -1
        x, y, z = placed[m, 0], placed[m, 1], placed[m, 2]
        i, j, k = int((x - corner[0]) / cell), int((y - corner[1]) / cell), int((z - corner[2]) / cell)
        if i < 1 or j < 1 or k < 1 or i >= slot.shape[0] - 1 or j >= slot.shape[1] - 1 or k >= slot.shape[2] - 1:
            continue
        least = reach * reach
        for a in range(i - 1, i + 2):
            for b in range(j - 1, j + 2):
                for c in range(k - 1, k + 2):
                    q = slot[a, b, c]
                    if q >= 0:
                        squared = _squared_distance(surface.points, q, x, y, z)
                        if squared < least and _cosine(surface.normals, q, turned, m) > AGREEMENT:
                            least = squared
                            partner[m] = q
        if partner[m] < 0:
            q = _nearest(x, y, z, surface.nearest[i // BLOCK, j // BLOCK, k // BLOCK], surface)
            if (
                q >= 0
                and _squared_distance(surface.points, q, x, y, z) < least
                and _cosine(surface.normals, q, turned, m) > AGREEMENT
            ):
                partner[m] = q


@numba.njit(cache=True, nogil=True)
def _nearest(x, y, z, q, surface):  # type: ignore[no-untyped-def]
    """Go from a patch, the nearest to a block's middle or -1, to its neighbours as long as one is nearer to a place."""
    points, slot, corner, cell = surface.points, surface.slot, surface.corner, surface.cell
    before = np.int32(-1)
    while q != before:
        before = q
        least = _squared_distance(points, q, x, y, z)
        i = int((points[q, 0] - corner[0]) / cell)
        j = int((points[q, 1] - corner[1]) / cell)
        k = int((points[q, 2] - corner[2]) / cell)
        for a in range(i - 1, i + 2):
            for b in range(j - 1, j + 2):
                for c in range(k - 1, k + 2):
                    other = slot[a, b, c]
                    if other >= 0:
                        squared = _squared_distance(points, other, x, y, z)
                        if squared < least:
                            least = squared
                            q = other
    return q


@numba.njit(cache=True, nogil=True, inline="always")
def _squared_distance(points, i, x, y, z):  # type: ignore[no-untyped-def]
    return (points[i, 0] - x) ** 2 + (points[i, 1] - y) ** 2 + (points[i, 2] - z) ** 2


@numba.njit(cache=True, nogil=True, inline="always")
def _cosine(first, i, second, j):  # type: ignore[no-untyped-def]
    return first[i, 0] * second[j, 0] + first[i, 1] * second[j, 1] + first[i, 2] * second[j, 2]


@numba.njit(cache=True, nogil=True)
def _turn(vector):  # type: ignore[no-untyped-def]
    """(3, 3): the rotation by a rotation vector (Rodrigues)."""
    angle = math.sqrt(vector[0] ** 2 + vector[1] ** 2 + vector[2] ** 2)
    turn = np.eye(3)
    if angle > 0:
        sine, versine = math.sin(angle) / angle, (1 - math.cos(angle)) / angle**2
        x, y, z = vector[0], vector[1], vector[2]
        cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
        turn += sine * cross + versine * np.dot(cross, cross)
    return turn


@numba.njit(cache=True, nogil=True)
def _likeness(rotation, face, surface, partner):  # type: ignore[no-untyped-def]
    """Tell how much of what sets a face's directions apart from a bowl's is in the scan too: their correlation.

    It counts less when too little of the face, or of its left or right half, is there.
    """
    both = of_faces = of_scans = 0.0
    there, whole = np.zeros(2), np.zeros(2)
    for m in range(partner.shape[0]):
        side = 1 if face.points[m, 0] > 0 else 0
        whole[side] += face.weights[m]
        q = partner[m]
        if q < 0:
            continue
        there[side] += face.weights[m]
        for a in range(3):
            seen = (
                rotation[0, a] * surface.normals[q, 0]
                + rotation[1, a] * surface.normals[q, 1]
                + rotation[2, a] * surface.normals[q, 2]
            )
            of_face, of_scan = face.normals[m, a] - face.plain[m, a], seen - face.plain[m, a]
            both += face.weights[m] * of_face * of_scan
            of_faces += face.weights[m] * of_face**2
            of_scans += face.weights[m] * of_scan**2
    if of_faces * of_scans == 0:
        return 0.0
    half = min(there[0] / whole[0], there[1] / whole[1])
    enough = min(1.0, half / ENOUGH_OF_HALF, there.sum() / (ENOUGH * whole.sum()))
    return both / math.sqrt(of_faces * of_scans) * enough
