"""The z-buffer against a reference that tests every pixel and triangle, and against analytic surfaces."""

import numpy as np
import pytest
import trimesh

from affectvlm.scan.rasterizer import NEAR, blend_colours, rasterize, sample_texture, shade_normals

FRONT = np.eye(3, dtype=np.float32)[None]
ORIGIN = np.zeros(3, np.float32)


def _draw(vertices, triangles, size=32, field=32.0, rotations=FRONT, centre=ORIGIN, distance=np.inf):
    vertices, triangles = np.asarray(vertices, np.float32), np.asarray(triangles, np.int32)
    return rasterize(vertices, triangles, rotations, centre, size, field, distance)


def _shade(triangle, weights, vertices, triangles, normals, rotations=FRONT, distance=np.inf):
    vertices, triangles = np.asarray(vertices, np.float32), np.asarray(triangles, np.int32)
    return shade_normals(triangle, weights, vertices, triangles, normals, rotations, ORIGIN, distance)


def _reference(vertices, triangles, size, field):
    """Barycentric test of every pixel's centre against every triangle, in double precision."""
    points = np.asarray(vertices, np.float64)
    screen = np.stack([size / 2 + points[:, 0] * size / field, size / 2 - points[:, 1] * size / field], axis=1)
    rows, cols = np.mgrid[:size, :size] + 0.5
    pixels = np.stack([cols, rows, np.ones_like(rows)])  # (3, H, W)
    depth = np.full((size, size), -np.inf)
    triangle = np.full((size, size), -1)
    for index, corners in enumerate(triangles):
        system = np.vstack([screen[corners].T, np.ones(3)])
        if abs(np.linalg.det(system)) < 1e-12:
            continue
        weights = np.einsum("ij,jhw->ihw", np.linalg.inv(system), pixels)
        z = np.einsum("i,ihw->hw", points[corners, 2], weights)
        seen = (weights >= 0).all(axis=0) & (z > depth)
        depth[seen], triangle[seen] = z[seen], index
    return np.where(triangle >= 0, depth, np.nan), triangle


def _square(z, half=8.0, first=0):
    """Two triangles that fill the square |x|, |y| <= half at depth z, with their vertices."""
    corners = [(-half, -half, z), (half, -half, z), (half, half, z), (-half, half, z)]
    return corners, [(first, first + 1, first + 2), (first, first + 2, first + 3)]


@pytest.mark.parametrize("seed", range(8))
def test_random_triangles_as_in_the_reference(seed):
    rng = np.random.default_rng(seed)
    vertices = rng.uniform(-22, 22, (60, 3)).astype(np.float32)
    triangles = rng.integers(0, 60, (40, 3))
    depth, triangle, weights = _draw(vertices, triangles)
    expected_depth, expected_triangle = _reference(vertices, triangles, 32, 32.0)
    np.testing.assert_array_equal(triangle[0], expected_triangle)
    np.testing.assert_allclose(depth[0], expected_depth, atol=1e-4)
    seen = triangle[0] >= 0
    np.testing.assert_allclose(weights[0][seen].sum(-1), 1, atol=1e-6)
    assert weights.min() >= 0
    assert (weights[0][~seen] == 0).all()


def test_a_tilted_plane_has_its_exact_depth():
    slope_x, slope_y, offset = 0.4, -0.7, 3.0
    corners = np.array([(-13, -11), (12, -13), (13, 12), (-12, 13)], np.float32)
    z = slope_x * corners[:, 0] + slope_y * corners[:, 1] + offset
    depth, triangle, _ = _draw(np.column_stack([corners, z]), [(0, 1, 2), (0, 2, 3)])
    rows, cols = np.mgrid[:32, :32]
    expected = slope_x * (cols + 0.5 - 16) + slope_y * (16 - (rows + 0.5)) + offset
    seen = triangle[0] >= 0
    assert seen[5:26, 5:26].all()
    np.testing.assert_allclose(depth[0][seen], expected[seen], atol=1e-5)


