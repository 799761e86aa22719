"""AffectVLM's loss: multiview contrastive plus multiview triplet, with one learnable margin.

Behzad and Zhao 2025 (arXiv 2504.19739)::

    L    = L_mc + L_mt
    L_mc = sum over pairs of the same emotion of (1 - Θ(Z_i, Z_j))
         + sum over pairs of different emotions of max(0, Θ(Z_k, Z_l) - α)
    L_mt = max(0, |Z_a - Z_p|² - |Z_a - Z_n|² + α)

Our reading, where the paper is silent: Θ is the cosine; the embeddings are every view, every fused face and every
prompt of the batch, so text is one more view; sums are means over the pairs, so the loss does not grow with the batch;
a triplet's positive and negative are the hardest of the batch, softly: a smooth maximum of all candidates stands for
the hardest one. The single hardest positive is an outlier more often than not; pulled by it alone, all embeddings fall
into one point, where the loss stays at exactly 1 (``benchmarks/collapse.py``).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from affectvlm.objectives.margin import LearnableMargin


class Terms(NamedTuple):
    """The loss and its parts, () each."""

    loss: Tensor
    contrastive: Tensor
    triplet: Tensor


class MultiviewLoss(nn.Module):
    """L_mc + L_mt over a set of embeddings.

    Parameters
    ----------
    margin : LearnableMargin
    mining_temperature : float
        Cosine; how softly the hardest are chosen. Towards 0 only the very hardest count (batch-hard mining), towards
        infinity all count alike.
    """

    def __init__(self, margin: LearnableMargin, mining_temperature: float = 0.1) -> None:
        super().__init__()
        self.margin = margin
        self.mining_temperature = mining_temperature

    def forward(self, embeddings: Tensor, labels: Tensor) -> Terms:
        """Compute the loss.

        Parameters
        ----------
        embeddings : (N, D), unit length
        labels : (N,) int64
            The emotion of each.

        Returns
        -------
        Terms
            Without a pair of either kind its mean is 0, and so is the triplet term without a triplet.
        """
        margin = self.margin()
        cosine = embeddings @ embeddings.T  # (N, N)
        same = labels[:, None] == labels[None, :]  # (N, N)
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        positive, negative = same & ~itself, ~same

        contrastive = _mean(1 - cosine, positive) + _mean((cosine - margin).relu(), negative)
        triplet = self._triplet(cosine, positive, negative, margin)
        return Terms(contrastive + triplet, contrastive, triplet)

    def _triplet(self, cosine: Tensor, positive: Tensor, negative: Tensor, margin: Tensor) -> Tensor:
        """Mean over the anchors that have both; between unit vectors |a - b|² is 2 - 2 cos(a, b)."""
        anchors = positive.any(dim=1) & negative.any(dim=1)
        hard_positive = -_smooth_max(-cosine, positive, self.mining_temperature)  # (N,)
        hard_negative = _smooth_max(cosine, negative, self.mining_temperature)  # (N,)
        gap = 2 * (hard_negative - hard_positive)
        return ((gap + margin).relu() * anchors).sum() / anchors.sum().clamp(min=1)


def _smooth_max(values: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """(N, N) -> (N,): each row's log-mean-exp where ``mask``; finite, and to be left out, where there is nothing.

    Its gradient is the softmax of the values: every candidate pulls by how hard it is.
    """
    logits = (values / temperature).masked_fill(~mask, -1e30)
    return temperature * (logits.logsumexp(dim=1) - mask.sum(dim=1).clamp(min=1).to(values.dtype).log())


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``values`` where ``mask``; 0, with a gradient of 0, where there is none."""
    return (values * mask).sum() / mask.sum().clamp(min=1)
