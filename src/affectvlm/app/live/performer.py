"""A made-up face that moves while one looks: driven by hand, by itself, or by captured movement.

What it shows and where its head is turned is the performer's affair: a frame is a mesh and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator
from scipy.spatial.transform import Rotation

from affectvlm.app.face.samples import SEED
from affectvlm.emotions import EMOTIONS, NEUTRAL
from affectvlm.scan import FaceScan
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.action_units import ACTION_UNITS, action_strengths
from affectvlm.synthesis.dynamics import perform
from affectvlm.synthesis.expressions import INTENSITIES, MAX_STRENGTH, Style, draw_expression
from affectvlm.synthesis.generate import Study, record_face
from affectvlm.synthesis.live_link import read_live_link
from affectvlm.synthesis.performance import Performance
from affectvlm.synthesis.sensors import SENSORS

HAND, NATURE = "hand", "nature"
"""What moves a face, beside captures: sliders, or one emotion after the other as people show them."""

SHOWN: tuple[str, ...] = (NEUTRAL, *EMOTIONS)
"""What one can ask a performer to show."""

MOST_YAW_DEG, MOST_PITCH_DEG = 40.0, 25.0
"""As far as the head turns, and nods, by hand."""

EASE_S = 0.08
"""Time constant with which a face follows: a press of a button is no jump from one frame to the next."""

MOVEMENT_FPS = 60.0
"""Of the performances that are drawn: more than are ever shown."""

_SCENE, _NOISE, _MOVEMENT = range(1, 4)
"""What a generator is for."""


class Controls(BaseModel):
    """Where the sliders stand."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    emotion: str = NEUTRAL
    """One of :data:`SHOWN`."""
    intensity: float = Field(1.0, ge=0, le=1)
    """In parts of the person's own full expression."""
    units: dict[str, float] = {}
    """Action unit -> strength, 0 to 1, on top of the emotion's."""
    yaw_deg: float = Field(0.0, ge=-MOST_YAW_DEG, le=MOST_YAW_DEG)
    """To the performer's left."""
    pitch_deg: float = Field(0.0, ge=-MOST_PITCH_DEG, le=MOST_PITCH_DEG)
    """Downwards."""

    @field_validator("emotion")
    @classmethod
    def _is_shown(cls, emotion: str) -> str:
        if emotion not in SHOWN:
            raise ValueError(f"expected one of {', '.join(SHOWN)}")
        return emotion

    @field_validator("units")
    @classmethod
    def _are_known(cls, units: dict[str, float]) -> dict[str, float]:
        if not all(unit in ACTION_UNITS and 0 <= strength <= 1 for unit, strength in units.items()):
            raise ValueError("expected action units with strengths from 0 to 1")
        return units


@dataclass(frozen=True, eq=False)
class Moment:
    """What a performer does at one moment.

    Parameters
    ----------
    strengths : (A, 2) float32
        Of action units.
    head_deg : (3,) float
        Yaw, pitch and roll, as in :class:`~affectvlm.synthesis.performance.Performance`.
    asked : str
        What was asked of the performer, for people; empty where nobody knows.
    """

    strengths: np.ndarray
    head_deg: np.ndarray
    asked: str


Movement = Callable[[float, Controls], Moment]
"""Tells what a performer does so many seconds after the beginning."""


@dataclass(frozen=True)
class Role:
    """Who performs, before which sensor, and what moves the face.

    Parameters
    ----------
    face : FaceSource
    person : int
        From 1; the same person as in the samples.
    sensor : str
        One of :data:`~affectvlm.synthesis.sensors.SENSORS`.
    movement : str or Path
        :data:`HAND`, :data:`NATURE` or a capture's file.
    """

    face: FaceSource = field(default_factory=FaceSource)
    person: int = 1
    sensor: str = "clean"
    movement: str | Path = HAND


