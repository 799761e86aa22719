"""From a normalised scan to its views, and to the compact form in which they are kept."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from affectvlm.scan import FaceScan
from affectvlm.scan.rasterizer import rasterize, sample_texture, shade_normals
from affectvlm.views.rig import CHANNELS, MapName, Rig

GREY = 128
"""What the texture map shows where a scan has no texture."""

DEPTH_STEP_MM = 0.01
"""Depth is kept in 16 bits at this step (8 bits over a face would be 0.8 mm, too coarse for an expression)."""

DEPTH_SCALE_MM = 100.0
"""This much depth is 1 in the channel that a model sees."""


@dataclass(frozen=True, eq=False)
class Views:
    """The maps of one scan; V views of H x W pixels, the top row first.

    Parameters
    ----------
    rig : Rig
    depth : (V, H, W) float32
        Millimetres from the rig's centre towards the camera; NaN where nothing is seen. Always there.
    normals : (V, H, W, 3) float32, optional
        Unit normals in the camera's axes (right, up, towards the camera); zero where nothing is seen.
    texture : (V, H, W, 3) uint8, optional
        RGB.
    """

    rig: Rig
    depth: np.ndarray
    normals: np.ndarray | None = None
    texture: np.ndarray | None = None

    @property
    def mask(self) -> np.ndarray:
        """(V, H, W) bool: where the face is."""
        return np.isfinite(self.depth)


def render(scan: FaceScan, rig: Rig) -> Views:
    """Draw all views and maps of a normalised scan.

    Warns when the rig asks for texture and the scan has none: that map is then a flat grey.
    """
    rotations = rig.rotations
    depth, triangle, weights = rasterize(
        scan.vertices,
        scan.triangles,
        rotations,
        np.asarray(rig.centre_mm, np.float32),
        rig.size_px,
        rig.field_mm,
    )
    normals = texture = None
    if "normals" in rig.maps:
        normals = shade_normals(triangle, weights, scan.vertices, scan.triangles, scan.vertex_normals, rotations)
    if "texture" in rig.maps:
        if scan.texture is not None and scan.uv is not None and scan.uv_triangles is not None:
            texture = sample_texture(triangle, weights, scan.uv, scan.uv_triangles, np.asarray(scan.texture))
        else:
            warnings.warn(f"{scan.source}: no texture; the texture map is grey", stacklevel=2)
            texture = np.where((triangle >= 0)[..., None], np.uint8(GREY), np.uint8(0)).repeat(3, axis=-1)
    return Views(rig, depth, normals, texture)


def encode(views: Views) -> dict[MapName, np.ndarray]:
    """Quantise the rig's maps for keeping: what :func:`decode` and :func:`to_channels` read.

    Returns
    -------
    dict of map name -> array
        ``depth`` (V, H, W) uint16, 0 = nothing there, else ``32768 + depth / DEPTH_STEP_MM``;
        ``normals`` (V, H, W, 3) uint8, ``128 + 127 n``; ``texture`` (V, H, W, 3) uint8.
    """
    kept: dict[MapName, np.ndarray] = {}
    for name in views.rig.maps:
        if name == "depth":
            steps = np.clip(np.nan_to_num(views.depth) / DEPTH_STEP_MM + 32768.5, 1, 65535)
            kept[name] = np.where(views.mask, steps, 0).astype(np.uint16)
        elif name == "normals":
            assert views.normals is not None
            kept[name] = (views.normals * 127 + 128.5).astype(np.uint8)
        else:
            assert views.texture is not None
            kept[name] = views.texture
    return kept


def decode(kept: Mapping[MapName, np.ndarray], rig: Rig) -> Views:
    """Bring kept maps of one scan back to units, as exact as they were kept.

    Without a depth map the face is taken to be where any other map shows something.
    """
    depth = normals = texture = None
    if "depth" in kept:
        steps = kept["depth"].astype(np.float32)
        depth = np.where(steps > 0, (steps - 32768) * np.float32(DEPTH_STEP_MM), np.float32(np.nan))
    if "normals" in kept:
        normals = (kept["normals"].astype(np.float32) - 128) / 127
    if "texture" in kept:
        texture = kept["texture"]
    if depth is None:
        seen = (normals if normals is not None else texture).any(axis=-1)  # type: ignore[union-attr]
        depth = np.where(seen, np.float32(0), np.float32(np.nan))
    return Views(rig, depth, normals, texture)


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
        [-1, 1]; texture in [-1, 1].
    """
    name = rig.maps[0]
    leading = kept[name].shape[: -2 if name == "depth" else -3]
    channels = np.empty((*leading, rig.channels, *kept[name].shape[len(leading) : len(leading) + 2]), np.float32)
    first = 0
    for name in rig.maps:
        layer = channels[..., first : first + CHANNELS[name], :, :]
        first += CHANNELS[name]
        # Converted where they end up, in place: training does this for every batch.
        if name == "depth":
            layer[..., 0, :, :] = kept[name]
            layer -= 32768
            layer *= DEPTH_STEP_MM / DEPTH_SCALE_MM
            layer[..., 0, :, :][kept[name] == 0] = -1
        else:
            layer[...] = np.moveaxis(kept[name], -1, -3)
            layer -= 128 if name == "normals" else 127.5
            layer /= 127 if name == "normals" else 127.5
    return channels
