import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from affectvlm.scan import FACE_RADIUS_MM, FaceScan, face_mask, normalize, read_scan
from affectvlm.scan.boundary import find_rims
from affectvlm.scan.cells import Cells
from affectvlm.scan.clean import clean
from affectvlm.scan.holes import WIDEST_MM, fill_holes
from affectvlm.scan.spikes import find_grain, without_spikes
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.generate import Recording, Study
from affectvlm.views import Rig, render

DATA = Path(os.environ.get("AFFECTVLM_DATA", Path(__file__).parents[2] / "shared" / "data"))


def plate(step: float = 1.0, half: int = 30, middle: tuple[float, float] = (0.0, 0.0)) -> FaceScan:
    """A square in the plane z = 0, facing +z, with coordinates of a picture and colours that go on linearly."""
    rows, columns = np.mgrid[-half : half + 1, -half : half + 1]
    vertices = np.stack([columns * step + middle[0], rows * step + middle[1], 0.0 * rows], axis=-1).reshape(-1, 3)
    index = np.arange(rows.size).reshape(rows.shape)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    triangles = np.concatenate([np.column_stack([a, b, c]), np.column_stack([a, c, d])])
    uv = vertices[:, :2] / (2 * half * step) + 0.5
    return FaceScan(vertices, triangles, uv, triangles, colours=100 + np.rint(vertices))


def pierced(scan: FaceScan, radius: float, middle: tuple[float, float] = (0.0, 0.0)) -> FaceScan:
    return scan.kept(np.hypot(*(scan.vertices[:, :2] - middle).T) >= radius)


def bent(scan: FaceScan, radius: float = 80.0) -> FaceScan:
    """The plate laid on a ball whose top is at the origin."""
    x, y = scan.vertices[:, 0], scan.vertices[:, 1]
    return replace(scan, vertices=np.column_stack([x, y, np.sqrt(radius**2 - x**2 - y**2) - radius]))


def area(scan: FaceScan) -> float:
    a, b, c = scan.vertices[scan.triangles].astype(float).transpose(1, 0, 2)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2)


def lengths(scan: FaceScan) -> list[int]:
    return sorted(np.diff(find_rims(scan.triangles, len(scan.vertices)).starts).tolist())


# Rims


def test_the_rims_of_a_plate_with_holes_are_found_and_run_with_the_surface_to_their_left() -> None:
    scan = pierced(pierced(plate(), 3.5, (10, 10)), 1, (-10, -10))
    assert lengths(plate()) == [240]
    assert lengths(scan)[0] == 6  # one vertex less: the two diagonals cut two of eight corners
    rims = find_rims(scan.triangles, len(scan.vertices))
    assert len(rims) == 3
    for rim in range(3):
        part = slice(rims.starts[rim], rims.starts[rim + 1])
        x, y = scan.vertices[rims.vertices[part], :2].astype(float).T
        turned = (x * np.roll(y, -1) - np.roll(x, -1) * y).sum()
        assert (turned > 0) == (len(x) == 240)
        starts = scan.triangles[rims.edges[part] // 3, rims.edges[part] % 3]
        stops = scan.triangles[rims.edges[part] // 3, (rims.edges[part] % 3 + 1) % 3]
        np.testing.assert_array_equal(starts, rims.vertices[part])
        np.testing.assert_array_equal(stops, np.roll(rims.vertices[part], -1))


def test_rims_that_touch_at_a_vertex_are_two() -> None:
    scan = plate(half=4)
    centre = scan.vertices[scan.triangles].mean(axis=1)
    squares = (np.floor(centre[:, :2]) == [0, 0]).all(axis=1) | (np.floor(centre[:, :2]) == [1, 1]).all(axis=1)
    assert lengths(FaceScan(scan.vertices, scan.triangles[~squares])) == [4, 4, 32]


def test_a_closed_surface_has_no_rim_and_a_triangle_one() -> None:
    tetrahedron = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]], np.int32)
    assert len(find_rims(tetrahedron, 4)) == 0
    assert np.diff(find_rims(tetrahedron[:1], 4).starts).tolist() == [3]


# Cells


