"""A made-up study: people of a face model who are recorded as in BU-3DFE or BU-4DFE.

Every draw depends on the seed and on what is drawn alone (which person, which take), never on the order or on the
number of workers.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from functools import cache, cached_property, lru_cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from affectvlm import __version__
from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ConfigError
from affectvlm.scan import FACE_RADIUS_MM, FaceScan, Sample, face_mask
from affectvlm.scan.clean import clean
from affectvlm.scan.range_image import RangeImage
from affectvlm.synthesis.dynamics import look_around, neutral_moment, perform, rest, speak
from affectvlm.synthesis.expressions import INTENSITIES, draw_expression
from affectvlm.synthesis.face_model import REGIONS
from affectvlm.synthesis.library import FaceSource, load_face_model
from affectvlm.synthesis.live_link import read_live_link
from affectvlm.synthesis.performance import Performance
from affectvlm.synthesis.person import Person, draw_person
from affectvlm.synthesis.sensors import SENSORS, Sensor, observe
from affectvlm.synthesis.texture import draw_complexion, paint
from affectvlm.synthesis.transfer import lend_shapes

Protocol = Literal["bu3dfe", "bu4dfe", "neutral"]

POSE_SPREAD_DEG = 4.0
"""Standard deviation of the head's yaw, pitch and roll before the camera."""

RESIDUAL_DEG = (0.8, 2.5, 1.2)
"""Spread of the yaw, pitch and roll that :func:`~affectvlm.scan.normalize` leaves: a little more than was measured.

Measured on 60 to 200 people a face model (embedded, ICT-FaceKit, MakeHuman), a scan with an expression of each, clean
and of mixed sensors, against the person's axes by his landmarks at rest: 0.3, 0.6 and 0.4 degrees of yaw; 0.8, 2.2 and
1.6 of pitch, around 0.2, -0.1 and 1.1; 0.4, 0.8 and 0.6 of roll.
"""

RESIDUAL_MM = (0.6, 0.8, 0.5)
"""Spread of the nose tip's place sideways, in height and in depth, measured alike against :attr:`Person.tip`.

Clean, it is at most 0.2 sideways, 0.7 in height and 0.2 in depth, around 0.3 in height at most; mixed 0.5, 0.6 and 0.4.
"""

NEAR_APEX = 0.5
"""Frames of a sequence that show at least this part of the apex are samples of its emotion."""

MIXED = "mixed"
"""Each scan or sequence is made by a sensor that is drawn for it."""

_SUBJECT, _COMPLEXION, _TAKE, _HEAD, _SCENE, _NOISE, _RESIDUAL = range(1, 8)
"""What a generator is for. No one of them is 0: numpy takes [seed, number] and [seed, number, 0] for the same."""

BU3DFE_CODES = {
    "anger": "AN",
    "disgust": "DI",
    "fear": "FE",
    "happiness": "HA",
    "sadness": "SA",
    "surprise": "SU",
    "neutral": "NE",
}
BU4DFE_FOLDERS = {
    "anger": "Angry",
    "disgust": "Disgust",
    "fear": "Fear",
    "happiness": "Happy",
    "sadness": "Sad",
    "surprise": "Surprise",
}
REST, SPEECH = "Rest", "Speech"
SEQUENCES = {**{folder: emotion for emotion, folder in BU4DFE_FOLDERS.items()}, REST: "neutral", SPEECH: "neutral"}
"""Folder of a sequence -> what it shows."""

NEUTRAL_S = 8.0
"""A neutral sequence's length."""

ANCESTRY_CODES = {"african": "BL", "asian": "AE", "european": "WH"}
"""As BU-3DFE writes them in its file names."""

UNKNOWN_ANCESTRY = "XX"


@dataclass(frozen=True)
class Subject:
    """Someone who takes part in a study.

    Parameters
    ----------
    number : int
        From 0.
    name : str
        As the data set names people, ``F0001`` or ``M001``; where a face model does not know the sex, the letters
        are given in turn and mean nothing.
    attributes : dict of str -> str
    """

    number: int
    name: str
    attributes: dict[str, str]


@dataclass(frozen=True)
class Take:
    """One scan of a study, or one frame of a sequence, before it is made.

    Parameters
    ----------
    key : str
        Its file without kind and suffix: ``F0001/F0001_AN01WH`` (BU-3DFE) or ``F001/Angry/000`` (BU-4DFE).
    subject : Subject
    emotion : str, optional
        Captured performances have none.
    intensity : int, optional
        1 to 4 in BU-3DFE's emotions.
    frame : int, optional
        From 0 in a sequence.
    """

    key: str
    subject: Subject
    emotion: str | None
    intensity: int | None = None
    frame: int | None = None


