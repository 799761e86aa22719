"""Every setting of a training; what a run writes down is the resolved whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from affectvlm.errors import ConfigError
from affectvlm.model import ModelConfig
from affectvlm.objectives import ObjectiveConfig
from affectvlm.views.augmentation import AugmentationConfig

Positive = Annotated[float, Field(gt=0)]


class TrainConfig(BaseModel):
    """One training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = Field(0, ge=0)
    epochs: int = Field(10, ge=1)
    batch_size: int = Field(32, ge=2)
    """Samples a step, over all processes together."""
    frames: int | None = Field(None, ge=2)
    """A sequence is one sample, and so many of its frames are looked at; left out, every frame is a sample."""
    learning_rate: Positive = 3e-3
    """Highest value; reached after the warm-up, then lowered along a cosine."""
    warmup_share: float = Field(0.05, gt=0, lt=1)
    """Part of the steps in which the learning rate rises."""
    weight_decay: float = Field(0.05, ge=0)
    gradient_norm: Positive = 1.0
    """Longer gradients are shortened to this."""
    model: ModelConfig = ModelConfig()
    objective: ObjectiveConfig = ObjectiveConfig()
    augmentation: AugmentationConfig = AugmentationConfig()

    @model_validator(mode="after")
    def _time_needs_frames(self) -> TrainConfig:
        if self.model.time != "mean" and self.frames is None:
            raise ValueError(f"model.time {self.model.time!r} learns from sequences; say how many frames to look at")
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
            return cls(**settings.get("training", settings))
        except OSError as error:
            raise ConfigError(f"{path}: cannot read the settings ({error.strerror})") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ConfigError(f"{path}: setting {place!r}: {first['msg']}") from error
        except (yaml.YAMLError, AttributeError, TypeError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{path}: expected YAML of `setting: value` lines; {str(error).splitlines()[0]}"
            ) from error
