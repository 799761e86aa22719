"""What a model is made of; everything needed to build it again."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from affectvlm.model.fusion import FusionName
from affectvlm.model.time import TimeName

Side = Literal["image", "text"]
SIDES: tuple[Side, ...] = ("image", "text")


class ModelConfig(BaseModel):
    """The towers: pretrained ones, or small ones built from scratch; fusion over views and time.

    The small image tower is a ResNet (a convolutional one learns from few faces; a small vision transformer from
    scratch was far slower), the small text tower a transformer as CLIP's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pretrained: str | None = None
    """Folder or hub id of a CLIP of transformers: both towers and the joint space are then the CLIP's."""
    text_encoder: str | None = None
    """Folder or hub id of any text encoder of transformers: it takes the text side, with a fresh projection."""
    frozen: tuple[Side, ...] = ()
    """Pretrained towers that do not learn, ``image`` and ``text``; their projections do."""
    lora_rank: int | None = Field(None, ge=1)
    """Pretrained towers that are not frozen learn by low-rank adapters alone, of this rank; needs the extra `lora`."""
    image_widths: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (32, 64, 128)
    """Channels of each stage of the small image tower."""
    image_blocks: int = Field(1, ge=1)
    """Residual blocks a stage."""
    text_width: int = Field(128, ge=8)
    text_layers: int = Field(2, ge=1)
    text_heads: int = Field(4, ge=1)
    embedding_dim: int = Field(128, ge=2)
    """Dimensions of the joint image-text space, unless a CLIP brings its own."""
    fusion: FusionName = "weights"
    """The views of a face as one: their mean, with one learned weight a view, or with weights by what they show."""
    time: TimeName = "mean"
    """The frames of a sequence as one: their mean, by attention (causal: for streams), or as one dynamic image."""
    frames: int | None = Field(None, ge=2)
    """A sequence is one sample, and so many of its frames are looked at; left out, every frame is a sample."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> ModelConfig:
        if self.text_width % self.text_heads:
            raise ValueError("expected a text_width that text_heads divides")
        return self

    @model_validator(mode="after")
    def _sine_and_cosine_share_the_space(self) -> ModelConfig:
        if self.time in ("attention", "causal") and self.pretrained is None and self.embedding_dim % 2:
            raise ValueError(f"time {self.time!r} takes an even embedding_dim, found {self.embedding_dim}")
        return self

    @model_validator(mode="after")
    def _time_needs_frames(self) -> ModelConfig:
        if self.time != "mean" and self.frames is None:
            raise ValueError(f"time {self.time!r} learns from sequences; say how many frames to look at")
        return self

    @model_validator(mode="after")
    def _only_what_is_pretrained_is_frozen_or_adapted(self) -> ModelConfig:
        for side in self.frozen:
            if not self.is_pretrained(side):
                source = "pretrained" if side == "image" else "pretrained or text_encoder"
                raise ValueError(f"the {side} tower starts from nothing and cannot be frozen; name a {source}")
        adaptable = [side for side in SIDES if self.is_pretrained(side) and side not in self.frozen]
        if self.lora_rank is not None and not adaptable:
            raise ValueError("lora_rank adapts pretrained towers that are not frozen, and there is none")
        return self

    def is_pretrained(self, side: Side) -> bool:
        """Whether a tower does not start from nothing."""
        return self.pretrained is not None or (side == "text" and self.text_encoder is not None)
