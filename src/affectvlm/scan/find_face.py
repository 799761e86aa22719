"""Finding the face in a scan: fits from a few likely starts, from more if none is good, or from where it was before."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from affectvlm.scan.face_search import Places, likely_starts, standing_out
from affectvlm.scan.registration import Fit, fine, last, rough
from affectvlm.scan.surfels import Surfels

# The numbers were chosen on generated people of all three face models and all sensors.
MM2_PER_NOSE = 10_000.0
"""One place is taken for a nose in so much surface: of a whole head with hair and shoulders, more stands out."""

NOSES = 4, 12
"""At least and at most so many."""

STARTS, FINE_STARTS = (8, 20), (2, 5)
"""How many starts there are fitted roughly, and how many of these finely: first few, which are enough for nearly all
scans, then more, at the most noses."""

MORE_NOSES, MORE_STARTS, MORE_FINE_STARTS = 36, 60, 15
"""The same when no good fit was found."""

SURE_MISFIT, DOUBTFUL_MISFIT, GOOD_MISFIT, BAD_MISFIT = 0.4, 0.47, 0.5, 0.54
"""A fit below the first is taken without comparing it to another from the same places. Above the second a face may have
slipped. Below the third it lies in the right place: where one of 290 generated faces did not, it had 0.58 or more.
Above that and the last, ever more places are tried."""

HOPELESS = 0.15
"""A rough fit that is so much worse than the best one becomes no better fit."""

SAME_MM, SAME_DEG = 3.0, 3.0
"""Rough fits this near to each other are one."""

SLIDES_MM = (-12.0, 12.0)
"""A face slips most easily upwards and downwards: a doubtful fit is tried again from there."""

MUCH_WORSE = 0.1
"""A face that is followed and fits worse than before by so much may have been lost."""

FEW_STARTS = 4
"""So many for a glance."""

MAX_MISFIT = 0.61
"""Above, there is no face."""


def find_face(surface: Surfels) -> Fit:
    """Lay the face on a scan in whatever pose; return the fit of least misfit."""
    places = standing_out(surface, MORE_NOSES)
    best = Fit(np.eye(3), np.zeros(3), 1.0, np.zeros(0))
    tried: list[Fit] = []
    for noses, starts, fine_starts in zip((_noses_in(surface), max(NOSES)), STARTS, FINE_STARTS, strict=True):
        roughly = _rough_fits(surface, places.first(noses), starts)
        for fit in roughly[:fine_starts]:
            if best.misfit < SURE_MISFIT or fit.misfit > max(best.misfit, roughly[0].misfit) + HOPELESS:
                break
            if _is_new(fit, tried):
                tried.append(fit)
                best = min(best, fine(fit, surface), key=_misfit)
        if best.misfit < GOOD_MISFIT:
            break
    if best.misfit > DOUBTFUL_MISFIT:
        slid = [replace(best, translation=best.translation + mm * best.rotation[:, 1]) for mm in SLIDES_MM]
        best = min([best, *(fine(replace(fit, shape=np.zeros(0)), surface) for fit in slid)], key=_misfit)
    if best.misfit > BAD_MISFIT:
        more = _rough_fits(surface, places, MORE_STARTS)[:MORE_FINE_STARTS]
        best = min([best, *(fine(fit, surface) for fit in more)], key=_misfit)
    return last(best, surface)


def follow_face(surface: Surfels, rotation: np.ndarray, nose: np.ndarray, misfit: float) -> Fit | None:
    """Lay the face on a scan near to where it was a moment ago.

    Parameters
    ----------
    surface : Surfels
    rotation : (3, 3) float
    nose : (3,) float, mm
    misfit : float
        Of the fit that it had there.

    Returns
    -------
    Fit, or None when the face may be elsewhere: the fit is one after which :func:`find_face` would look further, or
    much worse than the one before
    """
    fit = fine(rough(rotation, nose, surface), surface)
    return last(fit, surface) if fit.misfit < min(DOUBTFUL_MISFIT, misfit + MUCH_WORSE) else None


def glance(surface: Surfels) -> float:
    """Tell whether a face is likely in a scan: the misfit (0 to 1) of a few rough fits' best, in some milliseconds."""
    places = standing_out(surface, _noses_in(surface))
    return min((fit.misfit for fit in _rough_fits(surface, places, FEW_STARTS)), default=1.0)


def _noses_in(surface: Surfels) -> int:
    """Tell how many places are taken for noses at first."""
    return int(np.clip(surface.areas.sum() / MM2_PER_NOSE, *NOSES))


def _rough_fits(surface: Surfels, noses: Places, starts: int) -> list[Fit]:
    """Fit from so many starts; the best first, each at another place."""
    fits = [rough(rotation, nose, surface) for rotation, nose in likely_starts(surface, noses, starts)]
    return _different(sorted(fits, key=_misfit))


def _misfit(fit: Fit) -> float:
    return fit.misfit


def _different(fits: list[Fit]) -> list[Fit]:
    """Leave out each fit that came to where an earlier one is."""
    kept: list[Fit] = []
    for fit in fits:
        if _is_new(fit, kept):
            kept.append(fit)
    return kept


def _is_new(fit: Fit, others: list[Fit]) -> bool:
    """Tell whether a fit lies elsewhere than all the others."""
    least_trace = 1 + 2 * math.cos(math.radians(SAME_DEG))
    return all(
        np.sum((fit.translation - other.translation) ** 2) > SAME_MM**2
        or np.sum(fit.rotation * other.rotation) < least_trace
        for other in others
    )
