"""What "upright" means for a face: its 68 landmarks at rest lie on those of the embedded face as well as a turn can.

A face has no axes of its own. By this definition those of every face model, every person and every real head are the
same; the nose tip, landmark 31, is the origin.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation


def upright_turn(landmarks: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the turn and shift that lay a face's landmarks on a reference's (Kabsch, 1976).

    Parameters
    ----------
    landmarks, reference : (68, 3) float, mm

    Returns
    -------
    turn : (3, 3) float
    shift : (3,) float, mm
        ``turn @ landmark + shift`` is the upright one.
    """
    middle, reference_middle = landmarks.mean(axis=0, dtype=float), reference.mean(axis=0, dtype=float)
    turn = Rotation.align_vectors(reference - reference_middle, landmarks - middle)[0].as_matrix()
    return turn, reference_middle - turn @ middle
