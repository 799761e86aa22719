"""Mixed view augmentation: every view of a sample is changed in its own way, and views of one emotion are mixed.

After AffectVLM (Behzad and Zhao 2025): flips, rotations, crops and scalings, another one for each view of the same
emotion, and views of the same emotion mixed between samples. The magnitudes are our own. All frames of a sequence are
changed alike: what moves is the face.
"""

from __future__ import annotations

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from affectvlm.views.coverage import background
from affectvlm.views.rig import CHANNELS, Rig


class AugmentationConfig(BaseModel):
    """How far views are changed; 0 everywhere changes nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rotation_deg: float = Field(5.0, ge=0)
    """In the picture's plane, up to this either way."""
    scaling: float = Field(0.05, ge=0, lt=1)
    """Larger or smaller by up to this part."""
    shift: float = Field(0.02, ge=0, lt=1)
    """Crop: moved by up to this part of the picture along each side."""
    mirror: float = Field(0.5, ge=0, le=1)
    """Share of samples that are mirrored as a whole: left and right views swap."""
    mix: float = Field(0.1, ge=0, le=1)
    """Share of views that are taken from a sample of the same emotion in the batch, drawn at random: mostly another."""
    hide: float = Field(0.0, ge=0, lt=1)
    """Share of views that are taken for missing, so that a model learns to do without; one always stays."""


def augment(
    views: Tensor,
    seen: Tensor,
    labels: np.ndarray,
    rngs: list[np.random.Generator],
    rig: Rig,
    config: AugmentationConfig,
) -> tuple[Tensor, Tensor]:
    """Change a batch of views.

    Parameters
    ----------
    views : (B, T, V, C, H, W) float32
    seen : (B, T, V) bool
        Which views are there.
    labels : (B,) int
        Views are mixed within a label only.
    rngs : list of B generators
        One a sample, so that a sample's draw does not depend on the rest of the batch.
    rig : Rig
    config : AugmentationConfig

    Returns
    -------
    views : (B, T, V, C, H, W) float32
    seen : (B, T, V) bool
    """
    views, seen = _mix(views, seen, labels, rngs, config.mix)
    views, seen = _mirror(views, seen, rngs, rig, config.mirror)
    views = _move(views, rngs, rig, config)
    return views, _hide(seen, rngs, config.hide)


def _mix(
    views: Tensor, seen: Tensor, labels: np.ndarray, rngs: list[np.random.Generator], share: float
) -> tuple[Tensor, Tensor]:
    """Replace some views by the same view of another sample with the same label."""
    B, V = len(views), views.shape[2]
    giver = np.tile(np.arange(B)[:, None], (1, V))  # (B, V)
    for i, rng in enumerate(rngs):
        same = np.flatnonzero(labels == labels[i])
        # Two draws a view whatever the batch, so that the sample's further draws stay the same.
        taken, which = rng.random((2, V))
        giver[i] = np.where(taken < share, same[(which * len(same)).astype(int)], i)
    sample, view = torch.from_numpy(giver), torch.arange(V)
    # Two index arrays with a slice between them put their axes (B, V) in front.
    return views[sample, :, view].transpose(1, 2), seen[sample, :, view].transpose(1, 2)


def _mirror(
    views: Tensor, seen: Tensor, rngs: list[np.random.Generator], rig: Rig, share: float
) -> tuple[Tensor, Tensor]:
    """Show some faces as in a mirror: pictures flip, left and right views swap, and the normals' x turns round.

    Depth and curvature are what they were: a mirror changes neither.
    """
    order = rig.mirror_order
    chosen = torch.tensor([rng.random() < share for rng in rngs])
    if order is None or not chosen.any():
        return views, seen
    mirrored = views[chosen][:, :, list(order)].flip(-1)
    first = _first_channel(rig, "normals")
    if first is not None:
        mirrored[:, :, :, first] *= -1
    views, seen = views.clone(), seen.clone()
    views[chosen], seen[chosen] = mirrored, seen[chosen][:, :, list(order)]
    return views, seen


def _move(views: Tensor, rngs: list[np.random.Generator], rig: Rig, config: AugmentationConfig) -> Tensor:
    """Rotate, scale and shift every view on its own; normals turn with the picture."""
    B, T, V, C, H, W = views.shape
    draws = np.stack([rng.uniform(-1, 1, (V, 4)) for rng in rngs])  # (B, V, 4)
    draws = draws[:, None].repeat(T, axis=1).reshape(B * T * V, 4)
    turn, grow, shift = torch.from_numpy(draws).to(views).split([1, 1, 2], dim=1)  # (BTV, 1), (BTV, 1), (BTV, 2)
    angle, zoom = torch.deg2rad(config.rotation_deg * turn[:, 0]), 1 + config.scaling * grow[:, 0]
    shift = 2 * config.shift * shift
    cos, sin = angle.cos(), angle.sin()
    # Where each output pixel is read from: the picture turns by +angle (anti-clockwise as seen, y down).
    rows = torch.stack([torch.stack([cos, -sin]), torch.stack([sin, cos])]) / zoom  # (2, 2, BTV)
    matrix = torch.cat([rows.permute(2, 0, 1), shift[:, :, None]], dim=2)  # (BTV, 2, 3)

    nothing = torch.from_numpy(background(rig)).to(views.device)[:, None, None]  # (C, 1, 1)
    grid = affine_grid(matrix, [B * T * V, C, H, W], align_corners=False)
    moved = grid_sample(views.flatten(0, 2) - nothing, grid, align_corners=False) + nothing
    first = _first_channel(rig, "normals")
    if first is not None:
        x, y = moved[:, first].clone(), moved[:, first + 1].clone()
        cos, sin = cos[:, None, None], sin[:, None, None]
        moved[:, first], moved[:, first + 1] = cos * x - sin * y, sin * x + cos * y
    return moved.unflatten(0, (B, T, V))


def _hide(seen: Tensor, rngs: list[np.random.Generator], share: float) -> Tensor:
    """Take some views for missing, in all frames; the one that is drawn to stay is seen in as many as any other."""
    draws = torch.from_numpy(np.stack([rng.random(seen.shape[2]) for rng in rngs])).to(seen.device)  # (B, V)
    frames = seen.sum(dim=1)  # (B, V)
    fewer = frames < frames.amax(dim=1, keepdim=True)  # too few to show movement, perhaps
    stays = draws.masked_fill(fewer, -1).argmax(dim=1, keepdim=True)  # (B, 1)
    hidden = (draws < share).scatter(1, stays, False)
    return seen & ~hidden[:, None]


def _first_channel(rig: Rig, name: str) -> int | None:
    """Channel at which a map starts; None if the rig lacks it."""
    start = 0
    for present in rig.maps:
        if present == name:
            return start
        start += CHANNELS[present]
    return None