def test_the_nearer_plane_hides_the_farther_one_in_either_order():
    near, near_triangles = _square(5.0, half=4)
    far, far_triangles = _square(-5.0, half=8)
    shifted = [tuple(corner + 4 for corner in triangle) for triangle in near_triangles]
    first = _draw(far + near, far_triangles + shifted)
    second = _draw(far + near, shifted + far_triangles)
    for depth, _, _ in (first, second):
        assert (depth[0, 12:20, 12:20] == 5).all()
        frame = np.ones((32, 32), bool)
        frame[12:20, 12:20] = False
        frame[:8], frame[24:], frame[:, :8], frame[:, 24:] = False, False, False, False
        assert (depth[0][frame] == -5).all()
        assert np.isnan(depth[0]).sum() == 32 * 32 - 16 * 16


def test_interpenetrating_planes_meet_where_they_cross():
    vertices = [(-10, -10, -10), (10, -10, 10), (10, 10, 10), (-10, 10, -10)]
    vertices += [(-10, -10, 10), (10, -10, -10), (10, 10, -10), (-10, 10, 10)]
    depth, _, _ = _draw(vertices, [(0, 1, 2), (0, 2, 3), (4, 5, 6), (4, 6, 7)])
    x = np.arange(32) + 0.5 - 16
    np.testing.assert_allclose(depth[0, 16, 6:26], np.abs(x)[6:26], atol=1e-5)


def test_neither_winding_is_culled():
    vertices, triangles = _square(1.0)
    turned = [triangle[::-1] for triangle in triangles]
    np.testing.assert_array_equal(_draw(vertices, triangles)[0], _draw(vertices, turned)[0])


@pytest.mark.parametrize("seed", range(6))
def test_a_mesh_whose_edges_run_through_pixel_centres_has_no_cracks(seed):
    # A depth camera's mesh is such a grid; here its lines meet the pixels' centres, cut at random.
    rng = np.random.default_rng(seed)
    n, step = 10, float(rng.choice([0.5, 1.5, 2.5, 3.0]))
    line = np.arange(n) * step - (n - 1) * step / 2
    line += (0.5 - line[0]) % 1
    x, y = np.meshgrid(line, line)
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(n * n)], axis=1)
    triangles = []
    for i, j in np.ndindex(n - 1, n - 1):
        a, b, c, d = i * n + j, i * n + j + 1, (i + 1) * n + j + 1, (i + 1) * n + j
        halves = [(a, b, c), (a, c, d)] if rng.random() < 0.5 else [(a, b, d), (b, c, d)]
        triangles += [np.roll(half, rng.integers(3)) for half in halves]
    depth, _, _ = _draw(vertices, triangles)
    centres = np.arange(32) + 0.5 - 16
    inside_x = (centres >= line[0]) & (centres <= line[-1])
    inside_y = (-centres >= line[0]) & (-centres <= line[-1])
    np.testing.assert_array_equal(np.isfinite(depth[0]), inside_y[:, None] & inside_x[None, :])


def test_a_sphere_has_its_analytic_depth():
    radius, size, field = 60.0, 96, 160.0
    sphere = trimesh.creation.icosphere(subdivisions=5, radius=radius)
    depth, triangle, _ = _draw(sphere.vertices, sphere.faces, size, field)
    rows, cols = np.mgrid[:size, :size]
    x, y = (cols + 0.5 - size / 2) * field / size, (size / 2 - rows - 0.5) * field / size
    distance = np.hypot(x, y)
    # The mesh lies inside the sphere, no deeper than an edge's sagitta.
    sagitta = radius - np.sqrt(radius**2 - (sphere.edges_unique_length.max() / np.sqrt(3)) ** 2)
    np.testing.assert_array_equal((triangle[0] >= 0)[distance < radius - sagitta], True)
    np.testing.assert_array_equal((triangle[0] >= 0)[distance > radius], False)
    inner = distance < 0.8 * radius
    error = np.sqrt(radius**2 - distance[inner] ** 2) - depth[0][inner]
    # Depth is off by the sagitta, stretched by the slope of the surface (at 0.8 of the radius, 1 / 0.6).
    assert error.min() > -1e-4
    assert error.max() < sagitta / 0.6


def test_the_centre_is_drawn_in_the_middle_and_depth_counts_from_it():
    vertices, triangles = _square(2.0, half=1.0)
    moved = np.add(vertices, (30, -20, 10))
    depth, _, _ = _draw(moved, triangles, centre=np.array([30, -20, 10], np.float32))
    np.testing.assert_array_equal(np.argwhere(np.isfinite(depth[0])), [[15, 15], [15, 16], [16, 15], [16, 16]])
    assert (depth[0, 15:17, 15:17] == 2).all()


