"""What training minimises."""

from affectvlm.objectives.config import ObjectiveConfig
from affectvlm.objectives.objective import Embeddings, Objective, Terms, each_sample
from affectvlm.objectives.weighted_sum import build_objective

__all__ = ["Embeddings", "Objective", "ObjectiveConfig", "Terms", "build_objective", "each_sample"]