@dataclass(frozen=True, eq=False)
class Recording:
    """What was recorded of a take.

    Parameters
    ----------
    scan : FaceScan
        Before the camera: mm, nose tip near the origin, the head a little turned.
    landmarks : (68, 3) float32, mm
        Where the face model's landmarks are, in the scan's frame, whether or not the sensor saw them.
    strengths : (A, 2) float32
        Action units.
    rotation : (3, 3) float
        The head's.
    grid : RangeImage, optional
        What the sensor measured; the scan is its mesh. The sensor ``clean`` keeps the face model's own mesh.
    """

    scan: FaceScan
    landmarks: np.ndarray
    strengths: np.ndarray
    rotation: np.ndarray
    grid: RangeImage | None = None


@dataclass(frozen=True)
class Study:
    """A study that can be recorded, take by take.

    Parameters
    ----------
    source : FaceSource
    protocol : str
        ``bu3dfe``: each subject shows a neutral face and six emotions at four intensities; ``bu4dfe``: six sequences
        from neutral to an apex and back; ``neutral``: one at
        rest, where the head looks around, and one of speech.
    subjects : int
    sensor : str
        One of :data:`~affectvlm.synthesis.sensors.SENSORS`; several, joined by ``+``, of which one is drawn for each
        scan or sequence; or ``mixed``: any of them.
    seed : int
    textured : bool
        Whether the faces are painted.
    capture : Path, optional
        A Live Link Face csv: everybody performs it, instead of the protocol, whose names the subjects keep.
    lenders : tuple of FaceSource
        Further face models that have a share in how each person's action units move the skin.
    """

    source: FaceSource
    protocol: Protocol = "bu3dfe"
    subjects: int = 100
    sensor: str = "clean"
    seed: int = 0
    variety: float = 1.0
    fps: float = 25.0
    textured: bool = False
    capture: Path | None = None
    lenders: tuple[FaceSource, ...] = ()

    def __post_init__(self) -> None:
        if self.capture is not None and not self.capture.stem.strip("."):
            raise ConfigError(f"{self.capture}: its name becomes a folder's; give the capture a name of letters")

    @property
    def description(self) -> str:
        """What is made, in a line."""
        performed = self.capture.name if self.capture else self.protocol
        lent = f" with expressions of {' and '.join(s.name for s in self.lenders)} too" if self.lenders else ""
        return (
            f"synthetic: {self.source.name} faces{lent}, {self.subjects} subjects, {performed}, sensor {self.sensor}, "
            f"variety {self.variety:g}, seed {self.seed}"
        )

    @cached_property
    def people(self) -> list[Subject]:
        """Who takes part."""
        model = load_face_model(self.source)
        digits = 4 if self.protocol == "bu3dfe" else 3
        people: list[Subject] = []
        for number in range(self.subjects):
            # The identity is a person's first draw: no need to make the whole person for its attributes.
            attributes = model.attributes(model.draw_identity(self._rng(number, _SUBJECT)))
            letter = {"female": "F", "male": "M"}.get(attributes.get("sex", ""), "FM"[number % 2])
            among = sum(person.name.startswith(letter) for person in people) + 1
            people.append(Subject(number, f"{letter}{among:0{digits}d}", attributes))
        return people

    def takes(self) -> list[Take]:
        """All that is to be recorded, subject by subject."""
        if self.capture is not None:
            of = self._captured_of
        else:
            of = self._scans_of if self.protocol == "bu3dfe" else self._frames_of
        return [take for subject in self.people for take in of(subject)]

    def strengths(self, take: Take) -> np.ndarray:
        """(A, 2) float32: the action units that a take shows."""
        number = take.subject.number
        if take.frame is not None:
            return self._performance(take).strengths[take.frame]
        rng = self._rng(number, _TAKE, *_which(take))
        if take.emotion is None or take.intensity is None:
            return neutral_moment(rng)
        return draw_expression(self.person(number).style, take.emotion, take.intensity, rng)

    def _head_deg(self, take: Take) -> np.ndarray:
        """(3,) yaw, pitch, roll."""
        if take.frame is not None:
            return self._performance(take).head_deg[take.frame]
        return self._rng(take.subject.number, _HEAD, *_which(take)).normal(0, POSE_SPREAD_DEG, 3)

    def record(self, take: Take) -> Recording:
        """Make one take: the person's face with its expression, turned, before the sensor."""
        number = take.subject.number
        person = self.person(number)
        strengths = self.strengths(take)
        rotation = Rotation.from_euler("yxz", self._head_deg(take), degrees=True).as_matrix()
        name = f"{self.source.name} face, seed {self.seed}, {take.key}"
        texture = self.texture(number)
        face = person.face(strengths, name, texture)
        scene = self._rng(number, _SCENE, *_which(take)[:2])
        sensors = list(SENSORS) if self.sensor == MIXED else self.sensor.split("+")
        sensor = SENSORS[sensors[0] if len(sensors) == 1 else str(scene.choice(sensors))]
        noise = self._rng(number, _NOISE, *_which(take))
        return record_face(person, face, strengths, rotation, sensor, scene, noise)

    def samples(self) -> list[Sample]:
        """List the takes as samples that come normalised.

        A made-up head's pose is known, so that it need not be found: what :func:`~affectvlm.scan.normalize` would
        have left of it is drawn instead.
        """
        models = " ".join(load_face_model(source).fingerprint for source in (self.source, *self.lenders))
        stamp = f"{models}, {self.sensor}, variety {self.variety}, seed {self.seed}, version {__version__}"
        return [
            Sample(
                key=take.key,
                subject=take.subject.name,
                emotion=take.emotion,
                load=partial(_normalized, self, take),
                intensity=take.intensity,
                attributes=take.subject.attributes,
                stamp=stamp,
                normalized=True,
            )
            for take in self.takes()
            if take.emotion is not None and self._shows_it(take)
        ]

    def _shows_it(self, take: Take) -> bool:
        """Whether a frame is near enough its sequence's apex to be learned from: the others are at rest or nearly."""
        if take.frame is None or take.emotion not in EMOTIONS:
            return True
        apex = self.person(take.subject.number).style.apexes[take.emotion]
        return float((self.strengths(take) * apex).sum()) >= NEAR_APEX * float((apex * apex).sum())

    def _scans_of(self, subject: Subject) -> list[Take]:
        code = ANCESTRY_CODES.get(subject.attributes.get("ancestry", ""), UNKNOWN_ANCESTRY)

        def take(emotion: str, intensity: int | None) -> Take:
            name = f"{subject.name}_{BU3DFE_CODES[emotion]}{intensity or 0:02d}{code}"
            return Take(f"{subject.name}/{name}", subject, emotion, intensity)

        emotional = [take(emotion, intensity) for emotion in EMOTIONS for intensity in INTENSITIES]
        return [take("neutral", None), *emotional]

    def _frames_of(self, subject: Subject) -> list[Take]:
        neutral = self.protocol == "neutral"
        shown = {folder: emotion for folder, emotion in SEQUENCES.items() if (emotion == "neutral") == neutral}
        return [take for folder, emotion in shown.items() for take in self.sequence(subject, folder, emotion)]

    def _captured_of(self, subject: Subject) -> list[Take]:
        assert self.capture is not None
        return self.sequence(subject, self.capture.stem, None)

    def sequence(self, subject: Subject, folder: str, emotion: str | None) -> list[Take]:
        """List the frames of one sequence, of whomever.

        Parameters
        ----------
        subject : Subject
            Of this study's people, or any other number.
        folder : str
            One of :data:`SEQUENCES`; where there is a capture, any name.
        emotion : str, optional
            What the frames are to be samples of.
        """
        first = Take(f"{subject.name}/{folder}/", subject, emotion, frame=0)
        frames = len(self._performance(first))
        return [replace(first, key=f"{first.key}{frame:0{self._digits}d}", frame=frame) for frame in range(frames)]

    @property
    def _digits(self) -> int:
        return 3 if self.capture is None else 5

    def _performance(self, take: Take) -> Performance:
        if self.capture is not None:
            return _captured(self.capture, self.fps)
        folder = take.key.split("/")[1]
        return _performance(self.source, self.seed, take.subject.number, self.variety, self.fps, folder, self.lenders)

    def person(self, number: int) -> Person:
        """Draw whoever has a number, from 0: one of this study's people, or another who might be."""
        return _person(self.source, self.seed, number, self.variety, self.lenders)

    def texture(self, number: int) -> np.ndarray | None:
        """Paint a person's skin: (H, W, 3) uint8; None in a study without."""
        return _texture(self.source, self.seed, number) if self.textured else None

    def _rng(self, number: int, *what: int) -> np.random.Generator:
        return _generator(self.source, self.seed, number, *what)


