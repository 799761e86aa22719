"""The small towers that start from nothing: a ResNet for the views, a text transformer for the prompts.

They are called as transformers' encoders are, and compute what its ``ResNetModel`` (of basic blocks) and its
``CLIPTextModel`` do, from the same weights. They are here because every model of transformers brings a module whose
import takes longer than recognising a face.
"""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

Number = Annotated[int, Field(ge=1)]


class Pooled(NamedTuple):
    """What a small tower gives; transformers' encoders give it by the same name."""

    pooler_output: Tensor


class ResNetSettings(BaseModel):
    """All that it takes to build a :class:`SmallResNet`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["small_resnet"] = "small_resnet"
    channels: Number
    """Of a view."""
    widths: Annotated[tuple[Number, ...], Field(min_length=1)]
    """Channels of each stage."""
    blocks: Number
    """Residual blocks a stage."""

    @property
    def hidden_size(self) -> int:
        """Width of what is pooled, as transformers calls it."""
        return self.widths[-1]


class Convolution(nn.Module):
    """A convolution and its batch normalisation; the picture keeps its size, but for the stride."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        nn.init.kaiming_normal_(self.convolution.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride), rounded up."""
        normed: Tensor = self.norm(self.convolution(maps))
        return normed


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, added to what went in: as it is, or by a 1x1 convolution where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else Convolution(inputs, outputs, size=1, stride=stride)
        self.first = Convolution(inputs, outputs, size=3, stride=stride)
        self.second = Convolution(outputs, outputs, size=3, stride=1)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride), rounded up."""
        found: Tensor = self.second(self.first(maps).relu())
        return (found + self.shortcut(maps)).relu()


class SmallResNet(nn.Module):
    """A residual network of basic blocks (He et al. 2016, "Deep residual learning for image recognition", table 1).

    Each stage but the first halves the picture. Weights start as in He et al. 2015 (arXiv 1502.01852), by the outputs.
    """

    _no_split_modules = ("ResidualBlock",)  # as transformers' models say what is shared out as one

    def __init__(self, config: ResNetSettings) -> None:
        super().__init__()
        self.config = config
        self.stem = Convolution(config.channels, config.widths[0], size=7, stride=2)
        self.stages = nn.Sequential()
        inputs, stride = config.widths[0], 1
        for width in config.widths:
            rest = [ResidualBlock(width, width, stride=1) for _ in range(config.blocks - 1)]
            self.stages.append(nn.Sequential(ResidualBlock(inputs, width, stride), *rest))
            inputs, stride = width, 2

    def forward(self, pixel_values: Tensor) -> Pooled:
        """(N, C, H, W) -> (N, hidden_size): the mean over the last stage's picture."""
        maps = self.stem(pixel_values).relu()  # (N, widths[0], H / 2, W / 2)
        maps = nn.functional.max_pool2d(maps, kernel_size=3, stride=2, padding=1)  # (N, widths[0], H / 4, W / 4)
        return Pooled(self.stages(maps).mean(dim=(2, 3)))


class TextTransformerSettings(BaseModel):
    """All that it takes to build a :class:`SmallTextTransformer`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["small_text_transformer"] = "small_text_transformer"
    tokens: Number
    """That the tokenizer knows."""
    max_tokens: Number
    """Of a prompt."""
    end_token: Annotated[int, Field(ge=0)]
    """Number of the token that ends a prompt; there its embedding is taken."""
    width: Number
    layers: Number
    heads: Number

    @property
    def hidden_size(self) -> int:
        """Width of what is pooled, as transformers calls it."""
        return self.width

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> TextTransformerSettings:
        if self.width % self.heads:
            raise ValueError(f"expected a width that heads divides, found {self.width} and {self.heads}")
        return self


def _linear(inputs: int, outputs: int, std: float) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.normal_(linear.weight, std=std)
    nn.init.zeros_(linear.bias)
    return linear


class CausalAttention(nn.Module):
    """Attention of each token to itself and those before it (Vaswani et al. 2017, arXiv 1706.03762, section 3.2)."""

    def __init__(self, config: TextTransformerSettings) -> None:
        super().__init__()
        self.heads = config.heads
        std = config.width**-0.5
        self.query, self.key, self.value = (
            _linear(config.width, config.width, std * (2 * config.layers) ** -0.5) for _ in range(3)
        )
        self.out = _linear(config.width, config.width, std)

    def forward(self, states: Tensor) -> Tensor:
        """(P, L, width) -> (P, L, width)."""
        query, key, value = (
            part(states).unflatten(2, (self.heads, -1)).transpose(1, 2)  # (P, heads, L, width / heads)
            for part in (self.query, self.key, self.value)
        )
        looked = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        out: Tensor = self.out(looked.transpose(1, 2).flatten(2))
        return out


class TransformerBlock(nn.Module):
    """Attention, then two layers on each token by itself; each normalises what it reads and adds what it finds."""

    def __init__(self, config: TextTransformerSettings) -> None:
        super().__init__()
        width = config.width
        self.attention_norm = nn.LayerNorm(width)
        self.attention = CausalAttention(config)
        self.mlp_norm = nn.LayerNorm(width)
        self.widen = _linear(width, 4 * width, std=(2 * width) ** -0.5)
        self.narrow = _linear(4 * width, width, std=(2 * width * config.layers) ** -0.5)

    def forward(self, states: Tensor) -> Tensor:
        """(P, L, width) -> (P, L, width)."""
        states = states + self.attention(self.attention_norm(states))
        wide = self.widen(self.mlp_norm(states))  # (P, L, 4 width)
        narrowed: Tensor = self.narrow(wide * torch.sigmoid(1.702 * wide))  # CLIP's approximation of the GELU
        return states + narrowed


class SmallTextTransformer(nn.Module):
    """CLIP's text transformer (Radford et al. 2021, arXiv 2103.00020, section 2.4), pooled at the first end token.

    No token sees what comes after it, so padding behind the end changes nothing. Weights start as transformers' do.
    """

    _no_split_modules = ("TransformerBlock",)

    def __init__(self, config: TextTransformerSettings) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.tokens, config.width)
        self.position_embedding = nn.Embedding(config.max_tokens, config.width)
        for embedding in (self.token_embedding, self.position_embedding):
            nn.init.normal_(embedding.weight, std=0.02)
        self.blocks = nn.Sequential(*(TransformerBlock(config) for _ in range(config.layers)))
        self.final_norm = nn.LayerNorm(config.width)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Pooled:
        """(P, L) token ids -> (P, width); the mask, which transformers' encoders take, is not needed."""
        places = torch.arange(input_ids.shape[1], device=input_ids.device)
        states = self.token_embedding(input_ids) + self.position_embedding(places)  # (P, L, width)
        states = self.final_norm(self.blocks(states))
        ends = (input_ids == self.config.end_token).int().argmax(dim=1)  # (P,)
        return Pooled(states[torch.arange(len(states), device=states.device), ends])
