"""What every objective takes and gives."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn


class Embeddings(NamedTuple):
    """The embeddings of B samples, of all processes together; every one of unit length."""

    views: Tensor
    """(B, V, D)."""
    fused: Tensor
    """(B, D): the views of each face as one."""
    text: Tensor
    """(B, D): each sample's prompt."""
    labels: Tensor
    """(B,) int64: each sample's class."""

    def together(self) -> tuple[Tensor, Tensor]:
        """Every view, fused face and prompt as one set: (N, D) and its (N,) labels, N = B (V + 2)."""
        every = torch.cat([self.views, self.fused[:, None], self.text[:, None]], dim=1)  # (B, V + 2, D)
        return every.flatten(0, 1), self.labels.repeat_interleave(every.shape[1])


class Terms(NamedTuple):
    """A loss, and what it is made of."""

    loss: Tensor
    """()."""
    parts: dict[str, Tensor]
    """() each: the columns of a training's history, without weights; learned numbers are among them."""


class Objective(nn.Module):
    """A loss over a batch; its parameters are single numbers, which are learned with the model's."""

    def forward(self, batch: Embeddings) -> Terms:
        """Compute the loss; finite, with finite gradients, whatever classes and however few samples there are."""
        raise NotImplementedError
