"""The linear face model, on three vertices computed by hand."""

import numpy as np
import pytest

from affectvlm.synthesis import FaceModel
from affectvlm.synthesis.action_units import ACTION_UNITS, action_strengths


def tiny_face(axis_names: tuple[str, ...] = ("sex", "age")) -> FaceModel:
    """Three vertices; each axis and each shape moves a coordinate of its own."""
    axes = np.zeros((len(axis_names), 3, 3), np.float32)
    axes[0, 0, 0], axes[1, 0, 1] = 2, 3
    shapes = np.zeros((3, 3, 3), np.float32)
    shapes[0, 1, 0], shapes[1, 1, 1], shapes[2, 1, 2] = 10, 20, 40
    return FaceModel(
        "tiny",
        neutral=np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32),
        triangles=np.array([[0, 1, 2]], np.int32),
        regions=np.zeros(3, np.uint8),
        landmarks=np.zeros(68, np.int32),
        axes=axes,
        axis_names=axis_names,
        shapes=shapes,
        shape_names=("AU12_L", "AU12_R", "AU26"),
        shape_changes={"age": np.full((3, 3, 3), 0.5, np.float32)} if "age" in axis_names else {},
        uv=np.array([[0, 0], [1, 0], [0, 1]], np.float32),
        uv_triangles=np.array([[0, 1, 2]], np.int32),
    )


def test_a_persons_face_is_the_neutral_one_plus_weighted_axes():
    neutral = tiny_face().neutral_of(np.array([1.5, -1]))
    np.testing.assert_array_equal(neutral, [[3, -3, 0], [1, 0, 0], [0, 1, 0]])
    assert neutral.dtype == np.float32


def test_identity_alters_the_shapes_in_proportion():
    model = tiny_face()
    np.testing.assert_array_equal(model.shapes_of(np.array([7.0, 0.0])), model.shapes)
    np.testing.assert_array_equal(model.shapes_of(np.array([7.0, 2.0])), model.shapes + 1)


def test_strengths_become_weights_by_side_and_by_their_mean():
    strengths = action_strengths({"AU12": (0.5, 0.25), "AU26": (0.75, 0.25), "AU4": 1.0})
    np.testing.assert_array_equal(tiny_face().weights(strengths), [0.5, 0.25, 0.5])
    # Any leading axes, such as the frames of a sequence.
    frames = np.stack([strengths, 0 * strengths])
    np.testing.assert_array_equal(tiny_face().weights(frames), [[0.5, 0.25, 0.5], [0, 0, 0]])


def test_strengths_are_laid_out_in_the_order_of_the_units():
    strengths = action_strengths({"AU1": 0.25, "AU43": (0.5, 1.0)})
    assert strengths.shape == (len(ACTION_UNITS), 2)
    assert strengths[0].tolist() == [0.25, 0.25]
    assert strengths[-1].tolist() == [0.5, 1.0]
    assert not strengths[1:-1].any()


def test_the_fingerprint_knows_every_array():
    prints = {tiny_face().fingerprint}
    for name in ("neutral", "axes", "shapes", "landmarks", "regions", "uv"):
        model = tiny_face()
        getattr(model, name).flat[0] += 1
        prints.add(model.fingerprint)
    model = tiny_face()
    model.shape_changes["age"].flat[0] += 1
    assert len(prints | {model.fingerprint}) == 8
    assert tiny_face().fingerprint == tiny_face().fingerprint


@pytest.mark.parametrize(
    ("sex", "age", "expected"),
    [
        (-0.1, 0.0, {"sex": "female", "age": "middle-aged"}),
        (0.1, -0.5, {"sex": "male", "age": "middle-aged"}),
        (2.0, -0.6, {"sex": "male", "age": "young"}),
        (-2.0, 0.6, {"sex": "female", "age": "older"}),
    ],
)
def test_attributes_follow_the_axes(sex, age, expected):
    assert tiny_face().attributes(np.array([sex, age])) == expected


def test_the_largest_share_of_ancestry_is_named():
    model = tiny_face(("ancestry_asian", "ancestry_african"))
    assert model.attributes(np.array([0.4, 0.6])) == {"ancestry": "african"}
    assert model.attributes(np.array([0.6, 0.4])) == {"ancestry": "asian"}


def test_axes_without_a_meaning_give_no_attributes():
    assert tiny_face(("identity000", "identity001")).attributes(np.array([3.0, 3.0])) == {}


def test_identities_are_standard_normal_but_for_the_shares_of_ancestry_which_sum_to_one():
    model = tiny_face(("ancestry_asian", "nose", "ancestry_african", "chin"))
    rng = np.random.default_rng(0)
    drawn = np.array([model.draw_identity(rng) for _ in range(4000)])
    np.testing.assert_allclose(drawn[:, 0] + drawn[:, 2], 1, atol=1e-12)
    assert drawn[:, [0, 2]].min() >= 0
    # Means and deviations of 4,000 draws within five standard errors.
    np.testing.assert_allclose(drawn.mean(axis=0), [0.5, 0, 0.5, 0], atol=5 / np.sqrt(4000))
    np.testing.assert_allclose(drawn[:, [1, 3]].std(axis=0), 1, atol=5 / np.sqrt(2 * 4000))