def test_the_top_row_is_up_and_the_first_column_is_the_viewers_left():
    triangle = [(-15, 15, 0), (-13, 15, 0), (-15, 13, 0)]
    _, seen, _ = _draw(triangle, [(0, 1, 2)])
    assert np.argwhere(seen[0] == 0).max() <= 2
    assert seen[0, 1, 1] == 0


@pytest.mark.parametrize("far", [40.0, 1e6])
def test_triangles_outside_the_frame_draw_nothing(far):
    for dx, dy in [(far, 0), (-far, 0), (0, far), (0, -far), (far, far), (-far, -far)]:
        _, triangle, weights = _draw(np.add([(0, 0, 0), (3, 0, 0), (0, 3, 0)], (dx, dy, 0)), [(0, 1, 2)])
        assert (triangle == -1).all()
        assert (weights == 0).all()


@pytest.mark.parametrize("far", [20.0, 1e3, 1e6])
def test_a_triangle_that_reaches_out_of_the_frame_is_clipped(far):
    # It covers the whole frame below the diagonal x + y = 1, however far its corners are.
    vertices = [(-far, 1 + far, 4), (1 + far, -far, 4), (-far, -far, 4)]
    depth, triangle, _ = _draw(vertices, [(0, 1, 2)])
    rows, cols = np.mgrid[:32, :32]
    beyond = (cols + 0.5 - 16) + (16 - rows - 0.5) - 1
    # At corners of 1e6 one step of single precision is 0.06 pixel.
    sure = np.abs(beyond) > 0.5
    np.testing.assert_array_equal((triangle[0] == 0)[sure], (beyond < 0)[sure])
    np.testing.assert_allclose(depth[0][triangle[0] == 0], 4, rtol=1e-5)


def test_degenerate_triangles_draw_nothing():
    vertices = [(0.5, 0.5, 0), (4.5, 0.5, 0), (8.5, 0.5, 0)]
    _, triangle, _ = _draw(vertices, [(0, 1, 2), (0, 0, 1), (1, 1, 1)])
    assert (triangle == -1).all()


def test_normals_are_interpolated_and_turned_into_the_cameras_axes():
    vertices, triangles = _square(0.0, half=10)
    normals = np.tile(np.array([0.6, 0, 0.8], np.float32), (4, 1))
    tilted = np.radians(40)
    rotation = np.array(
        [[np.cos(tilted), 0, -np.sin(tilted)], [0, 1, 0], [np.sin(tilted), 0, np.cos(tilted)]], np.float32
    )[None]
    _, triangle, weights = _draw(vertices, triangles, rotations=rotation)
    shaded = _shade(triangle, weights, vertices, triangles, normals, rotation)
    np.testing.assert_allclose(shaded[0][triangle[0] >= 0], np.tile(rotation[0] @ normals[0], (320, 1)), atol=1e-6)
    assert (shaded[0][triangle[0] < 0] == 0).all()


def test_a_surface_seen_from_behind_is_turned_to_the_camera():
    vertices, triangles = _square(0.0)
    vertices, behind = np.asarray(vertices, np.float32), np.asarray(triangles, np.int32)[:, ::-1].copy()
    normals = np.tile(np.array([0.6, 0, -0.8], np.float32), (4, 1))
    _, triangle, weights = _draw(vertices, behind)
    shaded = _shade(triangle, weights, vertices, behind, normals)
    np.testing.assert_allclose(shaded[0][triangle[0] >= 0], np.tile([-0.6, 0, 0.8], (256, 1)), atol=1e-6)


def test_a_normal_that_leans_away_on_a_triangle_that_faces_the_camera_is_left_alone():
    vertices, triangles = _square(0.0)
    vertices, triangles = np.asarray(vertices, np.float32), np.asarray(triangles, np.int32)
    normals = np.tile(np.array([0.8, 0.6, -0.0001], np.float32), (4, 1))  # as at an outline
    _, triangle, weights = _draw(vertices, triangles)
    shaded = _shade(triangle, weights, vertices, triangles, normals)
    np.testing.assert_allclose(shaded[0][triangle[0] >= 0], np.tile([0.8, 0.6, -0.0001], (256, 1)), atol=1e-6)


