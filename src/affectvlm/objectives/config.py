"""The settings of the objectives."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Temperature = Annotated[float, Field(gt=0.01, lt=1)]
"""Of a scale that is learned between 1 and 100, at the start."""

LOWEST_BIAS, HIGHEST_BIAS = -20.0, 10.0
"""Of a bias that is learned."""

ObjectiveName = Literal["multiview", "clip", "siglip", "supcon", "cross_entropy"]


class MultiviewConfig(BaseModel):
    """The paper's loss; see :mod:`affectvlm.objectives.multiview`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    margin: float = 0.2
    """α at the start; it is learned, inside the range below."""
    margin_low: float = 0.05
    margin_high: float = 0.6
    sums: Literal["proportional", "literal", "normalised"] = "proportional"
    """The paper's sums by the number of pairs; those sums as they are, which grow with the batch; or a mean for each
    kind of pairs and one for the triplets, which gives each of the three the same say."""
    mining: Literal["hard", "soft", "all"] = "hard"
    """Triplets: the single hardest of the batch for each anchor, the hardest softly, or all."""
    mining_temperature: Positive = 0.1
    """How softly the hardest are chosen (cosine): towards 0 only they count, towards infinity all count alike."""

    @model_validator(mode="after")
    def _margin_in_range(self) -> MultiviewConfig:
        if not self.margin_low < self.margin < self.margin_high:
            raise ValueError("expected margin_low < margin < margin_high")
        return self


class ClipConfig(BaseModel):
    """See :mod:`affectvlm.objectives.clip`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: Temperature = 0.07
    """At the start; learned."""


class SigLipConfig(BaseModel):
    """See :mod:`affectvlm.objectives.siglip`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: Temperature = 0.1
    """At the start; learned."""
    bias: float = Field(-2.0, gt=LOWEST_BIAS, lt=HIGHEST_BIAS)
    """At the start; learned."""


class SupConConfig(BaseModel):
    """See :mod:`affectvlm.objectives.supcon`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: Positive = 0.1


class CrossEntropyConfig(BaseModel):
    """See :mod:`affectvlm.objectives.cross_entropy`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: Temperature = 0.07
    """At the start; learned."""


class ObjectiveConfig(BaseModel):
    """What training minimises: a weighted sum of objectives, and the settings of each.

    In YAML::

        objective:
          terms: {multiview: 1.0, clip: 0.5}
          multiview: {mining: hard}
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    terms: dict[ObjectiveName, Positive] = Field({"multiview": 1.0}, min_length=1)
    """Which objectives, and the weight of each."""
    multiview: MultiviewConfig = MultiviewConfig()
    clip: ClipConfig = ClipConfig()
    siglip: SigLipConfig = SigLipConfig()
    supcon: SupConConfig = SupConConfig()
    cross_entropy: CrossEntropyConfig = CrossEntropyConfig()
