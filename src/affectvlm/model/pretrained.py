"""Read pretrained towers: their weights as safetensors, never a pickle, and no code that comes with them.

Only where such towers are asked for is this imported: the models of transformers take seconds to import.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForTextEncoding,
    AutoTokenizer,
    CLIPModel,
    CLIPTextModel,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING
from transformers.utils import logging as transformers_logging

from affectvlm.errors import ModelError
from affectvlm.model.config import Side
from affectvlm.model.inflation import inflate
from affectvlm.model.source import FILES, UNREADABLE, find_model, first_line, optional_file, read_json
from affectvlm.model.text_encoder import (
    MODULES_FILE,
    POOLING_FILE,
    TextEncoder,
    places,
    read_pooling,
    refuse_further_modules,
)
from affectvlm.views import Rig

OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
"""RGB of the pictures that the first CLIPs were trained on, 0 to 1 (github.com/openai/CLIP)."""


@dataclass(frozen=True)
class ImageEncoder:
    """A CLIP's image tower, and its projection into the CLIP's joint space."""

    model: PreTrainedModel
    projection: nn.Linear


def load_clip(name: str, rig: Rig) -> tuple[ImageEncoder, TextEncoder]:
    """Read a CLIP of transformers and make its image tower see a rig's views.

    Parameters
    ----------
    name : str
        A folder or a hub id.
    rig : Rig

    Raises
    ------
    ModelError
        It cannot be reached or read, is no CLIP with a vision transformer, or does not fit the rig.
    """
    source = find_model(name)
    config = _read_config(source, name)
    if config.model_type != "clip":
        raise ModelError(
            f"{name}: expected a CLIP of transformers, found a {config.model_type!r}; a text encoder goes to "
            "model.text_encoder"
        )
    clip = _load(CLIPModel, source, name)
    mean, std = _normalisation(source, name)
    try:
        inflate(clip.vision_model, rig, mean, std)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    text = TextEncoder(clip.text_model, _load_tokenizer(source, name), "pooler", clip.text_projection)
    return ImageEncoder(clip.vision_model, clip.visual_projection), text


def load_text_encoder(name: str) -> TextEncoder:
    """Read any text encoder of transformers, with its tokenizer and its way of pooling.

    Parameters
    ----------
    name : str
        A folder or a hub id: of a sentence encoder, say, or of a CLIP, whose text tower is then taken.

    Raises
    ------
    ModelError
        It cannot be reached or read, or is no text encoder.
    """
    source = find_model(name)
    config = _read_config(source, name)
    kind = text_class(config, name)
    refuse_further_modules(optional_file(source, MODULES_FILE))
    pooling = read_pooling(config, optional_file(source, POOLING_FILE))
    model = _load(kind, source, name, needless=() if pooling == "pooler" else ("pooler.",))
    tokenizer = _load_tokenizer(source, name)
    if (longest := places(model)) is not None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, longest)
    return TextEncoder(model, tokenizer, pooling)


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


def encoder_from_config(kept: dict[str, Any], side: Side) -> PreTrainedModel:
    """Build an encoder of transformers, with fresh weights, from its written configuration."""
    settings = dict(kept)
    config = AutoConfig.for_model(settings.pop("model_type"), **settings)
    kind = AutoModel if side == "image" else text_class(config, "the text tower")
    return kind.from_config(config)


def _normalisation(source: str, name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Read the mean and standard deviation of RGB that a CLIP was trained with; those of the first ones by default."""
    file = optional_file(source, "preprocessor_config.json")
    settings = {} if file is None else read_json(file)
    mean, std = settings.get("image_mean", OPENAI_MEAN), settings.get("image_std", OPENAI_STD)
    try:
        mean, std = tuple(float(value) for value in mean), tuple(float(value) for value in std)
        fits = len(mean) == len(std) == 3 and min(std) > 0
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise ModelError(f"{name}: preprocessor_config.json: expected image_mean and image_std of three numbers each")
    return mean, std


def _read_config(source: str, name: str) -> Any:
    with _as_model_error(name, "config.json"), _quietly(source):
        return AutoConfig.from_pretrained(source, trust_remote_code=False)


def _load(kind: Any, source: str, name: str, needless: tuple[str, ...] = ()) -> Any:
    """Read a model in single precision; every weight must be there but those whose names begin as in ``needless``."""
    with _as_model_error(name, "model.safetensors"), _quietly(source):
        model, found = kind.from_pretrained(
            source, use_safetensors=True, trust_remote_code=False, dtype=torch.float32, output_loading_info=True
        )
    missing = sorted(key for key in found["missing_keys"] if not key.startswith(needless))
    if missing:
        raise ModelError(
            f"{name}: model.safetensors lacks {len(missing)} weights of a {model.config.model_type!r} ({missing[0]}, "
            "say); take the files of one whole model"
        )
    return model


def _load_tokenizer(source: str, name: str) -> PreTrainedTokenizerBase:
    with _as_model_error(name, "the tokenizer"), _quietly(source):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@contextmanager
def _as_model_error(name: str, file: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        raise ModelError(f"{name}: cannot read {file} ({first_line(error)}); expected {FILES}") from error


@contextmanager
def _quietly(source: str) -> Iterator[None]:
    """Keep transformers from listing weights that nobody asked for; a download shows its progress, a folder none."""
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    if Path(source).is_dir():
        transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()
