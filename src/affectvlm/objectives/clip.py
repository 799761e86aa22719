"""CLIP's objective with several positives: each face finds its words among all, and each prompt its faces.

InfoNCE (van den Oord et al. 2018, arXiv 1807.03748) in both directions with a learned temperature (CLIP, Radford et al.
2021, arXiv 2103.00020). There the only positive is the face's own prompt, and every other one a negative. Here all
prompts of the face's class are positives, and each is set against the negatives alone (as in SINCERE, Feeney and Hughes
2023, arXiv 2309.14277)::

    L(i) = mean over positives p of -log( e(i, p) / (e(i, p) + sum over negatives n of e(i, n)) )
    e(i, j) = exp(s cos(i, j)),  s the scale

so that no prompt of the same class ever pushes. Where every class occurs once this is InfoNCE.
"""

from __future__ import annotations

from torch import Tensor, nn

from affectvlm.objectives.bounded import Scale
from affectvlm.objectives.config import ClipConfig
from affectvlm.objectives.objective import Embeddings, Objective, Terms


class ClipLoss(Objective):
    """Softmax over the prompts for each fused face, and over the fused faces for each prompt.

    Parameters
    ----------
    config : ClipConfig
    """

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        self.scale = Scale(config.temperature)

    def forward(self, batch: Embeddings) -> Terms:
        """Compute the mean over both directions; its parts are ``clip`` and ``clip_scale``."""
        scale = self.scale()
        logits = scale * batch.fused @ batch.text.T  # (B faces, B prompts)
        same = batch.labels[:, None] == batch.labels[None, :]  # (B, B), symmetric
        loss = (_info_nce(logits, same) + _info_nce(logits.T, same)) / 2
        return Terms(loss, {"clip": loss, "clip_scale": scale})


def _info_nce(logits: Tensor, same: Tensor) -> Tensor:
    """Mean over the rows of the mean over a row's positives; 0 where there is no negative."""
    negatives = logits.masked_fill(same, -1e30).logsumexp(dim=1, keepdim=True)  # (B, 1)
    unlikeliness = nn.functional.softplus(negatives - logits)  # (B, B)
    return ((unlikeliness * same).sum(dim=1) / same.sum(dim=1)).mean()
