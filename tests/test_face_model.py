"""The linear face model, on two vertices computed by hand."""

import numpy as np
import pytest

from affectvlm.synthesis import FaceModel


def tiny_face(axis_names: tuple[str, ...] = ("sex", "age")) -> FaceModel:
    """Three vertices; each axis and each shape moves a coordinate of its own."""
    axes = np.zeros((2, 3, 3), np.float32)
    axes[0, 0, 0], axes[1, 0, 1] = 2, 3
    shapes = np.zeros((3, 3, 3), np.float32)
    shapes[0, 1, 0], shapes[1, 1, 1], shapes[2, 1, 2] = 10, 20, 40
    return FaceModel(
        "tiny",
        neutral=np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32),
        triangles=np.array([[0, 1, 2]], np.int32),
        axes=axes,
        axis_names=axis_names,
        shapes=shapes,
        shape_names=("AU12_L", "AU12_R", "AU26"),
        uv=np.array([[0, 0], [1, 0], [0, 1]], np.float32),
        uv_triangles=np.array([[0, 1, 2]], np.int32),
    )


def test_a_face_is_the_neutral_one_plus_weighted_axes_and_shapes():
    face = tiny_face().face(np.array([1.5, -1]), {"AU26": 0.25, "AU12_L": 0.5})
    np.testing.assert_array_equal(face.vertices, [[3, -3, 0], [6, 0, 10], [0, 1, 0]])
    np.testing.assert_array_equal(face.triangles, [[0, 1, 2]])
    np.testing.assert_array_equal(face.uv, [[0, 0], [1, 0], [0, 1]])
    assert face.vertices.dtype == np.float32


def test_no_identity_and_no_expression_is_the_neutral_face():
    model = tiny_face()
    np.testing.assert_array_equal(model.face(np.zeros(2), {}).vertices, model.neutral)


def test_making_a_face_leaves_the_model_as_it_is():
    model = tiny_face()
    before = model.neutral.copy()
    model.face(np.ones(2), {"AU26": 1.0}).vertices[:] = 0
    np.testing.assert_array_equal(model.neutral, before)


def test_a_face_says_where_it_comes_from():
    assert tiny_face().face(np.zeros(2), {}).source == "generated face (tiny)"
    assert tiny_face().face(np.zeros(2), {}, "subject 7").source == "subject 7"


def test_a_shape_that_the_model_lacks_is_refused():
    with pytest.raises(ValueError, match="not in tuple"):
        tiny_face().face(np.zeros(2), {"AU12": 1.0})


def test_action_units_are_named_once_without_sides():
    assert tiny_face().action_units == ("AU12", "AU26")


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


def test_axes_without_a_meaning_give_no_attributes():
    assert tiny_face(("identity000", "identity001")).attributes(np.array([3.0, 3.0])) == {}
