"""From a scan to channels: what a face's views must show, and what quantisation may cost."""

import numpy as np
import pytest
import trimesh

from affectvlm.scan import FaceScan
from affectvlm.views.render import DEPTH_STEP_MM, GREY, Views, encode, render, to_channels
from affectvlm.views.rig import Rig

ALL_MAPS = ("depth", "normals", "texture")


def _head(seed: int = 0) -> FaceScan:
    """A bumpy ball with a nose at the origin, off every symmetry and off the pixels' grid."""
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=1.0)
    rng = np.random.default_rng(seed)
    bumps = rng.normal(size=(6, 3))
    swell = 1 + 0.1 * np.sin(3 * sphere.vertices @ bumps.T + np.arange(6)).mean(1)
    vertices = sphere.vertices * swell[:, None] * (61.3, 74.7, 58.9) + (0.137, 1.291, -58.9)
    return FaceScan(vertices, sphere.faces)


def _mirrored(scan: FaceScan) -> FaceScan:
    return FaceScan(scan.vertices * np.array([-1, 1, 1], np.float32), scan.triangles[:, ::-1])


def test_a_sphere_has_its_analytic_normals_in_every_view():
    rig = Rig(size_px=96, field_mm=160.0, pitch_deg=10)
    sphere = trimesh.creation.icosphere(subdivisions=5, radius=60)
    views = render(FaceScan(sphere.vertices + np.array(rig.centre_mm), sphere.faces), rig)
    rows, cols = np.mgrid[:96, :96]
    x, y = (cols + 0.5 - 48) * 160 / 96 / 60, (48 - rows - 0.5) * 160 / 96 / 60
    inner = np.hypot(x, y) < 0.9
    expected = np.stack([x, y, np.sqrt(np.clip(1 - x**2 - y**2, 0, None))], axis=-1)[inner]
    # A ball looks the same from everywhere, in the camera's own axes; a triangle spans 2 degrees of it.
    for normals in views.normals:
        np.testing.assert_allclose(normals[inner], expected, atol=0.004)
        np.testing.assert_allclose(np.linalg.norm(normals[inner], axis=-1), 1, atol=1e-6)
    assert (views.normals[~views.mask] == 0).all()


def test_a_mirrored_face_has_mirrored_views():
    rig = Rig(size_px=48)
    face, mirrored = render(_head(), rig), render(_mirrored(_head()), rig)
    for view, partner in enumerate(rig.mirror_order):
        flipped = face.normals[partner, :, ::-1] * np.array([-1, 1, 1], np.float32)
        np.testing.assert_array_equal(mirrored.mask[view], face.mask[partner, :, ::-1])
        np.testing.assert_allclose(mirrored.depth[view], face.depth[partner, :, ::-1], atol=1e-3)
        np.testing.assert_allclose(mirrored.normals[view], flipped, atol=1e-4)
    # The face is not symmetric itself, so the test says something.
    assert np.nanmax(np.abs(face.depth[0] - face.depth[0, :, ::-1])) > 1


def test_the_left_view_shows_more_of_the_left_cheek():
    # A red patch on the subject's left cheek (+x), on a face that is white elsewhere.
    head = _head()
    centroids = head.vertices[head.triangles].mean(axis=1)
    on_cheek = np.linalg.norm(centroids - (45, 0, -30), axis=1) < 20
    assert on_cheek.sum() > 10
    scan = FaceScan(
        head.vertices,
        head.triangles,
        uv=np.array([(0.25, 0.5), (0.75, 0.5)]),
        uv_triangles=np.where(on_cheek, 0, 1)[:, None].repeat(3, axis=1),
        texture=np.array([[(255, 0, 0), (255, 255, 255)]], np.uint8),
    )
    views = render(scan, Rig(size_px=96, maps=("texture",)))
    red = (views.texture == (255, 0, 0)).all(-1).sum((1, 2))
    size = dict(zip(views.rig.names, red.tolist(), strict=True))
    assert size["left"] > 1.5 * size["front"]
    assert size["front"] > 2 * size["right"]