def _textured_square(texture, size):
    """A square that fills the frame, the whole texture laid over it; one seam-free uv a vertex."""
    vertices, triangles = _square(0.0, half=16.0)
    uv = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
    triangles = np.asarray(triangles, np.int32)
    _, triangle, weights = _draw(vertices, triangles, size=size)
    return sample_texture(triangle, weights, uv, triangles, texture)[0]


def test_a_texture_that_fills_the_frame_comes_back_pixel_for_pixel():
    texture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    np.testing.assert_array_equal(_textured_square(texture, size=16), texture)


def test_between_texels_the_texture_is_bilinear_and_held_at_the_rim():
    texture = np.zeros((1, 2, 3), np.uint8)
    texture[0, 1] = 200
    # Texel centres are at a quarter and three quarters of the width; eight pixels' centres at odd sixteenths.
    expected = np.array([0, 0, 25, 75, 125, 175, 200, 200])
    drawn = _textured_square(texture, size=8)
    np.testing.assert_array_equal(drawn[..., 0], np.tile(expected, (8, 1)))


def test_the_texture_follows_its_own_triangles():
    # The same two triangles read the left half and the right half of the picture: a seam between them.
    texture = np.zeros((4, 8, 3), np.uint8)
    texture[:, :4], texture[:, 4:] = (255, 0, 0), (0, 0, 255)
    vertices, triangles = _square(0.0)
    uv = np.array([(0.25, 0.5), (0.75, 0.5)], np.float32)
    _, triangle, weights = _draw(vertices, triangles)
    colours = sample_texture(triangle, weights, uv, np.array([(0, 0, 0), (1, 1, 1)], np.int32), texture)
    assert (colours[triangle == 0] == (255, 0, 0)).all()
    assert (colours[triangle == 1] == (0, 0, 255)).all()
    assert (colours[triangle == -1] == 0).all()


def test_texture_coordinates_outside_the_picture_are_held_at_its_rim():
    texture = np.random.default_rng(1).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    vertices, triangles = _square(0.0)
    triangles = np.asarray(triangles, np.int32)
    _, triangle, weights = _draw(vertices, triangles)
    uv = np.tile(np.array([-40.0, 90.0], np.float32), (4, 1))
    colours = sample_texture(triangle, weights, uv, triangles, texture)
    assert (colours[triangle >= 0] == texture[0, 0]).all()


def test_the_colours_of_vertices_are_blended():
    corners = np.array([(-16, -16, 0), (16, -16, 0), (-16, 16, 0)], np.float32)
    _, triangle, weights = _draw(corners, [(0, 1, 2)])
    colours = np.array([(0, 0, 7), (255, 0, 7), (0, 255, 7)], np.uint8)
    blended = blend_colours(triangle, weights, np.array([(0, 1, 2)], np.int32), colours)[0]
    rows, cols = np.mgrid[:32, :32] + 0.5
    seen = triangle[0] >= 0
    assert seen.sum() == 33 * 16  # the pixels' centres on the diagonal are seen too
    expected = np.stack([255 * cols / 32, 255 * (1 - rows / 32), np.full((32, 32), 7.0)], axis=-1)
    np.testing.assert_allclose(blended[seen], expected[seen], atol=0.5 + 1e-4)
    assert (blended[~seen] == 0).all()


# Perspective


def _rays(size, field, distance):
    """(H, W, 3) the direction of each pixel's ray from the pinhole at (0, 0, distance), -1 along z."""
    rows, cols = np.mgrid[:size, :size] + 0.5
    x, y = (cols - size / 2) * field / size, (size / 2 - rows) * field / size
    return np.stack([x, y, np.full_like(x, -distance)], axis=-1) / distance


