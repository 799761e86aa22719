import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from affectvlm.errors import ScanError
from affectvlm.scan import FaceScan, normalize
from affectvlm.scan.normalize import face_mask
from affectvlm.synthesis.embedded import embedded_face

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("AFFECTVLM_DATA", ROOT.parent / "shared" / "data"))


@cache
def face(seed: int = 0) -> FaceScan:
    """One person of the embedded model with some expression, as the model has it; seed 0 is its neutral mean.

    Each vertex has a place in the picture of its own, so that :func:`rows` finds it again in what is left of the scan.
    """
    model = embedded_face()
    vertices = model.neutral
    if seed:
        random = np.random.default_rng(seed)
        identity = model.draw_identity(random)
        weights = np.zeros(len(model.shapes))
        weights[random.choice(len(weights), 6, replace=False)] = random.uniform(0, 0.7, 6)
        vertices = model.neutral_of(identity) + np.einsum("s,svx->vx", weights, model.shapes_of(identity))
    return FaceScan(vertices, model.triangles, np.zeros((len(vertices), 2)), model.triangles, source="face")


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
    placed = face(seed).moved(pose, random.uniform(-1000, 1000, 3))
    degrees, nose = movement(normalize(face(seed)).face, normalize(placed).face)
    assert degrees < 0.7
    assert np.linalg.norm(nose) < 0.7


def test_the_mean_face_stays_where_it_is() -> None:
    degrees, nose = movement(face(), normalize(face()).face)
    assert degrees < 0.5
    assert np.linalg.norm(nose) < 1.5


@pytest.mark.parametrize("seed", [1, 5])
def test_the_nose_tip_is_the_foremost_place_at_the_origin(seed: int) -> None:
    vertices = normalize(face(seed).moved(turn(30, 15, -20), np.array([5, 6, 7]))).face.vertices
    tip = vertices[(np.hypot(vertices[:, 0], vertices[:, 1]) < 15)]
    foremost = tip[tip[:, 2].argmax()]
    assert np.hypot(*foremost[:2]) < 3
    assert abs(foremost[2]) < 1


@pytest.mark.parametrize("seed", [0, 3, 8])
@pytest.mark.parametrize("angles", [(45, 0, 0), (-45, 20, 10), (0, 30, 0), (0, -30, 20), (20, 10, 30), (0, 0, -30)])
def test_where_a_face_comes_from_does_not_matter(seed: int, angles: tuple[float, float, float]) -> None:
    placed = face(seed).moved(turn(*angles), np.array([200, -1500, 900]))
    degrees, nose = movement(normalize(face(seed)).face, normalize(placed).face)
    assert degrees < 0.7
    assert np.linalg.norm(nose) < 0.7


@pytest.mark.parametrize("seed", [0, 2, 7])
def test_a_second_time_changes_nothing(seed: int) -> None:
    once = normalize(face(seed).moved(turn(25, -10, 15), np.array([0, 100, 0]))).face
    degrees, nose = movement(once, normalize(once).face)
    assert degrees < 0.5
    assert np.linalg.norm(nose) < 0.5


def test_the_same_scan_gives_the_same_result() -> None:
    first, second = normalize(face(4)).face, normalize(face(4)).face
    np.testing.assert_array_equal(first.vertices, second.vertices)
    np.testing.assert_array_equal(first.triangles, second.triangles)


def test_the_pose_and_the_quality_come_with_the_face() -> None:
    scan = face(3).moved(turn(20, -10, 5), np.array([30, 40, 50]))
    found = normalize(scan)
    brought = (scan.vertices[rows(found.face)] - found.pose.nose) @ found.pose.rotation
    np.testing.assert_allclose(found.face.vertices, brought, atol=1e-3)
    assert found.quality.score > 0.8
    assert found.quality.measures["misfit"] == found.pose.misfit


