"""Hair in front of the forehead and the temples: a rough surface of strands that few sensors measure well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affectvlm.synthesis.sensors.crop import FaceAxes
from affectvlm.synthesis.sensors.noise import random_field

STRAND_MM = (7.0, 0.9)
"""Along and across a strand: standard deviations of the Gaussian that its relief has in common."""


@dataclass(frozen=True, eq=False)
class Hair:
    """What covers a part of the picture.

    Parameters
    ----------
    cover : (R, C) float32
        0 on bare skin, 1 under hair.
    rise : (R, C) float32, mm
        How far the hair is in front of the skin.
    loss : float
        Share of the points that are missing there.
    colour : (R, C, 3) float32
        RGB, 0 to 255.
    """

    cover: np.ndarray
    rise: np.ndarray
    loss: float
    colour: np.ndarray


def grow_hair(points: np.ndarray, axes: FaceAxes, pixel_mm: float, rng: np.random.Generator) -> Hair:
    """Draw hair: a fringe down to the brows, or hair parted above the forehead and falling over the temples.

    Parameters
    ----------
    points : (R, C, 3) float32, mm
        The skin; may be NaN.
    axes : FaceAxes
    pixel_mm : float
    rng : numpy.random.Generator
    """
    strands = random_field(points.shape[:2], (STRAND_MM[0] / pixel_mm, STRAND_MM[1] / pixel_mm), rng)
    across, upward = (_along(points - axes.origin.astype(np.float32), axis) for axis in (axes.right, axes.up))
    across = across / np.float32(axes.half_width)
    # Where it begins: above the brows in the middle, lower at the sides, lower still on one of them.
    above, droop, tilt = rng.uniform(4, 55), rng.uniform(0, 70), rng.normal(0, 8)
    line = above - droop * across**2 + tilt * across
    cover = np.clip((upward - line) / 6 + 0.4 * strands, 0, 1)
    cover = np.where(np.isnan(cover), 0, cover).astype(np.float32)
    thickness, relief = rng.uniform(2, 9), rng.uniform(0.5, 2)
    colour = rng.uniform(20, 130) * np.array([1.0, 0.75, 0.55])  # black to light brown
    shade = np.clip(1 + 0.25 * strands, 0.4, 1.6)[..., None] * colour.astype(np.float32)
    rise = cover * np.maximum(np.float32(thickness) + np.float32(relief) * strands, 0)
    return Hair(cover, rise, rng.uniform(0, 0.8), shade)


def _along(vectors: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """(R, C) float32: the component of (R, C, 3) vectors along an axis."""
    x, y, z = axis.astype(np.float32)
    return vectors[..., 0] * x + vectors[..., 1] * y + vectors[..., 2] * z
