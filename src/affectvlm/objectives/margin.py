"""The learnable margin α that both terms of the paper's loss share."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class LearnableMargin(nn.Module):
    """A margin that is learned but cannot leave its range.

    The loss's gradient in α is minus the share of active negative pairs plus the share of active triplets: left free,
    α runs off to whichever extreme switches its term off. A sigmoid into a range bounds it (our reading; the paper
    only says "learnable").

    Parameters
    ----------
    initial, low, high : float
        Cosine similarity; ``low < initial < high``.
    """

    def __init__(self, initial: float, low: float, high: float) -> None:
        super().__init__()
        if not low < initial < high:
            raise ValueError(f"expected low < initial < high, found {low}, {initial}, {high}")
        self.low, self.high = low, high
        share = (initial - low) / (high - low)
        self.logit = nn.Parameter(torch.tensor(math.log(share / (1 - share))))

    def forward(self) -> Tensor:
        """() the margin, inside the range."""
        return self.low + (self.high - self.low) * self.logit.sigmoid()
