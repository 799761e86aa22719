"""An exported model as onnxruntime runs it: neither PyTorch nor transformers is imported."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from affectvlm.cores import usable_cores
from affectvlm.errors import ModelError, in_one_line
from affectvlm.language import Grammar
from affectvlm.model_files import EXPORTED, FACES, WORDS, WORDS_TOKENIZER
from affectvlm.recognizer.onnx_folder import read_exported
from affectvlm.recognizer.source import copy_model
from affectvlm.views import Rig

MOST_THREADS = 4
"""The pictures are small: more threads wait for each other."""


class OnnxEncoder:
    """A model behind the interface of :class:`~affectvlm.recognizer.encoder.Encoder`.

    Parameters
    ----------
    folder : Path
        Written by :func:`affectvlm.recognizer.export.export_onnx`.

    Raises
    ------
    ModelError
        The folder holds no exported model, a damaged one, or parts of several.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._exported = read_exported(folder)
        self._faces = _session(folder / FACES)
        made_for = self._faces.get_modelmeta().custom_metadata_map
        if made_for != self._exported.identity:
            raise ModelError(
                f"{folder / EXPORTED}: expected the classes and the rig that {FACES} was made for ({made_for}), "
                f"found {self._exported.identity}; a probability would be called by another class's name. Copy the "
                "whole folder again"
            )

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of every probability."""
        return self._exported.classes

    @property
    def class_prompts(self) -> tuple[str, ...]:
        """A typical prompt of each class."""
        return self._exported.class_prompts

    @property
    def grammar(self) -> Grammar:
        """All prompts that can be made for the classes."""
        return Grammar(self.classes, self._exported.vocabulary)

    @property
    def rig(self) -> Rig:
        """The views that the model was made for."""
        return self._exported.rig

    @property
    def time(self) -> str:
        """How the frames of a sequence become one."""
        return self._exported.time

    @property
    def frames(self) -> int | None:
        """How many frames of a sequence the model looks at."""
        return self._exported.frames

    @cached_property
    def class_embeddings(self) -> np.ndarray:
        """(classes, D) float32."""
        return np.array(self._exported.class_embeddings, np.float32)

    @property
    def logit_scale(self) -> float:
        """Cosines times this are the logits of the probabilities."""
        return self._exported.logit_scale

    @property
    def unsure_below(self) -> float:
        """Answers whose highest probability is lower are withheld."""
        return self._exported.unsure_below

    @property
    def typical_rest(self) -> np.ndarray:
        """(D,) float32: mean embedding of faces at rest."""
        return np.array(self._exported.typical_rest, np.float32)

    def encode_faces(self, views: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """(B, T, V, C, H, W) float32 and (B, T, V) bool -> (B, D) float32, unit length."""
        faces: np.ndarray = self._faces.run(["faces"], {"views": views, "seen": seen})[0]
        return faces

    def encode_views(self, views: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(B, T, V, C, H, W) float32 and (B, T, V) bool -> (B, V, D) and (B, V) float32: before the views are fused."""
        embeddings, scores = self._faces.run(["embeddings", "scores"], {"views": views, "seen": seen})
        return embeddings, scores

    def encode_text(self, prompts: Sequence[str]) -> np.ndarray:
        """P prompts -> (P, D) float32, unit length."""
        tokens = self._tokenizer.encode_batch(list(prompts))
        ids = np.array([one.ids for one in tokens], np.int64)
        mask = np.array([one.attention_mask for one in tokens], np.int64)
        words: np.ndarray = self._words.run(["words"], {"ids": ids, "mask": mask})[0]
        return words

    def save(self, folder: Path) -> None:
        """Write the model's files into an empty folder."""
        copy_model(self._folder, folder)

    # What only labels in one's own words need is read when there are some.

    @cached_property
    def _words(self) -> onnxruntime.InferenceSession:
        return _session(self._folder / WORDS)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return Tokenizer.from_file(str(self._folder / WORDS_TOKENIZER))


def _session(file: Path) -> onnxruntime.InferenceSession:
    """Open a file of an exported model, for as many threads as this process may have."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(usable_cores(), MOST_THREADS)
    # Threads that wait would else keep the cores from those that draw the next views.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors have no common base
        raise ModelError(
            f"{file}: onnxruntime cannot read it ({in_one_line(str(error))}); update onnxruntime"
        ) from error
