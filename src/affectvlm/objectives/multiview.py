"""AffectVLM's loss: multiview contrastive plus multiview triplet, with one learnable margin.

Behzad and Zhao 2025 (arXiv 2504.19739)::

    L    = L_mc + L_mt
    L_mc = sum over pairs of the same emotion of (1 - Θ(Z_i, Z_j))
         + sum over pairs of different emotions of max(0, Θ(Z_k, Z_l) - α)
    L_mt = max(0, |Z_a - Z_p|² - |Z_a - Z_n|² + α)

Our reading, where the paper is silent: Θ is the cosine; the embeddings are every view, every fused face and every
prompt of the batch, so text is one more view; every pair counts once, and so does every anchor's triplet with its
hardest positive and negative; the sums are divided by the number of pairs, so that the loss does not grow with the
batch. That keeps the sums' proportions: with N embeddings there are N² / 2 pairs, most of them of different emotions,
and N triplets. A mean for each kind instead (``normalised``) gives the triplets and the few pairs of one emotion
several times the say. It learns more slowly and to a worse end (``benchmarks/objectives.py``), and with the single
hardest triplets it can pull all embeddings into one point (``benchmarks/collapse.py``).

The margin's gradient is minus the number of active negative pairs plus that of active triplets: left free, α runs off
to whichever extreme switches its term off. A sigmoid into a range bounds it (our reading; the paper only says
"learnable").
"""

from __future__ import annotations

import torch
from torch import Tensor

from affectvlm.objectives.bounded import Bounded
from affectvlm.objectives.config import MultiviewConfig
from affectvlm.objectives.objective import Embeddings, Objective, Terms
from affectvlm.objectives.triplets import all_triplets, hard_triplets, soft_triplets


class MultiviewLoss(Objective):
    """L_mc + L_mt over every view, fused face and prompt.

    Parameters
    ----------
    config : MultiviewConfig
    """

    def __init__(self, config: MultiviewConfig) -> None:
        super().__init__()
        self.config = config
        self.margin = Bounded(config.margin, config.margin_low, config.margin_high)

    def forward(self, batch: Embeddings) -> Terms:
        """Compute the loss; its parts are ``contrastive``, ``triplet`` and the ``margin``."""
        return self.over_set(*batch.together())

    def over_set(self, embeddings: Tensor, labels: Tensor) -> Terms:
        """Compute the loss over a set of embeddings.

        Parameters
        ----------
        embeddings : (N, D), unit length
        labels : (N,) int64
            The emotion of each.

        Returns
        -------
        Terms
            Without a pair of either kind its share is 0, and so is the triplet term without a triplet.
        """
        margin = self.margin()
        cosine = embeddings @ embeddings.T  # (N, N)
        same = labels[:, None] == labels[None, :]  # (N, N)
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        positive, negative = same & ~itself, ~same

        pulls, pushes = ((1 - cosine) * positive).sum(), ((cosine - margin).relu() * negative).sum()
        triplets, count = self._triplets(cosine, positive, negative, margin)
        # The masks, like the sums over them, hold every pair twice.
        alike, apart = positive.sum(), negative.sum()
        if self.config.sums == "normalised":
            contrastive = pulls / alike.clamp(min=1) + pushes / apart.clamp(min=1)
            triplet = triplets / count.clamp(min=1)
        else:
            pairs = ((alike + apart) / 2).clamp(min=1) if self.config.sums == "proportional" else 1
            contrastive, triplet = (pulls + pushes) / 2 / pairs, triplets / pairs
        return Terms(contrastive + triplet, {"contrastive": contrastive, "triplet": triplet, "margin": margin})

    def _triplets(self, cosine: Tensor, positive: Tensor, negative: Tensor, margin: Tensor) -> tuple[Tensor, Tensor]:
        """Sum up the triplets that are mined, and count them."""
        if self.config.mining == "soft":
            return soft_triplets(cosine, positive, negative, margin, self.config.mining_temperature)
        mined = {"hard": hard_triplets, "all": all_triplets}[self.config.mining]
        return mined(cosine, positive, negative, margin)
