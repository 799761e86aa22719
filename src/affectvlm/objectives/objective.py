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
    seen: Tensor
    """(B, V) bool: False where a view is missing; what ``views`` holds there takes no part in any objective."""

    @classmethod
    def of_samples(cls, every: Tensor, labels: Tensor, seen: Tensor) -> Embeddings:
        """Take (B, V + 2, D) apart, as :func:`each_sample` puts it together."""
        return cls(every[:, :-2], every[:, -2], every[:, -1], labels, seen)

    def together(self) -> tuple[Tensor, Tensor]:
        """Every view that is seen, every fused face and prompt as one set: (N, D) and its (N,) labels."""
        present = nn.functional.pad(self.seen, (0, 2), value=True)  # (B, V + 2)
        labels = self.labels[:, None].expand(present.shape)
        return each_sample(self.views, self.fused, self.text)[present], labels[present]


def each_sample(views: Tensor, fused: Tensor, text: Tensor) -> Tensor:
    """(B, V, D), (B, D) and (B, D) -> (B, V + 2, D): a sample's views, its fused face and its prompt."""
    return torch.cat([views, fused[:, None], text[:, None]], dim=1)


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
