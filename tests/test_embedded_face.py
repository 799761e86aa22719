"""The embedded face: a clean mirrored mesh, plausible people, and actions that do what FACS says."""

import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes, label

from affectvlm.scan import FaceScan
from affectvlm.scan.rasterizer import rasterize
from affectvlm.synthesis.action_units import ACTION_UNITS, action_strengths
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.embedded.ancestry import ANCESTRIES, DEPARTURES
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
from affectvlm.synthesis.face_model import REGIONS
from affectvlm.views import Rig, render

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


def strengths(*units: int, strength: float = 1.0) -> np.ndarray:
    """Both sides of each action unit."""
    return action_strengths({f"AU{unit}": strength for unit in units})


def posed(identity: np.ndarray, *units: int, strength: float = 1.0) -> FaceScan:
    motion = np.einsum("s,svx->vx", MODEL.weights(strengths(*units, strength=strength)), MODEL.shapes_of(identity))
    return FaceScan(MODEL.neutral_of(identity) + motion, MODEL.triangles)


def moved(*units: int, strength: float = 1.0) -> np.ndarray:
    return posed(REST, *units, strength=strength).vertices


def identities(count: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [MODEL.draw_identity(rng) for _ in range(count)]


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
    assert 5000 < count < 13000
    assert len(MODEL.triangles) < 25000
    assert MODEL.neutral.dtype == MODEL.axes.dtype == MODEL.shapes.dtype == np.float32
    assert MODEL.axes.shape == (len(MODEL.axis_names), count, 3)
    assert MODEL.shapes.shape == (len(MODEL.shape_names), count, 3)
    assert {"sex", "age"} < set(MODEL.axis_names)
    assert len(set(MODEL.axis_names)) == len(MODEL.axis_names) >= 20
    without_sides = {"AU26", "AU27", "AU29"}
    sided = {f"{unit}_{side}" for unit in ACTION_UNITS if unit not in without_sides for side in "LR"}
    assert set(MODEL.shape_names) == without_sides | sided
    assert len(MODEL.shape_names) == len(sided) + 3
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
    at_cheekbones = (np.abs(skin[:, 1] - 12) < 4) & (skin[:, 2] > -84)
    assert np.ptp(skin[at_cheekbones, 0]) == pytest.approx(135, abs=4)
    wings = skin[(np.abs(skin[:, 1] + 5) < 4) & (np.abs(skin[:, 2] + 18) < 4) & (np.abs(skin[:, 0]) < 22)]
    assert np.ptp(wings[:, 0]) == pytest.approx(37, abs=3)
    midline = skin[skin[:, 0] == 0]
    below_nose = midline[(midline[:, 1] < -8) & (midline[:, 1] > -18)]
    assert below_nose[:, 2].min() == pytest.approx(-19, abs=3)


def test_no_place_in_the_texture_is_used_twice():
    corners = MODEL.uv[MODEL.uv_triangles].astype(float)
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
    part = SURFACE.part[MODEL.triangles]
    face = np.isin(part, (SKIN, RIM)).all(axis=1)
    assert (area[face] > 0).all()
    assert area.min() >= 0
    assert MODEL.uv.min() >= 0
    assert MODEL.uv.max() <= 1
    flat = np.column_stack([MODEL.uv, np.zeros(len(MODEL.uv))]).astype(np.float32)
    _, triangle, _ = rasterize(
        flat, MODEL.uv_triangles, np.eye(3, dtype=np.float32)[None], np.array([0.5, 0.5, 0], np.float32), 1500, 1.0
    )
    # All of it turns the same way round, so area that is covered twice would be missing from the covered pixels.
    assert (triangle >= 0).mean() == pytest.approx(area.sum(), abs=2e-4)


def test_most_of_the_texture_is_face():
    uv = MODEL.uv[MODEL.landmarks]
    assert (np.ptp(uv, axis=0) > [0.8, 0.42]).all()


def test_regions_follow_the_parts():
    named = {part: {REGIONS[i] for i in MODEL.regions[SURFACE.part == part]} for part in range(6)}
    assert named[SKIN] == named[RIM] == {"skin"}
    assert named[EYEBALL] == {"eyes"}
    assert named[MOUTH] == {"mouth"}
    assert named[UPPER_TEETH] == named[LOWER_TEETH] == {"teeth"}


def test_landmarks_are_where_multi_pie_has_them():
    place = MODEL.neutral[MODEL.landmarks].astype(float)
    assert len(set(MODEL.landmarks)) == 68
    assert (MODEL.regions[MODEL.landmarks] == REGIONS.index("skin")).all()
    assert place[30].tolist() == [0, 0, 0]
    np.testing.assert_array_equal(place[[8, 27, 28, 29, 30, 33, 51, 57, 62, 66], 0], 0)
    assert (np.diff(place[0:17, 0]) > 0).all()  # from the right ear to the left one
    assert (np.diff(place[17:27, 0]) > 0).all()
    assert (np.diff(place[27:31, 1]) < 0).all()
    assert (np.diff(place[31:36, 0]) > 0).all()
    assert place[8, 1] == place[:, 1].min()
    for first in (36, 42):
        eye = place[first : first + 6]
        assert (eye[[1, 2], 1] > eye[[5, 4], 1] + 6).all()
        assert eye[0, 0] == eye[:, 0].min()
        assert eye[3, 0] == eye[:, 0].max()
    np.testing.assert_array_equal(MODEL.landmarks[[60, 64]], SURFACE.upper_lip[[0, -1]])
    assert set(MODEL.landmarks[61:64]) < set(SURFACE.upper_lip)
    assert set(MODEL.landmarks[65:68]) < set(SURFACE.lower_lip)
    assert place[48, 0] < place[60, 0] < place[61, 0] < 0
    assert (place[49:54, 1] > place[[59, 58, 57, 56, 55], 1] + 8).all()


def test_left_and_right_landmarks_are_mirrors():
    pairs = [*zip(range(17), range(16, -1, -1), strict=True), *zip(range(17, 27), range(26, 16, -1), strict=True)]
    pairs += [(31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
    pairs += [(48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)]
    for right, left in pairs:
        assert SURFACE.mirror[MODEL.landmarks[right]] == MODEL.landmarks[left]
        assert MODEL.neutral[MODEL.landmarks[left], 0] >= 0 or right > left


def test_sides_mirror_each_other():
    for name, shape in zip(MODEL.shape_names, MODEL.shapes, strict=True):
        other = {"L": name[:-1] + "R", "R": name[:-1] + "L"}.get(name[-1], name)
        np.testing.assert_array_equal(shape[SURFACE.mirror], MODEL.shapes[MODEL.shape_names.index(other)] * MIRROR)
        if name.endswith("_L") and name != "AU30_L":
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
    for units in ((), (12,), (15,), (17,), (18,), (20,), (23,), (24,), (28,), (29,), (34,)):
        shown = np.isin(seen_parts(posed(REST, *units)), inside).sum()
        assert shown <= 2, units
    smile = seen_parts(posed(REST, 12, 25))
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
        shut = posed(identity, 43)
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
        (15, (25.5, -34.3), (0, -1), 5),  # corners down
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


@pytest.mark.parametrize(
    "units", [*EMOTIONS.values(), (12, 26), (1, 4), (9, 4, 17), (12, 14, 6), (16, 20, 25), (22, 27)]
)
def test_actions_add_up_without_turning_the_skin_over(units):
    skin = (SURFACE.part[MODEL.triangles] == SKIN).all(axis=1)
    at_rest, full = area_normals(MODEL.neutral)[skin], area_normals(moved(*units))[skin]
    assert ((at_rest * full).sum(axis=1) > 0).all()


def test_motions_have_realistic_size():
    longest = {
        name: np.linalg.norm(shape, axis=1).max() for name, shape in zip(MODEL.shape_names, MODEL.shapes, strict=True)
    }
    for name, length in longest.items():
        low, high = {"AU26": (15, 25), "AU27": (25, 38)}.get(name, (1.5, 13))
        assert low < length < high, name


def test_random_people_keep_a_sound_mesh():
    at_rest = area_normals(MODEL.neutral)
    for identity in identities(100):
        normals = area_normals(MODEL.neutral_of(identity))
        assert ((normals * at_rest).sum(axis=1) > 0).all()
        assert (np.linalg.norm(normals, axis=1) > 0.2 * np.linalg.norm(at_rest, axis=1)).all()


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_the_crop_around_the_nose_is_filled(emotion):
    for identity in [REST, *identities(3)]:
        scan = posed(identity, *EMOTIONS[emotion])
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


def axis(name: str) -> np.ndarray:
    return MODEL.axes[MODEL.axis_names.index(name)].astype(float)


def test_equal_shares_of_ancestry_are_the_neutral_face():
    assert all(sum(shares) == pytest.approx(0, abs=1e-12) for shares in DEPARTURES.values())
    together = sum(axis(f"ancestry_{ancestry}") for ancestry in ANCESTRIES)
    assert np.abs(together).max() < 1e-5


def test_ancestry_says_what_the_measurements_say():
    wing, subnasale, upper, lower = MODEL.landmarks[[35, 33, 51, 57]]
    canthus, cheek = MODEL.landmarks[[42, 15]]
    african, asian, european = (axis(f"ancestry_{ancestry}") for ancestry in ANCESTRIES)
    assert african[wing, 0] > asian[wing, 0] > european[wing, 0]

    def protrusion(motion):  # of the nose tip before its base
        return motion[MODEL.landmarks[30], 2] - motion[subnasale, 2]

    def red(motion):  # height of both lips together
        return motion[upper, 1] - motion[lower, 1]

    assert protrusion(european) > protrusion(asian) > protrusion(african)
    assert red(african) > red(asian) > red(european)
    assert asian[canthus, 0] > european[canthus, 0]
    assert asian[cheek, 0] > european[cheek, 0]
    for motion in (african, asian, european):
        assert 1.5 < np.linalg.norm(motion, axis=1).max() < 6


def test_attributes_name_what_words_can_say():
    identity = np.zeros(len(MODEL.axes))
    for name, value in (("sex", 1.0), ("ancestry_african", 0.2), ("ancestry_asian", 0.7), ("ancestry_european", 0.1)):
        identity[MODEL.axis_names.index(name)] = value
    assert MODEL.attributes(identity) == {"sex": "male", "age": "middle-aged", "ancestry": "asian"}


def test_the_jaw_goes_forward_and_to_both_sides():
    chin = MODEL.landmarks[8]
    names = MODEL.shape_names
    forward, left, right = (MODEL.shapes[names.index(name)] for name in ("AU29", "AU30_L", "AU30_R"))
    assert forward[chin, 2] > 5
    np.testing.assert_array_equal(forward[:, :2], 0)
    assert left[chin].tolist() == [pytest.approx(forward[chin, 2] * 8 / 6), 0, 0]
    np.testing.assert_array_equal(right, left * MIRROR)
    teeth = SURFACE.part == LOWER_TEETH
    assert (left[teeth, 0] == left[teeth, 0].max()).all()
    assert not left[SURFACE.part == UPPER_TEETH].any()
