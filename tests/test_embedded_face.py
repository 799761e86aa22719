"""The embedded face: a clean mirrored mesh, plausible people, and actions that do what FACS says."""

import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes, label

from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.embedded.sculpt import EYE, EYE_RADIUS
from affectvlm.synthesis.embedded.surface import (
    EYEBALL,
    LOWER_TEETH,
    MOUTH,
    RIM,
    SKIN,
    UPPER_TEETH,
    embedded_surface,
)
from affectvlm.views import Rig, render
from affectvlm.views.rasterizer import rasterize

MODEL = embedded_face()
SURFACE = embedded_surface()
REST = np.zeros(len(MODEL.axes))
MIRROR = np.array([-1, 1, 1], np.float32)
EMOTIONS = {
    "anger": (4, 7, 24, 17),
    "disgust": (9, 10, 17),
    "fear": (1, 4, 20, 25, 2, 5, 26),
    "happiness": (12, 25, 6),
    "sadness": (4, 15, 1, 17),
    "surprise": (1, 2, 25, 26, 5),
}
SHIFT = MODEL.neutral[SURFACE.part == EYEBALL].mean(axis=0) - SURFACE.vertices[SURFACE.part == EYEBALL].mean(axis=0)
"""The model puts the nose tip at the origin; the sculpture only nearly does."""


def weights(*units: int, strength: float = 1.0) -> dict[str, float]:
    """Both sides of each action unit."""
    return {name: strength for name in MODEL.shape_names if name.split("_")[0] in {f"AU{unit}" for unit in units}}


def moved(*units: int, strength: float = 1.0) -> np.ndarray:
    return MODEL.face(REST, weights(*units, strength=strength)).vertices


def identities(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, len(MODEL.axes)))


def area_normals(vertices: np.ndarray) -> np.ndarray:
    a, b, c = (vertices[MODEL.triangles[:, k]].astype(float) for k in range(3))
    return np.cross(b - a, c - a)


def seen_parts(scan, yaw_deg: float = 0.0) -> np.ndarray:
    """The parts of the mesh that a view shows, pixel by pixel; -1 where there is nothing."""
    rig = Rig(yaw_deg={"view": yaw_deg}, size_px=160, field_mm=170)
    centre = np.asarray(rig.centre_mm, np.float32)
    _, triangle, _ = rasterize(scan.vertices, scan.triangles, rig.rotations, centre, rig.size_px, rig.field_mm)
    part = SURFACE.part[MODEL.triangles].max(axis=1)
    return np.where(triangle[0] >= 0, part[triangle[0]], -1)


def test_what_it_holds():
    count = len(MODEL.neutral)
    assert 5000 < count < 12000
    assert MODEL.neutral.dtype == MODEL.axes.dtype == MODEL.shapes.dtype == np.float32
    assert MODEL.axes.shape == (len(MODEL.axis_names), count, 3)
    assert MODEL.shapes.shape == (len(MODEL.shape_names), count, 3)
    assert {"sex", "age"} < set(MODEL.axis_names)
    assert len(set(MODEL.axis_names)) == len(MODEL.axis_names) >= 20
    numbers = (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 26, 27, 43)
    assert set(MODEL.action_units) == {f"AU{n}" for n in numbers}
    sided = {name for name in MODEL.shape_names if "_" in name}
    assert set(MODEL.shape_names) - sided == {"AU26", "AU27"}
    assert sided == {f"AU{n}_{side}" for n in numbers if n not in (26, 27) for side in "LR"}
    assert np.unique(MODEL.triangles).tolist() == list(range(count))
    assert all(np.isfinite(a).all() for a in (MODEL.neutral, MODEL.axes, MODEL.shapes))


def test_building_it_again_gives_the_same():
    again = embedded_face.__wrapped__()
    embedded_surface.cache_clear()
    anew = embedded_surface()
    np.testing.assert_array_equal(anew.vertices, SURFACE.vertices)
    np.testing.assert_array_equal(anew.triangles, SURFACE.triangles)
    np.testing.assert_array_equal(again.shapes, MODEL.shapes)


