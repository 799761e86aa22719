"""A trained model as PyTorch runs it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from affectvlm.language import Grammar
from affectvlm.model import AffectVLM
from affectvlm.views import Rig


class TorchEncoder:
    """A model behind the interface of :class:`~affectvlm.recognizer.encoder.Encoder`.

    Parameters
    ----------
    model : AffectVLM
        Put into evaluation mode.
    """

    def __init__(self, model: AffectVLM) -> None:
        self.model = model.eval()

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of every probability."""
        return self.model.classes

    @property
    def class_prompts(self) -> tuple[str, ...]:
        """A typical prompt of each class."""
        return tuple(self.model.grammar.ensemble(name)[0] for name in self.classes)

    @property
    def grammar(self) -> Grammar:
        """All prompts that can be made for the classes."""
        return self.model.grammar

    @property
    def rig(self) -> Rig:
        """The views that the model was made for."""
        return self.model.rig

    @property
    def time(self) -> str:
        """How the frames of a sequence become one."""
        return self.model.time_name

    @property
    def frames(self) -> int | None:
        """How many frames of a sequence the model looks at."""
        return self.model.frames

    @cached_property
    def class_embeddings(self) -> np.ndarray:
        """(classes, D) float32: the prompts are encoded once."""
        with torch.inference_mode():
            return _array(self.model.encode_classes())

    @property
    def logit_scale(self) -> float:
        """Cosines times this are the logits of the probabilities."""
        return float(self.model.logit_scale)

    @property
    def unsure_below(self) -> float:
        """Answers whose highest probability is lower are withheld."""
        return float(self.model.unsure_below)

    @property
    def typical_rest(self) -> np.ndarray:
        """(D,) float32: mean embedding of faces at rest."""
        return _array(self.model.typical_rest)

    @torch.inference_mode()
    def encode_faces(self, views: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """(B, T, V, C, H, W) float32 and (B, T, V) bool -> (B, D) float32, unit length."""
        return _array(self.model.encode_faces(*self._there(views, seen)))

    @torch.inference_mode()
    def encode_views(self, views: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B, T, V, C, H, W) float32 and (B, T, V) bool -> (B, V, D) and (B, V) float32: before the views are fused."""
        Z = self.model.encode_views(*self._there(views, seen))
        return _array(Z), _array(self.model.fusion.scores(Z))

    @torch.inference_mode()
    def encode_text(self, prompts: Sequence[str]) -> np.ndarray:
        """P prompts -> (P, D) float32, unit length."""
        return _array(self.model.encode_text(list(prompts)))

    def save(self, folder: Path) -> None:
        """Write the model's files into an empty folder."""
        self.model.save(folder)

    def _there(self, *arrays: np.ndarray) -> tuple[torch.Tensor, ...]:
        """Bring arrays to where the weights are."""
        return tuple(torch.from_numpy(array).to(self.model.device) for array in arrays)


def _array(values: torch.Tensor) -> np.ndarray:
    array: np.ndarray = values.float().cpu().numpy()
    return array
