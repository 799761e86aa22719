"""What a recognizer needs of a model, whether PyTorch runs it or another runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from affectvlm.language import Grammar
from affectvlm.views import Rig


class Encoder(Protocol):
    """Faces and words -> vectors of unit length in one space."""

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of every probability."""
        ...

    @property
    def class_prompts(self) -> tuple[str, ...]:
        """A typical prompt of each class."""
        ...

    @property
    def grammar(self) -> Grammar:
        """All prompts that can be made for the classes."""
        ...

    @property
    def rig(self) -> Rig:
        """The views that it was made for."""
        ...

    @property
    def time(self) -> str:
        """How the frames of a sequence become one: ``mean``, ``attention``, ``causal`` or ``rank_pooling``."""
        ...

    @property
    def frames(self) -> int | None:
        """How many frames of a sequence it looks at; None if it was made for single scans."""
        ...

    @property
    def class_embeddings(self) -> np.ndarray:
        """(classes, D) float32: each class's prompt ensemble."""
        ...

    @property
    def logit_scale(self) -> float:
        """Cosines times this are the logits of the probabilities."""
        ...

    @property
    def unsure_below(self) -> float:
        """Answers whose highest probability is lower are withheld."""
        ...

    @property
    def typical_rest(self) -> np.ndarray:
        """(D,) float32: mean embedding of faces at rest; 0 where it knows no neutral face."""
        ...

    def encode_faces(self, views: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """(B, T, V, C, H, W) float32 and (B, T, V) bool -> (B, D) float32; T = 1 for scans."""
        ...

    def encode_views(self, views: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B, T, V, C, H, W) float32 and (B, T, V) bool -> (B, V, D) and (B, V) float32: before the views are fused.

        Each view's embedding, zero where it is missing, and the logarithm of its weight, up to what all have in common.
        """
        ...

    def encode_text(self, prompts: Sequence[str]) -> np.ndarray:
        """P prompts -> (P, D) float32."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model's files into an empty folder."""
        ...