def test_neutral_is_its_own_mirror_image():
    np.testing.assert_array_equal(SURFACE.mirror[SURFACE.mirror], np.arange(len(SURFACE.mirror)))
    np.testing.assert_array_equal(MODEL.neutral[SURFACE.mirror], MODEL.neutral * MIRROR)
    reflected = {tuple(np.roll(t, -t.argmin())) for t in SURFACE.mirror[MODEL.triangles][:, ::-1]}
    assert reflected == {tuple(np.roll(t, -t.argmin())) for t in MODEL.triangles}


def test_nose_tip_is_the_origin():
    skin = MODEL.neutral[SURFACE.part == SKIN]
    assert skin[skin[:, 2].argmax()].tolist() == [0, 0, 0]


def test_winding_is_consistent_and_outward():
    edges = MODEL.triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    assert len(np.unique(edges, axis=0)) == len(edges)
    rig = Rig(yaw_deg={"front": 0}, size_px=160, field_mm=170)
    _, triangle, _ = rasterize(
        MODEL.neutral, MODEL.triangles, rig.rotations, np.asarray(rig.centre_mm, np.float32), 160, 170.0
    )
    assert (area_normals(MODEL.neutral)[np.unique(triangle[triangle >= 0]), 2] > 0).all()


def test_the_eyeballs_are_closed_balls():
    ball = (SURFACE.part[MODEL.triangles] == EYEBALL).all(axis=1) & (MODEL.neutral[MODEL.triangles[:, 0], 0] > 0)
    corners = MODEL.neutral[MODEL.triangles[ball]].astype(float) - EYE - SHIFT
    volume = np.linalg.det(corners).sum() / 6
    assert volume == pytest.approx(4 / 3 * np.pi * EYE_RADIUS**3, rel=0.05)
    vertices, edges, faces = np.unique(MODEL.triangles[ball]).size, 3 * ball.sum() / 2, ball.sum()
    assert vertices - edges + faces == 2


def test_no_triangle_is_degenerate():
    assert np.linalg.norm(area_normals(MODEL.neutral), axis=1).min() / 2 > 0.02


def test_adult_measures():
    eye, mouth = MODEL.neutral[SURFACE.lid_edge[0]], MODEL.neutral[SURFACE.upper_lip]
    skin = MODEL.neutral[SURFACE.part == SKIN]
    assert np.ptp(eye[:, 0]) == pytest.approx(29, abs=1)
    assert np.ptp(eye[:, 1]) == pytest.approx(10.5, abs=1)
    assert np.ptp(mouth[:, 0]) == pytest.approx(51, abs=1.5)
    at_cheekbones = np.abs(skin[:, 1] - 12) < 4
    assert np.ptp(skin[at_cheekbones, 0]) == pytest.approx(136, abs=5)
    midline = skin[skin[:, 0] == 0]
    below_nose = midline[(midline[:, 1] < -8) & (midline[:, 1] > -18)]
    assert below_nose[:, 2].min() == pytest.approx(-19, abs=3)


def test_texture_coordinates_do_not_fold():
    corners = MODEL.uv[MODEL.uv_triangles].astype(float)
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    part = SURFACE.part[MODEL.triangles]
    face = np.isin(part, (SKIN, RIM)).all(axis=1)
    assert (area[face] > 0).all()
    assert (corners[face, :, 1] >= 0.1 - 1e-6).all()
    assert (corners[~face, :, 1] < 0.1).all()
    assert MODEL.uv.min() >= 0
    assert MODEL.uv.max() <= 1


def test_sides_mirror_each_other():
    for name, shape in zip(MODEL.shape_names, MODEL.shapes, strict=True):
        other = {"L": name[:-1] + "R", "R": name[:-1] + "L"}.get(name[-1], name)
        np.testing.assert_array_equal(shape[SURFACE.mirror], MODEL.shapes[MODEL.shape_names.index(other)] * MIRROR)
        if name.endswith("_L"):
            assert not np.abs(shape[MODEL.neutral[:, 0] < -10]).any()


def test_axes_are_symmetric_but_for_the_three_of_asymmetry():
    crooked = {
        name
        for name, axis in zip(MODEL.axis_names, MODEL.axes, strict=True)
        if not np.allclose(axis[SURFACE.mirror], axis * MIRROR, atol=1e-4)
    }
    assert crooked == {"nose_deviation", "tilted_mouth", "uneven_brows"}


