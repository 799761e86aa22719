"""From the embeddings of several views to one, whichever of them are there."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

FusionName = Literal["mean", "weights", "attention"]


class ViewFusion(nn.Module):
    """A weighted mean of the views that are seen, with positive weights that sum to one over them: here, equal ones.

    What a missing view holds is never looked at. Mixed precision is left: it is too coarse for embeddings, which are
    compared by small differences of their cosines.
    """

    def weights(self, views: Tensor, seen: Tensor) -> Tensor:
        """(B, V, D) embeddings and (B, V) bool -> (B, V): each view's weight; 0 where it is missing."""
        # A face of which no view is seen gets equal weights of zeros instead of 0 / 0.
        scores = self.scores(views).masked_fill(~seen, torch.finfo(views.dtype).min)
        return scores.softmax(dim=1) * seen

    def scores(self, views: Tensor) -> Tensor:
        """(B, V, D) -> (B, V): logarithms of the weights, up to what they have in common."""
        return views.new_zeros(views.shape[:2])

    def forward(self, views: Tensor, seen: Tensor) -> Tensor:
        """(B, V, D) embeddings and (B, V) bool, which are seen -> (B, D), unit length."""
        with torch.autocast(views.device.type, enabled=False):
            views = views.masked_fill(~seen[..., None], 0)
            return nn.functional.normalize(torch.einsum("bv,bvd->bd", self.weights(views, seen), views), dim=-1)


class LearnedWeights(ViewFusion):
    """One learned weight a view, the same for every face; equal at the start.

    Parameters
    ----------
    views : int
    """

    def __init__(self, views: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(views))

    def scores(self, views: Tensor) -> Tensor:
        """(B, V, D) -> (B, V)."""
        return self.logits.expand(views.shape[:2])


class ViewAttention(LearnedWeights):
    """Weights that depend on what each view shows: score_v = b_v + w · tanh(U z_v).

    Attention pooling (Ilse et al. 2018, arXiv 1802.04712, equation 8) with a bias for each view; equal at the start.

    Parameters
    ----------
    views : int
    embedding_dim : int
    """

    def __init__(self, views: int, embedding_dim: int) -> None:
        super().__init__(views)
        self.hidden = nn.Linear(embedding_dim, embedding_dim // 2, bias=False)
        self.score = nn.Linear(embedding_dim // 2, 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def scores(self, views: Tensor) -> Tensor:
        """(B, V, D) -> (B, V)."""
        return super().scores(views) + self.score(self.hidden(views).tanh())[..., 0]


def build_fusion(name: FusionName, views: int, embedding_dim: int) -> ViewFusion:
    """Build the fusion that a configuration names."""
    if name == "attention":
        return ViewAttention(views, embedding_dim)
    return LearnedWeights(views) if name == "weights" else ViewFusion()
