"""The number that chooses the epoch: as the evaluation measures it, summed over batches and processes."""

from __future__ import annotations

from torch import Tensor
from torchmetrics.classification import MulticlassConfusionMatrix


class ValidationUAR(MulticlassConfusionMatrix):
    """Unweighted average recall: the mean recall of the classes that occur, as in ``evaluation/metrics.py``.

    Torchmetrics' macro recall also counts, as 0, a class that no validation sample has but that one is taken for: the
    same mistake would cost more, or less, by what it was mistaken for.
    """

    def compute(self) -> Tensor:
        """Compute it from all counts so far: () float32."""
        confusion = super().compute()  # (C, C) int64, rows true, columns predicted
        support = confusion.sum(1)
        occurs = support > 0
        recall = confusion.diagonal()[occurs] / support[occurs]
        return (recall / occurs.sum()).sum()
