"""From the frames of a sequence to one embedding: mean, attention, or one dynamic image.

Every view goes its own way through time, and the views are fused after it, so that a sequence gives what a scan gives:
one embedding a view. All of them take sequences of any length, and frames that a view is missing in.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

TimeName = Literal["mean", "attention", "causal", "rank_pooling"]

FRAMES_THAT_MOVE = 2
"""Fewer frames make no dynamic image."""


class TemporalMean(nn.Module):
    """The mean direction of the frames that are seen; where none is, zero."""

    def forward(self, frames: Tensor, seen: Tensor) -> Tensor:
        """(N, T, D) frames and (N, T) bool, which of them are seen -> (N, D), unit length; zero where none is."""
        return nn.functional.normalize(frames.masked_fill(~seen[..., None], 0).sum(dim=1), dim=-1)


class TemporalAttention(nn.Module):
    """One transformer layer over the frames, then a mean of what it gives, weighted by a learned score of each frame.

    At the start it is the mean: the layer adds nothing and all scores are equal. Where a frame stands in time is told
    by sines of its number (Vaswani et al. 2017, arXiv 1706.03762, section 3.5).

    Parameters
    ----------
    embedding_dim : int
        D; even.
    causal : bool
        A frame looks at itself and those before it only: what it says does not change as more frames come.
    """

    def __init__(self, embedding_dim: int, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        # As many heads as give each some 32 dimensions.
        heads = max(h for h in range(1, max(1, embedding_dim // 32) + 1) if embedding_dim % h == 0)
        self.norm = nn.LayerNorm(embedding_dim)
        self.attention = nn.MultiheadAttention(embedding_dim, heads, batch_first=True)
        self.score = nn.Linear(embedding_dim, 1, bias=False)
        for nothing in (self.attention.out_proj.weight, self.attention.out_proj.bias, self.score.weight):
            nn.init.zeros_(nothing)

    def forward(self, frames: Tensor, seen: Tensor) -> Tensor:
        """(N, T, D) frames and (N, T) bool, which of them are seen -> (N, D), unit length; zero where none is."""
        hidden, weights = self._attend(frames, seen)
        return nn.functional.normalize((hidden * weights).sum(dim=1), dim=-1)

    def _attend(self, frames: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """(N, T, D) and (N, T) -> (N, T, D) frames that know of each other, and (N, T, 1) their weights."""
        T = frames.shape[1]
        frames = frames.masked_fill(~seen[..., None], 0)
        told = self.norm(frames) + sines(T, frames.shape[2]).to(frames)
        itself = torch.eye(T, dtype=torch.bool, device=frames.device)
        # (N, T, T), True where row may not look at column. Every frame may look at itself, also one that is missing:
        # a row without anything to look at would be 0 / 0.
        hidden_from = ~seen[:, None, :] & ~itself
        if self.causal:
            hidden_from = hidden_from | torch.ones_like(itself).triu(diagonal=1)
        heads = self.attention.num_heads
        mask = hidden_from.expand(len(frames), T, T).repeat_interleave(heads, dim=0)  # (N heads, T, T)
        looked, _ = self.attention(told, told, told, attn_mask=mask, need_weights=False)
        hidden = frames + looked  # (N, T, D)
        # Weights are no softmax: a stream does not know the scores to come. Directions do not mind the sum.
        return hidden, self.score(hidden).clamp(-8, 8).exp() * seen[..., None]


def sines(length: int, dim: int) -> Tensor:
    """(length, dim) float32: sine and cosine of a frame's number, at wavelengths from 2π to 10,000 2π frames."""
    rate = torch.exp(torch.arange(0, dim, 2) * (-math.log(10_000) / dim))  # (dim / 2,)
    phase = torch.arange(length)[:, None] * rate
    return torch.stack([phase.sin(), phase.cos()], dim=2).flatten(1)


def dynamic_images(views: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Sum up a sequence in one picture a view, whose later frames count for and earlier ones against it.

    Approximate rank pooling (Bilen et al. 2016, "Dynamic image networks"): frame t of T, from 1, is weighted with
    2t - T - 1, where t counts the frames that the view is seen in. The weights are divided by T² / 4, about the sum of
    the positive ones, so that the picture's range does not grow with the length.

    Parameters
    ----------
    views : (B, T, V, C, H, W)
    seen : (B, T, V) bool

    Returns
    -------
    views : (B, 1, V, C, H, W)
    seen : (B, 1, V) bool
        False where a view is seen in too few frames to move.
    """
    number, count = seen.cumsum(dim=1), seen.sum(dim=1, keepdim=True)  # (B, T, V), (B, 1, V)
    weights = (2 * number - count - 1) * seen / (count**2 / 4).clamp(min=1)
    shown = views.masked_fill(~seen[..., None, None, None], 0)  # 0 times what is not looked at may be no number
    # Not in mixed precision: frames differ by less than what half of it can tell apart.
    with torch.autocast(views.device.type, enabled=False):
        images = torch.einsum("btv,btvchw->bvchw", weights.to(views.dtype), shown)
    return images[:, None], count >= FRAMES_THAT_MOVE


def build_time(name: TimeName, embedding_dim: int) -> TemporalMean | TemporalAttention:
    """Build what a configuration names; what rank pooling leaves is one frame, and the mean of it itself."""
    return TemporalAttention(embedding_dim, name == "causal") if name in ("attention", "causal") else TemporalMean()
