import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from affectvlm.errors import ScanError
from affectvlm.scan import FaceScan
from affectvlm.scan.range_image import RangeImage


def grid(rows: int = 40, columns: int = 60, spacing: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """x and y (rows, columns) of a picture's pixels, the middle at the origin."""
    row, column = np.mgrid[0:rows, 0:columns]
    return (column - (columns - 1) / 2) * spacing, ((rows - 1) / 2 - row) * spacing


def image(z: np.ndarray, spacing: float = 0.5) -> RangeImage:
    x, y = grid(*z.shape, spacing)
    points = np.stack([x, y, z], axis=2)
    points[np.isnan(z)] = np.nan
    return RangeImage(points)


def area_vectors(scan: FaceScan) -> np.ndarray:
    """(T, 3): each triangle's normal, as long as its area."""
    a, b, c = scan.vertices[scan.triangles].astype(float).transpose(1, 0, 2)
    return np.cross(b - a, c - a) / 2


def test_a_plane_is_covered_once_and_faces_the_camera() -> None:
    scan = image(np.full((40, 60), 7.0)).mesh(2)
    assert len(scan.vertices) == 40 * 60
    assert len(scan.triangles) == 2 * 39 * 59
    np.testing.assert_allclose(area_vectors(scan), [[0, 0, 0.125]] * len(scan.triangles), atol=1e-6)


def test_a_sphere_keeps_its_radius_and_area() -> None:
    x, y = grid(241, 241)
    radius = 80.0
    with np.errstate(invalid="ignore"):
        z = np.where(np.hypot(x, y) <= 60, np.sqrt(radius**2 - x**2 - y**2), np.nan)
    scan = image(z).mesh(2)
    np.testing.assert_allclose(np.linalg.norm(scan.vertices, axis=1), radius, atol=1e-4)
    areas = area_vectors(scan)
    assert (areas[:, 2] > 0).all()
    middles = scan.vertices[scan.triangles].mean(axis=1)
    assert ((areas * middles).sum(axis=1) > 0).all()
    cap = 2 * np.pi * radius * (radius - np.sqrt(radius**2 - 60**2))
    # The rim is a staircase of blocks, half a pixel inside on average.
    assert np.linalg.norm(areas, axis=1).sum() == pytest.approx(cap, rel=0.02)
    assert areas[:, 2].sum() == pytest.approx(np.pi * 60**2, rel=0.015)


@pytest.mark.parametrize(("height", "bridged"), [(1.9, True), (2.1, False), (10.0, False)])
def test_a_step_is_bridged_only_up_to_the_jump(height: float, bridged: bool) -> None:
    x, _ = grid()
    scan = image(np.where(x > 0, height, 0.0)).mesh(2)
    depths = scan.vertices[scan.triangles][:, :, 2]
    assert bool((np.ptp(depths, axis=1) > 0).any()) == bridged
    assert len(scan.triangles) == 2 * 39 * (59 if bridged else 58)


@pytest.mark.parametrize("slope_deg", [60, 75, 80])
def test_a_steep_cheek_is_not_cut(slope_deg: float) -> None:
    x, _ = grid()
    z = -np.tan(np.radians(slope_deg)) * np.maximum(x, 0)  # from frontal to steep at once
    scan = image(z).mesh(0.9)
    assert len(scan.triangles) == 2 * 39 * 59


def test_a_nose_over_a_cheek_is_not_bridged_but_both_are_kept_whole() -> None:
    x, _ = grid()
    nose = 20 - np.tan(np.radians(75)) * np.maximum(x, 0)  # falls by 1.9 mm a pixel at its side
    z = np.where(x < 2, nose, 0.3 * x)  # from 13.5 to 0.7
    scan = image(z).mesh(2)
    assert len(scan.triangles) == 2 * 39 * 58
    assert np.ptp(scan.vertices[scan.triangles][:, :, 2], axis=1).max() < 2


def test_no_slope_beyond_what_a_sensor_sees_is_bridged() -> None:
    x, _ = grid()
    z = -np.tan(np.radians(86)) * np.clip(x, -1.25, 1.25)  # 7 mm a pixel
    scan = image(z).mesh(2)
    assert np.ptp(scan.vertices[scan.triangles][:, :, 2], axis=1).max() < 2


@pytest.mark.parametrize("height", [-40.0, -3.0, 3.0, 40.0])
def test_a_spike_is_left_out(height: float) -> None:
    z = np.zeros((40, 60))
    z[20, 30] = height
    scan = image(z).mesh(2)
    assert len(scan.vertices) == 40 * 60 - 1
    assert (scan.vertices[:, 2] == 0).all()
    assert len(scan.triangles) == 2 * 39 * 59 - 4


def test_three_points_of_a_block_give_one_triangle() -> None:
    z = np.zeros((40, 60))
    z[10, 20] = np.nan  # touches four blocks
    z[0, 0] = np.nan  # touches one
    measured = image(z)
    scan = measured.mesh(2)
    assert len(scan.vertices) == 40 * 60 - 2
    assert len(scan.triangles) == 2 * 39 * 59 - 5
    assert (area_vectors(scan)[:, 2] > 0).all()
    np.testing.assert_array_equal(measured.measured, ~np.isnan(z))


def test_points_without_a_triangle_are_left_out() -> None:
    z = np.full((10, 10), np.nan)
    z[2:4, 2:4] = 0
    z[7, 7] = 0
    z[0, 5:8] = 0
    scan = image(z).mesh(2)
    assert len(scan.vertices) == 4
    assert scan.triangles.shape == (2, 3)


@pytest.mark.parametrize(("raised", "diagonal"), [((0, 0), {1, 2}), ((0, 1), {0, 3})])
def test_a_block_is_split_along_its_shorter_diagonal(raised: tuple[int, int], diagonal: set[int]) -> None:
    z = np.zeros((2, 2))
    z[raised] = 1
    first, second = image(z).mesh(5).triangles.tolist()
    assert set(first) & set(second) == diagonal


def test_the_picture_is_laid_on_pixel_by_pixel() -> None:
    rng = np.random.default_rng(0)
    x, y = grid(30, 45)
    z = np.where(rng.random((30, 45)) < 0.2, np.nan, 0.0)
    points = np.stack([x, y, z], axis=2)
    points[np.isnan(z)] = np.nan
    colours = rng.integers(0, 256, (30, 45, 3), dtype=np.uint8)
    scan = RangeImage(points, colours, "photo").mesh(2)
    assert scan.textured
    assert scan.source == "photo"
    np.testing.assert_array_equal(scan.uv_triangles, scan.triangles)
    column, row = scan.uv[:, 0] * 45 - 0.5, (1 - scan.uv[:, 1]) * 30 - 0.5
    np.testing.assert_allclose(column, scan.vertices[:, 0] / 0.5 + 22, atol=1e-4)
    np.testing.assert_allclose(row, 14.5 - scan.vertices[:, 1] / 0.5, atol=1e-4)


def test_the_camera_may_stand_anywhere() -> None:
    x, y = grid()
    # No two diagonals of a block are equally long, and rounding decides nothing.
    z = np.where(x < 5, 20 - 0.1 * ((x - 0.12) ** 2 + (y + 0.07) ** 2), 0.2 * x + 0.1 * y)
    points = np.stack([x, y, z], axis=2)
    turn = Rotation.from_euler("xyz", [50, -70, 20], degrees=True).as_matrix()
    straight, turned = RangeImage(points).mesh(2), RangeImage(points @ turn.T + [3, 400, -70]).mesh(2)
    np.testing.assert_array_equal(straight.triangles, turned.triangles)
    np.testing.assert_allclose(turned.vertices, straight.vertices @ turn.T + [3, 400, -70], atol=1e-3)


@pytest.mark.parametrize("shape", [(20, 20), (1, 20), (1, 1), (0, 0)])
def test_nothing_measured_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ScanError, match=r"^bs001\.bnt: expected a range image of a face, found 0 points"):
        RangeImage(np.full((*shape, 3), np.nan), source="bs001.bnt").mesh(2)


