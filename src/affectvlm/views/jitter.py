"""Three-dimensional jitter: a face drawn anew by cameras that stand a little elsewhere, under another light.

What a picture's rotation, scaling and shift cannot give (:mod:`affectvlm.views.augmentation`): a moved camera sees more
of one cheek and less of the other, depth and normals turn with it, and shading moves over the texture. It needs the
scan itself, so that it is done when views are prepared. The magnitudes are our own.
"""

from __future__ import annotations

import math

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from affectvlm.scan import FaceScan
from affectvlm.views.render import Views, render
from affectvlm.views.rig import Rig

LIGHT_CONE_DEG = 60.0
"""A light stands at most so far from the camera's axis: farther round, much of what is seen would be in the shade."""

GAMMA = 2.2
"""Of the texture's colours: the light that a pixel stands for is its value to this power."""


class Jitter(BaseModel):
    """How often a scan is drawn anew, and how far each of its cameras may move for that.

    Every view of every drawing is moved on its own, by uniform draws.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    drawings: int = Field(2, ge=1)
    """Of each scan, beside the exact one."""
    yaw_deg: float = Field(8.0, ge=0, le=30)
    """Up to this to either side."""
    pitch_deg: float = Field(6.0, ge=0, le=30)
    """Up to this up or down."""
    distance: float = Field(0.08, ge=0, lt=1)
    """Nearer or farther by up to this part; orthographic cameras, which have no distance, show a smaller or larger
    square instead."""
    light: float = Field(0.5, ge=0, lt=1)
    """Up to this part of the light on the texture comes from one side instead of from all around."""


def render_jittered(scan: FaceScan, rig: Rig, jitter: Jitter, rng: np.random.Generator) -> Views:
    """Draw a normalised scan once, every view with a jitter of its own.

    Parameters
    ----------
    scan : FaceScan
    rig : Rig
        The cameras before they are moved. All turn about its centre, which stays in the middle of every view.
    jitter : Jitter
    rng : Generator
        Gives as many numbers whatever the maps, so that the cameras do not depend on them.

    Returns
    -------
    Views
        Of ``rig``, although its cameras stood elsewhere: depth and normals are in each moved camera's own axes.
    """
    views = len(rig.names)
    yaw, pitch, farther = (rng.uniform(-1, 1, (3, views)).T * (jitter.yaw_deg, jitter.pitch_deg, jitter.distance)).T
    strength, lights = jitter.light * rng.random(views), _directions(rng.random((2, views)))
    lit = "texture" in rig.maps and jitter.light > 0 and (scan.textured or scan.colours is not None)
    drawn = []
    for i, (name, nominal) in enumerate(rig.yaw_deg.items()):
        # A copy is not checked: a moved camera may stand a little beyond the angles that may be asked for.
        camera = rig.model_copy(
            update={
                "yaw_deg": {name: nominal + float(yaw[i])},
                "pitch_deg": rig.pitches_deg[i] + float(pitch[i]),
                "field_mm": rig.field_mm * (1 + float(farther[i])),
                "distance_mm": None if rig.distance_mm is None else rig.distance_mm * (1 + float(farther[i])),
                "maps": tuple(dict.fromkeys((*rig.maps, "normals"))) if lit else rig.maps,
            }
        )
        view = render(scan, camera)
        maps = {kept: getattr(view, kept) for kept in ("depth", *camera.maps)}
        if lit:
            maps["texture"] = shine(maps["texture"], maps["normals"], lights[i], float(strength[i]))
        drawn.append(maps)
    return Views(rig, **{kept: np.concatenate([maps[kept] for maps in drawn]) for kept in {"depth", *rig.maps}})


def shine(colours: np.ndarray, normals: np.ndarray, towards: np.ndarray, strength: float) -> np.ndarray:
    """Light a texture from one side (Lambert's law).

    A surface with the unit normal n, under a light in the direction l, is lit by (1 - s) + 2 s max(0, n·l): never by
    less than the ambient 1 - s, and by as much as without any light at 60 degrees from it, so that a face as a whole
    becomes neither much brighter nor much darker.

    Parameters
    ----------
    colours : (..., 3) uint8
    normals : (..., 3) float32
        Unit, in the same axes as ``towards``.
    towards : (3,) float
        Unit vector to the light.
    strength : float
        s, from 0 to 1.

    Returns
    -------
    (..., 3) uint8
    """
    light = (1 - strength) + 2 * strength * np.clip(normals @ towards.astype(np.float32), 0, None)
    lit = colours * (light ** np.float32(1 / GAMMA))[..., None]
    return np.clip(np.rint(lit), 0, 255).astype(np.uint8)


def _directions(draws: np.ndarray) -> np.ndarray:
    """(2, n) draws in [0, 1) -> (n, 3) directions (right, up, towards the camera), uniform over the lights' cone."""
    z = 1 - draws[0] * (1 - math.cos(math.radians(LIGHT_CONE_DEG)))
    across, angle = np.sqrt(1 - z**2), 2 * np.pi * draws[1]
    return np.stack([across * np.cos(angle), across * np.sin(angle), z], axis=1)
