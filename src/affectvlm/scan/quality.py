"""How good a normalised face is, in numbers and in sentences for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from affectvlm.scan.clean import Cleaning
from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.find_face import MAX_MISFIT
from affectvlm.scan.rasterizer import rasterize

REFUSED_BELOW = 0.1
"""A scan of a lower score is refused by :func:`~affectvlm.scan.normalize`."""

TOLD_BELOW = 0.6
"""A measure of a lower score is a reason."""

CELL_MM = 4.0
"""Of the grid on which it is looked what a camera in front would see."""

CELLS = 40
"""Along its side: 160 mm, the nose tip in the middle."""

REGIONS: dict[str, tuple[float, float, float, float]] = {
    "left_half": (0.0, 50.0, -60.0, 45.0),
    "right_half": (-50.0, 0.0, -60.0, 45.0),
    "eyes": (-45.0, 45.0, 20.0, 42.0),
    "nose": (-14.0, 14.0, -14.0, 30.0),
    "mouth": (-25.0, 25.0, -56.0, -24.0),
}
"""Left, right, bottom and top (mm from the nose tip, seen from the front) of what should be seen. Left is the subject's
own, which is to the viewer's right."""

RELIEF: dict[str, tuple[tuple[float, float, float, float], tuple[float, float, float, float]]] = {
    "nose_mm": ((0.0, 6.0, -4.0, 10.0), (26.0, 44.0, -10.0, 10.0)),
    "bridge_mm": ((0.0, 6.0, -4.0, 10.0), (0.0, 6.0, 24.0, 34.0)),
    "sockets_mm": ((0.0, 6.0, 24.0, 34.0), (24.0, 40.0, 24.0, 34.0)),
}
"""What stands out, and before what: distances to the middle line, and heights, from and to (mm from the nose tip).

On 660 generated faces (all three face models, all sensors, heads turned by up to 20 degrees) the three are at least
12.7, 9.4 and 1.3 mm. Real people may have flatter noses: the scales leave room for them, and only tell a face from what
has no relief at all. What else is no face is known by its misfit.
"""

# Measure -> where its score is 0, and where it is 1; linear between.
SCALES: dict[str, tuple[float, float]] = {
    # Of a head turned by 45 degrees a camera sees as little as 14 % of the far half; half a face has too high a misfit.
    "left_half": (0.0, 0.9),
    "right_half": (0.0, 0.9),
    "eyes": (0.3, 0.9),
    "nose": (0.3, 0.9),
    "mouth": (0.1, 0.6),  # one that is wide open shows little, and is no fault
    "holes_left": (60.0, 5.0),
    "spacing_mm": (12.0, 5.0),
    "noise_mm": (3.0, 0.8),
    # What is no face was refused before; the generated scans reach 0.87 of what is allowed there.
    "misfit": (0.97 * MAX_MISFIT, 0.88 * MAX_MISFIT),
    # The second of two faces has 0.24 to 0.54 (48 pairs), shoulders have 0.71 and more (8 heads).
    "other_face": (0.6, 0.66),
    # Bodies of adults and children 1.2 m tall and more have 930 to 1440; what goes down to the hips has 710 at most.
    "reach_mm": (840.0, 740.0),
    "nose_mm": (6.0, 12.0),
    "bridge_mm": (5.0, 9.0),
    "sockets_mm": (0.0, 1.2),
}

SENTENCES: dict[str, str] = {
    "left_half": "{missing:.0%} of the face is missing on the subject's left",
    "right_half": "{missing:.0%} of the face is missing on the subject's right",
    "eyes": "{missing:.0%} of the eyes' region is missing",
    "nose": "{missing:.0%} of the nose is missing",
    "mouth": "{missing:.0%} of the mouth's region is missing",
    "holes_left": "{value:.0f} holes too wide to fill",
    "spacing_mm": "too coarse: {value:.1f} mm between vertices",
    "noise_mm": "too rough: vertices are {value:.1f} mm off their neighbours",
    "misfit": "unlike a face (misfit {value:.2f})",
    "other_face": "another face is in the scan; crop it to one head",
    "reach_mm": "it goes on {value:.0f} mm below the nose, as a body does; crop it to the head and shoulders",
    "nose_mm": "flat nose: it stands {value:.0f} mm before the cheeks",
    "bridge_mm": "flat nose: its tip stands {value:.0f} mm before its bridge",
    "sockets_mm": "shallow bridge of the nose: it stands {value:.1f} mm before the eyes",
}


