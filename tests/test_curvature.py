"""Curvature from depth: analytic surfaces, edges, jumps, and independence of the size and the projection."""

import numpy as np
import pytest

from affectvlm.views.curvature import LEAST_SUPPORT, SMOOTHING_MM, STEEPEST_DEG, curvature

FIELD = 160.0
SIZES = [64, 112, 224]


def _places(size):
    """(H, W) x and y of the pixels' centres, mm."""
    middles = (np.arange(size) + 0.5 - size / 2) * FIELD / size
    return np.meshgrid(middles, -middles)


def _bent(z, distance=np.inf):
    """Mean curvature and shape index of one view."""
    mean, shape = curvature(np.asarray(z, np.float32)[None], FIELD / len(z), distance)
    assert mean.shape == shape.shape == (1, *z.shape)
    assert mean.dtype == shape.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(mean), np.isnan(shape))
    assert np.nanmax(np.abs(shape), initial=0) <= 1
    return mean[0], shape[0]


def _ball(size, radius, distance=np.inf):
    """Depth of a ball around the origin; NaN beside it."""
    x, y = _places(size)
    if np.isinf(distance):
        under = radius**2 - x**2 - y**2
        return np.sqrt(np.where(under > 0, under, np.nan))
    # The pixel's ray from the pinhole, by the depth that it has gone.
    a = (x**2 + y**2) / distance**2 + 1
    under = distance**2 - a * (distance**2 - radius**2)
    return distance - (distance - np.sqrt(np.where(under > 0, under, np.nan))) / a


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("distance", [np.inf, 300.0])
def test_a_ball_is_a_cap(size, distance):
    mean, shape = _bent(_ball(size, 60, distance), distance)
    x, y = _places(size)
    inner = np.hypot(x, y) < 36
    # Smoothing over s mm, or pixels of s mm, changes the curvature of a ball of radius R by some (s / R)^2, more of it
    # where the slope is steeper.
    blur = (SMOOTHING_MM**2 + (FIELD / size) ** 2) / 60**2
    np.testing.assert_allclose(mean[inner] * 60, 1, atol=5 * blur)
    np.testing.assert_allclose(shape[inner], 1, atol=0.01)


@pytest.mark.parametrize(("size", "seen"), [(64, 0.34), (224, 0.21)])
def test_errors_on_a_ball_grow_with_the_slant_as_documented(size, seen):
    depth = _ball(size, 60)
    mean, _ = _bent(depth)
    errors, slant = np.abs(mean * 60 - 1), np.degrees(np.arccos(depth / 60))
    assert errors[slant <= 45].max() < 0.008
    assert errors[slant <= 60].max() < 0.04
    assert seen - 0.02 < np.nanpercentile(errors, 95) < seen


@pytest.mark.parametrize("size", SIZES)
def test_a_bowl_is_a_cup(size):
    # The far half of a hollow ball, seen from within: the ball's depth, turned round.
    mean, shape = _bent(-_ball(size, 60))
    cap, _ = _bent(_ball(size, 60))
    np.testing.assert_array_equal(mean, -cap)
    x, y = _places(size)
    np.testing.assert_allclose(shape[np.hypot(x, y) < 36], -1, atol=0.01)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("angle_deg", [0, 30, 90])
@pytest.mark.parametrize("side", [1, -1])
def test_a_cylinder_is_a_ridge_and_a_gutter_is_a_rut(size, angle_deg, side):
    x, y = _places(size)
    angle = np.radians(angle_deg)
    across = np.cos(angle) * x + np.sin(angle) * y
    under = 50**2 - across**2
    mean, shape = _bent(side * np.sqrt(np.where(under > 0, under, np.nan)))
    inner = (np.abs(across) < 30) & (np.abs(x) < 60) & (np.abs(y) < 60)
    np.testing.assert_allclose(mean[inner] * 100, side, atol=0.015)
    np.testing.assert_allclose(shape[inner], side * 0.5, atol=0.015)


@pytest.mark.parametrize("distance", [np.inf, 300.0])
def test_a_tilted_plane_is_flat_and_has_no_shape(distance):
    x, y = _places(112)
    z = 0.5 * x - 0.3 * y + 7
    if not np.isinf(distance):
        # Where the pixel's ray meets the plane z = 0.5 x - 0.3 y + 7.
        z = distance - (distance - 7) / (1 + (0.5 * x - 0.3 * y) / distance)
    mean, shape = _bent(z, distance)
    assert np.isfinite(mean).mean() > 0.98
    np.testing.assert_allclose(mean[np.isfinite(mean)], 0, atol=2e-5)
    assert (shape[np.isfinite(shape)] == 0).all()


def test_a_saddle_is_in_the_middle():
    x, y = _places(112)
    mean, shape = _bent((x**2 - y**2) / 100)
    middle = np.hypot(x, y) < 3
    np.testing.assert_allclose(mean[middle], 0, atol=5e-5)
    np.testing.assert_allclose(shape[middle], 0, atol=2e-3)


