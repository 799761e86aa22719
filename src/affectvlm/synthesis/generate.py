"""A made-up study: subjects who show the six emotions at four intensities, on a face model.

Every draw depends on the seed and on what is drawn alone (which subject, which scan), never on the order or on the
number of workers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ConfigError
from affectvlm.scan import FaceScan, Sample
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.expressions import INTENSITIES, draw_expression, draw_style
from affectvlm.synthesis.face_model import FaceModel
from affectvlm.synthesis.ict_facekit import load_ict_facekit

FaceModelName = Literal["embedded", "ict-facekit"]

POSE_SPREAD_DEG = 4.0
"""Standard deviation of the head's yaw, pitch and roll before the camera."""


@dataclass(frozen=True)
class FaceSource:
    """Which face model, and where its files are.

    Parameters
    ----------
    name : str
    folder : Path, optional
        The model's own folder; the embedded face needs none.
    cache : Path, optional
        Where the parsed model is kept; goes with ``folder``.
    """

    name: FaceModelName = "embedded"
    folder: Path | None = None
    cache: Path | None = None

    def __post_init__(self) -> None:
        if self.name == "embedded" and self.folder is not None:
            raise ConfigError(
                f"the embedded face needs no folder, but {self.folder} was given; name another face model"
            )
        if self.name != "embedded" and (self.folder is None or self.cache is None):
            raise ConfigError(f"{self.name} is read from its own folder: name it with --from DIR")


@cache
def load_face_model(source: FaceSource) -> FaceModel:
    """Build or read a face model, once a process."""
    if source.folder is None or source.cache is None:
        return embedded_face()
    return load_ict_facekit(source.folder, source.cache)


def generate(source: FaceSource, subjects: int, seed: int) -> list[Sample]:
    """List a study's scans: each subject shows six emotions at four intensities, as in BU-3DFE.

    Parameters
    ----------
    source : FaceSource
    subjects : int
    seed : int

    Returns
    -------
    list of Sample
        24 a subject, not yet made; ``load`` makes the mesh.
    """
    model = load_face_model(source)
    samples = []
    for number in range(subjects):
        subject = f"S{number + 1:03d}"
        attributes = model.attributes(_identity(model, seed, number))
        samples += [
            Sample(
                key=f"{subject}/{emotion}/{intensity}",
                subject=subject,
                emotion=emotion,
                load=partial(make_scan, source, seed, number, emotion, intensity),
                intensity=intensity,
                attributes=attributes,
                stamp=model.fingerprint,
            )
            for emotion in EMOTIONS
            for intensity in INTENSITIES
        ]
    return samples


def make_scan(source: FaceSource, seed: int, number: int, emotion: str, intensity: int) -> FaceScan:
    """Make one scan of a study: the subject's face, his way of showing the emotion, and a slightly turned head."""
    model = load_face_model(source)
    which = EMOTIONS.index(emotion)
    # Seeds are told apart by numbers above zero: numpy takes [seed, number] and [seed, number, 0] for the same.
    style = draw_style(emotion, np.random.default_rng([seed, number, 1 + which]))
    rng = np.random.default_rng([seed, number, 1 + which, intensity])
    weights = draw_expression(style, intensity, model.shape_names, rng)
    name = f"{source.name} face, subject {number + 1}, {emotion} {intensity}"
    face = model.face(_identity(model, seed, number), weights, name)
    pose = Rotation.from_euler("yxz", rng.normal(0, POSE_SPREAD_DEG, 3), degrees=True)
    return face.moved(pose.as_matrix(), np.zeros(3))


def _identity(model: FaceModel, seed: int, number: int) -> np.ndarray:
    """(I,) float: a subject's place on the axes of identity."""
    return np.random.default_rng([seed, number]).standard_normal(len(model.axes))
