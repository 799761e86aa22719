"""Jittered drawings: cameras and lights that stand elsewhere by just as much as was drawn, each view's on its own."""

import math

import numpy as np
import pytest
import trimesh

from affectvlm.scan import FaceScan
from affectvlm.views import Rig, render
from affectvlm.views.jitter import Jitter, render_jittered, shine
from affectvlm.views.render import GREY

GEOMETRY = ("depth", "normals", "mean_curvature", "shape_index")
ALL_MAPS = (*GEOMETRY, "texture")
SKIN = (150, 110, 90)
STILL = {"yaw_deg": 0, "pitch_deg": 0, "distance": 0, "light": 0}


class Drawn:
    """A generator whose draws are known beforehand."""

    def __init__(self, moves: list[list[float]], strength: float = 0, light: tuple[float, float] = (0, 0)) -> None:
        """``moves`` are of yaw, pitch and distance: a number between -1 and 1 for each view."""
        self.moves, self.strength, self.light = np.array(moves, float), strength, light

    def uniform(self, low: float, high: float, size: tuple[int, int]) -> np.ndarray:
        assert (low, high, size) == (-1, 1, self.moves.shape)
        return self.moves

    def random(self, size: int | tuple[int, int]) -> np.ndarray:
        views = self.moves.shape[1]
        if size == views:
            return np.full(views, self.strength)
        assert size == (2, views)
        return np.repeat(np.array(self.light)[:, None], views, axis=1)


def ball(radius_mm: float = 60, subdivisions: int = 5) -> FaceScan:
    """A ball of one colour about the rig's centre."""
    sphere = trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius_mm)
    colours = np.full(sphere.vertices.shape, SKIN, np.uint8)
    return FaceScan(sphere.vertices + np.array(Rig().centre_mm), sphere.faces, colours=colours)


def egg() -> FaceScan:
    """A ball made longer, with colours and a bump: it looks different from everywhere."""
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=1.0)
    swell = 1 + 0.2 * np.sin(3 * sphere.vertices @ np.array([0.5, 1.1, -0.4]))
    vertices = sphere.vertices * swell[:, None] * (61.3, 74.7, 58.9) + (0.137, 1.291, -58.9)
    colours = np.clip(128 + 90 * sphere.vertices, 0, 255).astype(np.uint8)
    return FaceScan(vertices, sphere.faces, colours=colours)


def assert_same(views, others, maps=ALL_MAPS):
    for name in maps:
        np.testing.assert_array_equal(getattr(views, name), getattr(others, name), err_msg=name)


@pytest.mark.parametrize("distance_mm", [None, 500.0])
def test_no_jitter_at_all_gives_the_exact_views(distance_mm):
    rig = Rig(size_px=48, maps=ALL_MAPS, pitch_deg={"left": 12.5}, distance_mm=distance_mm)
    drawn = render_jittered(egg(), rig, Jitter(**STILL), np.random.default_rng(0))
    assert drawn.rig == rig
    assert_same(drawn, render(egg(), rig))


@pytest.mark.parametrize("distance_mm", [None, 500.0])
def test_a_moved_camera_sees_what_a_rig_with_that_camera_sees(distance_mm):
    rig = Rig(size_px=48, maps=ALL_MAPS, pitch_deg=5, distance_mm=distance_mm)
    moves = [[1, -0.5, 0.25], [-1, 0, 0.5], [0, 0, 0]]
    drawn = render_jittered(egg(), rig, Jitter(yaw_deg=8, pitch_deg=4, light=0), Drawn(moves))
    there = Rig(
        size_px=48,
        maps=ALL_MAPS,
        distance_mm=distance_mm,
        yaw_deg={"front": 8, "left": 26, "right": -28},
        pitch_deg={"front": 1, "left": 5, "right": 7},
    )
    assert_same(drawn, render(egg(), there))
    assert drawn.rig == rig


def test_a_camera_may_be_moved_beyond_what_a_rig_may_ask_for():
    rig = Rig(size_px=32, yaw_deg={"profile": 90}, pitch_deg=60, maps=ALL_MAPS)
    drawn = render_jittered(ball(), rig, Jitter(yaw_deg=10, pitch_deg=10, light=0), Drawn([[1], [1], [0]]))
    # A ball of one colour looks alike from everywhere.
    exact = render(ball(), rig)
    np.testing.assert_allclose(drawn.depth[drawn.mask & exact.mask], exact.depth[drawn.mask & exact.mask], atol=0.5)
    assert (drawn.mask != exact.mask).mean() < 0.01


@pytest.mark.parametrize("distance_mm", [None, 300.0])
@pytest.mark.parametrize("share", [-0.2, 0.1])
def test_a_ball_is_as_large_as_its_distance_makes_it(distance_mm, share):
    """A pinhole at the distance D sees a ball of radius R as a disc of R D / √(D² - R²) at the ball's middle."""
    rig = Rig(size_px=256, yaw_deg={"front": 0}, maps=("depth",), distance_mm=distance_mm)
    drawn = render_jittered(ball(), rig, Jitter(distance=0.2), Drawn([[0], [0], [share / 0.2]]))
    pixels = math.sqrt(drawn.mask.sum() / math.pi)
    distance = math.inf if distance_mm is None else distance_mm * (1 + share)
    disc = 60 / math.sqrt(1 - (60 / distance) ** 2)
    assert pixels == pytest.approx(disc * 256 / (180 * (1 + share)), rel=0.004)
    # However far the camera: depth is in millimetres from the centre, and the ball's nearest point is at its radius.
    assert np.nanmax(drawn.depth) == pytest.approx(60, abs=0.1)


