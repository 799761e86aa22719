"""A person: smooth warps, a movement of one's own, and the blend of shapes, against numpy."""

import numpy as np
import pytest

from affectvlm.synthesis import person as module
from affectvlm.synthesis.action_units import action_strengths
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.person import Person, draw_person

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


def test_without_variety_a_person_is_the_models_own():
    plain = draw_person(MODEL, np.random.default_rng(3), variety=0.0)
    neutral = MODEL.neutral_of(plain.identity)
    np.testing.assert_allclose(plain.neutral, neutral - neutral[MODEL.landmarks[30]], atol=1e-4)
    moved = np.einsum("s,svx->vx", MODEL.weights(SMILE), MODEL.shapes_of(plain.identity))
    np.testing.assert_allclose(plain.vertices(SMILE) - plain.neutral, moved, atol=1e-3)


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
        warp = module._draw_warp(points, np.random.default_rng(seed)).astype(np.float64)
        strain = np.linalg.norm(warp[edges[:, 1]] - warp[edges[:, 0]], axis=1) / np.maximum(length, 1e-6)
        # All waves at their steepest, thrice the spread.
        assert strain[length > 0.5].max() < 12 * 3 * module.WARP_STRAIN
        local = warp - warp[MODEL.landmarks[30]]
        sizes.append(np.sqrt((local**2).sum(axis=1).mean()))
    assert 2 < np.mean(sizes) < 20


def test_without_asymmetry_a_warp_is_the_same_on_both_sides(monkeypatch):
    monkeypatch.setattr(module, "ASYMMETRY", 0.0)
    warp = module._draw_warp(MODEL.neutral, np.random.default_rng(0))
    np.testing.assert_allclose(warp[mirror()], warp * np.array([-1, 1, 1]), atol=1e-3)
    assert np.abs(warp).max() > 1


def test_gains_and_turns_have_the_spread_that_is_stated():
    fields = np.concatenate([module._draw_movement(MODEL.neutral, np.random.default_rng(s), 1.0) for s in range(60)])
    np.testing.assert_allclose(np.log(fields[:, 0]).std(), module.MOVEMENT_SPREAD, rtol=0.15)
    np.testing.assert_allclose(np.degrees(fields[:, 1:].std(axis=0)), module.TURN_SPREAD_DEG, rtol=0.15)
