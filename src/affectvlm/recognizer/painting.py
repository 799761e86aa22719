"""Importance for people: carried from the views onto the face's mesh, and both in colours.

Orange speaks for an expression and blue against it, which people of every colour vision tell apart; what speaks for
nothing is grey. Light and shadow stay, so that one sees which part of the face it is.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from affectvlm.scan import FaceScan
from affectvlm.views import Views
from affectvlm.views.picture import AMBIENT, LIGHTS, TILE, TILE_PX

FOR, AGAINST, NEITHER = (np.array(rgb) for rgb in ((0.93, 0.33, 0.02), (0.06, 0.30, 0.85), (0.60, 0.60, 0.60)))
"""Colours of a surface (linear light)."""

FAINTEST = 0.05
"""Importance at which the colours are full, where there is none stronger: odds that change by a twentieth are hardly a
reason, and are not to look like one."""

DEEP_MM = 25.0
"""The inside of a mouth is a few large triangles, whose corners may lie behind the lips though their middles are seen:
grey there would deny what is orange all around."""


def importance_of_vertices(vertices: np.ndarray, views: Views, importance: np.ndarray) -> np.ndarray:
    """Carry importance from the views onto a mesh.

    Parameters
    ----------
    vertices : (N, 3) float32, mm
        Of the normalised face that the views show.
    views : Views
    importance : (V, H, W) float32
        Of :class:`~affectvlm.recognizer.Explanation`.

    Returns
    -------
    (N,) float32
        The sum over the views that see a vertex, as it takes all of them to make its spot vanish; a view's weight in
        the fusion is in its importance. What no view sees has that of the surface less than :data:`DEEP_MM` before it,
        else 0.
    """
    rig = views.rig
    toward = np.asarray(vertices, np.float32) - np.asarray(rig.centre_mm, np.float32)
    right, up, depth = np.einsum("vij,nj->ivn", rig.rotations, toward)  # (V, N) each
    w = 1 - depth / (rig.distance_mm or math.inf)
    column, row = rig.size_px / 2 + right / w / rig.pixel_mm, rig.size_px / 2 - up / w / rig.pixel_mm
    inside = np.maximum(np.abs(column - rig.size_px / 2), np.abs(row - rig.size_px / 2)) < rig.size_px / 2
    seen, hidden = np.zeros((2, len(rig.names), len(toward)), np.float32)
    sees = np.zeros(right.shape, bool)
    for view in range(len(rig.names)):
        # A pixel holds one depth of a surface that may be steep: the farthest around it, and a pixel more, will do.
        surface = _farthest_around(views.depth[view])
        at = tuple(np.clip(place[view], 0, rig.size_px - 1).astype(int) for place in (row, column))
        behind = np.where(inside[view] & (w[view] > 0), surface[at] - depth[view], np.inf)  # mm
        here = _between(importance[view], row[view], column[view])
        sees[view] = behind <= rig.pixel_mm
        seen[view], hidden[view] = here * sees[view], here * (behind <= DEEP_MM)
    total: np.ndarray = np.where(sees.any(axis=0), seen.sum(axis=0), hidden.sum(axis=0))
    return total


def _farthest_around(depth: np.ndarray) -> np.ndarray:
    """(H, W), NaN where nothing is seen -> (H, W): the least of each pixel and the eight around it; there infinite."""
    height, width = depth.shape
    padded = np.pad(np.nan_to_num(depth, nan=np.inf), 1, constant_values=np.inf)
    nine = [padded[i : i + height, j : j + width] for i in range(3) for j in range(3)]
    least: np.ndarray = np.min(nine, axis=0)
    return least


def _between(values: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """(H, W) values of pixels, (N,) places with pixel centres at halves -> (N,), bilinear."""
    height, width = values.shape
    y, x = np.clip(row - 0.5, 0, height - 1), np.clip(column - 0.5, 0, width - 1)
    top, left = np.minimum(y.astype(int), max(0, height - 2)), np.minimum(x.astype(int), max(0, width - 2))
    below, beside = y - top, x - left
    mixed: np.ndarray = (
        values[top, left] * (1 - below) * (1 - beside)
        + values[top + 1, left] * below * (1 - beside)
        + values[top, left + 1] * (1 - below) * beside
        + values[top + 1, left + 1] * below * beside
    )
    return mixed


def importance_colours(vertices: np.ndarray, triangles: np.ndarray, importance: np.ndarray) -> np.ndarray:
    """Colour a mesh by importance.

    Parameters
    ----------
    vertices : (N, 3) float32
    triangles : (T, 3) int32
    importance : (N,) float32

    Returns
    -------
    (N, 3) uint8
        RGB, light and shadow included.
    """
    normals = FaceScan(vertices, triangles).vertex_normals
    if normals[:, 2].sum() < 0:
        normals = -normals  # a face that shows its inside to the camera has its triangles the wrong way round
    return _lit(normals, importance)


def importance_pictures(views: Views, importance: np.ndarray) -> list[Image.Image]:
    """Lay importance over each view.

    Parameters
    ----------
    views : Views
    importance : (V, H, W) float32

    Returns
    -------
    list of V RGB pictures
        All on one scale, of at least :data:`~affectvlm.views.picture.TILE_PX` pixels.
    """
    normals = _normals(views) if views.normals is None else views.normals
    colours = np.where(views.mask[..., None], _lit(normals, importance), np.array(TILE, np.uint8))
    side = views.rig.size_px * math.ceil(TILE_PX / views.rig.size_px)
    return [Image.fromarray(one, "RGB").resize((side, side), Image.Resampling.BICUBIC) for one in colours]


def _lit(normals: np.ndarray, importance: np.ndarray) -> np.ndarray:
    """(..., 3) unit normals and (...) importance -> (..., 3) uint8 colours under the lights of the other pictures."""
    share = (importance / max(FAINTEST, float(np.abs(importance).max(initial=0))))[..., None]
    paint = NEITHER + np.maximum(share, 0) * (FOR - NEITHER) + np.maximum(-share, 0) * (AGAINST - NEITHER)
    light = np.broadcast_to(AMBIENT, normals.shape)
    for direction, colour in LIGHTS:
        towards = np.array(direction) / np.linalg.norm(direction)
        light = light + np.clip(normals @ towards, 0, None)[..., None] * colour
    return on_screen(paint * light)


def on_screen(colours: np.ndarray) -> np.ndarray:
    """(..., 3) linear light -> (..., 3) uint8."""
    return np.rint(255 * np.clip(colours, 0, 1) ** (1 / 2.2)).astype(np.uint8)


def _normals(views: Views) -> np.ndarray:
    """(V, H, W, 3) unit normals of the depth maps, for views that hold none."""
    down, right = np.gradient(np.nan_to_num(views.depth), views.rig.pixel_mm, axis=(1, 2))
    normals = np.stack([-right, down, np.ones_like(right)], axis=-1)
    unit: np.ndarray = normals / np.linalg.norm(normals, axis=-1, keepdims=True)
    return unit