def test_the_mouth_is_shut_at_rest_and_opens():
    upper, lower = SURFACE.upper_lip, SURFACE.lower_lip
    np.testing.assert_array_equal(MODEL.neutral[upper], MODEL.neutral[lower])
    assert (upper[1:-1] != lower[1:-1]).all()
    middle = len(upper) // 2
    for units, least, most in (((25,), 4, 9), ((26,), 12, 22), ((27,), 22, 36), ((16,), 4, 8), ((10,), 4, 8)):
        vertices = moved(*units)
        gap = vertices[upper[middle], 1] - vertices[lower[middle], 1]
        assert least < gap < most, units
        np.testing.assert_array_equal(vertices[upper[[0, -1]]], vertices[lower[[0, -1]]])


def test_nothing_shows_between_shut_lips():
    inside = (MOUTH, UPPER_TEETH, LOWER_TEETH)
    for units in ((), (12,), (15,), (17,), (18,), (20,), (23,), (24,)):
        shown = np.isin(seen_parts(MODEL.face(REST, weights(*units))), inside).sum()
        assert shown <= 2, units
    smile = seen_parts(MODEL.face(REST, weights(12, 25)))
    assert (smile == UPPER_TEETH).sum() > 60
    assert not (smile == LOWER_TEETH).any()


def test_the_jaw_hangs_down_and_back():
    chin = np.linalg.norm(MODEL.neutral - [0, -68, -17], axis=1).argmin()
    drop = moved(26)[chin] - MODEL.neutral[chin]
    assert np.linalg.norm(drop) == pytest.approx(20, abs=3)
    assert drop[1] < -14
    assert drop[2] < -5
    above_the_mouth = (MODEL.neutral[:, 1] > 0) & (SURFACE.part == SKIN)
    assert np.abs((moved(26) - MODEL.neutral)[above_the_mouth]).max() < 0.1


def test_shut_lids_meet_and_hide_the_eyes():
    edge = SURFACE.lid_edge[0]
    half = len(edge) // 2
    upper, lower = edge[1:half], edge[:half:-1]
    assert np.ptp(MODEL.neutral[edge][:, 1]) > 9
    assert np.abs(moved(43)[upper, 1] - moved(43)[lower, 1]).max() < 0.7
    for identity in [REST, *identities(6)]:
        shut = MODEL.face(identity, weights(43))
        for yaw in (-30, 0, 30):
            parts = seen_parts(shut, yaw)
            assert (parts == EYEBALL).sum() <= (2 if identity.any() else 0)


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_the_eyeball_never_pokes_through_a_lid(strength):
    vertices = moved(43, strength=strength).astype(float)
    lid = (SURFACE.part == SKIN) & (np.linalg.norm(MODEL.neutral - EYE - SHIFT, axis=1) < 16)
    centre = EYE + SHIFT
    assert np.linalg.norm(vertices[lid] - centre, axis=1).min() > EYE_RADIUS + 0.3
    ball = vertices[(SURFACE.part == EYEBALL) & (vertices[:, 0] > 0)]
    pupil = np.hypot(*(ball - centre).T[:2]) < 6
    in_front = vertices[lid & (np.hypot(*(vertices - centre).T[:2]) < 6)]
    if strength == 1:
        assert in_front[:, 2].min() > ball[pupil, 2].min()
        assert in_front[:, 2].max() > ball[pupil, 2].max() + 0.5


