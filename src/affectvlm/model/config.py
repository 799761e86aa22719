"""What a model is made of; everything needed to build it again."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from affectvlm.model.fusion import FusionName
from affectvlm.model.time import TimeName


class ModelConfig(BaseModel):
    """The towers: a CLIP that exists, or small ones built from scratch.

    The small image tower is a ResNet of transformers (a convolutional one learns from few faces; a small vision
    transformer from scratch was far slower), the small text tower CLIP's own text transformer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pretrained: str | None = None
    """Folder or hub id of a CLIP of transformers; the settings below are then those of the CLIP."""
    image_widths: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (32, 64, 128)
    """Channels of each stage of the image tower."""
    image_blocks: int = Field(1, ge=1)
    """Residual blocks a stage."""
    text_width: int = Field(128, ge=8)
    text_layers: int = Field(2, ge=1)
    text_heads: int = Field(4, ge=1)
    embedding_dim: int = Field(128, ge=2)
    """Dimensions of the joint image-text space."""
    fusion: FusionName = "weights"
    """The views of a face as one: their mean, with one learned weight a view, or with weights by what they show."""
    time: TimeName = "mean"
    """The frames of a sequence as one: their mean, by attention (causal: for streams), or as one dynamic image."""

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> ModelConfig:
        if self.text_width % self.text_heads:
            raise ValueError("expected a text_width that text_heads divides")
        return self
