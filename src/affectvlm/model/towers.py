"""The two towers: pictures and words into one joint space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from affectvlm.language import Grammar
from affectvlm.language.tokenizer import MAX_TOKENS, train_tokenizer
from affectvlm.model.adapters import add_adapters, merge_adapters
from affectvlm.model.config import SIDES, ModelConfig, Side
from affectvlm.model.small_towers import (
    ResNetSettings,
    SmallResNet,
    SmallTextTransformer,
    TextTransformerSettings,
)
from affectvlm.model.text_encoder import Pooling, TextEncoder, pool
from affectvlm.views import Rig

if TYPE_CHECKING:  # transformers' models take seconds to import, and small towers need none
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Towers(nn.Module):
    """An image encoder and a text encoder with a linear projection each, named as in CLIP.

    A projection that starts from nothing is centred: what an encoder pools shares a large common part, so that all
    fresh embeddings lie in a narrow cone, and a loss on their angles can push them into one point. Batch normalisation
    before the projection takes the common part away. The projections of a trained CLIP need none.

    Parameters
    ----------
    vision_model : PreTrainedModel or SmallResNet
        Any of transformers that pools into ``pooler_output``, or the small one.
    text_model : PreTrainedModel or SmallTextTransformer
        Any of transformers that turns text into states, or the small one, which pools.
    embedding_dim : int
    centred : tuple of str
        The sides, ``image`` and ``text``, whose projections start from nothing.
    pooling : str
        How the text encoder's states become one vector.

    Attributes
    ----------
    pretrained : tuple of str
        The parts whose weights come from a pretrained model; training is gentler with them. Not saved.
    frozen : tuple of str
        The sides whose encoders do not learn. Not saved.
    """

    def __init__(
        self,
        vision_model: PreTrainedModel | SmallResNet,
        text_model: PreTrainedModel | SmallTextTransformer,
        embedding_dim: int,
        centred: tuple[Side, ...],
        pooling: Pooling,
    ) -> None:
        super().__init__()
        self.centred = centred
        self.pooling = pooling
        self.pretrained: tuple[str, ...] = ()
        self.frozen: tuple[Side, ...] = ()
        self.vision_model = vision_model
        self.text_model = text_model
        if pooling != "pooler":
            # BERT's and its kin's: a layer without use, that would learn nothing.
            text_model.register_module("pooler", None)
        vision_width, text_width = vision_model.config.hidden_size, text_model.config.hidden_size
        self.visual_centre = nn.BatchNorm1d(vision_width) if "image" in centred else nn.Identity()
        self.text_centre = nn.BatchNorm1d(text_width) if "text" in centred else nn.Identity()
        self.visual_projection = nn.Linear(vision_width, embedding_dim, bias=False)
        self.text_projection = nn.Linear(text_width, embedding_dim, bias=False)
        # Convolutions on a CPU are about a quarter faster with the channels innermost.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def embedding_dim(self) -> int:
        """D: dimensions of the joint space."""
        return self.visual_projection.out_features

    def encode_images(self, pixels: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, D), unit length."""
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        pooled = self.vision_model(pixel_values=pixels).pooler_output  # (N, width)
        return nn.functional.normalize(self.visual_projection(self.visual_centre(pooled)).float(), dim=-1)

    def encode_text(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """(P, L) token ids and mask -> (P, D), unit length."""
        output = self.text_model(input_ids=input_ids, attention_mask=attention_mask)
        if self.pooling == "pooler":
            pooled = output.pooler_output
        else:
            pooled = pool(output.last_hidden_state, attention_mask, self.pooling)
        return nn.functional.normalize(self.text_projection(self.text_centre(pooled)).float(), dim=-1)

    def encoder(self, side: Side) -> PreTrainedModel | SmallResNet | SmallTextTransformer:
        """Give the encoder of a side, without its projection."""
        return self.vision_model if side == "image" else self.text_model

    def freeze(self, sides: tuple[Side, ...]) -> None:
        """Stop the encoders of some sides from learning; what follows them goes on."""
        self.frozen = sides
        for side in sides:
            self.encoder(side).requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> Towers:
        """Switch to training or, with False, to inference; frozen encoders stay in the latter, without dropout."""
        super().train(mode)
        for side in self.frozen:
            self.encoder(side).eval()
        return self

    def merge_adapters(self) -> None:
        """Take low-rank adapters into the weights, if there are any; what is left is as if there had been none."""
        merge_adapters(self.vision_model)
        merge_adapters(self.text_model)


def build_towers(config: ModelConfig, rig: Rig, grammar: Grammar) -> tuple[Towers, PreTrainedTokenizerBase]:
    """Build the towers and the tokenizer that a configuration asks for.

    Raises
    ------
    ModelError
        What is pretrained cannot be read, or does not fit the rig.
    """
    image, text = None, None
    if config.pretrained is not None or config.text_encoder is not None:
        from affectvlm.model.pretrained import load_clip, load_text_encoder  # seconds, only where it is needed

        if config.pretrained is not None:
            image, text = load_clip(config.pretrained, rig)
        if config.text_encoder is not None:
            text = load_text_encoder(config.text_encoder)
    vision_model = _small_image_encoder(config, rig) if image is None else image.model
    if text is None:
        text = _small_text_encoder(config, grammar)
    fresh = {"image": image is None, "text": text.projection is None}
    towers = Towers(
        vision_model,
        text.model,
        config.embedding_dim if image is None else image.projection.out_features,
        tuple(side for side in SIDES if fresh[side]),
        text.pooling,
    )
    if image is not None:
        towers.visual_projection = image.projection
        towers.pretrained += ("vision_model", "visual_projection")
    if text.projection is not None:
        towers.text_projection = text.projection
        towers.pretrained += ("text_projection",)
    if config.is_pretrained("text"):
        towers.pretrained += ("text_model",)
    if config.lora_rank is not None:
        for side in SIDES:
            if config.is_pretrained(side) and side not in config.frozen:
                add_adapters(towers.encoder(side), config.lora_rank)
    towers.freeze(config.frozen)
    return towers, text.tokenizer


def _small_image_encoder(config: ModelConfig, rig: Rig) -> SmallResNet:
    return SmallResNet(ResNetSettings(channels=rig.channels, widths=config.image_widths, blocks=config.image_blocks))


def _small_text_encoder(config: ModelConfig, grammar: Grammar) -> TextEncoder:
    tokenizer = train_tokenizer(grammar)
    settings = TextTransformerSettings(
        tokens=len(tokenizer),
        max_tokens=MAX_TOKENS,
        end_token=tokenizer.eos_token_id,
        width=config.text_width,
        layers=config.text_layers,
        heads=config.text_heads,
    )
    return TextEncoder(SmallTextTransformer(settings), tokenizer, "pooler")


def towers_from_dict(kept: dict[str, Any]) -> Towers:
    """Build the towers that :func:`towers_to_dict` wrote down, with fresh weights."""
    vision, text = kept["vision"], kept["text"]
    return Towers(
        SmallResNet(ResNetSettings(**vision)) if "kind" in vision else _pretrained_encoder(vision, "image"),
        SmallTextTransformer(TextTransformerSettings(**text)) if "kind" in text else _pretrained_encoder(text, "text"),
        kept["embedding_dim"],
        tuple(kept["centred"]),
        kept["pooling"],
    )


def _pretrained_encoder(kept: dict[str, Any], side: Side) -> PreTrainedModel:
    from affectvlm.model.pretrained import encoder_from_config  # seconds, only where it is needed

    return encoder_from_config(kept, side)


def towers_to_dict(towers: Towers) -> dict[str, Any]:
    """Write down all that it takes to build the towers again, JSON-compatible."""
    return {
        "vision": _settings(towers.vision_model),
        "text": _settings(towers.text_model),
        "embedding_dim": towers.embedding_dim,
        "centred": list(towers.centred),
        "pooling": towers.pooling,
    }


def _settings(encoder: PreTrainedModel | SmallResNet | SmallTextTransformer) -> dict[str, Any]:
    if isinstance(encoder, SmallResNet | SmallTextTransformer):
        return encoder.config.model_dump(mode="json")
    # Not the folder that a pretrained model was read from: it says something about a machine, not a model.
    return {key: value for key, value in encoder.config.to_dict().items() if key != "_name_or_path"}


def tokenize(tokenizer: PreTrainedTokenizerBase, prompts: list[str]) -> tuple[Tensor, Tensor]:
    """Prompts -> token ids and mask, (P, L) int64 each, padded to the longest."""
    batch = tokenizer(prompts, padding=True, truncation=True, return_tensors="pt")
    ids: Tensor = batch["input_ids"]
    mask: Tensor = batch["attention_mask"]
    return ids, mask.to(torch.int64)