@pytest.mark.parametrize("axis", [(0, 0, 1), (0, -1, 0), (0.6, 0, -0.8), (2 / 3, 1 / 3, 2 / 3)])
@pytest.mark.parametrize(("reach", "aside"), [(40.0, 3.0), (40.0, 60.0), (7.0, 5.0)])
def test_points_near_a_place_and_a_line_are_those_that_a_look_at_all_finds(axis, reach, aside) -> None:
    points = np.random.default_rng(0).uniform(-60, 60, (4000, 3)).astype(np.float32)
    cells = Cells.of(points)
    for centre in (np.zeros(3), np.array([55.0, -58.0, 70.0])):
        arms = points.astype(float) - centre
        along = arms @ np.array(axis)
        near = (np.linalg.norm(arms, axis=1) <= reach) & ((arms**2).sum(axis=1) - along**2 <= aside**2)
        found = cells.near(centre, reach, np.array(axis, float), aside)
        np.testing.assert_array_equal(np.sort(found), np.flatnonzero(near))


# Holes


@pytest.mark.parametrize("radius", [1.0, 3.5, 7.2, 12.0])
def test_a_hole_in_a_plane_is_filled_flat(radius: float) -> None:
    scan = pierced(plate(), radius, (3, 4))
    filled, done, left = fill_holes(scan, 1000)
    assert (done, left) == (1, 0)
    assert lengths(filled) == [240]
    old = len(scan.vertices)
    np.testing.assert_array_equal(filled.vertices[:old], scan.vertices)
    np.testing.assert_array_equal(filled.triangles[: len(scan.triangles)], scan.triangles)
    assert np.abs(filled.vertices[old:, 2]).max(initial=0) < 1e-4
    assert area(filled) == pytest.approx(3600, rel=1e-5)  # neither folded nor covered twice
    np.testing.assert_allclose(filled.vertex_normals, np.broadcast_to([0, 0, 1], filled.vertices.shape), atol=1e-3)
    place = np.empty((len(filled.uv), 3))
    place[filled.uv_triangles] = filled.vertices[filled.triangles]
    used = np.unique(filled.uv_triangles)
    np.testing.assert_allclose(filled.uv[used], place[used, :2] / 60 + 0.5, atol=1e-5)
    np.testing.assert_allclose(filled.colours, 100 + filled.vertices, atol=1.01)


@pytest.mark.parametrize(("radius", "error"), [(3.0, 0.01), (6.0, 0.03), (11.0, 0.15)])
def test_a_hole_in_a_ball_is_filled_round(radius: float, error: float) -> None:
    scan = pierced(bent(plate()), radius)
    filled, done, _ = fill_holes(scan, 1000)
    assert done == 1
    new = filled.vertices[len(scan.vertices) :] + np.float32([0, 0, 80])
    assert len(new) > 0
    np.testing.assert_allclose(np.linalg.norm(new, axis=1), 80, atol=error)
    outwards = new / np.linalg.norm(new, axis=1, keepdims=True)
    cosine = (filled.vertex_normals[len(scan.vertices) :] * outwards).sum(axis=1)
    assert np.degrees(np.arccos(cosine.clip(-1, 1))).max() < 5


def test_a_noisy_hole_is_filled_no_rougher_than_its_rim() -> None:
    scan = pierced(bent(plate()), 9)
    noise = np.random.default_rng(0).normal(0, 0.15, len(scan.vertices))
    scan = replace(scan, vertices=scan.vertices + noise[:, None] * [0, 0, 1])
    filled, _, _ = fill_holes(scan, 1000)
    new = filled.vertices[len(scan.vertices) :] + np.float32([0, 0, 80])
    assert np.abs(np.linalg.norm(new, axis=1) - 80).max() < 0.5


def test_a_long_bent_hole_is_filled() -> None:
    x, y, _ = plate().vertices.T
    ring = np.abs(np.hypot(x, y + 8) - 10) < 1.6
    filled, done, _ = fill_holes(plate().kept(~(ring & (y > -6))), 1000)
    assert done == 1
    assert area(filled) == pytest.approx(3600, rel=1e-5)


def test_a_wide_hole_is_left_and_counted() -> None:
    scan = pierced(plate(), WIDEST_MM / 2 + 1)
    filled, done, left = fill_holes(scan, 1000)
    assert filled is scan
    assert (done, left) == (0, 1)


def test_in_the_mouth_only_narrow_holes_are_filled() -> None:
    for middle, done in (((0, -40), 0), ((60, -40), 1), ((0, 40), 1)):
        assert fill_holes(pierced(plate(middle=middle), 7, middle), 1000)[1:] == (done, 1 - done)
    assert fill_holes(pierced(plate(middle=(0, -40)), 4, (0, -40)), 1000)[1] == 1


