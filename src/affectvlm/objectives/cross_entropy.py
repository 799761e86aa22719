"""Cross-entropy of the fused face against the classes' words.

A class is what its words say, so there are no weights for it: its embedding is the mean direction of the batch's
prompts of that class, and the logits are the scaled cosines of the fused face to the classes of the batch, as in use
they are those to the mean of each class's prompts. Encoding every class's whole ensemble in each step would cost some
hundred prompts a class; a batch's own are there already. A class that the batch lacks does not compete in that step.
"""

from __future__ import annotations

from torch import nn

from affectvlm.objectives.bounded import Scale
from affectvlm.objectives.config import CrossEntropyConfig
from affectvlm.objectives.objective import Embeddings, Objective, Terms


class CrossEntropyLoss(Objective):
    """Softmax over the classes of the batch for each fused face.

    Parameters
    ----------
    config : CrossEntropyConfig
    """

    def __init__(self, config: CrossEntropyConfig) -> None:
        super().__init__()
        self.scale = Scale(config.temperature)

    def forward(self, batch: Embeddings) -> Terms:
        """Compute the mean over the faces; its parts are ``cross_entropy`` and ``cross_entropy_scale``."""
        scale = self.scale()
        same = (batch.labels[:, None] == batch.labels[None, :]).to(batch.text.dtype)  # (B, B)
        # Column j stands for the class of sample j: a class of n samples has n equal columns, each worth 1/n.
        classes = nn.functional.normalize(same @ batch.text, dim=1)  # (B, D)
        logits = scale * batch.fused @ classes.T  # (B faces, B columns)
        loss = ((logits - same.sum(dim=0).log()).logsumexp(dim=1) - logits.diagonal()).mean()
        return Terms(loss, {"cross_entropy": loss, "cross_entropy_scale": scale})
