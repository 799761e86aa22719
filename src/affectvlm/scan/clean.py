"""What a sensor did to a face, undone as far as that can be told: spikes moved back, holes filled."""

from __future__ import annotations

from dataclasses import dataclass

from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.holes import fill_holes
from affectvlm.scan.spikes import find_grain, without_spikes


@dataclass(frozen=True)
class Cleaning:
    """What was found and done.

    Parameters
    ----------
    spikes : int
        Vertices that were moved.
    filled, left : int
        Holes that were closed, and those that were too wide for it.
    noise_mm : float
        How far a vertex is off its neighbours' mean, at a right angle to the surface: standard deviation, by the
        median.
    spacing_mm : float
        Distance between neighbouring vertices: the median.
    """

    spikes: int
    filled: int
    left: int
    noise_mm: float
    spacing_mm: float


def clean(face: FaceScan, radius_mm: float) -> tuple[FaceScan, Cleaning]:
    """Move spikes back and fill holes.

    Parameters
    ----------
    face : FaceScan
        Normalised.
    radius_mm : float
        To which it was cropped.
    """
    grain = find_grain(face)
    smooth, spikes = without_spikes(face, grain)
    whole, filled, left = fill_holes(smooth, radius_mm)
    return whole, Cleaning(spikes, filled, left, grain.noise_mm, grain.spacing_mm)