def together(first: FaceScan, second: FaceScan) -> FaceScan:
    return FaceScan(
        np.concatenate([first.vertices, second.vertices]),
        np.concatenate([first.triangles, second.triangles + len(first.vertices)]),
    )


def test_what_has_a_surface_behind_it_is_an_opening() -> None:
    scan, ball = pierced(plate(), 8), bent(plate(half=8), 13)
    for behind in (1, 5, 30):
        both = together(scan, ball.moved(np.eye(3), np.array([0, 0, -behind])))
        assert fill_holes(both, 1000)[1:] == (0, 0)
    # Far behind, or looking away, it is another part of the head.
    assert fill_holes(together(scan, ball.moved(np.eye(3), np.array([0, 0, -60]))), 1000)[1] == 1
    away = replace(ball, triangles=ball.triangles[:, ::-1], uv_triangles=ball.triangles[:, ::-1])
    assert fill_holes(together(scan, away.moved(np.eye(3), np.array([0, 0, -5]))), 1000)[1] == 1


def test_a_rim_that_dives_is_an_opening() -> None:
    scan = pierced(plate(), 6)
    distance = np.hypot(scan.vertices[:, 0], scan.vertices[:, 1])
    dived = scan.vertices.copy()
    dived[:, 2] -= 3 * np.maximum(9 - distance, 0)
    assert fill_holes(replace(scan, vertices=dived), 1000)[1:] == (0, 0)


def test_what_the_crop_cut_is_no_hole() -> None:
    scan = pierced(plate(), 6, (20, 0))
    assert fill_holes(scan, 100)[1] == 1
    assert fill_holes(scan, 27)[1] == 0


def test_a_patch_over_a_seam_of_the_texture_has_one_colour() -> None:
    scan = pierced(plate(), 5)
    left = (scan.vertices[scan.triangles][:, :, 0] < 0.5).all(axis=1)
    shifted = np.concatenate([scan.uv, scan.uv * 0.1])
    split = replace(
        scan, uv=shifted, uv_triangles=np.where(left[:, None], scan.triangles, scan.triangles + len(scan.uv))
    )
    filled, done, _ = fill_holes(split, 1000)
    assert done == 1
    assert len(np.unique(filled.uv[filled.uv_triangles[len(scan.triangles) :]].reshape(-1, 2), axis=0)) == 1


# Spikes


@pytest.mark.parametrize("surface", [plate, lambda: bent(plate())])
def test_spikes_are_moved_back_and_nothing_else(surface) -> None:
    whole = surface()
    noise = np.random.default_rng(3).normal(0, 0.05, len(whole.vertices))
    noisy = whole.vertices + noise[:, None] * np.float32([0, 0, 1])
    spoiled = noisy.copy()
    places = {(5, 5): 4.0, (-8, 3): -2.0, (12, -9): 1.5, (13, -9): 2.0, (-20, -20): 9.0, (0, 15): -1.2}
    rows = [int(np.argmin(np.hypot(*(whole.vertices[:, :2] - place).T))) for place in places]
    spoiled[rows, 2] += list(places.values())
    scan = replace(whole, vertices=spoiled)
    mended, moved = without_spikes(scan, find_grain(scan))
    assert moved == len(places)
    np.testing.assert_allclose(mended.vertices[rows, 2], whole.vertices[rows, 2], atol=0.2)
    others = np.setdiff1d(np.arange(len(noisy)), rows)
    np.testing.assert_array_equal(mended.vertices[others], scan.vertices[others])
    assert without_spikes(mended, find_grain(mended))[1] == 0


def test_edges_tips_and_steps_are_no_spikes() -> None:
    flat = plate(step=3.0)
    x, y, _ = flat.vertices.T
    shapes = {
        "roof": -2 * np.abs(x),
        "cone": -0.7 * np.hypot(x, y),
        "step": np.where(x > 0, 8.0, 0.0),
        "trench": np.where(np.abs(x) < 2, -5.0, 0.0),
        "corner": -1.5 * np.maximum(np.abs(x), np.abs(y)),
    }
    for name, z in shapes.items():
        scan = replace(flat, vertices=np.column_stack([x, y, z]))
        assert without_spikes(scan, find_grain(scan))[1] == 0, name


