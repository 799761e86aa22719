"""The triplets of a set: which positives and negatives an anchor is compared with.

All functions take ``cosine`` (N, N), row i for anchor i, ``positive`` and ``negative`` (N, N) bool masks of its
candidates, and the ``margin`` (); between unit vectors |a - b|² is 2 - 2 cos(a, b). They return the sum of the
triplets' losses and how many triplets there are, () each.
"""

from __future__ import annotations

import torch
from torch import Tensor

NONE = 1e30
"""Beyond every cosine: stands where there is no candidate."""


def soft_triplets(
    cosine: Tensor, positive: Tensor, negative: Tensor, margin: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """One triplet an anchor: a smooth maximum over all candidates stands for the hardest one."""
    hard_positive = -_smooth_max(-cosine, positive, temperature)  # (N,)
    hard_negative = _smooth_max(cosine, negative, temperature)  # (N,)
    return _one_each(hard_positive, hard_negative, positive, negative, margin)


def hard_triplets(cosine: Tensor, positive: Tensor, negative: Tensor, margin: Tensor) -> tuple[Tensor, Tensor]:
    """One triplet an anchor: the farthest positive and the nearest negative (batch-hard, Hermans et al. 2017).

    Candidates that are equally hard share the gradient.
    """
    hard_positive = cosine.masked_fill(~positive, NONE).amin(dim=1)  # (N,)
    hard_negative = cosine.masked_fill(~negative, -NONE).amax(dim=1)  # (N,)
    return _one_each(hard_positive, hard_negative, positive, negative, margin)


def all_triplets(cosine: Tensor, positive: Tensor, negative: Tensor, margin: Tensor) -> tuple[Tensor, Tensor]:
    """Every anchor with each of its positives and each of its negatives.

    There are up to N³ / 4 of them, so they are not written out. With x = 2 cos(a, n) + α and y = 2 cos(a, p), an
    anchor's sum of max(0, x - y) is the sum of every x, as often as there are smaller y, less that of every y, as often
    as there are larger x. Sorting counts them in N² log N, and the counts have no gradient.
    """
    x, y = 2 * cosine + margin, 2 * cosine  # (N, N)
    with torch.no_grad():
        sorted_x = x.masked_fill(~negative, -NONE).sort(dim=1).values
        sorted_y = y.masked_fill(~positive, NONE).sort(dim=1).values
        smaller_y = torch.searchsorted(sorted_y, x.contiguous()) * negative
        larger_x = (len(cosine) - torch.searchsorted(sorted_x, y.contiguous(), right=True)) * positive
    return (x * smaller_y - y * larger_x).sum(), (positive.sum(dim=1) * negative.sum(dim=1)).sum()


def _one_each(
    hard_positive: Tensor, hard_negative: Tensor, positive: Tensor, negative: Tensor, margin: Tensor
) -> tuple[Tensor, Tensor]:
    """Sum over the anchors that have both a positive and a negative."""
    anchors = positive.any(dim=1) & negative.any(dim=1)
    gap = 2 * (hard_negative - hard_positive)
    return ((gap + margin).relu() * anchors).sum(), anchors.sum()


def _smooth_max(values: Tensor, mask: Tensor, temperature: float) -> Tensor:
    """(N, N) -> (N,): each row's log-mean-exp where ``mask``; finite, and to be left out, where there is nothing.

    Its gradient is the softmax of the values: every candidate pulls by how hard it is.
    """
    logits = (values / temperature).masked_fill(~mask, -NONE)
    return temperature * (logits.logsumexp(dim=1) - mask.sum(dim=1).clamp(min=1).to(values.dtype).log())
