"""A made-up person before a sensor, as visitors choose him for a sequence or a live face."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from affectvlm.app.face.samples import MAX_PERSON
from affectvlm.app.settings import AppSettings
from affectvlm.synthesis.library import FaceModelName
from affectvlm.synthesis.sensors import SENSORS

FACE_WORDS: dict[FaceModelName, str] = {
    "embedded": "AffectVLM's own",
    "ict-facekit": "ICT-FaceKit",
    "makehuman": "MakeHuman",
}

SENSOR_WORDS: dict[str, str] = {
    "clean": "no sensor, perfectly",
    "structured-light": "a laboratory's scanner",
    "depth-camera": "a depth camera",
    "phone": "a phone",
}


@dataclass(frozen=True)
class MadeFace:
    """Who is recorded, and by what.

    Parameters
    ----------
    model : str
        A face model: one of :data:`FACE_WORDS`.
    person : int
        From 1; each is another face with his own way of showing an emotion.
    sensor : str
        One of :data:`affectvlm.synthesis.sensors.SENSORS`.
    """

    model: FaceModelName = "embedded"
    person: int = 1
    sensor: str = "clean"

    def folder(self, settings: AppSettings) -> Path | None:
        """Give the folder of the face model; None for the embedded one."""
        return _folders(settings)[self.model]

    @property
    def title(self) -> str:
        """For people."""
        recorded = "" if self.sensor == "clean" else f", recorded by {SENSOR_WORDS[self.sensor]}"
        return f"made-up person {self.person} ({FACE_WORDS[self.model]}{recorded})"


FIRST = MadeFace()
"""Whom a visitor sees before he chooses."""


def choose_made_face(settings: AppSettings, before: MadeFace, part: str) -> MadeFace:
    """Let the visitor choose.

    Parameters
    ----------
    settings : AppSettings
    before : MadeFace
        Shown until he does.
    part : str
        Of the page: no two have a widget of one key.
    """
    models, sensors = face_models(settings), list(SENSORS)
    model = models[0]
    if len(models) > 1:
        model = st.selectbox(
            "Face model",
            models,
            models.index(before.model),
            format_func=FACE_WORDS.__getitem__,
            width=165,
            key=f"{part}_model",
        )
    person = st.number_input(
        "Person", 1, MAX_PERSON, before.person, width=125, key=f"{part}_person", help="Another made-up face."
    )
    sensor = st.selectbox(
        "Recorded by",
        sensors,
        sensors.index(before.sensor),
        format_func=SENSOR_WORDS.__getitem__,
        width=230,
        key=f"{part}_sensor",
        help="A sensor adds the noise, gaps and crop of its kind.",
    )
    return MadeFace(model, int(person), sensor)


def face_models(settings: AppSettings) -> list[FaceModelName]:
    """Name the face models that the page was started with."""
    return [name for name, folder in _folders(settings).items() if name == "embedded" or folder is not None]


def _folders(settings: AppSettings) -> dict[FaceModelName, Path | None]:
    return {"embedded": None, "ict-facekit": settings.ict, "makehuman": settings.makehuman}
