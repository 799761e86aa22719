"""A text encoder with what belongs to it, and how a sentence is pooled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from affectvlm.errors import ModelError, in_one_line
from affectvlm.model.small_towers import SmallTextTransformer
from affectvlm.model.source import read_any_json, read_json

if TYPE_CHECKING:  # transformers' models take seconds to import, and a small tower needs none
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

Pooling = Literal["pooler", "mean", "cls", "max", "last"]
"""One vector of a sentence: the model's own, or of its tokens the mean, the first, the maximum, the last."""

POOLING_FILE = "1_Pooling/config.json"
"""Where sentence-transformers writes how a model pools."""

MODULES_FILE = "modules.json"
"""Where it lists what a text passes through."""

_MODULES_READ = ("Transformer", "Pooling", "Normalize")
"""The last is what follows every projection here."""

_THEIR_NAMES: dict[str, Pooling] = {"mean_tokens": "mean", "cls_token": "cls", "max_tokens": "max", "lasttoken": "last"}
"""Of its switches ``pooling_mode_...``; newer versions write one name instead, without ``_tokens``."""


@dataclass(frozen=True)
class TextEncoder:
    """A text tower with what belongs to it.

    Parameters
    ----------
    model : PreTrainedModel or SmallTextTransformer
    tokenizer : PreTrainedTokenizerBase
    pooling : str
    projection : nn.Linear, optional
        Into the joint space of the CLIP that it comes from.
    """

    model: PreTrainedModel | SmallTextTransformer
    tokenizer: PreTrainedTokenizerBase
    pooling: Pooling
    projection: nn.Linear | None = None


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


def refuse_further_modules(file: Path | None) -> None:
    """Make sure that a sentence-transformers model is a transformer and its pooling, and no layer of it is left out.

    Parameters
    ----------
    file : Path, optional
        Its ``modules.json``, if it has one.

    Raises
    ------
    ModelError
        The file lists another module, or no modules.
    """
    if file is None:
        return
    modules = read_any_json(file)
    if not (isinstance(modules, list) and all(isinstance(part, dict) for part in modules)):
        raise ModelError(f"{file}: expected a list of modules, found something else; take another text encoder")
    kinds = [str(part.get("type")).rpartition(".")[2] for part in modules]
    if further := [kind for kind in kinds if kind not in _MODULES_READ]:
        raise ModelError(
            f"{file}: expected {', '.join(_MODULES_READ)} and no further module, found a {in_one_line(further[0])}, "
            "which would be left out; take another text encoder"
        )


def places(model: PreTrainedModel) -> int | None:
    """Count the tokens that a text encoder can take; None where nothing says so.

    RoBERTa and its kin count positions from behind the number of their padding: those before it are lost.
    """
    longest = getattr(model.config, "max_position_embeddings", None)
    if longest is None:
        return None
    tables = (module for name, module in model.named_modules() if name.endswith("position_embeddings"))
    padding = getattr(next(tables, None), "padding_idx", None)
    return int(longest if padding is None else longest - padding - 1)


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