def test_moving_the_face_by_a_whole_pixel_moves_its_picture():
    rig = Rig(size_px=45, yaw_deg={"front": 0})
    head = _head()
    views, moved = render(head, rig), render(head.moved(np.eye(3), (4, -8, 3)), rig)
    np.testing.assert_allclose(moved.depth[0, 2:, 1:], views.depth[0, :-2, :-1] + 3, atol=1e-3)


def test_only_the_maps_of_the_rig_are_drawn():
    views = render(_head(), Rig(maps=("depth",)))
    assert views.normals is None
    assert views.texture is None
    assert encode(views).keys() == {"depth"}


def test_a_scan_without_texture_is_grey_and_says_so():
    with pytest.warns(UserWarning, match="scan: no texture"):
        views = render(_head(), Rig(size_px=16, maps=("texture",)))
    assert (views.texture[views.mask] == GREY).all()
    assert (views.texture[~views.mask] == 0).all()


def test_the_channels_are_those_maps_up_to_quantisation():
    rig = Rig(size_px=48, maps=ALL_MAPS)
    with pytest.warns(UserWarning, match="no texture"):
        views = render(_head(), rig)
    texture = np.random.default_rng(0).integers(0, 256, views.texture.shape, dtype=np.uint8)
    views = Views(rig, views.depth, views.normals, texture)
    channels = to_channels(encode(views), rig)
    assert channels.shape == (3, rig.channels, 48, 48)
    assert channels.dtype == np.float32
    mask = views.mask
    # Half a step of depth, in units of 100 mm, and single precision.
    np.testing.assert_allclose(
        channels[:, 0][mask], views.depth[mask] / 100, atol=DEPTH_STEP_MM / 2 / 100 + 1e-6, rtol=0
    )
    normals = np.moveaxis(channels[:, 1:4], 1, -1)
    np.testing.assert_allclose(normals, views.normals, atol=0.5 / 127 + 1e-6, rtol=0)
    np.testing.assert_allclose(np.moveaxis(channels[:, 4:], 1, -1), texture / 127.5 - 1, atol=1e-6)


def test_the_background_is_behind_the_face_and_has_no_normal():
    rig = Rig(size_px=32)
    views = render(_head(), rig)
    channels = to_channels(encode(views), rig)
    background = ~views.mask
    assert background.any()
    assert (channels[:, 0][background] == -1).all()
    assert (np.moveaxis(channels[:, 1:], 1, -1)[background] == 0).all()
    assert channels[:, 0][views.mask].min() > -1


@pytest.mark.parametrize(("depth_mm", "expected"), [(0.0, 0.0), (12.34, 0.1234), (-45.0, -0.45), (1e6, 3.2767)])
def test_depths_are_kept_at_a_hundredth_of_a_millimetre_and_clipped_at_the_ends(depth_mm, expected):
    rig = Rig(size_px=8, yaw_deg={"front": 0}, maps=("depth",))
    kept = encode(Views(rig, np.full((1, 8, 8), depth_mm, np.float32)))
    assert kept["depth"].dtype == np.uint16
    np.testing.assert_allclose(to_channels(kept, rig), expected, atol=1e-6)


def test_a_depth_far_behind_is_still_not_the_background():
    rig = Rig(size_px=8, yaw_deg={"front": 0}, maps=("depth",))
    kept = encode(Views(rig, np.full((1, 8, 8), -1e6, np.float32)))
    assert (kept["depth"] == 1).all()


def test_leading_axes_and_the_order_of_the_maps_are_kept():
    rig = Rig(size_px=16, maps=("normals", "depth"))
    kept = encode(render(_head(), rig))
    one = to_channels(kept, rig)
    batch = to_channels({name: np.stack([values, values]) for name, values in kept.items()}, rig)
    assert batch.shape == (2, 3, 4, 16, 16)
    np.testing.assert_array_equal(batch, np.stack([one, one]))
    swapped = to_channels(kept, Rig(size_px=16, maps=("depth", "normals")))
    np.testing.assert_array_equal(one[:, [3, 0, 1, 2]], swapped)
