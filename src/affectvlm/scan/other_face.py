"""Whether a scan shows a second face: which of the two is meant, nobody but the user can say."""

from __future__ import annotations

import numpy as np

from affectvlm.scan.around import Around
from affectvlm.scan.find_face import glance
from affectvlm.scan.pose import Pose
from affectvlm.scan.surfels import Surfels, part_of

HEAD_LOW_MM, HEAD_HIGH_MM = (-90.0, -130.0, -230.0), (90.0, 180.0, 60.0)
"""A head's own place, from the nose tip, in the face's axes: what is in it is not looked at."""

FACE_MM2 = 10_000.0
"""Half a face: less surface than this shows none."""


def other_face(surface: Surfels, pose: Pose, around: Around) -> float:
    """Tell how unlike a face everything is that is not the head of the face that was found.

    Shoulders, hair, a hand or a wall may be there; only surface enough for a face is looked at, and only glanced at.

    Parameters
    ----------
    surface : Surfels
        Of the whole scan.
    pose : Pose
        Of the face that was found.
    around : Around

    Returns
    -------
    float
        A misfit: 0 (certainly another face) to 1 (nothing like one, or nothing at all).
    """
    if around.areas[_beyond(around.corners).all(axis=1)].sum() < FACE_MM2:
        return 1.0
    rest = part_of(surface, _beyond((surface.points - pose.nose) @ pose.rotation))
    return 1.0 if rest is None else glance(rest)


def _beyond(points: np.ndarray) -> np.ndarray:
    """(..., 3) -> (...) bool: outside the head's place."""
    beyond = (points < HEAD_LOW_MM) | (points > HEAD_HIGH_MM)
    one: np.ndarray = beyond[..., 0] | beyond[..., 1] | beyond[..., 2]  # some times quicker than np.any of an axis
    return one