def record_face(
    person: Person,
    face: FaceScan,
    strengths: np.ndarray,
    rotation: np.ndarray,
    sensor: Sensor,
    scene: np.random.Generator,
    noise: np.random.Generator,
) -> Recording:
    """Turn a face before a sensor, and record it.

    Parameters
    ----------
    person : Person
        Whose face it is.
    face : FaceScan
        Upright, as :meth:`Person.face` makes it.
    strengths : (A, 2) float32
        What it shows.
    rotation : (3, 3) float
    sensor : Sensor
    scene, noise : numpy.random.Generator
        As :func:`~affectvlm.synthesis.sensors.observe` takes them.
    """
    turned = face.moved(rotation, np.zeros(3))
    landmarks = turned.vertices[person.model.landmarks]
    if sensor.distance_mm is None:
        return Recording(turned, landmarks, strengths, rotation)
    eyes = person.model.regions == REGIONS.index("eyes")
    at_rest = np.einsum("xy,ly->lx", rotation, person.neutral[person.model.landmarks])
    grid = observe(sensor, turned, landmarks, eyes, scene, at_rest, noise)
    return Recording(grid.mesh(sensor.jump_mm), landmarks, strengths, rotation, grid)


def _generator(source: FaceSource, seed: int, number: int, *what: int) -> np.random.Generator:
    # The face model's name is part of it: studies of two models share no draw, so that neither tells of the other.
    return np.random.default_rng([seed, zlib.crc32(source.name.encode()), number, *what])


