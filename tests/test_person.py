"""A person: smooth warps, a movement of one's own, and the blend of shapes, against numpy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from affectvlm.scan.pose import find_pose
from affectvlm.synthesis import person as module
from affectvlm.synthesis.action_units import action_strengths
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.person import Person, draw_person
from affectvlm.synthesis.upright import upright_turn

MODEL = embedded_face()
SMILE = action_strengths({"AU12": (0.9, 0.6), "AU26": 0.3})


@pytest.fixture(scope="module")
def person() -> Person:
    return draw_person(MODEL, np.random.default_rng(3))


def mirror() -> np.ndarray:
    """(V,) the vertex at each one's mirrored place in the neutral face, which is symmetric."""
    from scipy.spatial import cKDTree

    distance, index = cKDTree(MODEL.neutral).query(MODEL.neutral * np.array([-1, 1, 1]))
    assert distance.max() < 1e-3
    return index


def test_a_face_at_rest_is_the_neutral_one_with_the_nose_tip_at_the_origin(person):
    rest = person.vertices(np.zeros_like(SMILE))
    np.testing.assert_array_equal(rest, person.neutral)
    np.testing.assert_array_equal(rest[MODEL.landmarks[30]], [0, 0, 0])


def test_an_expression_is_the_sum_of_weighted_shapes_turned_and_scaled_at_each_place(person):
    weights = MODEL.weights(SMILE).astype(np.float64)
    moved = np.einsum("s,svx->vx", weights, person.shapes)
    gain, turn = person.movement[:, :1].astype(np.float64), person.movement[:, 1:]
    expected = person.neutral + gain * (moved + np.cross(turn, moved))
    np.testing.assert_allclose(person.vertices(SMILE), expected, atol=1e-3)


def test_without_variety_a_person_is_the_models_own_turned_upright():
    plain = draw_person(MODEL, np.random.default_rng(3), variety=0.0)
    neutral = MODEL.neutral_of(plain.identity)
    centred = neutral - neutral[MODEL.landmarks[30]]
    turn, _ = upright_turn(centred[MODEL.landmarks], MODEL.neutral[MODEL.landmarks])
    np.testing.assert_allclose(plain.neutral, centred @ turn.T, atol=1e-4)
    moved = np.einsum("s,svx->vx", MODEL.weights(SMILE), MODEL.shapes_of(plain.identity))
    np.testing.assert_allclose(plain.vertices(SMILE) - plain.neutral, moved @ turn.T, atol=1e-3)


def test_every_person_is_upright_by_the_landmarks_at_rest():
    for seed in range(5):
        marks = draw_person(MODEL, np.random.default_rng(seed)).neutral[MODEL.landmarks]
        turn, _ = upright_turn(marks, MODEL.neutral[MODEL.landmarks])
        np.testing.assert_allclose(turn, np.eye(3), atol=1e-6)


def test_a_leaning_models_people_are_the_same_faces():
    # Warp and movement are drawn in a frame of their own: without them, all turns along with the face.
    tilt = Rotation.from_euler("xyz", [7, 4, -5], degrees=True).as_matrix().astype(np.float32)
    leaning = replace(MODEL, neutral=MODEL.neutral @ tilt.T, axes=MODEL.axes @ tilt.T, shapes=MODEL.shapes @ tilt.T)
    leaning = replace(leaning, shape_changes={name: c @ tilt.T for name, c in MODEL.shape_changes.items()})
    one, other = (draw_person(model, np.random.default_rng(3), variety=0.0) for model in (MODEL, leaning))
    np.testing.assert_allclose(other.vertices(SMILE), one.vertices(SMILE), atol=1e-3)


def test_the_way_of_moving_turns_along_with_the_face():
    turn = Rotation.from_euler("xyz", [20, 30, 40], degrees=True).as_matrix().astype(np.float32)
    moved, spin = np.float32([[[1, 2, 3]]]), np.float32([[[0.1, -0.2, 0.3]]])
    turned, spun = module._turned(moved, turn), module._turned(spin, turn)
    np.testing.assert_allclose(turned[0, 0], turn @ moved[0, 0], atol=1e-6)
    np.testing.assert_allclose(np.cross(spun, turned)[0, 0], turn @ np.cross(spin, moved)[0, 0], atol=1e-6)


