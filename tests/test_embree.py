"""The z-buffer against another's ray caster; runs where embreex is installed (it is no dependency)."""

import numpy as np
import pytest
import trimesh

from affectvlm.scan.rasterizer import rasterize
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.views.rig import Rig

pytest.importorskip("embreex")
from trimesh.ray.ray_pyembree import RayMeshIntersector

RIG = Rig(size_px=224, yaw_deg={"front": 0, "left": 30, "above": -50}, pitch_deg={"above": 40})


@pytest.mark.parametrize("distance", [np.inf, 400.0])
def test_depth_and_silhouette_are_those_of_rays(distance):
    face = embedded_face()
    vertices, triangles = face.neutral.astype(np.float32), face.triangles
    centre = np.asarray(RIG.centre_mm, np.float32)
    depth, triangle, _ = rasterize(vertices, triangles, RIG.rotations, centre, RIG.size_px, RIG.field_mm, distance)
    caster = RayMeshIntersector(trimesh.Trimesh(vertices, triangles, process=False), scale_to_box=False)
    middles = (np.arange(RIG.size_px) + 0.5 - RIG.size_px / 2) * RIG.pixel_mm
    x, y = (plane.ravel() for plane in np.meshgrid(middles, -middles))
    start = 400.0 if np.isinf(distance) else distance
    for rotation, drawn, found in zip(RIG.rotations.astype(float), depth, triangle, strict=True):
        flat = np.stack([x, y, np.zeros_like(x)], axis=1)
        if np.isinf(distance):
            origins, directions = flat + np.array([0, 0, start]), np.tile([0.0, 0, -1], (len(flat), 1))
        else:
            origins = np.tile([0.0, 0, start], (len(flat), 1))
            directions = flat - origins
        places, rays, _ = caster.intersects_location(origins @ rotation + centre, directions @ rotation, False)
        cast = np.full(len(x), np.nan)
        cast[rays] = (places - centre) @ rotation[2]
        cast = cast.reshape(RIG.size_px, RIG.size_px)
        hit, seen = np.isfinite(cast), found >= 0
        # Both are in single precision, and round apart where a ray just meets or misses an outline: of the
        # 224 x 224 pixels of a view one did when this was written.
        assert seen.sum() > 10_000
        assert (hit != seen).sum() <= 2
        apart = np.abs(cast - drawn)[hit & seen]
        assert (apart > 1e-3).sum() <= 2
        assert np.median(apart) < 1e-5
