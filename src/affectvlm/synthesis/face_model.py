"""What every generated face comes from: a neutral mesh, axes of identity, and one shape for each action unit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from affectvlm.scan import FaceScan


@dataclass(frozen=True, eq=False)
class FaceModel:
    """A linear model of faces: vertices = neutral + identity coefficients x axes + weights x shapes.

    Parameters
    ----------
    name : str
    neutral : (V, 3) float32
        Millimetres, facing +z, +y up, nose tip at the origin.
    triangles : (T, 3) int32
        Counter-clockwise seen from outside.
    axes : (I, V, 3) float32
        What one standard deviation along each axis of identity adds.
    axis_names : tuple of I str
        Among them perhaps ``sex`` (negative: female) and ``age`` (in standard deviations), which words can name.
    shapes : (S, V, 3) float32
        What each action unit adds at its full strength.
    shape_names : tuple of S str
        ``AU12_L`` and ``AU12_R`` (the subject's own left, +x, and right) or, for one that has no sides, ``AU26``.
    uv, uv_triangles : optional
        As in :class:`~affectvlm.scan.FaceScan`.
    """

    name: str
    neutral: np.ndarray
    triangles: np.ndarray
    axes: np.ndarray
    axis_names: tuple[str, ...]
    shapes: np.ndarray
    shape_names: tuple[str, ...]
    uv: np.ndarray | None = None
    uv_triangles: np.ndarray | None = None

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the whole model: faces made of two models with the same one are the same."""
        arrays = (self.neutral, self.triangles, self.axes, self.shapes)
        content = b"".join(hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest() for array in arrays)
        return hashlib.sha256(content + repr((self.axis_names, self.shape_names)).encode()).hexdigest()[:16]

    @property
    def action_units(self) -> tuple[str, ...]:
        """The action units that the face can show, without sides, each once."""
        return tuple(dict.fromkeys(name.split("_")[0] for name in self.shape_names))

    def face(self, identity: np.ndarray, weights: Mapping[str, float], source: str = "") -> FaceScan:
        """Make one face.

        Parameters
        ----------
        identity : (I,) float
            In standard deviations.
        weights : mapping of shape name -> strength
            0 is rest and 1 the full action; shapes that the model lacks must not be named.
        """
        strength = np.zeros(len(self.shapes), np.float32)
        for name, weight in weights.items():
            strength[self.shape_names.index(name)] = weight
        vertices = (
            self.neutral
            + np.tensordot(np.asarray(identity, np.float32), self.axes, axes=1)
            + np.tensordot(strength, self.shapes, axes=1)
        )
        return FaceScan(
            vertices, self.triangles, self.uv, self.uv_triangles, source=source or f"generated face ({self.name})"
        )

    def attributes(self, identity: np.ndarray) -> dict[str, str]:
        """Name what words can say of an identity: ``sex`` (female, male) and ``age`` (young, middle-aged, older)."""
        value = dict(zip(self.axis_names, identity, strict=True))
        named = {}
        if "sex" in value:
            named["sex"] = "male" if value["sex"] > 0 else "female"
        if "age" in value:
            named["age"] = "young" if value["age"] < -0.5 else "older" if value["age"] > 0.5 else "middle-aged"
        return named