def test_a_quadratic_is_exact_up_to_the_rim():
    x, y = _places(160)
    z = 0.01 * x**2 - 0.02 * x * y - 0.005 * y**2 + 0.3 * x + 2
    z[(np.abs(x) > 40) | (np.abs(y) > 30) | (x + y > 50)] = np.nan
    mean, shape = _bent(z)
    zx, zy, zxx, zxy, zyy = 0.02 * x - 0.02 * y + 0.3, -0.02 * x - 0.01 * y, 0.02, -0.02, -0.01
    area = 1 + zx**2 + zy**2
    H = -((1 + zy**2) * zxx - 2 * zx * zy * zxy + (1 + zx**2) * zyy) / 2 / area**1.5
    K = (zxx * zyy - zxy**2) / area**2
    defined = np.isfinite(mean)
    assert defined.sum() > 0.98 * np.isfinite(z).sum()
    assert not defined[np.isnan(z)].any()
    np.testing.assert_allclose(mean[defined], H[defined], atol=2e-6)
    expected = 2 / np.pi * np.arctan(H / np.sqrt(H**2 - K))
    np.testing.assert_allclose(shape[defined], expected[defined], atol=1e-4)


def test_turning_and_mirroring_the_picture_turns_and_mirrors_the_maps():
    rng = np.random.default_rng(0)
    x, y = _places(112)
    waves = rng.normal(size=(6, 2)) / 15
    z = sum(np.sin(a * x + b * y + i) for i, (a, b) in enumerate(waves)) * 2
    z[np.hypot(x - 5, y + 3) > 60] = np.nan
    mean, shape = _bent(z)
    assert np.nanstd(mean) > 0.005
    for turned in (np.fliplr, np.flipud, np.transpose, np.rot90):
        mean_too, shape_too = _bent(turned(z))
        np.testing.assert_allclose(mean_too, turned(mean), atol=1e-6)
        np.testing.assert_allclose(shape_too, turned(shape), atol=2e-3)
    inside_out, _ = _bent(-z)
    np.testing.assert_allclose(inside_out, -mean, atol=1e-6)


def test_twice_the_pixels_show_the_same_curvature():
    x, y = _places(112)
    coarse = np.sqrt(80**2 - x**2 - y**2 + 0j).real + 3 * np.exp(-((x - 10) ** 2 + y**2) / 150)
    x2, y2 = _places(224)
    fine = np.sqrt(80**2 - x2**2 - y2**2 + 0j).real + 3 * np.exp(-((x2 - 10) ** 2 + y2**2) / 150)
    mean, _ = _bent(coarse)
    mean2, _ = _bent(fine)
    four = mean2.reshape(112, 2, 112, 2).mean(axis=(1, 3))
    inner = np.hypot(x, y) < 60
    # The bump bends by 0.04/mm and the ball by 0.0125/mm.
    np.testing.assert_allclose(four[inner], mean[inner], atol=0.0015)


def test_a_surface_in_front_of_another_does_not_bend_it():
    x, _ = _places(112)
    ball = _ball(112, 70)
    pieces = np.where(x < 0, ball, ball - 30)
    mean, _ = _bent(pieces)
    whole, _ = _bent(ball)
    both = np.isfinite(mean) & np.isfinite(whole) & (_ball(112, 42) > 0)
    assert both.sum() > 2000
    np.testing.assert_allclose(mean[both], whole[both], atol=3e-4)


def test_where_too_little_is_seen_nothing_is_said():
    x, y = _places(112)
    z = np.full((112, 112), np.nan)
    z[np.abs(x) < 2] = 0  # a line of three pixels
    z[(np.hypot(x - 40, y) < 15)] = 5
    mean, shape = _bent(z)
    assert np.isnan(mean[np.abs(x) < 2]).all()
    disc = np.hypot(x - 40, y) < 15
    assert np.isfinite(mean[np.hypot(x - 40, y) < 12]).all()
    assert np.isnan(mean[~disc]).all()
    assert np.isnan(shape[~disc]).all()
    assert 0 < LEAST_SUPPORT < 0.5


def test_a_surface_seen_at_a_slant_is_left_out():
    x, y = _places(224)
    mean, _ = _bent(_ball(224, 70))
    slant = np.degrees(np.arcsin(np.clip(np.hypot(x, y) / 70, 0, 1)))
    assert np.isnan(mean[slant > STEEPEST_DEG + 5]).all()
    assert np.isfinite(mean[slant < STEEPEST_DEG - 10]).all()


def test_empty_views_and_views_of_one_pixel_have_no_curvature():
    z = np.full((3, 16, 16), np.nan, np.float32)
    z[1, 5, 7] = 3.0
    mean, shape = curvature(z, 1.0)
    assert np.isnan(mean).all()
    assert np.isnan(shape).all()


def test_each_view_is_on_its_own():
    first, second = _ball(64, 60), _ball(64, 40)
    both, _ = curvature(np.stack([first, second]).astype(np.float32), FIELD / 64)
    np.testing.assert_array_equal(both[0], _bent(first)[0])
    np.testing.assert_array_equal(both[1], _bent(second)[0])