def test_the_smile_widens_and_raises_the_corners():
    left, right = SURFACE.upper_lip[-1], SURFACE.upper_lip[0]
    motion = moved(12) - MODEL.neutral
    assert 8 < np.linalg.norm(motion[left]) < 12.5
    assert motion[left, 0] > 4
    assert motion[left, 1] > 7
    assert motion[left, 2] < -2
    np.testing.assert_array_equal(motion[right], motion[left] * MIRROR)
    middle = SURFACE.upper_lip[len(SURFACE.upper_lip) // 2]
    assert abs(motion[middle, 1]) < 3


@pytest.mark.parametrize(
    ("unit", "place", "direction", "least"),
    [
        (1, (12, 50), (0, 1), 6),  # inner brow up
        (2, (42, 51), (0, 1), 6),  # outer brow up
        (4, (16, 50), (-0.3, -1), 4.5),  # brow down and in
        (6, (38, 8), (0, 1), 3),  # cheek up
        (9, (15, -2), (0, 1), 2.5),  # nose's wing up
        (10, (11, -29), (0, 1), 4),  # upper lip up
        (15, (25.5, -34.3), (0, -1), 7),  # corners down
        (17, (0, -60), (0, 1), 3),  # chin up
        (18, (25.5, -34.3), (-1, 0), 5),  # corners in
        (20, (25.5, -34.3), (1, 0), 6),  # corners out
    ],
)
def test_where_each_action_pulls(unit, place, direction, least):
    skin = np.flatnonzero((SURFACE.part == SKIN) & (MODEL.neutral[:, 2] > -70))
    vertex = skin[np.linalg.norm(MODEL.neutral[skin, :2] - np.array(place) - SHIFT[:2], axis=1).argmin()]
    motion = (moved(unit) - MODEL.neutral)[vertex, :2]
    assert motion @ np.array(direction) / np.linalg.norm(direction) > least


def test_lids_open_tighten_and_shut():
    edge = SURFACE.lid_edge[0]
    middle = len(edge) // 4
    heights = [moved(unit)[edge[middle], 1] - moved(unit)[edge[-middle], 1] for unit in (5, 7, 6, 43)]
    rest = MODEL.neutral[edge[middle], 1] - MODEL.neutral[edge[-middle], 1]
    assert heights[0] > rest + 2.5
    assert heights[1] < rest - 3
    assert heights[2] < rest - 2
    assert abs(heights[3]) < 0.5


def test_motions_have_realistic_size():
    longest = {
        name: np.linalg.norm(shape, axis=1).max() for name, shape in zip(MODEL.shape_names, MODEL.shapes, strict=True)
    }
    for name, length in longest.items():
        low, high = {"AU26": (15, 25), "AU27": (25, 38)}.get(name, (1.5, 12.5))
        assert low < length < high, name


def test_random_people_keep_a_sound_mesh():
    at_rest = area_normals(MODEL.neutral)
    for identity in identities(100):
        normals = area_normals(MODEL.face(identity, {}).vertices)
        assert ((normals * at_rest).sum(axis=1) > 0).all()
        assert (np.linalg.norm(normals, axis=1) > 0.2 * np.linalg.norm(at_rest, axis=1)).all()


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_the_crop_around_the_nose_is_filled(emotion):
    for identity in [REST, *identities(3)]:
        scan = MODEL.face(identity, weights(*EMOTIONS[emotion]))
        skin = np.where((SURFACE.part == SKIN)[:, None], scan.vertices, -1e3)
        cropped = scan.kept(np.linalg.norm(scan.vertices - skin[skin[:, 2].argmax()], axis=1) < 100)
        mask = render(cropped, Rig(size_px=96, field_mm=190)).mask
        for view in mask:
            pieces, count = label(view)
            main = pieces == 1 + np.bincount(pieces.ravel())[1 : count + 1].argmax()
            assert main.sum() > 0.38 * view.size
            np.testing.assert_array_equal(binary_fill_holes(main), main)


def test_sex_and_age_say_what_they_name():
    sex, age = (MODEL.axes[MODEL.axis_names.index(name)] for name in ("sex", "age"))
    jaw = np.linalg.norm(MODEL.neutral - [46, -50, -70], axis=1).argmin()
    brow = np.linalg.norm(MODEL.neutral - [14, 48, -22], axis=1).argmin()
    assert sex[jaw, 0] > 1
    assert sex[brow, 2] > 1
    cheek = np.linalg.norm(MODEL.neutral - [36, -25, -36], axis=1).argmin()
    tip = np.linalg.norm(MODEL.neutral, axis=1).argmin()
    assert age[cheek, 1] < -0.5
    assert age[tip, 1] < -1
    assert MODEL.attributes(np.eye(len(MODEL.axes))[0]) == {"sex": "male", "age": "middle-aged"}