def _which(take: Take) -> tuple[int, int, int]:
    """Numbers that no other take of the same subject has."""
    names = list(SEQUENCES) if take.frame is not None else list(EMOTIONS)
    shown = take.key.split("/")[1] if take.frame is not None else take.emotion
    which = names.index(shown) + 1 if shown in names else 0
    return which, take.intensity or 0, 0 if take.frame is None else take.frame + 1


def _normalized(study: Study, take: Take) -> FaceScan:
    """Record a take and bring it upright, to within what the normalisation leaves."""
    made = study.record(take)
    rng = study._rng(take.subject.number, _RESIDUAL, *_which(take)[:2])  # the same for all frames of a sequence
    turn = Rotation.from_euler("yxz", rng.normal(0, RESIDUAL_DEG), degrees=True).as_matrix() @ made.rotation.T
    tip = study.person(take.subject.number).tip + rng.normal(0, RESIDUAL_MM)
    nose = made.landmarks[30] + made.rotation @ tip
    face = made.scan.kept(face_mask(made.scan, nose, FACE_RADIUS_MM))
    face = face.moved(turn, -turn @ nose)
    # A face model's own mesh has neither spikes nor holes: cleaning would find nothing, and take its time.
    return face if made.grid is None else clean(face, FACE_RADIUS_MM)[0]


@lru_cache(maxsize=2)
def _person(source: FaceSource, seed: int, number: int, variety: float, lenders: tuple[FaceSource, ...]) -> Person:
    """Kept while his takes are made, one after the other."""
    loans = [_loan(lender, source) for lender in lenders]
    return draw_person(load_face_model(source), _generator(source, seed, number, _SUBJECT), variety, loans)


@cache
def _loan(lender: FaceSource, borrower: FaceSource) -> tuple[np.ndarray, np.ndarray]:
    return lend_shapes(load_face_model(lender), load_face_model(borrower))


@lru_cache(maxsize=2)
def _texture(source: FaceSource, seed: int, number: int) -> np.ndarray:
    model, rng = load_face_model(source), _generator(source, seed, number, _SUBJECT)
    attributes = model.attributes(model.draw_identity(rng))
    return paint(model, draw_complexion(attributes, _generator(source, seed, number, _COMPLEXION)))


@lru_cache(maxsize=1)
def _captured(file: Path, fps: float) -> Performance:
    return read_live_link(file).resampled(fps)


@lru_cache(maxsize=6)
def _performance(
    source: FaceSource,
    seed: int,
    number: int,
    variety: float,
    fps: float,
    folder: str,
    lenders: tuple[FaceSource, ...],
) -> Performance:
    rng = _generator(source, seed, number, _TAKE, list(SEQUENCES).index(folder) + 1)
    if SEQUENCES[folder] == "neutral":
        return look_around(rest(NEUTRAL_S, fps, rng), rng) if folder == REST else speak(NEUTRAL_S, fps, rng)
    emotion = SEQUENCES[folder]
    style = _person(source, seed, number, variety, lenders).style  # the person whose face it is: drawn once
    return perform(draw_expression(style, emotion, INTENSITIES[-1], rng), emotion, fps, rng)
