"""From a scan to channels: what a face's views must show, and what quantisation may cost."""

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy.spatial.transform import Rotation

from affectvlm.errors import ScanError
from affectvlm.scan import FaceScan
from affectvlm.scan.picture_file import PictureFile
from affectvlm.views.render import (
    CURVATURE_SCALE_PER_MM,
    CURVATURE_STEP_PER_MM,
    DEPTH_STEP_MM,
    GREY,
    Views,
    decode,
    encode,
    render,
    to_channels,
)
from affectvlm.views.rig import CHANNELS, Rig

ALL_MAPS = ("depth", "normals", "texture")
BENDS = ("mean_curvature", "shape_index")


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


@pytest.mark.parametrize("distance_mm", [None, 500.0])
def test_a_cylinder_has_its_analytic_depth_and_normals(distance_mm):
    # Its axis is upright; turning the camera about it changes nothing.
    radius, size, field = 50.0, 96, 160.0
    rig = Rig(
        size_px=size,
        field_mm=field,
        yaw_deg={"front": 0, "left": 40},
        distance_mm=distance_mm,
        maps=("depth", "normals", "mean_curvature", "shape_index"),
    )
    angle, up = np.linspace(0, 2 * np.pi, 720, endpoint=False), np.array([0, 200, 0])
    ring = np.column_stack([radius * np.sin(angle), np.zeros(720), radius * np.cos(angle)])
    vertices = np.concatenate([ring - up, ring + up]) + rig.centre_mm
    low, after = np.arange(720), np.roll(np.arange(720), -1)
    triangles = np.concatenate(
        [np.column_stack([low, after, after + 720]), np.column_stack([low, after + 720, low + 720])]
    )
    views = render(FaceScan(vertices, triangles), rig)
    x = (np.arange(size) + 0.5 - size / 2) * field / size
    # Along a column of pixels the ray's x is x (1 - z / distance), with 1 / distance = 0 without perspective.
    near = 0.0 if distance_mm is None else 1 / distance_mm
    a, b, c = 1 + (x * near) ** 2, -near * x**2, x**2 - radius**2
    z = (-b + np.sqrt(np.where(b**2 - a * c > 0, b**2 - a * c, np.nan))) / a
    inner = np.abs(x) < 40
    expected = np.stack([x * (1 - z * near), np.zeros(size), z], axis=1) / radius
    for view in range(2):
        # A facet lies 0.5 um under the cylinder, and spans 0.009: the normal of a vertex, which has a triangle on one
        # side and two on the other, leans by a part of that.
        np.testing.assert_allclose(views.depth[view][:, inner], np.tile(z[inner], (size, 1)), atol=2e-3)
        np.testing.assert_allclose(views.normals[view][:, inner], np.tile(expected[inner], (size, 1, 1)), atol=1e-3)
        inmost = np.abs(x) < 25
        np.testing.assert_allclose(views.mean_curvature[view][:, inmost], 1 / (2 * radius), rtol=0.02)
        np.testing.assert_allclose(views.shape_index[view][:, inmost], 0.5, atol=0.02)


@pytest.mark.parametrize("distance_mm", [None, 350.0])
@pytest.mark.parametrize(("yaw", "pitch"), [(30, 0), (-45, 20), (0, -35), (80, 10)])
def test_turning_the_face_is_turning_the_camera_the_other_way(distance_mm, yaw, pitch):
    settings = {"size_px": 64, "distance_mm": distance_mm, "maps": ("depth", "normals")}
    turned = Rig(yaw_deg={"view": yaw}, pitch_deg=pitch, **settings)
    front = Rig(yaw_deg={"view": 0}, **settings)
    centre = np.array(front.centre_mm)
    # By pitch about x, then back by yaw about y: the camera's own rotation.
    about = (
        Rotation.from_euler("x", pitch, degrees=True).as_matrix()
        @ Rotation.from_euler("y", -yaw, degrees=True).as_matrix()
    )
    face = _head()
    by_camera = render(face, turned)
    by_face = render(face.moved(about, centre - about @ centre), front)
    assert (by_camera.mask != by_face.mask).sum() <= 2
    both = by_camera.mask & by_face.mask
    assert both.sum() > 1000
    apart = np.abs(by_camera.depth - by_face.depth)[both]
    assert np.percentile(apart, 99) < 1e-3
    assert np.percentile(np.abs(by_camera.normals - by_face.normals)[both], 99) < 1e-4


@pytest.mark.parametrize("distance_mm", [None, 400.0])
def test_a_mirrored_face_has_mirrored_views(distance_mm):
    rig = Rig(size_px=48, distance_mm=distance_mm, maps=("depth", "normals", *BENDS))
    face, mirrored = render(_head(), rig), render(_mirrored(_head()), rig)
    for view, partner in enumerate(rig.mirror_order):
        flipped = face.normals[partner, :, ::-1] * np.array([-1, 1, 1], np.float32)
        np.testing.assert_array_equal(mirrored.mask[view], face.mask[partner, :, ::-1])
        np.testing.assert_allclose(mirrored.depth[view], face.depth[partner, :, ::-1], atol=1e-3)
        np.testing.assert_allclose(mirrored.normals[view], flipped, atol=1e-4)
        # Curvature has no sides; at 3.75 mm a pixel, steps in the depth that count or do not may tip over.
        for name in BENDS:
            mine, partners = getattr(mirrored, name)[view], getattr(face, name)[partner, :, ::-1]
            close = np.isclose(mine, partners, atol=1e-3, equal_nan=True)
            assert close.mean() > 0.999
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
    with pytest.warns(UserWarning, match="scan: no texture and no coloured vertices"):
        views = render(_head(), Rig(size_px=16, maps=("texture",)))
    assert (views.texture[views.mask] == GREY).all()
    assert (views.texture[~views.mask] == 0).all()


