"""Supervised contrastive learning (Khosla et al. 2020, arXiv 2004.11362), L_out of its equation 2.

::

    L = mean over anchors i of the mean over positives p of -log( e(i, p) / sum over a ≠ i of e(i, a) )
    e(i, j) = exp(cos(i, j) / τ)

The paper sums over the anchors; the mean does not grow with the batch. The temperature is fixed, as there.
"""

from __future__ import annotations

import torch
from torch import Tensor

from affectvlm.objectives.config import SupConConfig
from affectvlm.objectives.objective import Embeddings, Objective, Terms


class SupConLoss(Objective):
    """L_out over every view, fused face and prompt: text is one more view.

    Parameters
    ----------
    config : SupConConfig
    """

    def __init__(self, config: SupConConfig) -> None:
        super().__init__()
        self.temperature = config.temperature

    def forward(self, batch: Embeddings) -> Terms:
        """Compute the loss; its part is ``supcon``."""
        return self.over_set(*batch.together())

    def over_set(self, embeddings: Tensor, labels: Tensor) -> Terms:
        """Compute the loss over a set of (N, D) embeddings of unit length with (N,) labels.

        The mean is over the anchors that have a positive; without any it is 0.
        """
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        positive = (labels[:, None] == labels[None, :]) & ~itself  # (N, N)
        logits = (embeddings @ embeddings.T / self.temperature).masked_fill(itself, -1e30)
        unlikeliness = logits.logsumexp(dim=1, keepdim=True) - logits  # (N, N)
        positives = positive.sum(dim=1)  # (N,)
        each = unlikeliness.masked_fill(~positive, 0).sum(dim=1) / positives.clamp(min=1)
        loss = each.sum() / (positives > 0).sum().clamp(min=1)
        return Terms(loss, {"supcon": loss})