def test_the_light_on_a_ball_follows_lamberts_law():
    rig = Rig(size_px=96, field_mm=160, maps=("texture", "depth"))
    # The farthest draw: 60 degrees from the camera's axis, a quarter turn on from the right: above.
    draws = Drawn([[0, 0, 0]] * 3, strength=0.5, light=(1, 0.25))
    drawn = render_jittered(ball(), rig, Jitter(light=0.8), draws)
    rows, cols = np.mgrid[:96, :96]
    x, y = (cols + 0.5 - 48) * 160 / 96 / 60, (48 - rows - 0.5) * 160 / 96 / 60
    inner = np.hypot(x, y) < 0.95
    z = np.sqrt(np.clip(1 - x**2 - y**2, 0, None))
    cosine = y * math.sqrt(3) / 2 + z / 2
    expected = np.array(SKIN) * (0.6 + 0.8 * np.clip(cosine, 0, None))[..., None] ** (1 / 2.2)
    for view in drawn.texture:
        np.testing.assert_allclose(view[inner], expected[inner], atol=1.6)
    shaded = inner & (cosine < -0.05)
    assert shaded.sum() > 100
    assert (drawn.texture[:, shaded] == np.rint(np.array(SKIN) * 0.6 ** (1 / 2.2))).all()
    assert (drawn.texture[~drawn.mask] == 0).all()
    assert drawn.normals is None  # needed for the light, but not asked for


def test_a_surface_at_60_degrees_from_the_light_keeps_its_colours_and_a_bright_one_is_cut_at_white():
    colours = np.array([[7, 130, 255]] * 3, np.uint8)
    normals = np.array([(math.sqrt(3) / 2, 0, 0.5), (0, 0, 1), (0, 0, -1)], np.float32)
    lit = shine(colours, normals, np.array([0, 0, 1.0]), 0.5)
    np.testing.assert_array_equal(lit[0], colours[0])
    np.testing.assert_array_equal(lit[1], np.minimum(np.rint(colours[1] * 1.5 ** (1 / 2.2)), 255))
    np.testing.assert_array_equal(lit[2], np.rint(colours[2] * 0.5 ** (1 / 2.2)))


def test_light_changes_the_texture_only():
    rig = Rig(size_px=48, maps=ALL_MAPS)
    dark, light = (
        render_jittered(egg(), rig, Jitter(light=share), np.random.default_rng(5)) for share in (0, Jitter().light)
    )
    assert_same(light, dark, GEOMETRY)
    changed = (light.texture != dark.texture).any(axis=-1)
    assert (changed & ~dark.mask).sum() == 0
    assert changed[dark.mask].mean() > 0.5


@pytest.mark.filterwarnings("ignore:.*no texture:UserWarning")
def test_a_scan_without_texture_stays_flat_grey():
    """Shading would show a model its shape in a map that is otherwise empty."""
    scan = FaceScan(egg().vertices, egg().triangles)
    drawn = render_jittered(scan, Rig(size_px=32, maps=("texture",)), Jitter(light=0.9), np.random.default_rng(0))
    assert (drawn.texture[drawn.mask] == GREY).all()


def test_every_view_is_jittered_on_its_own():
    rig = Rig(size_px=32, yaw_deg=dict.fromkeys("abcd", 0.0), maps=ALL_MAPS)
    exact = render(egg(), rig)
    for name in ALL_MAPS:
        assert len({getattr(exact, name)[view].tobytes() for view in range(4)}) == 1
    drawn = render_jittered(egg(), rig, Jitter(), np.random.default_rng(1))
    for name in ALL_MAPS:
        assert len({getattr(drawn, name)[view].tobytes() for view in range(4)}) == 4
    # So is the light, where the cameras stand still.
    lit = render_jittered(egg(), rig, Jitter(**{**STILL, "light": 0.5}), np.random.default_rng(1))
    assert_same(lit, exact, GEOMETRY)
    assert len({lit.texture[view].tobytes() for view in range(4)}) == 4


def test_the_cameras_do_not_depend_on_the_maps():
    every = render_jittered(egg(), Rig(size_px=32, maps=ALL_MAPS), Jitter(), np.random.default_rng(2))
    for name in ALL_MAPS:
        alone = render_jittered(egg(), Rig(size_px=32, maps=(name,)), Jitter(), np.random.default_rng(2))
        assert_same(alone, every, (name, "depth"))


def test_a_second_drawing_differs_from_the_first_and_a_seed_repeats_both():
    rig, rng = Rig(size_px=32), np.random.default_rng(3)
    first, second = (render_jittered(egg(), rig, Jitter(), rng) for _ in range(2))
    again = np.random.default_rng(3)
    for drawing in (first, second):
        assert_same(render_jittered(egg(), rig, Jitter(), again), drawing, rig.maps)
    assert not np.array_equal(first.normals, second.normals)
