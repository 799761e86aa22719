"""Which views of a face there is anything to see in."""

from __future__ import annotations

import numpy as np

from affectvlm.views.render import BACKGROUND
from affectvlm.views.rig import CHANNELS, Rig

LEAST_COVERED = 0.2
"""Part of a view that a face must fill, or the view is missing: whole faces fill 0.3 to 0.6 of it."""


def background(rig: Rig) -> np.ndarray:
    """(C,) float32: what each channel holds where nothing is seen, as :func:`affectvlm.views.to_channels` has them."""
    return np.array([BACKGROUND[name] for name in rig.maps for _ in range(CHANNELS[name])], np.float32)


def seen_views(channels: np.ndarray, rig: Rig) -> np.ndarray:
    """Tell the views that show a face from those that are missing: of a profile scan, or behind a large hole.

    Parameters
    ----------
    channels : (..., V, C, H, W) float32
        From :func:`affectvlm.views.to_channels`.
    rig : Rig

    Returns
    -------
    (..., V) bool
        The fullest view is never missing, however little it shows: every face is seen from somewhere.
    """
    covered = (channels != background(rig)[:, None, None]).any(axis=-3).mean(axis=(-2, -1))  # (..., V)
    seen: np.ndarray = (covered >= LEAST_COVERED) | (covered == covered.max(axis=-1, keepdims=True))
    return seen
