"""What surface a scan has around its face: a sample of its triangles, seen from the face."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.pose import UNITS, Pose

SAMPLED = 5000
"""So many triangles tell where surface is and how much."""

GOLDEN = 0.6180339887498949


class Around(NamedTuple):
    """A sample of a scan's triangles.

    Parameters
    ----------
    corners : (T, 3, 3) float, mm
        In the face's own axes, from the nose tip.
    areas : (T,) float, mm2
        That each of them stands for.
    """

    corners: np.ndarray
    areas: np.ndarray


def look_around(scan: FaceScan, pose: Pose) -> Around:
    """Sample the triangles of a scan, whose face has this pose."""
    count = min(len(scan.triangles), SAMPLED)
    each, number = len(scan.triangles) / count, np.arange(count)
    # Not every n-th: programs write triangles in an order in which these may all lie in the same place of each part.
    rows = ((number + number * GOLDEN % 1) * each).astype(int).clip(max=len(scan.triangles) - 1)
    picked = scan.vertices[scan.triangles[rows]].reshape(-1, 3)
    corners = ((picked * UNITS[pose.unit] - pose.nose) @ pose.rotation).reshape(-1, 3, 3)
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return Around(corners, np.linalg.norm(cross, axis=1) * (each / 2))