def _reference_in_perspective(vertices, triangles, size, field, distance):
    """Meet every pixel's ray with every triangle, in double precision: depth, triangle and weights of the nearest."""
    rays = _rays(size, field, distance)
    depth = np.full((size, size), -np.inf)
    triangle = np.full((size, size), -1)
    weights = np.zeros((size, size, 3))
    for index, corners in enumerate(triangles):
        # t ray = a wa + b wb + c wc with corners seen from the pinhole: the weights up to a factor t.
        seen_from_pinhole = np.asarray(vertices, np.float64)[corners] - (0, 0, distance)
        if abs(np.linalg.det(seen_from_pinhole)) < 1e-6:
            continue
        share = rays @ np.linalg.inv(seen_from_pinhole)
        inside = (share >= 0).all(axis=-1) & (share.sum(axis=-1) > 0)
        share = share / np.where(inside, share.sum(axis=-1), 1)[..., None]
        z = share @ np.asarray(vertices, np.float64)[corners, 2]
        nearest = inside & (z > depth)
        depth[nearest], triangle[nearest], weights[nearest] = z[nearest], index, share[nearest]
    return np.where(triangle >= 0, depth, np.nan), triangle, weights


@pytest.mark.parametrize("seed", range(8))
def test_random_triangles_in_perspective_as_by_their_rays(seed):
    rng = np.random.default_rng(seed)
    vertices = rng.uniform(-22, 22, (60, 3)).astype(np.float32)
    triangles = rng.integers(0, 60, (40, 3))
    depth, triangle, weights = _draw(vertices, triangles, distance=60.0)
    expected_depth, expected_triangle, expected_weights = _reference_in_perspective(vertices, triangles, 32, 32.0, 60.0)
    np.testing.assert_array_equal(triangle[0], expected_triangle)
    np.testing.assert_allclose(depth[0], expected_depth, atol=2e-4)
    # A sliver's weights are ill-conditioned; what they say of a place is not.
    seen = triangle[0] >= 0
    places = np.einsum("nc,ncx->nx", weights[0][seen], vertices[triangles[triangle[0][seen]]])
    expected = np.einsum("nc,ncx->nx", expected_weights[seen], vertices[triangles[triangle[0][seen]]])
    np.testing.assert_allclose(places, expected, atol=5e-4)


def test_a_tilted_plane_has_its_exact_depth_in_perspective():
    slope_x, slope_y, offset, distance = 0.4, -0.7, 3.0, 80.0
    corners = np.array([(-40, -40), (40, -40), (40, 40), (-40, 40)], np.float32)
    z = slope_x * corners[:, 0] + slope_y * corners[:, 1] + offset
    depth, _, _ = _draw(np.column_stack([corners, z]), [(0, 1, 2), (0, 2, 3)], distance=distance)
    # On the ray (0, 0, distance) + s r with r_z = -1: distance - s = slope . (s r) + offset.
    rays = _rays(32, 32.0, distance)
    s = (distance - offset) / (1 + slope_x * rays[..., 0] + slope_y * rays[..., 1])
    np.testing.assert_allclose(depth[0], distance - s, atol=2e-5)


def test_a_sphere_has_its_analytic_outline_and_depth_in_perspective():
    radius, size, field, distance = 60.0, 96, 160.0, 300.0
    sphere = trimesh.creation.icosphere(subdivisions=5, radius=radius)
    depth, triangle, _ = _draw(sphere.vertices, sphere.faces, size, field, distance=distance)
    rays = _rays(size, field, distance)
    # |(0, 0, distance) + s r| = radius, the nearer solution.
    a, b, c = (rays**2).sum(axis=-1), -distance, distance**2 - radius**2
    under = b**2 - a * c
    # Inside of the mesh's own outline, whose vertices are on the sphere: the sagitta of its longest edges.
    inner = under > (0.5 * distance) ** 2 * a * (radius / distance) ** 2
    np.testing.assert_array_equal((triangle[0] >= 0)[under < 0], False)
    assert (triangle[0] >= 0)[inner].all()
    exact = distance - (-b - np.sqrt(np.where(under > 0, under, np.nan))) / a
    error = exact[inner] - depth[0][inner]
    sagitta = radius - np.sqrt(radius**2 - (sphere.edges_unique_length.max() / np.sqrt(3)) ** 2)
    assert error.min() > -1e-3
    assert error.max() < sagitta / 0.5
    # It looks larger than it is: the tangent cone meets the picture's plane outside of the radius.
    silhouette = np.sqrt((triangle[0] >= 0).sum() / np.pi) * field / size
    assert silhouette == pytest.approx(radius / np.sqrt(1 - (radius / distance) ** 2), rel=2e-3)


