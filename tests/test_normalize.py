import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from affectvlm.scan import FaceScan, normalize
from affectvlm.synthesis.embedded import embedded_face

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("AFFECTVLM_DATA", ROOT.parent / "shared" / "data"))


@cache
def face(seed: int = 0) -> FaceScan:
    """One person of the embedded model with some expression, as the model has it; seed 0 is its neutral mean.

    Each vertex has a place in the picture of its own, so that :func:`rows` finds it again in what is left of the scan.
    """
    model = embedded_face()
    random = np.random.default_rng(seed)
    shown = random.choice(len(model.shape_names), 6, replace=False)
    weights = {model.shape_names[i]: float(random.uniform(0, 0.7)) for i in shown}
    scan = model.face(random.normal(size=len(model.axes)) * (seed > 0), weights if seed else {})
    return FaceScan(scan.vertices, scan.triangles, np.zeros((len(scan.vertices), 2)), scan.triangles, source="face")


def rows(normalized: FaceScan) -> np.ndarray:
    """(V,) int: which vertex of :func:`face` each vertex was."""
    row = np.full(len(normalized.vertices), -1)
    row[normalized.triangles] = normalized.uv_triangles
    return row


def turn(yaw: float, pitch: float, roll: float) -> np.ndarray:
    return Rotation.from_euler("YXZ", (yaw, pitch, roll), degrees=True).as_matrix()


def movement(before: FaceScan, after: FaceScan) -> tuple[float, np.ndarray]:
    """The turn (degrees) from one scan of a face to another, and where it takes the origin (mm)."""
    old, new = (scan.vertices[np.argsort(rows(scan))].astype(float) for scan in (before, after))
    shared = np.isin(np.sort(rows(before)), rows(after)), np.isin(np.sort(rows(after)), rows(before))
    old, new = old[shared[0]], new[shared[1]]
    rotation, _ = Rotation.align_vectors(new - new.mean(axis=0), old - old.mean(axis=0))
    # Only moved, never stretched.
    np.testing.assert_allclose(rotation.apply(old - old.mean(axis=0)) + new.mean(axis=0), new, atol=1e-3)
    return float(np.degrees(rotation.magnitude())), new.mean(axis=0) - rotation.apply(old.mean(axis=0))


def head_of(scan: FaceScan) -> FaceScan:
    """The face on a ball of a skull and a body's shoulders, all meshed together."""
    skull = trimesh.creation.icosphere(4, 85)
    skull.apply_translation([0, 20, -125])
    body = trimesh.creation.box([420, 150, 150])
    body.apply_translation([0, -260, -120])
    parts = [(scan.vertices, scan.triangles), (skull.vertices, skull.faces), (body.vertices, body.faces)]
    first = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    return FaceScan(
        np.concatenate([vertices for vertices, _ in parts]),
        np.concatenate([triangles + row for (_, triangles), row in zip(parts, first, strict=False)]),
        source="head",
    )


@pytest.mark.parametrize("seed", range(12))
def test_a_pose_is_undone(seed: int) -> None:
    random = np.random.default_rng(100 + seed)
    pose = turn(*random.uniform(-1, 1, 3) * [45, 30, 30])
    degrees, shift = movement(face(seed), normalize(face(seed).moved(pose, random.uniform(-1000, 1000, 3))))
    print(seed, degrees, shift)
