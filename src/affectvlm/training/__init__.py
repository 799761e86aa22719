"""Fit a model, on one machine or many."""

from affectvlm.training.config import TrainConfig

__all__ = ["TrainConfig"]