class Performer:
    """Someone who plays a role.

    Parameters
    ----------
    role : Role
    textured : bool
        Whether the skin is painted, for a model that looks at it.

    Raises
    ------
    DataError
        The capture cannot be read.
    """

    def __init__(self, role: Role, textured: bool = False) -> None:
        study = Study(role.face, seed=SEED, textured=textured)
        self.person = study.person(role.person - 1)
        self._texture = study.texture(role.person - 1)
        self._role = role
        self._movement = _movement(role, self.person.style)

    def moment(self, seconds: float, controls: Controls) -> Moment:
        """Tell what the performer does so long after the beginning."""
        return self._movement(seconds, controls)

    def scan(self, moment: Moment, frame: int) -> FaceScan:
        """Record a moment.

        Parameters
        ----------
        moment : Moment
        frame : int
            From 0; each has errors of measurement of its own.

        Raises
        ------
        ScanError
            The sensor saw too little.
        """
        face = self.person.face(moment.strengths, "live face", self._texture)
        turn = Rotation.from_euler("yxz", moment.head_deg, degrees=True).as_matrix()
        sensor = SENSORS[self._role.sensor]
        scene, noise = _generator(self._role, _SCENE), _generator(self._role, _NOISE, frame)
        return record_face(self.person, face, moment.strengths, turn, sensor, scene, noise).scan


def strengths_of(style: Style, controls: Controls) -> np.ndarray:
    """(A, 2) float32: a person's own expression as far as the intensity says, and single action units on top of it."""
    shown = action_strengths(controls.units)
    if controls.emotion != NEUTRAL:
        shown = shown + np.float32(controls.intensity) * style.apexes[controls.emotion]
    return np.clip(shown, 0, MAX_STRENGTH).astype(np.float32)


class Easing:
    """Follows what moves in jumps: of the way to where it should be, all but 1/e is gone after each time constant."""

    def __init__(self) -> None:
        self._at: Moment | None = None
        self._seconds = 0.0

    def follow(self, target: Moment, seconds: float) -> Moment:
        """Go a step of the way; the first one is there at once."""
        if self._at is None:
            self._at = target
        share = np.float32(-math.expm1(-(seconds - self._seconds) / EASE_S))
        self._seconds = seconds
        self._at = Moment(
            self._at.strengths + share * (target.strengths - self._at.strengths),
            self._at.head_deg + share * (target.head_deg - self._at.head_deg),
            target.asked,
        )
        return self._at


def _movement(role: Role, style: Style) -> Movement:
    if isinstance(role.movement, Path):
        return _Captured(read_live_link(role.movement))
    return _Natural(role, style) if role.movement == NATURE else _ByHand(style)


@dataclass(frozen=True, eq=False)
class _ByHand:
    style: Style

    def __call__(self, seconds: float, controls: Controls) -> Moment:
        head_deg = np.array([controls.yaw_deg, controls.pitch_deg, 0.0])
        return Moment(strengths_of(self.style, controls), head_deg, controls.emotion)


class _Natural:
    """One emotion after the other comes and goes, each once in every six, in an order that is drawn."""

    def __init__(self, role: Role, style: Style) -> None:
        self._role, self._style = role, style
        self._turn, self._began_s = -1, 0.0
        self._performance: Performance | None = None

    def __call__(self, seconds: float, controls: Controls) -> Moment:
        while self._performance is None or seconds - self._began_s > self._performance.seconds:
            self._began_s += 0.0 if self._performance is None else self._performance.seconds
            self._turn += 1
            rng = _generator(self._role, _MOVEMENT, 1, self._turn)
            strengths = draw_expression(self._style, self._emotion, INTENSITIES[-1], rng)
            self._performance = perform(strengths, self._emotion, MOVEMENT_FPS, rng)
        return _at(self._performance, seconds - self._began_s, self._emotion)

    @property
    def _emotion(self) -> str:
        round_, place = divmod(self._turn, len(EMOTIONS))
        return EMOTIONS[_generator(self._role, _MOVEMENT, 2, round_).permutation(len(EMOTIONS))[place]]


@dataclass(frozen=True, eq=False)
class _Captured:
    """A take, again and again."""

    performance: Performance

    def __call__(self, seconds: float, controls: Controls) -> Moment:
        return _at(self.performance, seconds % max(self.performance.seconds, 1 / self.performance.fps), "")


def _at(performance: Performance, seconds: float, asked: str) -> Moment:
    frame = min(round(seconds * performance.fps), len(performance) - 1)
    return Moment(performance.strengths[frame], performance.head_deg[frame], asked)


def _generator(role: Role, *what: int) -> np.random.Generator:
    return np.random.default_rng([SEED, role.person, *what])
