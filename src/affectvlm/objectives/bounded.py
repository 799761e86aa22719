"""Single numbers that are learned but cannot leave their range: margins, biases and scales."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class Bounded(nn.Module):
    """A number that a sigmoid keeps inside a range.

    Unlike a number that is cut off at its bounds, it keeps a gradient that leads back from them.

    Parameters
    ----------
    initial, low, high : float
        ``low < initial < high``.
    """

    def __init__(self, initial: float, low: float, high: float) -> None:
        super().__init__()
        if not low < initial < high:
            raise ValueError(f"expected low < initial < high, found {low}, {initial}, {high}")
        self.low, self.high = low, high
        share = (initial - low) / (high - low)
        # (1,) and not (): a parameter without axes cannot be shared out among processes.
        self.logit = nn.Parameter(torch.tensor([math.log(share / (1 - share))]))

    def forward(self) -> Tensor:
        """() the number, inside the range."""
        return self.low + (self.high - self.low) * self.logit.sigmoid()[0]


class Scale(nn.Module):
    """What cosines are multiplied with before a softmax or a sigmoid: one over the temperature, learned.

    Its logarithm is what is bounded and learned, as in CLIP (Radford et al. 2021), and 100 is the highest, as there.

    Parameters
    ----------
    temperature : float
        At the start; between 1 and 1/100.
    """

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.log = Bounded(-math.log(temperature), 0.0, math.log(100))

    def forward(self) -> Tensor:
        """() the scale, from 1 to 100."""
        log: Tensor = self.log()
        return log.exp()
