"""The rig: hand-computed cameras, what it refuses, and a hash of every setting."""

import numpy as np
import pytest
from pydantic import ValidationError

from affectvlm.views.rig import Rig


def test_a_camera_in_front_has_the_axes_of_the_world():
    np.testing.assert_array_equal(Rig(yaw_deg={"front": 0}).rotations, np.eye(3, dtype=np.float32)[None])


def test_a_camera_at_yaw_90_stands_on_the_subjects_left():
    # It stands at +x and looks along -x: its right is the face's back (-z), up stays, backward is +x.
    expected = [[0, 0, -1], [0, 1, 0], [1, 0, 0]]
    np.testing.assert_allclose(Rig(yaw_deg={"left": 90}).rotations[0], expected, atol=1e-7)


def test_a_camera_at_yaw_minus_90_stands_on_the_subjects_right():
    expected = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    np.testing.assert_allclose(Rig(yaw_deg={"right": -90}).rotations[0], expected, atol=1e-7)


def test_a_camera_at_pitch_30_looks_down_on_the_face():
    half, root = 0.5, np.sqrt(3) / 2
    expected = [[1, 0, 0], [0, root, -half], [0, half, root]]
    np.testing.assert_allclose(Rig(yaw_deg={"front": 0}, pitch_deg=30).rotations[0], expected, atol=1e-7)


def test_every_camera_is_a_rotation_that_faces_its_direction():
    rig = Rig(yaw_deg={str(yaw): yaw for yaw in (-75, -30, 0, 12.5, 90)}, pitch_deg=-20)
    rotations = rig.rotations.astype(np.float64)
    np.testing.assert_allclose(rotations @ rotations.transpose(0, 2, 1), np.tile(np.eye(3), (5, 1, 1)), atol=1e-6)
    np.testing.assert_allclose(np.linalg.det(rotations), 1, atol=1e-6)
    yaw, pitch = np.radians([-75, -30, 0, 12.5, 90]), np.radians(-20)
    direction = np.stack([np.sin(yaw) * np.cos(pitch), np.full(5, np.sin(pitch)), np.cos(yaw) * np.cos(pitch)], 1)
    np.testing.assert_allclose(rotations[:, 2], direction, atol=1e-6)


def test_names_and_channels_follow_the_settings():
    rig = Rig()
    assert rig.names == ("front", "left", "right")
    assert rig.rotations.shape == (3, 3, 3)
    assert rig.rotations.dtype == np.float32
    assert rig.channels == 4
    assert Rig(maps=("texture", "depth", "normals")).channels == 7
    assert Rig(maps=("texture", "mean_curvature", "shape_index")).channels == 5
    assert Rig(size_px=90, field_mm=180).pixel_mm == 2


@pytest.mark.parametrize(
    ("yaw_deg", "order"),
    [
        ({"front": 0, "left": 30, "right": -30}, (0, 2, 1)),
        ({"right": -30, "left": 30}, (1, 0)),
        ({"front": 0}, (0,)),
        ({"front": 0, "left": 30}, None),
        ({"front": 0, "left": 30, "right": -20}, None),
        ({"one": 0, "other": 0}, None),
    ],
)
def test_a_mirrored_face_swaps_the_sides(yaw_deg, order):
    assert Rig(yaw_deg=yaw_deg).mirror_order == order


NINE = Rig(
    yaw_deg={
        f"{side} {height}": yaw for height in range(3) for side, yaw in (("left", 45), ("front", 0), ("right", -45))
    },
    pitch_deg={f"{side} {height}": 30 * height - 30 for height in range(3) for side in ("left", "front", "right")},
)


def test_each_view_may_have_its_own_pitch():
    assert NINE.pitches_deg == (-30.0,) * 3 + (0.0,) * 3 + (30.0,) * 3
    for i, (yaw, pitch) in enumerate(zip(NINE.yaw_deg.values(), NINE.pitches_deg, strict=True)):
        alone = Rig(yaw_deg={"view": yaw}, pitch_deg=pitch)
        np.testing.assert_array_equal(NINE.rotations[i], alone.rotations[0])
    # Who is not named looks straight ahead; one number is for all.
    assert Rig(yaw_deg={"front": 0, "above": 0}, pitch_deg={"above": 20}).pitches_deg == (0.0, 20.0)
    assert Rig(pitch_deg=10).pitches_deg == (10.0, 10.0, 10.0)


def test_a_mirrored_face_swaps_the_sides_at_each_height():
    assert NINE.mirror_order == (2, 1, 0, 5, 4, 3, 8, 7, 6)
    slanted = {"yaw_deg": {"left": 30, "right": -30}, "pitch_deg": {"left": 5}}
    assert Rig(**slanted).mirror_order is None


@pytest.mark.parametrize(
    "settings",
    [
        {"yaw_deg": {}},
        {"yaw_deg": {"back": 180}},
        {"pitch_deg": 61},
        {"size_px": 7},
        {"size_px": 4096},
        {"size_px": 64.5},
        {"field_mm": 0},
        {"centre_mm": (0, 0)},
        {"maps": ()},
        {"maps": ("depth", "depth")},
        {"maps": ("curvature",)},
        {"pitch_deg": {"front": 61}},
        {"pitch_deg": {"above": 30}},
        {"distance_mm": 0},
        {"distance_mm": float("inf")},
        {"distance_mm": float("nan")},
        {"zoom": 2},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(ValidationError):
        Rig(**settings)


CHANGES = {
    "yaw_deg": {"front": 0.0, "left": 30.0, "right": -31.0},
    "pitch_deg": 1.0,
    "size_px": 65,
    "field_mm": 180.5,
    "centre_mm": (0.0, 0.0, -44.0),
    "distance_mm": 600.0,
    "maps": ("normals", "depth"),
}


def test_every_setting_is_in_the_fingerprint():
    assert set(CHANGES) == set(Rig.model_fields)
    fingerprints = {Rig().fingerprint} | {Rig(**{name: value}).fingerprint for name, value in CHANGES.items()}
    assert len(fingerprints) == 1 + len(CHANGES)


def test_rigs_of_earlier_sets_keep_their_fingerprint():
    # Written down before there were perspective, curvature and a pitch for each view.
    assert Rig().fingerprint == "b28b7f2fc5b63950"
    assert Rig(size_px=112, pitch_deg=5, maps=("texture", "depth", "normals")).fingerprint == "84dd33ad5b16bd98"


def test_the_order_of_the_views_is_in_the_fingerprint():
    swapped = Rig(yaw_deg={"front": 0.0, "right": -30.0, "left": 30.0})
    assert swapped.fingerprint != Rig().fingerprint


def test_a_rig_read_back_has_the_same_fingerprint():
    for rig in (Rig(pitch_deg=5, maps=("normals",)), NINE, Rig(distance_mm=600, pitch_deg={"left": 3})):
        read = Rig.model_validate_json(rig.model_dump_json())
        assert read == rig
        assert read.fingerprint == rig.fingerprint
    assert Rig(pitch_deg=0).fingerprint == Rig(pitch_deg=0.0).fingerprint == Rig().fingerprint


def test_a_rig_is_frozen():
    with pytest.raises(ValidationError):
        Rig().size_px = 128
