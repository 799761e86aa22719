"""Shares of ancestry as axes of the embedded face's identity.

The directions, and roughly the sizes, are those of the measured means in Farkas et al. 2005, "International
anthropometric study of facial morphology in various ethnic groups/races" (J Craniofac Surg 16, 615-646): the width
and the protrusion of the nose, the height of the lips' red, the distance between the eyes and the opening of the
lids, the width of the face. People of one ancestry differ far more among themselves than these means do, which is
why the departures are moderate and every other axis is drawn independently of them.
"""

from __future__ import annotations

import numpy as np

from affectvlm.synthesis.face_model import ANCESTRY

ANCESTRIES = ("african", "asian", "european")

DEPARTURES: dict[str, tuple[float, float, float]] = {
    "nose_width": (1.6, 0.1, -1.7),
    "nose_bridge_width": (0.9, 0.4, -1.3),
    "nose_protrusion": (-0.9, -0.6, 1.5),
    "nose_root": (-0.6, -1.0, 1.6),
    "nose_hump": (-0.4, -0.3, 0.7),
    "nose_length": (-0.5, 0.0, 0.5),
    "lip_thickness": (1.6, -0.1, -1.5),
    "mouth_protrusion": (1.5, 0.0, -1.5),
    "mouth_width": (0.4, -0.4, 0.0),
    "eye_spacing": (0.3, 0.5, -0.8),
    "eye_slant": (-0.1, 0.9, -0.8),
    "eye_depth": (0.1, -1.0, 0.9),
    "lid_fold": (-0.3, 1.0, -0.7),
    "face_width": (-0.1, 0.6, -0.5),
    "cheekbone": (0.0, 0.8, -0.8),
    "brow_ridge": (-0.2, -0.6, 0.8),
    "chin_protrusion": (-0.5, -0.3, 0.8),
}
"""Warp of :mod:`~affectvlm.synthesis.embedded.identity` -> what each ancestry has of it, in standard deviations.

Each row adds up to zero, so that equal shares give the neutral face.
"""


def ancestry_axes(warped: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compose the axes ``ancestry_african``, ... from the motions of the single warps, (V, 3) mm each."""
    return {
        ANCESTRY + ancestry: sum(
            (share[index] * warped[name] for name, share in DEPARTURES.items()), np.zeros_like(warped["nose_width"])
        )
        for index, ancestry in enumerate(ANCESTRIES)
    }
