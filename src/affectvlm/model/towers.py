"""The two towers: pictures and words into one joint space."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    CLIPModel,
    CLIPTextConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    ResNetConfig,
)

from affectvlm.errors import ModelError
from affectvlm.language import Grammar
from affectvlm.language.tokenizer import MAX_TOKENS, train_tokenizer
from affectvlm.model.config import ModelConfig
from affectvlm.views import Rig


class Towers(nn.Module):
    """An image encoder and a text encoder with a linear projection each, named as in CLIP.

    Towers that start from nothing are centred: what an encoder pools shares a large common part, so that all fresh
    embeddings lie in a narrow cone, and a loss on their angles can push them into one point. Batch normalisation before
    the projection takes the common part away. Those of a trained CLIP need none.

    Parameters
    ----------
    vision_model, text_model : PreTrainedModel
        Any of transformers that pools into ``pooler_output``.
    vision_width, text_width : int
        Dimensions that they pool into.
    embedding_dim : int
    centred : bool
    """

    def __init__(
        self,
        vision_model: PreTrainedModel,
        text_model: PreTrainedModel,
        vision_width: int,
        text_width: int,
        embedding_dim: int,
        centred: bool,
    ) -> None:
        super().__init__()
        self.centred = centred
        self.vision_model = vision_model
        self.text_model = text_model
        self.visual_centre = nn.BatchNorm1d(vision_width) if centred else nn.Identity()
        self.text_centre = nn.BatchNorm1d(text_width) if centred else nn.Identity()
        self.visual_projection = nn.Linear(vision_width, embedding_dim, bias=False)
        self.text_projection = nn.Linear(text_width, embedding_dim, bias=False)
        # Convolutions on a CPU are about a quarter faster with the channels innermost.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @classmethod
    def from_configs(
        cls, vision: PreTrainedConfig, text: PreTrainedConfig, embedding_dim: int, centred: bool
    ) -> Towers:
        """Build both towers with fresh weights."""
        return cls(
            AutoModel.from_config(vision),
            AutoModel.from_config(text),
            _pooled_width(vision),
            _pooled_width(text),
            embedding_dim,
            centred,
        )

    @classmethod
    def from_clip(cls, clip: CLIPModel) -> Towers:
        """Take over a CLIP's towers and projections with their weights."""
        towers = cls(
            clip.vision_model,
            clip.text_model,
            clip.visual_projection.in_features,
            clip.text_projection.in_features,
            clip.visual_projection.out_features,
            centred=False,
        )
        towers.visual_projection = clip.visual_projection
        towers.text_projection = clip.text_projection
        return towers

    @property
    def embedding_dim(self) -> int:
        """D: dimensions of the joint space."""
        return self.visual_projection.out_features

    def encode_images(self, pixels: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, D), unit length."""
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        pooled = self.vision_model(pixel_values=pixels).pooler_output.flatten(1)  # (N, width[, 1, 1]) -> (N, width)
        return nn.functional.normalize(self.visual_projection(self.visual_centre(pooled)), dim=-1)

    def encode_text(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(P, L) token ids and mask -> (P, D), unit length."""
        pooled = self.text_model(input_ids=input_ids, attention_mask=attention_mask).pooler_output
        return nn.functional.normalize(self.text_projection(self.text_centre(pooled)), dim=-1)


def _pooled_width(config: PreTrainedConfig) -> int:
    return int(config.hidden_sizes[-1] if hasattr(config, "hidden_sizes") else config.hidden_size)


def build_towers(config: ModelConfig, rig: Rig, grammar: Grammar) -> tuple[Towers, PreTrainedTokenizerBase]:
    """Build the towers and the tokenizer that a configuration asks for.

    Raises
    ------
    ModelError
        The CLIP cannot be read, or its pictures are not of the rig's size and channels.
    """
    if config.pretrained is not None:
        return _load_clip(config.pretrained, rig)
    tokenizer = train_tokenizer(grammar)
    vision = ResNetConfig(
        num_channels=rig.channels,
        embedding_size=config.image_widths[0],
        hidden_sizes=list(config.image_widths),
        depths=[config.image_blocks] * len(config.image_widths),
        layer_type="basic",
    )
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.text_width,
        intermediate_size=4 * config.text_width,
        num_hidden_layers=config.text_layers,
        num_attention_heads=config.text_heads,
        max_position_embeddings=MAX_TOKENS,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return Towers.from_configs(vision, text, config.embedding_dim, centred=True), tokenizer


def _load_clip(name: str, rig: Rig) -> tuple[Towers, PreTrainedTokenizerBase]:
    try:
        clip = CLIPModel.from_pretrained(name, use_safetensors=True)
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"{name}: expected a CLIP of transformers, a folder with config.json, model.safetensors and the tokenizer "
            f"or a hub id that can be reached; {reason}"
        ) from error
    vision = clip.vision_model.config
    size, channels = vision.image_size, vision.num_channels
    if (rig.size_px, rig.channels) != (size, channels):
        raise ModelError(
            f"{name}: sees {channels} channels of {size} px, but the rig gives {rig.channels} of {rig.size_px} px "
            f"({', '.join(rig.maps)}); prepare views of {size} px with normals or texture alone"
        )
    return Towers.from_clip(clip), tokenizer


def towers_from_dict(kept: dict[str, Any]) -> Towers:
    """Build the towers that :func:`towers_to_dict` wrote down, with fresh weights."""
    configs = {}
    for side in ("vision", "text"):
        settings = dict(kept[side])
        configs[side] = AutoConfig.for_model(settings.pop("model_type"), **settings)
    return Towers.from_configs(configs["vision"], configs["text"], kept["embedding_dim"], kept["centred"])


def towers_to_dict(towers: Towers) -> dict[str, Any]:
    """Write down all that it takes to build the towers again, JSON-compatible."""
    return {
        "vision": towers.vision_model.config.to_dict(),
        "text": towers.text_model.config.to_dict(),
        "embedding_dim": towers.embedding_dim,
        "centred": towers.centred,
    }


def tokenize(tokenizer: PreTrainedTokenizerBase, prompts: list[str]) -> tuple[Tensor, Tensor]:
    """Prompts -> token ids and mask, (P, L) int64 each, padded to the longest."""
    batch = tokenizer(prompts, padding=True, truncation=True, return_tensors="pt")
    ids: Tensor = batch["input_ids"]
    mask: Tensor = batch["attention_mask"]
    return ids, mask.to(torch.int64)
