"""Text encoders other than a CLIP's: which class of transformers they are, and how a sentence is pooled."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import AutoModel, AutoModelForTextEncoding, CLIPTextModel, PreTrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING

from affectvlm.errors import ModelError
from affectvlm.model.source import read_json

Pooling = Literal["pooler", "mean", "cls", "max", "last"]
"""One vector of a sentence: the model's own, or of its tokens the mean, the first, the maximum, the last."""

POOLING_FILE = "1_Pooling/config.json"
"""Where sentence-transformers writes how a model pools."""

_THEIR_NAMES: dict[str, Pooling] = {"mean_tokens": "mean", "cls_token": "cls", "max_tokens": "max", "lasttoken": "last"}
"""Of its switches ``pooling_mode_...``; newer versions write one name instead, without ``_tokens``."""


def text_class(config: PreTrainedConfig, name: str) -> Any:
    """Find the class of transformers that turns text into states, and only that.

    Raises
    ------
    ModelError
        The configuration is of something else than a text encoder.
    """
    if config.model_type == "clip":
        return CLIPTextModel
    if type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING:
        return AutoModelForTextEncoding
    if config.is_encoder_decoder or hasattr(config, "text_config") or hasattr(config, "vision_config"):
        raise ModelError(f"{name}: expected a text encoder of transformers, found a {config.model_type!r}")
    return AutoModel


def read_pooling(config: PreTrainedConfig, file: Path | None) -> Pooling:
    """Say how a text encoder wants to be pooled: as its folder says, else by its mean.

    Parameters
    ----------
    config : PreTrainedConfig
    file : Path, optional
        Its ``1_Pooling/config.json``, if it has one.

    Raises
    ------
    ModelError
        The file names no kind of pooling that is known here, or several.
    """
    if config.model_type in ("clip", "clip_text_model"):
        return "pooler"
    if file is None:
        return "mean"
    settings = read_json(file)
    kinds = [key.removeprefix("pooling_mode_") for key, on in settings.items() if on is True and "_mode_" in key]
    if isinstance(named := settings.get("pooling_mode"), str):
        kinds = [kind for kind in _THEIR_NAMES if named == kind.partition("_")[0]] or [named]
    if len(kinds) != 1 or kinds[0] not in _THEIR_NAMES:
        found = ", ".join(kinds) or "none"
        raise ModelError(
            f"{file}: expected one kind of pooling out of {', '.join(_THEIR_NAMES)}, found {found}; take another text "
            "encoder"
        )
    return _THEIR_NAMES[kinds[0]]


def pool(states: Tensor, attention_mask: Tensor, pooling: Pooling) -> Tensor:
    """(P, L, width) states and (P, L) mask -> (P, width): one vector a sentence; padding does not count."""
    held = attention_mask.bool()[..., None]  # (P, L, 1)
    if pooling == "mean":
        return states.masked_fill(~held, 0).sum(dim=1) / held.sum(dim=1)
    if pooling == "max":
        return states.masked_fill(~held, -torch.inf).amax(dim=1)
    places = torch.arange(states.shape[1], device=states.device)
    first, last = (places + states.shape[1] * ~held[..., 0]).argmin(dim=1), (places * held[..., 0]).argmax(dim=1)
    return states[torch.arange(len(states), device=states.device), first if pooling == "cls" else last]
