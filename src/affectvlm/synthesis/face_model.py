"""What every generated face comes from: a neutral mesh, axes of identity, and one shape for each action unit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from affectvlm.synthesis.action_units import UNIT_INDEX

REGIONS = ("skin", "eyes", "mouth", "teeth")
"""What a vertex is part of; ``mouth`` is all that lies behind the lips but the teeth (gums, tongue, palate)."""

ANCESTRY = "ancestry_"
"""Axes named ``ancestry_african``, ``ancestry_european``, ... share one whole: their coefficients sum to 1."""

ANCESTRY_CONCENTRATION = 0.25
"""Of the Dirichlet distribution of these shares: most people are mostly of one, some of two."""


@dataclass(frozen=True, eq=False)
class FaceModel:
    """A linear model of faces: vertices = neutral + identity coefficients x axes + weights x shapes.

    Parameters
    ----------
    name : str
    neutral : (V, 3) float32
        Millimetres, facing +z, +y up, nose tip at the origin: as :func:`~affectvlm.scan.normalize` leaves a face.
    triangles : (T, 3) int32
        Counter-clockwise seen from outside.
    regions : (V,) uint8
        Index into :data:`REGIONS`.
    landmarks : (68,) int32
        Vertices of the 68 points of Multi-PIE and iBUG: 0-16 jaw line from the subject's right ear to his left,
        17-21 right brow, 22-26 left brow, 27-30 nose ridge down to the tip, 31-35 under the nose, 36-41 right eye,
        42-47 left eye, 48-59 lips' outer edge, 60-67 their inner edge.
    axes : (I, V, 3) float32
        What one standard deviation along each axis of identity adds.
    axis_names : tuple of I str
        Among them perhaps ``sex`` (negative: female), ``age`` (in standard deviations) and shares of ancestry
        (``ancestry_african``, ...), which words can name.
    shapes : (S, V, 3) float32
        What each action unit adds at its full strength.
    shape_names : tuple of S str
        ``AU12_L`` and ``AU12_R`` (the subject's own left, +x, and right) or, for one that has no sides, ``AU26``.
        Not every model has a shape for every action unit.
    shape_changes : mapping of axis name -> (S, V, 3) float32
        How a coefficient of 1 on that axis of identity alters the shapes.
    uv, uv_triangles : optional
        As in :class:`~affectvlm.scan.FaceScan`.
    """

    name: str
    neutral: np.ndarray
    triangles: np.ndarray
    regions: np.ndarray
    landmarks: np.ndarray
    axes: np.ndarray
    axis_names: tuple[str, ...]
    shapes: np.ndarray
    shape_names: tuple[str, ...]
    shape_changes: Mapping[str, np.ndarray] = field(default_factory=dict)
    uv: np.ndarray | None = None
    uv_triangles: np.ndarray | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the whole model: faces made of two models with the same one are the same."""
        arrays = [self.neutral, self.triangles, self.regions, self.landmarks, self.axes, self.shapes]
        arrays += [self.shape_changes[name] for name in sorted(self.shape_changes)]
        arrays += [array for array in (self.uv, self.uv_triangles) if array is not None]
        content = b"".join(hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest() for array in arrays)
        names = (self.axis_names, self.shape_names, sorted(self.shape_changes))
        return hashlib.sha256(content + repr(names).encode()).hexdigest()[:16]

    def draw_identity(self, rng: np.random.Generator) -> np.ndarray:
        """Draw a person's place on the axes: (I,) float, standard normal but for the shares of ancestry."""
        identity = rng.standard_normal(len(self.axes))
        ancestry = [i for i, name in enumerate(self.axis_names) if name.startswith(ANCESTRY)]
        if ancestry:
            identity[ancestry] = rng.dirichlet([ANCESTRY_CONCENTRATION] * len(ancestry))
        return identity

    def neutral_of(self, identity: np.ndarray) -> np.ndarray:
        """(V, 3) float32: a person's face at rest, for his (I,) place on the axes."""
        # einsum without BLAS adds up in one order, so that every machine and number of threads finds the same bytes.
        return self.neutral + np.einsum("i,ivx->vx", np.asarray(identity, np.float32), self.axes)

    def shapes_of(self, identity: np.ndarray) -> np.ndarray:
        """(S, V, 3) float32: what each action unit adds to a person's face."""
        shapes = self.shapes
        for name, change in self.shape_changes.items():
            shapes = shapes + np.float32(identity[self.axis_names.index(name)]) * change
        return shapes

    def weights(self, strengths: np.ndarray) -> np.ndarray:
        """Tell the shapes' weights for strengths of action units.

        Parameters
        ----------
        strengths : (..., A, 2) float
            As :func:`~affectvlm.synthesis.action_units.action_strengths` lays them out. A shape without sides takes
            the mean of both; what the model has no shape for is left out.

        Returns
        -------
        (..., S) float32
        """
        columns = []
        for name in self.shape_names:
            unit, _, side = name.partition("_")
            both = strengths[..., UNIT_INDEX[unit], :]
            columns.append({"L": both[..., 0], "R": both[..., 1], "": both.mean(axis=-1)}[side])
        return np.stack(columns, axis=-1).astype(np.float32)

    def attributes(self, identity: np.ndarray) -> dict[str, str]:
        """Name what words can say of an identity.

        Returns
        -------
        dict
            ``sex`` (female, male), ``age`` (young, middle-aged, older) and ``ancestry`` (such as african: the one
            that most of the face is of); only what the model knows.
        """
        value = dict(zip(self.axis_names, identity, strict=True))
        named = {}
        if "sex" in value:
            named["sex"] = "male" if value["sex"] > 0 else "female"
        if "age" in value:
            named["age"] = "young" if value["age"] < -0.5 else "older" if value["age"] > 0.5 else "middle-aged"
        shares = {name.removeprefix(ANCESTRY): share for name, share in value.items() if name.startswith(ANCESTRY)}
        if shares:
            named["ancestry"] = max(shares, key=shares.__getitem__)
        return named
