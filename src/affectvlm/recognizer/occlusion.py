"""Which spots of each view an answer rests on: they are smoothed away one after the other, and the answer asked again.

Occlusion sensitivity (Zeiler and Fergus 2014, arXiv 1311.2901, section 4.2) with two changes. What is put in a spot's
place is the view itself, blurred (Fong and Vedaldi 2017, arXiv 1704.03296, section 4.3), not a plain patch: in maps of
depth and normals that would be a hole with an outline of its own, which the model reads as a shape. On generated faces,
of which the same person at rest is known, the falls of a blurred spot go with those of a spot put to rest (correlation
0.58 to 0.77, by face model), those of a hole much less (0.33 to 0.53). And the spot fades out towards its rim, so that
it leaves no edge.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from affectvlm.recognizer.encoder import Encoder
from affectvlm.views import Rig
from affectvlm.views.coverage import background
from affectvlm.views.rig import CHANNELS

WIDTH_MM = 48.0
"""Of a spot, whose inner half is gone nearly: as much as an eye or half a mouth with the folds around it."""

STEP_MM = WIDTH_MM / 4
"""From spot to spot: 225 of them on a view of 180 mm, all views together a third of a second on a core for the bundled
model. Half the step takes four times as long and shows nothing more."""

FEWEST_PX = 4.0
"""Wide spots at least: each pixel is in several, however coarse the views are."""

BLUR_MM = 14.0
"""Standard deviation: brow, lids, lips and folds are gone, the head's own shape is left (8 to 40 mm do alike)."""

BATCH = 16

Z = np.ndarray
"""(B, V, D) float32 embeddings of views, before they are fused."""


def spots(rig: Rig) -> np.ndarray:
    """Lay overlapping round-edged spots over a view.

    Returns
    -------
    (K, H, W) float32
        How far a spot takes each pixel's place: 1 in its middle, falling as a squared cosine, 0 outside.
    """
    width = max(WIDTH_MM / rig.pixel_mm, FEWEST_PX)
    step = width * STEP_MM / WIDTH_MM
    middles = step * (np.arange(np.ceil(rig.size_px / step)) + 0.5)
    away = np.abs(np.arange(rig.size_px) + 0.5 - middles[:, None]) / width  # (spots in a row, W)
    fades = np.where(away < 0.5, np.cos(np.pi * away) ** 2, 0)
    return np.einsum("ih,jw->ijhw", fades, fades).reshape(-1, rig.size_px, rig.size_px).astype(np.float32)


def blurred(channels: np.ndarray, rig: Rig) -> np.ndarray:
    """Smooth a face's maps within its outline, which stays.

    Parameters
    ----------
    channels : (V, C, H, W) float32
        From :func:`affectvlm.views.to_channels`.
    rig : Rig

    Returns
    -------
    (V, C, H, W) float32
        Means over the face around each of its pixels, normals of unit length again; the background as it was.
    """
    face = (channels != background(rig)[:, None, None]).any(axis=1, keepdims=True)  # (V, 1, H, W)
    place = np.arange(rig.size_px, dtype=np.float32)
    gauss = np.exp(-0.5 * ((place - place[:, None]) * (rig.pixel_mm / BLUR_MM)) ** 2)
    weight = np.maximum(gauss @ face.astype(np.float32) @ gauss, np.finfo(np.float32).tiny)
    smooth = gauss @ (channels * face) @ gauss / weight
    first = 0
    for name in rig.maps:
        if name == "normals":
            normals = smooth[:, first : first + 3]
            normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        first += CHANNELS[name]
    return np.where(face, smooth, channels)


def importance(
    encoder: Encoder,
    channels: np.ndarray,
    seen: np.ndarray,
    speaks_for: Callable[[Z, np.ndarray], np.ndarray],
    on_progress: Callable[[float], None],
) -> np.ndarray:
    """Find how far an answer falls as spots of each view are smoothed away.

    Parameters
    ----------
    encoder : Encoder
    channels : (V, C, H, W) float32
    seen : (V,) bool
        The views that are not missing.
    speaks_for : callable
        (B, V, D) embeddings and (B, V) scores of the views, as :meth:`Encoder.encode_views` gives them -> (B,), what
        is to be explained.
    on_progress : callable
        Called with the share that is done.

    Returns
    -------
    (V, H, W) float32
        The mean fall over the spots that a pixel is in, each weighted by how far it takes the pixel's place; 0 in a
        view that is missing.
    """
    every = spots(encoder.rig)
    smooth = blurred(channels, encoder.rig)
    embeddings, scores = encoder.encode_views(channels[None, None], seen[None, None])  # (1, V, D), (1, V)
    whole = speaks_for(embeddings, scores)[0]
    falls = np.zeros((len(every), len(seen)))
    for start in range(0, len(every), BATCH):
        spot = every[start : start + BATCH, None, None]  # (B, 1, 1, H, W)
        # A spot is gone in all views of a row, and each view then put beside the others as they were: one encoder looks
        # at every view, so that what it makes of one does not depend on the others.
        gone = (channels + spot * (smooth - channels)).astype(np.float32)
        there = np.broadcast_to(seen, (len(gone), 1, len(seen))).copy()
        new, new_scores = encoder.encode_views(gone[:, None], there)
        for view in np.flatnonzero(seen):
            mixed, mixed_scores = (np.repeat(part, len(gone), axis=0) for part in (embeddings, scores))
            mixed[:, view], mixed_scores[:, view] = new[:, view], new_scores[:, view]
            falls[start : start + BATCH, view] = whole - speaks_for(mixed, mixed_scores)
        on_progress(min(1.0, (start + BATCH) / len(every)))
    return (np.einsum("kv,khw->vhw", falls, every) / every.sum(axis=0)).astype(np.float32)
