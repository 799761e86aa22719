"""The cameras around a face, and what each of them records."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

MapName = Literal["depth", "normals", "texture"]

CHANNELS: dict[str, int] = {"depth": 1, "normals": 3, "texture": 3}
"""Image channels of each map."""


class Rig(BaseModel):
    """Orthographic cameras that look at a normalised face (nose tip at the origin, facing +z).

    A camera at yaw θ and pitch φ stands in the direction (sin θ cos φ, sin φ, cos θ cos φ): a positive yaw is on the
    subject's own left, which is the viewer's right, so the view named ``left`` shows the subject's left cheek.
    The paper gives no angles; front, left and right at 30 degrees are our reading.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    yaw_deg: dict[str, Annotated[float, Field(ge=-90, le=90)]] = {"front": 0.0, "left": 30.0, "right": -30.0}
    """View name -> yaw, in the order of the views everywhere."""
    pitch_deg: Annotated[float, Field(ge=-60, le=60)] = 0.0
    size_px: Annotated[int, Field(ge=8, le=2048)] = 64
    """Height and width of a view."""
    field_mm: Annotated[float, Field(gt=0)] = 180.0
    """Side of the square that a view shows."""
    centre_mm: tuple[float, float, float] = (0.0, 0.0, -45.0)
    """The point that the cameras look at and turn about, from the nose tip."""
    maps: tuple[MapName, ...] = ("depth", "normals")

    @model_validator(mode="after")
    def _not_empty(self) -> Rig:
        if not self.yaw_deg or not self.maps or len(set(self.maps)) != len(self.maps):
            raise ValueError("a rig needs at least one view and one map, each map once")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The views, in order."""
        return tuple(self.yaw_deg)

    @property
    def channels(self) -> int:
        """Image channels of one view, all maps together."""
        return sum(CHANNELS[name] for name in self.maps)

    @property
    def rotations(self) -> np.ndarray:
        """(V, 3, 3) float32: the rows are each camera's right, up and backward axes (towards the camera)."""
        yaw = np.radians(list(self.yaw_deg.values()))
        pitch = np.full_like(yaw, np.radians(self.pitch_deg))
        zero = np.zeros_like(yaw)
        right = np.stack([np.cos(yaw), zero, -np.sin(yaw)], axis=1)
        up = np.stack([-np.sin(yaw) * np.sin(pitch), np.cos(pitch), -np.cos(yaw) * np.sin(pitch)], axis=1)
        backward = np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=1)
        return np.stack([right, up, backward], axis=1).astype(np.float32)

    @property
    def mirror_order(self) -> tuple[int, ...] | None:
        """For each view the one that a mirrored face shows there (left and right swap); None if a partner lacks."""
        yaw = list(self.yaw_deg.values())
        partners = [[i for i, other in enumerate(yaw) if other == -angle] for angle in yaw]
        return tuple(p[0] for p in partners) if all(len(p) == 1 for p in partners) else None

    @property
    def fingerprint(self) -> str:
        """Hash of every setting: two sets of views can be mixed only when theirs are equal."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json")).encode()).hexdigest()[:16]
