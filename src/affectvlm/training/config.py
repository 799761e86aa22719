"""Every setting of a training; what a run writes down is the resolved whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from affectvlm.errors import ConfigError, in_one_line
from affectvlm.language import Vocabulary
from affectvlm.model import ModelConfig
from affectvlm.objectives import ObjectiveConfig
from affectvlm.views.augmentation import AugmentationConfig

Positive = Annotated[float, Field(gt=0)]


class TrainConfig(BaseModel):
    """One training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(0, ge=0, lt=2**32)
    epochs: int = Field(10, ge=1)
    batch_size: int = Field(32, ge=2)
    """Samples a step, over all processes together."""
    learning_rate: Positive = 3e-3
    """Highest value; reached after the warm-up, then lowered along a cosine. For all that starts from nothing."""
    pretrained_learning_rate: Positive = 1e-5
    """The same for the weights of pretrained towers, which larger steps would spoil; for adapters ten times this."""
    layer_decay: float = Field(1.0, gt=0, le=1)
    """Each layer of a pretrained tower learns this times as fast as the one above it."""
    warmup_share: float = Field(0.05, gt=0, lt=1)
    """Part of the steps in which the learning rate rises."""
    weight_decay: float = Field(0.05, ge=0)
    gradient_norm: Positive = 1.0
    """Longer gradients are shortened to this."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """Of the encoders' matrix products; weights, embeddings and the objective are always in single precision."""
    accumulation: int = Field(1, ge=1)
    """Chunks that a process encodes its share of a batch in, for less memory; the loss stays that of the batch."""
    strategy: Literal["ddp", "fsdp"] = "ddp"
    """With several processes: each holds the whole model, or a part of it (for models too large for one device)."""
    averaging: float | None = Field(None, gt=0, lt=1)
    """A moving average of the weights is validated and kept; so much of it stays each step. None: the last weights."""
    model: ModelConfig = ModelConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    vocabulary: Vocabulary | None = None
    """Words and templates of the prompts, whole; None for the packaged ones. A settings file may name a file of one's
    own instead (``docs/language.md``), from its own folder, and what a run writes down holds the words themselves."""

    @model_validator(mode="after")
    def _losses_can_be_scaled(self) -> TrainConfig:
        if self.strategy == "fsdp" and self.precision == "16-mixed":
            raise ValueError("strategy 'fsdp' has no scaling of losses for '16-mixed'; take precision 'bf16-mixed'")
        return self

    @model_validator(mode="after")
    def _averages_are_of_whole_weights(self) -> TrainConfig:
        if self.strategy == "fsdp" and self.averaging is not None:
            raise ValueError("strategy 'fsdp' keeps no average of the weights; take strategy 'ddp', or no averaging")
        return self

    @classmethod
    def from_yaml(cls, path: Path) -> TrainConfig:
        """Read settings; those that the file leaves out keep their defaults.

        The ``config.yaml`` of a run is such a file too: its ``training`` part is taken.

        Raises
        ------
        ConfigError
            The file cannot be read, a setting is unknown, or a value does not fit.
        """
        try:
            settings: dict[str, Any] = yaml.safe_load(path.read_text("utf-8")) or {}
            settings = settings.get("training", settings)
            if isinstance(words := settings.get("vocabulary"), str):
                settings = {**settings, "vocabulary": Vocabulary.from_yaml(path.parent / words)}
            return cls(**settings)
        except OSError as error:
            raise ConfigError(f"{path}: cannot read the settings ({error.strerror})") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ConfigError(f"{path}: setting {place!r}: {first['msg']}") from error
        except (yaml.YAMLError, AttributeError, TypeError, ValueError, RecursionError) as error:
            raise ConfigError(f"{path}: expected YAML of `setting: value` lines; {in_one_line(str(error))}") from error