@pytest.mark.parametrize(("factor", "unit"), [(1e-3, "metres"), (1e-2, "decimetres"), (0.1, "centimetres")])
def test_the_unit_is_guessed_and_said(factor: float, unit: str) -> None:
    pose = turn(10, 5, 0)
    with pytest.warns(UserWarning, match=f"^face: taken to be in {unit}"):
        scaled = normalize(face(3).moved(pose, np.array([0.1, 0.2, 0.3]), factor)).face
    np.testing.assert_allclose(scaled.vertices, normalize(face(3).moved(pose, np.zeros(3))).face.vertices, atol=0.05)


@pytest.mark.filterwarnings("error")
def test_people_keep_their_size() -> None:
    for scale in (0.9, 1.1):
        large = normalize(face(3).moved(np.eye(3), np.zeros(3), scale), radius_mm=1000).face
        np.testing.assert_allclose(np.ptp(large.vertices, axis=0), scale * np.ptp(face(3).vertices, axis=0), rtol=0.03)


@pytest.mark.parametrize("axes", [[[1, 0, 0], [0, 0, -1], [0, 1, 0]], [[0, 0, 1], [1, 0, 0], [0, 1, 0]]])
def test_another_axis_may_point_upwards(axes: list[list[int]]) -> None:
    degrees, nose = movement(normalize(face()).face, normalize(face().moved(np.array(axes), np.zeros(3))).face)
    assert degrees < 0.7
    assert np.linalg.norm(nose) < 0.7


def test_a_scan_that_is_inside_out_is_turned() -> None:
    scan = face(3)
    turned = FaceScan(scan.vertices, scan.triangles[:, ::-1], scan.uv, scan.uv_triangles[:, ::-1])
    front = normalize(turned).face
    degrees, nose = movement(normalize(scan).face, front)
    assert degrees < 0.3
    assert np.linalg.norm(nose) < 0.3
    near = np.linalg.norm(front.vertices, axis=1) < 5
    assert (front.vertex_normals[near, 2] > 0.5).all()


@pytest.mark.parametrize("seed", [0, 3])
def test_head_and_shoulders_are_cut_away(seed: int) -> None:
    pose = turn(-20, 10, 5)
    normalized = normalize(head_of(face(seed)).moved(pose, np.array([0, 0, 700]))).face
    assert np.linalg.norm(normalized.vertices, axis=1).max() <= 100.01
    alone = normalize(face(seed)).face
    distance, _ = cKDTree(normalized.vertices).query(alone.vertices[np.abs(alone.vertices).max(axis=1) < 50])
    assert np.percentile(distance, 95) < 2


def test_vertices_that_no_triangle_uses_do_not_make_pieces_small() -> None:
    scan = face()
    more = FaceScan(np.tile(scan.vertices, (60, 1)), scan.triangles)
    nose = normalize(scan).pose.nose
    assert face_mask(more, nose, 100.0)[: len(scan.vertices)].tolist() == face_mask(scan, nose, 100.0).tolist()


def test_a_face_of_loose_triangles_is_refused_with_the_reason() -> None:
    scan = face()
    loose = FaceScan(scan.vertices[scan.triangles].reshape(-1, 3), np.arange(3 * len(scan.triangles)).reshape(-1, 3))
    with pytest.raises(ScanError, match="in pieces that each hold less than 2% of it"):
        normalize(loose)


def test_small_loose_pieces_are_dropped_and_large_ones_stay() -> None:
    scan = face()
    specks = [trimesh.creation.icosphere(1, 1.0), trimesh.creation.icosphere(3, 12.0)]  # 42 and 642 vertices
    specks[0].apply_translation([60, 0, 10])
    specks[1].apply_translation([-60, 40, 20])
    loose = FaceScan(
        np.concatenate([scan.vertices, specks[0].vertices, specks[1].vertices]),
        np.concatenate(
            [
                scan.triangles,
                specks[0].faces + len(scan.vertices),
                specks[1].faces + len(scan.vertices) + len(specks[0].vertices),
            ]
        ),
    )
    vertices = normalize(loose).face.vertices
    at = [int((np.linalg.norm(vertices - centre, axis=1) < 14).sum()) for centre in ([60, 0, 10], [-60, 40, 20])]
    assert at == [0, 642]
