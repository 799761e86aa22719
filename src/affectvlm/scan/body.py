"""Whether a scan shows a whole body: its face is too small a part of it to have been meant, or to be trusted."""

from __future__ import annotations

import numpy as np

from affectvlm.scan.around import Around

BESIDE_MM, SLOPE = 250.0, 0.6
"""How far from the vertical line through the nose tip a body may be, and by how much more for each mm below it: heads
are bowed, legs and arms stand apart. A wall behind a person is farther off, and so is nearly all of a table."""

LAST = 0.1
"""Of the surface there, the lowest part by area; less may be stray points."""


def reach_below(around: Around) -> float:
    """Tell how far (mm) below the nose tip the lowest part of what is around the vertical line begins; 0 if none is."""
    middles = around.corners.mean(axis=1)
    below = -middles[:, 1]
    near = np.hypot(middles[:, 0], middles[:, 2]) < BESIDE_MM + SLOPE * np.maximum(below, 0)
    allowed = LAST * around.areas[near].sum()
    near &= below > 0
    below, areas = below[near], around.areas[near]
    if areas.sum() <= allowed:
        return 0.0
    deepest = np.argsort(-below)
    return float(below[deepest][np.searchsorted(np.cumsum(areas[deepest]), allowed)])
