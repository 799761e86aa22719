"""Action units that one face model lends another: the same muscle as several hands have sculpted or measured it.

Every face model has its own idea of how each action unit moves the skin, and a recognizer that learns from few models
learns these ideas. Places of two models correspond where their landmarks, and what lies between them, do; along that
correspondence the movement is carried over. What lies behind the lips keeps its own idea, and follows the jaw.
"""

from __future__ import annotations

import numpy as np
from scipy.interpolate import RBFInterpolator
from scipy.spatial import cKDTree

from affectvlm.scan import FaceScan
from affectvlm.synthesis.face_model import ANCESTRY, REGIONS, FaceModel

NOT_LENT = ("AU43",)
"""Lids close by their own eyes' opening, or leave a slit."""

NORMAL_MM = 15.0
"""Places whose normals differ by 60 degrees count as this far apart: the two lips touch, and are not the same place."""

NEAREST = 6
"""Places of the lender that a place of the borrower takes its movement from."""

REACH_MM = 12.0
"""Beyond this distance from the lender's surface (it may have no ears or neck), its movement fades out."""

MIDDLE_MM = 6.0
"""Half the width of the strip around the middle in which one side's movement turns into the other's."""

MOUTH = (*range(6, 11), *range(48, 68))
"""Landmarks of chin and lips: what lies behind the lips moves as far as these do."""

LIP_MM = 4.0
"""Behind the lips the mouth's lining goes with them this far in."""


def lend_shapes(lender: FaceModel, borrower: FaceModel) -> tuple[np.ndarray, np.ndarray]:
    """Carry a face model's action units over to another model.

    Parameters
    ----------
    lender, borrower : FaceModel

    Returns
    -------
    shapes : (S, V, 3) float32, mm
        What each of the borrower's shapes would add by the lender's idea of it, in proportion to the size of the
        face. The eyeballs stay where they are.
    lent : (S,) bool
        Which of them the lender knows and lends; the others are zero.
    """
    lending, borrowing = _typical_identity(lender), _typical_identity(borrower)
    face, own_face = lender.neutral_of(lending), borrower.neutral_of(borrowing)
    marks, own_marks = face[lender.landmarks], own_face[borrower.landmarks]
    scale = np.float32(_size(own_marks) / _size(marks))
    # The lender's face is drawn over the borrower's by their landmarks, all else going along smoothly. It is the
    # shift that is interpolated: places as such would not reach beyond the landmarks, to forehead and neck.
    drawn = face + RBFInterpolator(marks, own_marks - marks, kernel="linear", smoothing=1.0)(face).astype(np.float32)
    skin, weights, nearest = _correspondence(drawn, lender, own_face, borrower)
    inside = _Inside(own_face, borrower)
    units, own_shapes = _units(lender, face, lender.shapes_of(lending)), borrower.shapes_of(borrowing)
    lent = np.array([name in units for name in borrower.shape_names])
    shapes = np.zeros_like(own_shapes)
    for i in np.flatnonzero(lent):
        moved = units[borrower.shape_names[i]]
        shapes[i, skin] = scale * np.einsum("vk,vkx->vx", weights, moved[nearest])
        inside.follow(shapes[i], own_shapes[i])
    return shapes, lent


class _Inside:
    """What lies behind the lips: it moves as in the borrower's own shapes, as far as the lent ones move the mouth.

    Teeth and tongue that took the movement of the lender's nearest ones would be torn: some are nearest to those of
    the other jaw.
    """

    def __init__(self, face: np.ndarray, model: FaceModel) -> None:
        self.mouth = model.landmarks[list(MOUTH)]
        self.teeth, self.lining = _region(model, "teeth"), _region(model, "mouth")
        skin, oriented = _region(model, "skin"), _oriented(face, model)
        behind, nearest = cKDTree(oriented[skin]).query(oriented[self.lining])
        self.lip = skin[nearest]
        self.with_lip = np.exp(-behind / LIP_MM).astype(np.float32)[:, None]

    def follow(self, shape: np.ndarray, own: np.ndarray) -> None:
        """Fill in the inside of a lent shape ((V, 3) mm), whose skin has moved, by the borrower's own."""
        here, there = shape[self.mouth], own[self.mouth]
        # Where the own shape leaves the mouth still (0.1 mm^2), so is its inside.
        share = np.float32((here * there).sum(axis=1).mean() / ((there * there).sum(axis=1).mean() + 0.1))
        shape[self.teeth] = share * own[self.teeth]
        beside_lip = shape[self.lip] - share * own[self.lip]
        shape[self.lining] = share * own[self.lining] + self.with_lip * beside_lip


def _units(model: FaceModel, face: np.ndarray, shapes: np.ndarray) -> dict[str, np.ndarray]:
    """(V, 3) mm by name: what the model lends, each action unit by sides and without."""
    right = 1 / (1 + np.exp(2 / MIDDLE_MM * face[:, :1]))  # his own right is at -x
    units = dict(zip(model.shape_names, shapes, strict=True))
    for name, shape in list(units.items()):
        unit, _, side = name.partition("_")
        if not side:
            units |= {f"{unit}_L": (1 - right) * shape, f"{unit}_R": right * shape}
        elif side == "L":
            units[unit] = shape + units[f"{unit}_R"]
    return {name: shape for name, shape in units.items() if name.partition("_")[0] not in NOT_LENT}


def _typical_identity(model: FaceModel) -> np.ndarray:
    """(I,): the mean face, with equal shares of all ancestries."""
    of_ancestry = np.array([name.startswith(ANCESTRY) for name in model.axis_names], bool)
    return of_ancestry / max(1, of_ancestry.sum())


def _size(points: np.ndarray) -> float:
    return float(np.linalg.norm(points - points.mean(axis=0)))


def _region(model: FaceModel, name: str) -> np.ndarray:
    return np.flatnonzero(model.regions == REGIONS.index(name))


def _oriented(vertices: np.ndarray, model: FaceModel) -> np.ndarray:
    """(V, 6): places and directions of a face's surface, both in mm."""
    return np.hstack([vertices, NORMAL_MM * FaceScan(vertices, model.triangles).vertex_normals])


def _correspondence(
    drawn: np.ndarray, lender: FaceModel, face: np.ndarray, borrower: FaceModel
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find where the borrower's skin takes its movement from.

    Parameters
    ----------
    drawn, face : (V, 3) float32, mm
        The lender's face, drawn over the borrower's.

    Returns
    -------
    skin : (n,) int
        The borrower's vertices.
    weights : (n, NEAREST) float32
    nearest : (n, NEAREST) int
        The lender's vertices.
    """
    skin, theirs = _region(borrower, "skin"), _region(lender, "skin")
    distance, which = cKDTree(_oriented(drawn, lender)[theirs]).query(_oriented(face, borrower)[skin], NEAREST)
    nearest = theirs[which]
    shares = 1 / (distance + 0.5) ** 2
    apart = np.linalg.norm(drawn[nearest[:, 0]] - face[skin], axis=1)
    fade = np.clip(2 - apart / REACH_MM, 0, 1)[:, None]
    return skin, (fade * shares / shares.sum(axis=1, keepdims=True)).astype(np.float32), nearest
