"""Subdivision: values worked out by hand, and what any step must keep."""

import numpy as np

from affectvlm.synthesis.subdivision import subdivide, triangulate

CUBE = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
CUBE_QUADS = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
GRID = np.array([[x, y, 0] for y in range(4) for x in range(4)], float)
GRID_QUADS = np.array([[4 * y + x, 4 * y + x + 1, 4 * y + x + 5, 4 * y + x + 4] for y in range(3) for x in range(3)])


def test_a_cube_becomes_what_catmull_and_clark_say():
    step = subdivide(CUBE_QUADS, 8)
    new = step.smooth @ CUBE
    assert new.shape == (8 + 12 + 6, 3)
    np.testing.assert_allclose(new[:8], CUBE * 5 / 9)
    # Edges: the mean of two corners (1, 1, 0) and two faces' middles (1, 0, 0), (0, 1, 0).
    np.testing.assert_allclose(np.sort(np.abs(new[8:20]), axis=1), np.tile([0, 0.75, 0.75], (12, 1)))
    np.testing.assert_allclose(np.sort(np.abs(new[20:]), axis=1), np.tile([0, 0, 1], (6, 1)))


def test_new_quads_keep_the_old_ones_orientation_and_close_the_surface():
    step = subdivide(CUBE_QUADS, 8)
    triangles = triangulate(step.quads)
    corners = (step.straight @ CUBE)[triangles]
    volume = np.einsum("tx,tx->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6
    assert triangles.shape == (48, 3)
    assert abs(volume) == 8
    before = CUBE[triangulate(CUBE_QUADS)]
    assert np.einsum("tx,tx->", before[:, 0], np.cross(before[:, 1], before[:, 2])) / 6 == volume


def test_every_new_vertex_is_a_weighted_mean():
    for quads, count in ((CUBE_QUADS, 8), (GRID_QUADS, 16)):
        step = subdivide(quads, count)
        for weights in (step.smooth, step.straight):
            np.testing.assert_allclose(weights.sum(axis=1), 1)
            assert weights.data.min() >= 0


def test_an_open_edge_stays_straight_and_old_points_stay_without_smoothing():
    step = subdivide(GRID_QUADS, 16)
    new = step.smooth @ GRID
    np.testing.assert_allclose(new[1:3], GRID[1:3])  # on the lower side
    np.testing.assert_allclose(new[[5, 6, 9, 10]], GRID[[5, 6, 9, 10]])  # inside a plane of squares
    np.testing.assert_array_equal((step.straight @ GRID)[:16], GRID)
