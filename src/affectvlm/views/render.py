"""From a normalised scan to its views, and to the compact form in which they are kept."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from affectvlm.scan import FaceScan
from affectvlm.scan.rasterizer import blend_colours, rasterize, sample_texture, shade_normals
from affectvlm.views.curvature import curvature
from affectvlm.views.rig import CHANNELS, MapName, Rig

GREY = 128
"""What the texture map shows where a scan has neither texture nor coloured vertices."""

DEPTH_STEP_MM = 0.01
"""Depth is kept in 16 bits at this step (8 bits over a face would be 0.8 mm, too coarse for an expression)."""

DEPTH_SCALE_MM = 100.0
"""This much depth is 1 in the channel that a model sees."""

CURVATURE_STEP_PER_MM = 1e-5
"""Mean curvature is kept in 16 bits at this step, up to 0.33/mm (a cheek has 0.01/mm, a nose tip 0.08/mm)."""

CURVATURE_SCALE_PER_MM = 0.1
"""This much mean curvature, a ball of 10 mm, is 1 in the channel that a model sees, and no more than 1 is shown."""


@dataclass(frozen=True, eq=False)
class Views:
    """The maps of one scan; V views of H x W pixels, the top row first.

    Parameters
    ----------
    rig : Rig
    depth : (V, H, W) float32
        Millimetres from the rig's centre towards the camera, along the camera's axis; NaN where nothing is seen.
        Always there.
    normals : (V, H, W, 3) float32, optional
        Unit normals in the camera's axes (right, up, towards the camera); zero where nothing is seen.
    texture : (V, H, W, 3) uint8, optional
        RGB.
    mean_curvature : (V, H, W) float32, optional
        1/mm, positive where the surface is convex towards the camera; NaN where nothing is seen, or too little around
        it (:func:`affectvlm.views.curvature.curvature`).
    shape_index : (V, H, W) float32, optional
        From -1 (a cup) over 0 (a saddle) to 1 (a cap); NaN where the mean curvature is.
    """

    rig: Rig
    depth: np.ndarray
    normals: np.ndarray | None = None
    texture: np.ndarray | None = None
    mean_curvature: np.ndarray | None = None
    shape_index: np.ndarray | None = None

    @property
    def mask(self) -> np.ndarray:
        """(V, H, W) bool: where the face is."""
        return np.isfinite(self.depth)


def render(scan: FaceScan, rig: Rig) -> Views:
    """Draw all views and maps of a normalised scan.

    Warns when the rig asks for texture and the scan has neither a texture nor coloured vertices: that map is then a
    flat grey. A texture that is a file is read only when the rig asks for it.
    """
    rotations, centre = rig.rotations, np.asarray(rig.centre_mm, np.float32)
    distance = math.inf if rig.distance_mm is None else rig.distance_mm
    depth, triangle, weights = rasterize(
        scan.vertices, scan.triangles, rotations, centre, rig.size_px, rig.field_mm, distance
    )
    normals = texture = mean_curvature = shape_index = None
    if "normals" in rig.maps:
        normals = shade_normals(
            triangle, weights, scan.vertices, scan.triangles, scan.vertex_normals, rotations, centre, distance
        )
    if "texture" in rig.maps:
        texture = _texture(scan, triangle, weights)
    if "mean_curvature" in rig.maps or "shape_index" in rig.maps:
        mean, shape = curvature(depth, rig.pixel_mm, distance)
        mean_curvature = mean if "mean_curvature" in rig.maps else None
        shape_index = shape if "shape_index" in rig.maps else None
    return Views(rig, depth, normals, texture, mean_curvature, shape_index)


def _texture(scan: FaceScan, triangle: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(V, H, W, 3) uint8: the texture, the vertices' colours, or grey at the visible pixels; black elsewhere."""
    if scan.texture is not None and scan.uv is not None and scan.uv_triangles is not None:
        return sample_texture(triangle, weights, scan.uv, scan.uv_triangles, np.asarray(scan.texture))
    if scan.colours is not None:
        return blend_colours(triangle, weights, scan.triangles, scan.colours)
    warnings.warn(f"{scan.source}: no texture and no coloured vertices; the texture map is grey", stacklevel=3)
    return np.where((triangle >= 0)[..., None], np.uint8(GREY), np.uint8(0)).repeat(3, axis=-1)


