"""Sample faces: made on the spot by the embedded face model, so that the page works without any file."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        One of :data:`affectvlm.emotions.EMOTIONS`.
    intensity : int
        1 (slight) to 4 (full).
    person : int
        From 1; each is another face with his own way of showing an emotion.
    """

    emotion: str
    intensity: int
    person: int

    @property
    def caption(self) -> str:
        """Who it is and what was asked of him, for people."""
        return f"sample person {self.person}, made to show {INTENSITY_WORDS[self.intensity]} {self.emotion}"

    def scan(self) -> FaceScan:
        """Make the face; always the same one."""
        study = Study(FaceSource(), seed=SEED, textured=True)
        subject = Subject(self.person - 1, "", {})
        return replace(study.record(Take("", subject, self.emotion, self.intensity)).scan, source=self.caption)