@pytest.mark.parametrize("sigma", [0.05, 0.5])
def test_the_grain_is_the_noise_and_the_spacing(sigma: float) -> None:
    flat = plate(step=2.0, half=60)
    noise = np.random.default_rng(1).normal(0, sigma, len(flat.vertices))
    grain = find_grain(replace(flat, vertices=flat.vertices + noise[:, None] * [0, 0, 1]))
    # Off the mean of six others, whose own noise is a sixth of the variance.
    assert grain.noise_mm == pytest.approx(sigma * np.sqrt(7 / 6), rel=0.08)
    # Equilateral triangles of the same area: half of 2 x 2.
    assert grain.spacing_mm == pytest.approx(np.sqrt(2 * 4 / np.sqrt(3)), rel=0.15)


# Faces


@cache
def recordings(sensor: str) -> list[Recording]:
    study = Study(FaceSource(), subjects=2, sensor=sensor, seed=5)
    return [study.record(take) for take in study.takes()[3::12]]


def upright(recording: Recording) -> FaceScan:
    """The face brought to the camera by what is known of it."""
    nose, turn = recording.landmarks[30], recording.rotation.T
    face = recording.scan.kept(face_mask(recording.scan, nose, FACE_RADIUS_MM))
    return face.moved(turn, -turn @ nose)


def assert_untouched(face: FaceScan) -> None:
    cleaned, found = clean(face, FACE_RADIUS_MM)
    assert cleaned is face
    assert (found.spikes, found.filled, found.left) == (0, 0, 0)


def test_a_face_without_faults_is_left_exactly_as_it_is() -> None:
    for recording in recordings("clean"):
        assert_untouched(upright(recording))


@pytest.mark.parametrize(("model", "folder"), [("ict-facekit", "ict-facekit"), ("makehuman", "makehuman-cc0")])
def test_other_models_faces_are_left_exactly_as_they_are(model, folder) -> None:
    if not (DATA / folder).is_dir():
        pytest.skip(f"needs {model} in {DATA / folder}; name the data folder in AFFECTVLM_DATA")
    study = Study(FaceSource.find(model, DATA / folder), subjects=3, seed=2)
    for take in study.takes()[::6]:
        assert_untouched(upright(study.record(take)))


def test_a_real_head_is_left_exactly_as_it_is() -> None:
    folder = Path(__file__).parents[2] / "shared" / "data" / "scans" / "james"
    folder = DATA / "scans" / "james" if (DATA / "scans" / "james").is_dir() else folder
    if not folder.is_dir():
        pytest.skip(f"needs the scan of a real head in {folder}; name the data folder in AFFECTVLM_DATA")
    assert_untouched(normalize(read_scan(folder / "james.obj")).face)


@pytest.mark.parametrize("sensor", ["structured-light", "depth-camera", "phone"])
def test_a_sensors_scan_comes_nearer_to_the_face(sensor: str) -> None:
    """In depth and in direction, at all pixels that the cleaned scan shows."""
    rig = Rig(size_px=112, yaw_deg={"front": 0.0})
    before, after = np.zeros(2), np.zeros(2)
    for spoiled, perfect in zip(recordings(sensor), recordings("clean"), strict=True):
        scan = upright(spoiled)
        cleaned = clean(scan, FACE_RADIUS_MM)[0]
        truth, old, new = (render(face, rig) for face in (upright(perfect), scan, cleaned))
        assert new.mask.sum() >= old.mask.sum()
        shown = truth.mask & new.mask
        for errors, views in ((before, old), (after, new)):
            errors[0] += np.abs(np.nan_to_num(views.depth, nan=-100) - truth.depth)[shown].mean()
            errors[1] += np.abs(views.normals - truth.normals)[shown].mean()
    assert (after <= before).all()
    assert after[0] < (0.4 if sensor == "structured-light" else 0.95) * before[0]


def test_cleaning_twice_changes_nothing_more_and_is_the_same_each_time() -> None:
    scan = upright(recordings("structured-light")[1])
    once, found = clean(scan, FACE_RADIUS_MM)
    again, _ = clean(scan, FACE_RADIUS_MM)
    np.testing.assert_array_equal(once.vertices, again.vertices)
    np.testing.assert_array_equal(once.triangles, again.triangles)
    assert found.filled > 0
    assert clean(once, FACE_RADIUS_MM)[1].filled <= 1
