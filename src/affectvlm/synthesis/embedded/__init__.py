"""The face that comes with the package: our own, written in code, so that everything runs offline."""

from __future__ import annotations

from functools import cache

import numpy as np

from affectvlm.synthesis.embedded.actions import embedded_shapes
from affectvlm.synthesis.embedded.identity import embedded_axes
from affectvlm.synthesis.embedded.landmarks import embedded_landmarks
from affectvlm.synthesis.embedded.surface import (
    EYEBALL,
    LOWER_TEETH,
    MOUTH,
    RIM,
    SKIN,
    UPPER_TEETH,
    embedded_surface,
)
from affectvlm.synthesis.face_model import REGIONS, FaceModel

_REGION = {SKIN: "skin", RIM: "skin", MOUTH: "mouth", EYEBALL: "eyes", UPPER_TEETH: "teeth", LOWER_TEETH: "teeth"}


@cache
def embedded_face() -> FaceModel:
    """Build the embedded parametric face.

    A neutral face of adult mean anthropometry with eyelids over eyeballs and a mouth that opens, axes of
    identity (``sex``, ``age`` and shares of ancestry among them), and the action units of FACS. In the tradition
    of Parke's parametric face (ACM 1972) and Waters' muscles (SIGGRAPH 1987); no measured face went into it.
    """
    surface, axes, shapes = embedded_surface(), embedded_axes(), embedded_shapes()
    landmarks = embedded_landmarks(surface)
    nose_tip = surface.vertices[landmarks[30]]
    region = np.array([REGIONS.index(_REGION[part]) for part in range(len(_REGION))], np.uint8)
    return FaceModel(
        name="embedded",
        neutral=(surface.vertices - nose_tip).astype(np.float32),
        triangles=surface.triangles,
        regions=region[surface.part],
        landmarks=landmarks,
        axes=np.stack(list(axes.values())).astype(np.float32),
        axis_names=tuple(axes),
        shapes=np.stack(list(shapes.values())).astype(np.float32),
        shape_names=tuple(shapes),
        uv=surface.uv,
        uv_triangles=surface.uv_triangles,
    )
