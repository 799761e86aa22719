"""SigLIP's objective (Zhai et al. 2023, arXiv 2303.15343): every face and every prompt, is it a pair or not?

::

    L = - 1/B sum over faces i and prompts j of log sigmoid( z_ij (s cos(i, j) + b) )

with z_ij = 1 for a pair and -1 otherwise, the scale s and the bias b learned. Pairs are all of one class, not only a
face and its own prompt. The bias starts near the log-odds of a pair (one in six to ten, b about -2); the paper's -10
is for one in thousands.
"""

from __future__ import annotations

from torch import nn

from affectvlm.objectives.bounded import Bounded, Scale
from affectvlm.objectives.config import HIGHEST_BIAS, LOWEST_BIAS, SigLipConfig
from affectvlm.objectives.objective import Embeddings, Objective, Terms


class SigLipLoss(Objective):
    """Sigmoid loss over all pairs of a fused face and a prompt.

    Parameters
    ----------
    config : SigLipConfig
    """

    def __init__(self, config: SigLipConfig) -> None:
        super().__init__()
        self.scale = Scale(config.temperature)
        self.bias = Bounded(config.bias, LOWEST_BIAS, HIGHEST_BIAS)

    def forward(self, batch: Embeddings) -> Terms:
        """Compute the loss; its parts are ``siglip``, ``siglip_scale`` and ``siglip_bias``."""
        scale, bias = self.scale(), self.bias()
        logits = scale * batch.fused @ batch.text.T + bias  # (B faces, B prompts)
        same = batch.labels[:, None] == batch.labels[None, :]  # (B, B)
        loss = -nn.functional.logsigmoid(logits.where(same, -logits)).sum() / len(logits)
        return Terms(loss, {"siglip": loss, "siglip_scale": scale, "siglip_bias": bias})
