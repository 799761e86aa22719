"""The cameras around a face, and what each of them records."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

MapName = Literal["depth", "normals", "texture", "mean_curvature", "shape_index"]

CHANNELS: dict[str, int] = {"depth": 1, "normals": 3, "texture": 3, "mean_curvature": 1, "shape_index": 1}
"""Image channels of each map."""

Pitch = Annotated[float, Field(ge=-60, le=60)]


class Rig(BaseModel):
    """Cameras that look at a normalised face (nose tip at the origin, facing +z), as many as there are names.

    A camera at yaw θ and pitch φ stands in the direction (sin θ cos φ, sin φ, cos θ cos φ): a positive yaw is on the
    subject's own left, which is the viewer's right, so the view named ``left`` shows the subject's left cheek.
    The paper gives no angles; front, left and right at 30 degrees are our reading.

    >>> five = Rig(
    ...     yaw_deg={"front": 0, "left": 30, "right": -30, "above": 0, "below": 0},
    ...     pitch_deg={"above": 25, "below": -25},
    ... )
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    yaw_deg: dict[str, Annotated[float, Field(ge=-90, le=90)]] = {"front": 0.0, "left": 30.0, "right": -30.0}
    """View name -> yaw, in the order of the views everywhere."""
    pitch_deg: Pitch | dict[str, Pitch] = 0.0
    """Of all views, or view name -> pitch; a view that is not named is at 0."""
    size_px: Annotated[int, Field(ge=8, le=2048)] = 64
    """Height and width of a view."""
    field_mm: Annotated[float, Field(gt=0)] = 180.0
    """Side of the square that a view shows; in perspective, at the centre's distance."""
    centre_mm: tuple[float, float, float] = (0.0, 0.0, -45.0)
    """The point that the cameras look at and turn about, from the nose tip."""
    distance_mm: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """From the centre to each camera, a pinhole; None for orthographic cameras."""
    maps: tuple[MapName, ...] = ("depth", "normals")

    @model_validator(mode="after")
    def _not_empty(self) -> Rig:
        if not self.yaw_deg or not self.maps or len(set(self.maps)) != len(self.maps):
            raise ValueError("a rig needs at least one view and one map, each map once")
        if isinstance(self.pitch_deg, dict) and (strangers := self.pitch_deg.keys() - self.yaw_deg.keys()):
            raise ValueError(f"pitch_deg names {sorted(strangers)}; the views are {list(self.yaw_deg)}")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The views, in order."""
        return tuple(self.yaw_deg)

    @property
    def pitches_deg(self) -> tuple[float, ...]:
        """Each view's pitch, in order."""
        if isinstance(self.pitch_deg, dict):
            return tuple(self.pitch_deg.get(name, 0.0) for name in self.yaw_deg)
        return (self.pitch_deg,) * len(self.yaw_deg)

    @property
    def pixel_mm(self) -> float:
        """Side of a pixel at the centre's distance."""
        return self.field_mm / self.size_px

    @property
    def channels(self) -> int:
        """Image channels of one view, all maps together."""
        return sum(CHANNELS[name] for name in self.maps)

    @property
    def rotations(self) -> np.ndarray:
        """(V, 3, 3) float32: the rows are each camera's right, up and backward axes (towards the camera)."""
        yaw = np.radians(list(self.yaw_deg.values()))
        pitch = np.radians(self.pitches_deg)
        zero = np.zeros_like(yaw)
        right = np.stack([np.cos(yaw), zero, -np.sin(yaw)], axis=1)
        up = np.stack([-np.sin(yaw) * np.sin(pitch), np.cos(pitch), -np.cos(yaw) * np.sin(pitch)], axis=1)
        backward = np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=1)
        return np.stack([right, up, backward], axis=1).astype(np.float32)

    @property
    def mirror_order(self) -> tuple[int, ...] | None:
        """For each view the one that a mirrored face shows there (left and right swap); None if a partner lacks."""
        cameras = list(zip(self.yaw_deg.values(), self.pitches_deg, strict=True))
        partners = [[i for i, other in enumerate(cameras) if other == (-yaw, pitch)] for yaw, pitch in cameras]
        return tuple(p[0] for p in partners) if all(len(p) == 1 for p in partners) else None

    @property
    def fingerprint(self) -> str:
        """Hash of every setting: two sets of views can be mixed only when theirs are equal.

        No distance (orthographic) leaves no trace in it, so that sets made before there was perspective keep theirs.
        """
        return hashlib.sha256(json.dumps(self.model_dump(mode="json", exclude_none=True)).encode()).hexdigest()[:16]