def encode(views: Views) -> dict[MapName, np.ndarray]:
    """Quantise the rig's maps for keeping: what :func:`decode` and :func:`to_channels` read.

    Returns
    -------
    dict of map name -> array
        ``depth`` (V, H, W) uint16, 0 = nothing there, else ``32768 + depth / DEPTH_STEP_MM``;
        ``normals`` (V, H, W, 3) uint8, ``128 + 127 n``; ``texture`` (V, H, W, 3) uint8;
        ``mean_curvature`` (V, H, W) uint16, 0 = undefined, else ``32768 + curvature / CURVATURE_STEP_PER_MM``;
        ``shape_index`` (V, H, W) uint8, 0 = undefined, else ``128 + 127 s``.
    """
    kept: dict[MapName, np.ndarray] = {}
    for name in views.rig.maps:
        values = getattr(views, name)
        assert values is not None
        if name == "depth":
            kept[name] = _steps(values, DEPTH_STEP_MM)
        elif name == "mean_curvature":
            kept[name] = _steps(values, CURVATURE_STEP_PER_MM)
        elif name == "shape_index":
            kept[name] = np.where(np.isnan(values), 0, np.nan_to_num(values) * 127 + 128.5).astype(np.uint8)
        elif name == "normals":
            kept[name] = (values * 127 + 128.5).astype(np.uint8)
        else:
            kept[name] = values
    return kept


def _steps(values: np.ndarray, step: float) -> np.ndarray:
    """Quantise to uint16 around 32768; NaN becomes 0, and what is too large the largest or smallest step."""
    steps = np.clip(np.nan_to_num(values) / step + 32768.5, 1, 65535)
    return np.where(np.isnan(values), 0, steps).astype(np.uint16)


def decode(kept: Mapping[MapName, np.ndarray], rig: Rig) -> Views:
    """Bring kept maps of one scan back to units, as exact as they were kept.

    Without a depth map the face is taken to be where any other map shows something.
    """
    maps: dict[str, np.ndarray] = {}
    for name, values in kept.items():
        if name == "depth":
            maps[name] = _unstepped(values, DEPTH_STEP_MM)
        elif name == "mean_curvature":
            maps[name] = _unstepped(values, CURVATURE_STEP_PER_MM)
        elif name == "shape_index":
            maps[name] = np.where(values > 0, (values.astype(np.float32) - 128) / 127, np.float32(np.nan))
        elif name == "normals":
            maps[name] = (values.astype(np.float32) - 128) / 127
        else:
            maps[name] = values
    if "depth" not in maps:
        seen = np.logical_or.reduce([_shown(name, values) for name, values in maps.items()])
        maps["depth"] = np.where(seen, np.float32(0), np.float32(np.nan))
    return Views(rig, **maps)


def _unstepped(steps: np.ndarray, step: float) -> np.ndarray:
    """Turn what :func:`_steps` quantised back to units; 0 becomes NaN."""
    return np.where(steps > 0, (steps.astype(np.float32) - 32768) * np.float32(step), np.float32(np.nan))


def _shown(name: str, values: np.ndarray) -> np.ndarray:
    """(V, H, W) bool: where a map other than depth has something."""
    shown: np.ndarray = np.isfinite(values) if CHANNELS[name] == 1 else (values != 0).any(axis=-1)
    return shown


def to_channels(kept: Mapping[MapName, np.ndarray], rig: Rig) -> np.ndarray:
    """Lay kept maps out as the image channels that a model sees.

    Parameters
    ----------
    kept : dict of map name -> (..., H, W) or (..., H, W, 3) array
        From :func:`encode`, with any leading axes.

    Returns
    -------
    (..., C, H, W) float32
        The rig's maps in order: depth in units of 100 mm, -1 where nothing is seen (behind the face); normals in
        [-1, 1]; texture in [-1, 1]; mean curvature in units of 0.1/mm, cut at -1 and 1, and shape index in [-1, 1],
        both 0 where they are undefined.
    """
    name = rig.maps[0]
    leading = kept[name].shape[: -2 if CHANNELS[name] == 1 else -3]
    channels = np.empty((*leading, rig.channels, *kept[name].shape[len(leading) : len(leading) + 2]), np.float32)
    first = 0
    for name in rig.maps:
        layer = channels[..., first : first + CHANNELS[name], :, :]
        first += CHANNELS[name]
        # Converted where they end up, in place: training does this for every batch.
        if CHANNELS[name] == 1:
            layer[..., 0, :, :] = kept[name]
            layer -= 128 if name == "shape_index" else 32768
            layer *= _PER_STEP[name]
            if name == "mean_curvature":
                np.clip(layer, -1, 1, out=layer)
            layer[..., 0, :, :][kept[name] == 0] = BACKGROUND[name]
        else:
            layer[...] = np.moveaxis(kept[name], -1, -3)
            layer -= 128 if name == "normals" else 127.5
            layer /= 127 if name == "normals" else 127.5
    return channels


_PER_STEP = {
    "depth": DEPTH_STEP_MM / DEPTH_SCALE_MM,
    "mean_curvature": CURVATURE_STEP_PER_MM / CURVATURE_SCALE_PER_MM,
    "shape_index": 1 / 127,
}
"""What a step of a kept map is in its channel."""

BACKGROUND = {"depth": -1.0, "normals": 0.0, "texture": -1.0, "mean_curvature": 0.0, "shape_index": 0.0}
"""What the channels of each map hold where nothing is seen."""
