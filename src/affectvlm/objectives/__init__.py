"""What training minimises."""

from affectvlm.objectives.margin import LearnableMargin
from affectvlm.objectives.multiview import MultiviewLoss, Terms

__all__ = ["LearnableMargin", "MultiviewLoss", "Terms"]
