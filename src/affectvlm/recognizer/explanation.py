"""Why a scan gets its answer: what speaks for it where, in which view, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from affectvlm.errors import ModelError
from affectvlm.recognizer.encoder import Encoder
from affectvlm.recognizer.occlusion import importance
from affectvlm.recognizer.softmax import softmax
from affectvlm.views import Views, encode, to_channels
from affectvlm.views.coverage import seen_views

NEAREST = 5
"""Prompts that are told."""

BATCH = 128
"""Prompts that are encoded at once."""


@dataclass(frozen=True)
class NearPrompt:
    """A prompt that lies near a face.

    Parameters
    ----------
    text : str
    label : str
        The expression that it stands for.
    cosine : float
        Between the face and the prompt, -1 to 1.
    """

    text: str
    label: str
    cosine: float


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a model answers as it does. It tells of the model, not of the face: there is no truth to compare it with.

    Parameters
    ----------
    label : str
        The expression that is explained, one of the classes.
    classes : tuple of str
    probabilities : (classes,) float64
        The answer, sum 1.
    importance : (V, H, W) float32
        What a spot of a view speaks for the label, or, below 0, against it: how far the logarithm of the label's odds
        (p / (1 - p), base e) falls when the spot is smoothed away in this view alone (:mod:`.occlusion`).
    weights : (V,) float64
        Of the views in the fused embedding, sum 1; 0 where a view is missing.
    left_out : (V, classes) float64
        The probabilities without each view; NaN where no other is seen.
    prompts : tuple of NearPrompt
        Of all prompts that can be made for the classes, the :data:`NEAREST` to the face, the nearest first.
    prompts_of_classes : tuple of NearPrompt
        The nearest of each class, the nearest first.
    """

    label: str
    classes: tuple[str, ...]
    probabilities: np.ndarray
    importance: np.ndarray
    weights: np.ndarray
    left_out: np.ndarray
    prompts: tuple[NearPrompt, ...]
    prompts_of_classes: tuple[NearPrompt, ...]


class Prompts:
    """All prompts that can be made for a model's classes, encoded once.

    Parameters
    ----------
    encoder : Encoder
    """

    def __init__(self, encoder: Encoder) -> None:
        grammar = encoder.grammar
        self.texts, self.labels = zip(
            *((text, name) for name in grammar.classes for text in grammar.wordings(name)), strict=True
        )
        parts = [self.texts[start : start + BATCH] for start in range(0, len(self.texts), BATCH)]
        self.embeddings = np.concatenate([encoder.encode_text(part) for part in parts])  # (P, D)

    def by_nearness(self, face: np.ndarray) -> list[NearPrompt]:
        """Sort them by their cosines to a face ((D,), unit length), the nearest first."""
        cosines = self.embeddings @ face
        order = np.argsort(-cosines, kind="stable")
        return [NearPrompt(self.texts[i], self.labels[i], float(cosines[i])) for i in order]


def explain_views(
    encoder: Encoder, prompts: Prompts, views: Views, label: str | None, on_progress: Callable[[float], None]
) -> Explanation:
    """Explain the answer for a face; with the same result whatever runs the model, for no gradient is taken.

    Parameters
    ----------
    encoder : Encoder
    prompts : Prompts
        Of the same encoder.
    views : Views
        Of the encoder's rig.
    label : str, optional
        One of the classes; None: the most probable.
    on_progress : callable
        Called with the share that is done.

    Raises
    ------
    ModelError
        The model knows no such expression.
    """
    if label is not None and label not in encoder.classes:
        raise ModelError(f"expected one of the model's expressions {', '.join(encoder.classes)}; found {label!r}")
    channels = to_channels(encode(views), views.rig)  # (V, C, H, W)
    seen = seen_views(channels, views.rig)  # (V,)
    embeddings, scores = encoder.encode_views(channels[None, None], seen[None, None])  # (1, V, D), (1, V)

    def logits(embeddings: np.ndarray, scores: np.ndarray, seen: np.ndarray) -> np.ndarray:
        return encoder.logit_scale * _fused(embeddings, scores, seen) @ encoder.class_embeddings.T  # (B, classes)

    probabilities = softmax(logits(embeddings, scores, seen)[0])
    explained = int(probabilities.argmax()) if label is None else encoder.classes.index(label)

    def speaks_for(embeddings: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return _log_odds(logits(embeddings, scores, seen), explained)

    left_out = np.full((len(seen), len(probabilities)), np.nan)
    for view, others in enumerate(seen & ~np.eye(len(seen), dtype=bool)):
        if others.any():
            left_out[view] = softmax(logits(embeddings, scores, others)[0])
    near = prompts.by_nearness(_fused(embeddings, scores, seen)[0])
    of_classes: dict[str, NearPrompt] = {}
    for prompt in near:
        of_classes.setdefault(prompt.label, prompt)
    return Explanation(
        label=encoder.classes[explained],
        classes=encoder.classes,
        probabilities=probabilities,
        importance=importance(encoder, channels, seen, speaks_for, on_progress),
        weights=_weights(scores, seen)[0],
        left_out=left_out,
        prompts=tuple(near[:NEAREST]),
        prompts_of_classes=tuple(of_classes.values()),
    )


def view_weights(encoder: Encoder, views: Views) -> np.ndarray:
    """(V,) float64: how much each view counts in the fused embedding, sum 1; 0 where it is missing."""
    channels = to_channels(encode(views), views.rig)  # (V, C, H, W)
    seen = seen_views(channels, views.rig)  # (V,)
    _, scores = encoder.encode_views(channels[None, None], seen[None, None])
    weights: np.ndarray = _weights(scores, seen)[0]
    return weights


def _fused(embeddings: np.ndarray, scores: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(B, V, D) embeddings, (B, V) logarithms of weights, (V,) bool -> (B, D) float64, unit length: as the model does.

    By itself, so that of a face only the view that has changed need be encoded anew.
    """
    fused = np.einsum("bv,bvd->bd", _weights(scores, seen), embeddings)
    unit: np.ndarray = fused / np.linalg.norm(fused, axis=1, keepdims=True)
    return unit


def _weights(scores: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(B, V) logarithms of weights and (V,) bool -> (B, V) float64, sum 1 over the views that are seen."""
    return softmax(np.where(seen, scores.astype(np.float64), -np.inf))


def _log_odds(logits: np.ndarray, of: int) -> np.ndarray:
    """(B, classes) logits -> (B,): ln p / (1 - p) of one class."""
    others = np.delete(logits, of, axis=1)
    most = others.max(axis=1)
    odds: np.ndarray = logits[:, of] - most - np.log(np.exp(others - most[:, None]).sum(axis=1))
    return odds
