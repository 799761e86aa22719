"""Tiny pretrained models with random weights, in transformers' own folder layout."""

from functools import cache
from pathlib import Path

import torch
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPVisionConfig,
    PreTrainedModel,
)

from affectvlm.emotions import EMOTIONS
from affectvlm.language import Grammar
from affectvlm.language.tokenizer import train_tokenizer

LAYERS = 2


@cache
def _tokenizer():
    return train_tokenizer(Grammar(EMOTIONS))


def _write(model: PreTrainedModel, folder: Path, seed: int) -> PreTrainedModel:
    """Weights that matter (transformers' start so small that a tower hardly depends on its input), then files."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.15, generator=generator)
    model.eval().save_pretrained(folder)
    return model


def write_clip(folder, size=16, patch=8, width=16, text_width=16, projection=12, seed=3) -> CLIPModel:
    """A CLIP of two layers, and its tokenizer."""
    tokenizer = _tokenizer()
    layers = {"num_hidden_layers": LAYERS, "num_attention_heads": 2}
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        hidden_size=text_width,
        intermediate_size=2 * text_width,
        **layers,
    )
    vision = CLIPVisionConfig(
        image_size=size, patch_size=patch, hidden_size=width, intermediate_size=2 * width, **layers
    )
    clip = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection))
    tokenizer.save_pretrained(folder)
    return _write(clip, folder, seed)


def write_bert(folder, width=20, seed=4) -> BertModel:
    """A BERT of two layers with dropout, and a tokenizer of single letters and a few words."""
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *("##" + letter for letter in letters)]
    words += ["happy", "sad", "face", "person"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizer(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=LAYERS,
        num_attention_heads=2,
        max_position_embeddings=40,
        hidden_dropout_prob=0.1,
    )
    return _write(BertModel(config), folder, seed)