@dataclass(frozen=True)
class Quality:
    """How good a normalised face is.

    Parameters
    ----------
    score : float
        0 (useless) to 1 (nothing to complain of): that of the worst measure.
    reasons : tuple of str
        What is wrong, a sentence each, the worst first.
    measures : mapping of str -> float
        What was measured: of each of :data:`REGIONS` the share that is seen from the front; each :data:`RELIEF`
        (NaN where it is not seen); ``holes_left``;
        ``spacing_mm``, the distance between neighbouring vertices; ``noise_mm``, see
        :class:`~affectvlm.scan.clean.Cleaning`; ``misfit``, see :class:`~affectvlm.scan.pose.Pose`; ``other_face``,
        see :func:`~affectvlm.scan.other_face.other_face`; ``reach_mm``, see
        :func:`~affectvlm.scan.body.reach_below`.
    """

    score: float
    reasons: tuple[str, ...] = ()
    measures: Mapping[str, float] = field(default_factory=dict)


def judge(face: FaceScan, cleaning: Cleaning, misfit: float, other: float, reach_mm: float) -> Quality:
    """Judge a normalised, cleaned face.

    Parameters
    ----------
    face : FaceScan
    cleaning : Cleaning
    misfit : float
        Its pose's.
    other : float
        The misfit of what else may be a face in the scan.
    reach_mm : float
        How far below the nose tip the scan goes on.
    """
    depth = front_depth(face.vertices, face.triangles)
    measures = {name: _share(depth, *region) for name, region in REGIONS.items()}
    measures |= {name: _relief(depth, *regions) for name, regions in RELIEF.items()}
    measures |= {
        "holes_left": float(cleaning.left),
        "spacing_mm": cleaning.spacing_mm,
        "noise_mm": cleaning.noise_mm,
        "misfit": misfit,
        "other_face": other,
        "reach_mm": reach_mm,
    }
    scores = {name: _score(value, *SCALES[name]) for name, value in measures.items()}
    worst = sorted((score, name) for name, score in scores.items() if score < TOLD_BELOW)
    reasons = tuple(SENTENCES[name].format(value=measures[name], missing=1 - measures[name]) for _, name in worst)
    return Quality(min(scores.values()), reasons, measures)


def _score(value: float, worst: float, best: float) -> float:
    if math.isnan(value):
        return 1.0  # nothing is seen there, which another measure says
    return min(max((value - worst) / (best - worst), 0.0), 1.0)


def _relief(
    depth: np.ndarray, first: tuple[float, float, float, float], second: tuple[float, float, float, float]
) -> float:
    """Tell how far (mm) a place stands before another, by medians; NaN where one of them is not seen."""
    x = np.abs(np.arange(CELLS) + 0.5 - CELLS / 2) * CELL_MM
    y = (CELLS / 2 - 0.5 - np.arange(CELLS))[:, None] * CELL_MM
    heights = []
    for near, far, bottom, top in (first, second):
        there = depth[(x >= near) & (x < far) & (y >= bottom) & (y < top)]
        there = there[np.isfinite(there)]
        heights.append(float(np.median(there)) if len(there) else math.nan)
    return heights[0] - heights[1]


def _share(depth: np.ndarray, left: float, right: float, bottom: float, top: float) -> float:
    """Tell which share of a rectangle's cells is seen."""
    low, high = (round(x / CELL_MM + CELLS / 2) for x in (left, right))
    first, last = (round(CELLS / 2 - y / CELL_MM) for y in (top, bottom))
    return float(np.isfinite(depth[first:last, low:high]).mean())


def front_depth(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(CELLS, CELLS) float32, mm: the depth at each cell's middle, seen from the front; NaN where nothing is."""
    front, nose = np.eye(3, dtype=np.float32)[None], np.zeros(3, np.float32)
    # The distance is named so that numba needs no second version of what draws the views.
    depth, _, _ = rasterize(vertices, triangles, front, nose, CELLS, CELLS * CELL_MM, np.inf)
    return depth[0]