def test_without_texture_the_colours_of_the_vertices_are_drawn():
    head = _head()
    colours = np.where(head.vertices[:, :1] > 0, (255, 40, 0), (0, 40, 255)).astype(np.uint8)
    rig = Rig(size_px=64, yaw_deg={"front": 0}, maps=("texture",))
    views = render(FaceScan(head.vertices, head.triangles, colours=colours), rig)
    assert (views.texture[views.mask][:, 1] == 40).all()
    assert (views.texture[~views.mask] == 0).all()
    left, right = views.texture[0, 32, :26], views.texture[0, 32, 38:]
    assert (left[views.mask[0, 32, :26]] == (0, 40, 255)).all()
    assert (right[views.mask[0, 32, 38:]] == (255, 40, 0)).all()
    # A texture is finer, and goes first.
    uv, rows = np.zeros((1, 2)), np.zeros_like(head.triangles)
    both = FaceScan(head.vertices, head.triangles, uv, rows, np.full((1, 1, 3), 9, np.uint8), colours=colours)
    assert (render(both, rig).texture[views.mask] == 9).all()


def test_a_picture_file_is_read_only_for_a_texture_map(tmp_path):
    head = _head()
    uv, rows = np.full((1, 2), 0.5), np.zeros_like(head.triangles)
    path = tmp_path / "face.png"
    scan = FaceScan(head.vertices, head.triangles, uv, rows, PictureFile(path))
    views = render(scan, Rig(size_px=16, maps=("depth", "normals", *BENDS)))
    assert views.texture is None
    with pytest.raises(ScanError, match=r"face\.png"):
        render(scan, Rig(size_px=16, maps=("texture",)))
    Image.new("RGB", (3, 3), (10, 20, 30)).save(path)
    views = render(scan, Rig(size_px=16, maps=("texture",)))
    assert (views.texture[views.mask] == (10, 20, 30)).all()


def test_curvature_as_kept_and_as_channels():
    rig = Rig(size_px=64, maps=BENDS)
    views = render(_head(), rig)
    defined = np.isfinite(views.mean_curvature)
    assert 0.3 < defined.mean() < views.mask.mean()
    kept = encode(views)
    assert kept.keys() == set(BENDS)
    assert kept["mean_curvature"].dtype == np.uint16
    assert kept["shape_index"].dtype == np.uint8
    again = decode(kept, rig)
    np.testing.assert_allclose(again.mean_curvature, views.mean_curvature, atol=CURVATURE_STEP_PER_MM / 2 + 1e-7)
    np.testing.assert_allclose(again.shape_index, views.shape_index, atol=0.5 / 127 + 1e-6)
    np.testing.assert_array_equal(again.mask, defined)
    mean, shape = np.moveaxis(to_channels(kept, rig), 1, 0)
    assert np.abs(mean).max() <= 1
    expected = np.clip(views.mean_curvature / CURVATURE_SCALE_PER_MM, -1, 1)
    np.testing.assert_allclose(mean[defined], expected[defined], atol=1e-4)
    np.testing.assert_allclose(shape[defined], views.shape_index[defined], atol=0.5 / 127 + 1e-6)
    assert (mean[~defined] == 0).all()
    assert (shape[~defined] == 0).all()


@pytest.mark.parametrize(("per_mm", "channel"), [(0, 0), (0.0123, 0.123), (-0.05, -0.5), (0.25, 1), (9, 1), (-9, -1)])
def test_mean_curvature_is_cut_at_the_ends(per_mm, channel):
    rig = Rig(size_px=8, yaw_deg={"front": 0}, maps=("mean_curvature",))
    flat = np.zeros((1, 8, 8), np.float32)
    views = Views(rig, flat, mean_curvature=np.full_like(flat, per_mm))
    np.testing.assert_allclose(to_channels(encode(views), rig), channel, atol=1e-6)
    back = decode(encode(views), rig).mean_curvature
    np.testing.assert_allclose(back, np.clip(per_mm, -32767e-5, 32767e-5), atol=1e-7)


def test_every_map_has_its_place_among_the_channels():
    maps = ("shape_index", "texture", "mean_curvature", "normals", "depth")
    rig = Rig(size_px=16, maps=maps)
    with pytest.warns(UserWarning, match="no texture"):
        kept = encode(render(_head(), rig))
    channels = to_channels(kept, rig)
    first = 0
    for name in maps:
        alone = to_channels({name: kept[name]}, Rig(size_px=16, maps=(name,)))
        np.testing.assert_array_equal(channels[:, first : first + CHANNELS[name]], alone)
        first += CHANNELS[name]
    assert first == channels.shape[1] == 9


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
