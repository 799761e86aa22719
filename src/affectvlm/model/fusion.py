"""From the embeddings of several views to one."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ViewFusion(nn.Module):
    """A weighted mean of the views, with weights that are learned and sum to one.

    Parameters
    ----------
    views : int
    """

    def __init__(self, views: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(views))

    @property
    def weights(self) -> Tensor:
        """(V,) positive, sum 1; equal at the start."""
        return self.logits.softmax(dim=0)

    def forward(self, views: Tensor) -> Tensor:
        """(B, V, D) -> (B, D), unit length."""
        return nn.functional.normalize(torch.einsum("v,bvd->bd", self.weights, views), dim=-1)
