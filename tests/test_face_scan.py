import numpy as np
import pytest

from affectvlm.errors import ScanError
from affectvlm.scan import FaceScan

SQUARE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
HALVES = np.array([[0, 1, 2], [0, 2, 3]])


def test_arrays_are_kept_in_their_types() -> None:
    scan = FaceScan(SQUARE.astype(float), HALVES.astype(np.int64), SQUARE[:, :2], HALVES)
    assert scan.vertices.dtype == scan.uv.dtype == np.float32
    assert scan.triangles.dtype == scan.uv_triangles.dtype == np.int32


def test_normals_point_outwards_and_are_weighted_by_area() -> None:
    assert FaceScan(SQUARE, HALVES).vertex_normals.tolist() == [[0, 0, 1]] * 4
    # Corner 0 of a wedge: a triangle of area 1/2 that faces +z and one of area 1 that faces +x.
    wedge = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 2], [9, 9, 9]])
    normals = FaceScan(wedge, [[0, 1, 2], [0, 2, 3]]).vertex_normals
    np.testing.assert_allclose(normals[0], np.array([2, 0, 1]) / np.sqrt(5), atol=1e-6)
    assert normals[4].tolist() == [0, 0, 0]  # no triangle uses it


def test_moved_scales_then_turns_then_shifts() -> None:
    quarter = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]])  # +x to +y
    moved = FaceScan(SQUARE, HALVES).moved(quarter, np.array([0, 0, 5]), 10)
    assert moved.vertices.tolist() == [[0, 0, 5], [0, 10, 5], [-10, 10, 5], [-10, 0, 5]]


def test_kept_drops_triangles_that_miss_a_corner_and_what_only_they_used() -> None:
    scan = FaceScan(SQUARE, HALVES, SQUARE[:, :2], HALVES[::-1], np.zeros((2, 2, 3), np.uint8))
    kept = scan.kept(np.array([True, False, True, True]))
    assert kept.vertices.tolist() == SQUARE[[0, 2, 3]].tolist()
    assert kept.triangles.tolist() == [[0, 1, 2]]
    assert kept.uv_triangles.tolist() == [HALVES[0].tolist()]
    assert kept.textured


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((SQUARE[:, :2], HALVES), r"\(V, 3\), found \(4, 2\)"),
        ((SQUARE, np.empty((0, 3))), "4 vertices without any"),
        ((np.where(SQUARE > 0, np.nan, 0), HALVES), "3 of 4 vertices are not finite"),
        ((SQUARE, HALVES + 1), "vertices 1 to 4, but there are 4"),
        ((SQUARE, HALVES - 1), "vertices -1 to 2"),
        ((SQUARE, HALVES, SQUARE[:, :2]), "go together"),
        ((SQUARE, HALVES, SQUARE, HALVES), r"uv \(U, 2\)"),
        ((SQUARE, HALVES, SQUARE[:, :2], HALVES[:1]), r"\(2, 3\)"),
        ((SQUARE, HALVES, SQUARE[:, :2], HALVES + 1), "texture coordinates are damaged"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: tuple[np.ndarray, ...], words: str) -> None:
    with pytest.raises(ScanError, match=words) as caught:
        FaceScan(*arguments, source="a.obj")
    assert str(caught.value).startswith("a.obj: ")