def test_far_away_perspective_is_orthographic():
    rng = np.random.default_rng(3)
    vertices = rng.uniform(-12, 12, (60, 3)).astype(np.float32)
    triangles = rng.integers(0, 60, (40, 3))
    flat, _, flat_weights = _draw(vertices, triangles)
    for distance, tolerance in ((1e4, 0.2), (1e6, 2e-3), (1e9, 1e-5)):
        depth, _, weights = _draw(vertices, triangles, distance=distance)
        assert np.mean(np.isfinite(depth) != np.isfinite(flat)) < 0.004
        both = np.isfinite(depth) & np.isfinite(flat)
        assert np.mean(np.abs(depth - flat)[both] > tolerance) < 0.004
    np.testing.assert_allclose(weights, flat_weights, atol=1e-5)


def test_a_texture_in_perspective_is_not_bent_at_a_triangles_edge():
    # The floor of a room: (u, v) is the place on it, which is known for every ray.
    distance, z = 40.0, np.array([-30, -30, 15, 15], np.float32)
    vertices = np.column_stack([[-60, 60, 60, -60], [-8, -8, -8, -8], z])
    triangles = np.array([(0, 1, 2), (0, 2, 3)], np.int32)
    depth, triangle, weights = _draw(vertices, triangles, distance=distance)
    seen = triangle[0] >= 0
    places = np.einsum("nc,ncx->nx", weights[0][seen], vertices[triangles[triangle[0][seen]]])
    rays = _rays(32, 32.0, distance)[seen]
    expected = (0, 0, distance) + rays * (-8 / rays[:, 1])[:, None]
    assert seen.sum() > 200
    np.testing.assert_allclose(places, expected, atol=1e-3)
    np.testing.assert_allclose(depth[0][seen], expected[:, 2], atol=1e-3)


@pytest.mark.parametrize("distance", [20.0, 600.0])
def test_what_is_behind_the_pinhole_or_too_near_to_it_is_not_drawn(distance):
    limit = (1 - NEAR) * distance
    far, far_triangles = _square(-5.0)
    expected = _draw(far, far_triangles, distance=distance)
    for z in (limit + 0.01, distance, distance + 1, 3 * distance, 1e30):
        # A corner in each of the places where a division would go wrong: on the axis, and beside it.
        near = [(0, 0, z), (4, 0, -5), (0, 4, -5), (3, -2, z)]
        drawn = _draw([*far, *near], [*far_triangles, (4, 5, 6), (7, 5, 6), (4, 7, 5)], distance=distance)
        for mine, alone in zip(drawn, expected, strict=True):
            np.testing.assert_array_equal(mine, alone)
    depth, _, _ = _draw(*_square(np.float32(limit - 0.01), half=0.1), distance=distance)
    np.testing.assert_allclose(depth[0, 15:17, 15:17], limit - 0.01, rtol=1e-5)


def test_in_perspective_the_ray_decides_what_is_seen_from_behind():
    # A wall at the side whose outside is towards +x, and which leans over a little: from afar its inside is seen,
    # from a pinhole near by, and to the right of it, its outside.
    vertices = np.array([(-12, -12, -10), (-12, 12, -10), (-10, 12, 10), (-10, -12, 10)], np.float32)
    triangles = np.array([(0, 3, 2), (0, 2, 1)], np.int32)
    outward = np.cross(vertices[3] - vertices[0], vertices[2] - vertices[0])
    normals = np.tile(outward / np.linalg.norm(outward), (4, 1)).astype(np.float32)
    assert normals[0, 0] * normals[0, 2] < 0
    side = 1 if normals[0, 0] > 0 else -1
    assert side == 1 or normals[0, 2] > 0
    for distance in (np.inf, 30.0):
        _, triangle, weights = _draw(vertices, triangles, distance=distance)
        seen = triangle[0] >= 0
        assert seen.any()
        shaded = _shade(triangle, weights, vertices, triangles, normals, distance=distance)[0][seen]
        pinhole = np.array([0, 0, 1e6 if np.isinf(distance) else distance])
        facing = np.sign(normals[0] @ (pinhole - vertices[0]))
        np.testing.assert_allclose(shaded, np.tile(facing * normals[0], (seen.sum(), 1)), atol=1e-6)
    assert np.sign(normals[0] @ (np.array([0, 0, 30.0]) - vertices[0])) != np.sign(normals[0, 2])
