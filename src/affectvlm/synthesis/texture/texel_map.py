"""Where on a face model each texel of its picture lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial.transform import Rotation

from affectvlm.scan import FaceScan
from affectvlm.scan.rasterizer import rasterize
from affectvlm.synthesis.face_model import FaceModel

LIGHT_YAW_DEG = (-70.0, -45.0, -22.5, 0.0, 22.5, 45.0, 70.0)
LIGHT_PITCH_DEG = (-30.0, 0.0, 30.0, 60.0)
"""From where soft light falls on a face that is scanned: all around its front, more of it from above."""

LIGHT_PX, LIGHT_FIELD_MM, SHADOW_MM = 256, 360.0, 2.5
"""Pictures taken from these lights; what lies deeper than a little behind what they see is in the shade."""


@dataclass(frozen=True, eq=False)
class TexelMap:
    """The N texels that show a part of the face, and who stands in for the rest.

    Parameters
    ----------
    places : (N, 3) float32, mm
        On the neutral face.
    region : (N,) uint8
        Index into :data:`~affectvlm.synthesis.face_model.REGIONS`.
    light : (N,) float32
        How much of a soft light from the front reaches the place, 0 to 1: folds, nostrils and the inside of the
        mouth are dark in every photograph.
    nearest : (size, size) int32
        For each texel of the picture, top row first, the nearest of the N: what is free takes the colour of its
        neighbour, so that no seam shows.
    """

    places: np.ndarray
    region: np.ndarray
    light: np.ndarray
    nearest: np.ndarray


def map_texels(model: FaceModel, size_px: int) -> TexelMap:
    """Find the place on the neutral face of each texel of a square picture."""
    assert model.uv is not None
    assert model.uv_triangles is not None
    flat = np.concatenate([model.uv, np.zeros((len(model.uv), 1))], axis=1).astype(np.float32)
    view = np.eye(3, dtype=np.float32)[None]
    centre = np.array([0.5, 0.5, 0], np.float32)
    _, triangle, weights = rasterize(flat, model.uv_triangles, view, centre, size_px, 1.0)
    used = triangle[0] >= 0
    corners = model.triangles[triangle[0][used]]
    share = weights[0][used]
    number = np.cumsum(used, dtype=np.int32).reshape(used.shape) - 1
    rows, columns = distance_transform_edt(~used, return_distances=False, return_indices=True)
    return TexelMap(
        places=np.einsum("nc,ncx->nx", share, model.neutral[corners]).astype(np.float32),
        region=model.regions[corners[:, 0]],
        light=np.einsum("nc,nc->n", share, _light(model)[corners]).astype(np.float32),
        nearest=number[rows, columns],
    )


def _light(model: FaceModel) -> np.ndarray:
    """(V,) float32 the part of the lights that each vertex sees, each weighted by the angle at which it falls."""
    normals = FaceScan(model.neutral, model.triangles).vertex_normals
    angles = [(pitch, yaw) for pitch in LIGHT_PITCH_DEG for yaw in LIGHT_YAW_DEG]
    # Rows of a camera's matrix: right, up, backwards; backwards points to the light.
    rotations = np.stack(
        [Rotation.from_euler("yx", [yaw, -pitch], degrees=True).as_matrix().T for pitch, yaw in angles]
    ).astype(np.float32)
    centre = np.array([0, 20, -80], np.float32)
    depth, _, _ = rasterize(model.neutral, model.triangles, rotations, centre, LIGHT_PX, LIGHT_FIELD_MM)
    reaching = np.zeros(len(model.neutral), np.float32)
    falling = np.full(len(model.neutral), 1e-3, np.float32)
    for rotation, seen in zip(rotations, depth, strict=True):
        x, y, z = np.einsum("ax,vx->av", rotation, model.neutral - centre)
        column = np.clip(LIGHT_PX * (0.5 + x / LIGHT_FIELD_MM), 0, LIGHT_PX - 1).astype(np.int32)
        row = np.clip(LIGHT_PX * (0.5 - y / LIGHT_FIELD_MM), 0, LIGHT_PX - 1).astype(np.int32)
        angle = np.maximum(np.einsum("x,vx->v", rotation[2], normals), 0.05)
        there = np.nan_to_num(seen[row, column], nan=-np.inf)
        reaching += angle * (z >= there - SHADOW_MM)
        falling += angle
    return reaching / falling