def test_lone_points_are_refused() -> None:
    points = np.full((20, 20, 3), np.nan)
    points[::3, ::3] = 1
    with pytest.raises(ScanError, match="found 49 points in 400 pixels and no three that are neighbours"):
        RangeImage(points).mesh(2)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ScanError, match=r"grid of points \(R, C, 3\), found \(5, 3\)"):
        RangeImage(np.zeros((5, 3)))
    with pytest.raises(ScanError, match="picture on the grid"):
        RangeImage(np.zeros((5, 4, 3)), np.zeros((4, 5, 3), np.uint8))


def test_points_may_have_places_of_their_own_in_a_larger_picture() -> None:
    z = np.zeros((6, 8))
    z[2, 3] = np.nan
    plain = image(z)
    rng = np.random.default_rng(0)
    uv = rng.random((6, 8, 2)).astype(np.float32)
    uv[2, 3] = np.nan  # where nothing was measured it does not matter
    picture = rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)
    scan = RangeImage(plain.points, picture, "photo", uv).mesh(2)
    assert scan.texture is picture
    np.testing.assert_array_equal(scan.uv, uv[~np.isnan(z)])
    np.testing.assert_array_equal(scan.triangles, plain.mesh(2).triangles)
    with pytest.raises(ScanError, match=r"uv on the grid \(6, 8, 3\), found \(8, 6, 2\)"):
        RangeImage(plain.points, picture, uv=uv.transpose(1, 0, 2))
