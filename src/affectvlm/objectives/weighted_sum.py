"""Several objectives as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from affectvlm.objectives.clip import ClipLoss
from affectvlm.objectives.config import ObjectiveConfig
from affectvlm.objectives.cross_entropy import CrossEntropyLoss
from affectvlm.objectives.multiview import MultiviewLoss
from affectvlm.objectives.objective import Embeddings, Objective, Terms
from affectvlm.objectives.siglip import SigLipLoss
from affectvlm.objectives.supcon import SupConLoss

OBJECTIVES: dict[str, Callable[[Any], Objective]] = {
    "multiview": MultiviewLoss,
    "clip": ClipLoss,
    "siglip": SigLipLoss,
    "supcon": SupConLoss,
    "cross_entropy": CrossEntropyLoss,
}
"""Name in the settings -> what is built from the part of the settings of that name."""


class WeightedSum(Objective):
    """The sum of objectives, each times its weight.

    Parameters
    ----------
    terms : dict of str -> (float, Objective)
        Weight and objective of each name.
    """

    def __init__(self, terms: dict[str, tuple[float, Objective]]) -> None:
        super().__init__()
        self.weights = {name: weight for name, (weight, _) in terms.items()}
        self.objectives = nn.ModuleDict({name: objective for name, (_, objective) in terms.items()})

    def forward(self, batch: Embeddings) -> Terms:
        """Compute the weighted sum; its parts are those of all objectives, without the weights."""
        losses: list[Tensor] = []
        parts: dict[str, Tensor] = {}
        for name, objective in self.objectives.items():
            terms: Terms = objective(batch)
            losses.append(self.weights[name] * terms.loss)
            parts.update(terms.parts)
        return Terms(sum(losses[1:], losses[0]), parts)


def build_objective(config: ObjectiveConfig) -> Objective:
    """Build what the settings name."""
    return WeightedSum(
        {name: (weight, OBJECTIVES[name](getattr(config, name))) for name, weight in config.terms.items()}
    )
