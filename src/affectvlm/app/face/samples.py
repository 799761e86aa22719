"""Sample faces: made on the spot by the embedded face model, so that the page works without any file."""

from __future__ import annotations

from dataclasses import dataclass, replace

from affectvlm.emotions import NEUTRAL
from affectvlm.scan import FaceScan
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.generate import Study, Subject, Take

SEED = 20_261_101
"""Unlike any that a study is likely to be made with, so that a sample is nobody whom the model was trained on."""

INTENSITY_WORDS: dict[int, str] = {1: "slight", 2: "moderate", 3: "strong", 4: "full"}

MAX_PERSON = 9999


@dataclass(frozen=True)
class SampleFace:
    """Which face is made.

    Parameters
    ----------
    emotion : str
        One of :data:`affectvlm.emotions.EMOTIONS`, or ``neutral``.
    intensity : int
        1 (slight) to 4 (full); a neutral face has none, and is the same at each.
    person : int
        From 1; each is another face with his own way of showing an emotion.
    """

    emotion: str
    intensity: int
    person: int

    @property
    def caption(self) -> str:
        """Who it is and what was asked of him, for people."""
        shown = NEUTRAL if self.emotion == NEUTRAL else f"{INTENSITY_WORDS[self.intensity]} {self.emotion}"
        return f"sample person {self.person}, made to show {shown}"

    def scan(self) -> FaceScan:
        """Make the face; always the same one."""
        study = Study(FaceSource(), seed=SEED, textured=True)
        subject = Subject(self.person - 1, "", {})
        intensity = None if self.emotion == NEUTRAL else self.intensity
        return replace(study.record(Take("", subject, self.emotion, intensity)).scan, source=self.caption)


GALLERY: tuple[SampleFace, ...] = (
    SampleFace("happiness", 4, 1),
    SampleFace("surprise", 4, 2),
    SampleFace("anger", 4, 3),
    SampleFace("sadness", 4, 4),
    SampleFace("fear", 4, 5),
    SampleFace("disgust", 4, 6),
    SampleFace(NEUTRAL, 4, 7),
)
"""One of each, the first seven people: they were not chosen by what a model says of them."""