def test_the_tip_is_the_foremost_point_of_the_nose(person):
    near = np.linalg.norm(person.neutral, axis=1) < 15
    foremost = person.neutral[near][:, 2].max()
    assert abs(person.tip[2] - foremost) < 0.5
    assert np.linalg.norm(person.neutral - person.tip, axis=1).min() < 2
    pose = find_pose(person.face(np.zeros_like(SMILE)))
    np.testing.assert_allclose(pose.nose, person.tip, atol=1.0)


def test_the_draw_depends_on_the_generator_alone(person):
    again, other = (draw_person(MODEL, np.random.default_rng(seed)) for seed in (3, 4))
    assert again.vertices(SMILE).tobytes() == person.vertices(SMILE).tobytes()
    assert not np.array_equal(other.neutral, person.neutral)
    assert again.attributes == MODEL.attributes(again.identity)


def test_a_warp_is_smooth_and_a_few_millimetres():
    points = MODEL.neutral
    edges = np.concatenate([MODEL.triangles[:, [0, 1]], MODEL.triangles[:, [1, 2]]])
    along = points[edges[:, 1]] - points[edges[:, 0]]
    length = np.linalg.norm(along, axis=1)
    sizes = []
    for seed in range(20):
        warp = module._draw_warp(points, module.WAVELENGTH_MM, np.random.default_rng(seed)).astype(np.float64)
        strain = np.linalg.norm(warp[edges[:, 1]] - warp[edges[:, 0]], axis=1) / np.maximum(length, 1e-6)
        # All waves at their steepest, thrice the spread.
        assert strain[length > 0.5].max() < 12 * 3 * module.WARP_STRAIN
        local = warp - warp[MODEL.landmarks[30]]
        sizes.append(np.sqrt((local**2).sum(axis=1).mean()))
    assert 2 < np.mean(sizes) < 20


def test_without_asymmetry_a_warp_is_the_same_on_both_sides(monkeypatch):
    monkeypatch.setattr(module, "ASYMMETRY", 0.0)
    warp = module._draw_warp(MODEL.neutral, module.WAVELENGTH_MM, np.random.default_rng(0))
    np.testing.assert_allclose(warp[mirror()], warp * np.array([-1, 1, 1]), atol=1e-3)
    assert np.abs(warp).max() > 1


def test_gains_and_turns_have_the_spread_that_is_stated():
    fields = np.concatenate([module._draw_movement(MODEL.neutral, np.random.default_rng(s), 1.0) for s in range(60)])
    np.testing.assert_allclose(np.log(fields[:, 0]).std(), module.MOVEMENT_SPREAD, rtol=0.15)
    np.testing.assert_allclose(np.degrees(fields[:, 1:].std(axis=0)), module.TURN_SPREAD_DEG, rtol=0.15)


def test_each_action_unit_moves_in_a_way_of_its_own_and_both_sides_alike():
    names = list(MODEL.shape_names)
    moved = module._draw_units(names, MODEL.shapes, MODEL.neutral, np.random.default_rng(5), 1.0)
    by_name, own = dict(zip(names, moved, strict=True)), dict(zip(names, MODEL.shapes, strict=True))
    flipped = np.array([-1, 1, 1], np.float32)
    for unit in ("AU1", "AU4"):  # whose own shapes are mirror images
        left, right = by_name[f"{unit}_L"], by_name[f"{unit}_R"]
        np.testing.assert_allclose(left[mirror()] * flipped, right, atol=2e-3)
    # Two units are changed by different fields: by the ratio of lengths where both move.
    gains = []
    for unit in ("AU1_L", "AU4_L"):
        length = np.linalg.norm(own[unit], axis=1)
        gains.append(np.linalg.norm(by_name[unit], axis=1)[length > 0.5].mean() / length[length > 0.5].mean())
    assert abs(gains[0] - gains[1]) > 0.01


def test_the_units_own_movement_has_the_spread_that_is_stated():
    ones = np.ones((1, *MODEL.neutral.shape), np.float32) * np.array([0, 1, 0], np.float32)
    lengths = [
        np.linalg.norm(module._draw_units(["AU1"], ones, MODEL.neutral, np.random.default_rng(s), 1.0)[0], axis=1)
        for s in range(80)
    ]
    # Gain and turn together: exp(g) times a little more than 1; a turn by t about x and z adds its square.
    spread = np.hypot(module.UNIT_SPREAD, module.UNIT_STRENGTH_SPREAD)
    np.testing.assert_allclose(np.log(np.concatenate(lengths)).std(), spread, rtol=0.2)
