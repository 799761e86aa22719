"""The vision-language model: towers, fusion over views, saving and loading."""

from affectvlm.model.affect_vlm import AffectVLM
from affectvlm.model.config import ModelConfig

__all__ = ["AffectVLM", "ModelConfig"]
