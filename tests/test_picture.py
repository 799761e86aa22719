"""Pictures for people: the right colours at the right place, and captions that fit."""

import numpy as np
import pytest
from PIL import Image

from affectvlm.views.picture import BEND_COLOURS, DEPTH_COLOURS, PAGE, TILE, contact_sheet, grid, pictures
from affectvlm.views.render import CURVATURE_SCALE_PER_MM, Views
from affectvlm.views.rig import Rig

RIG = Rig(size_px=8, yaw_deg={"front": 0, "left": 30}, maps=("depth", "normals", "texture"))


def _views() -> Views:
    """Two views of 8 px: a step of depth in the middle, a normal and a colour for each half."""
    depth = np.full((2, 8, 8), np.nan, np.float32)
    depth[:, 2:6, 2:4], depth[:, 2:6, 4:6] = -60, 30
    normals = np.zeros((2, 8, 8, 3), np.float32)
    normals[:, 2:6, 2:4], normals[:, 2:6, 4:6] = (-1, 0, 0), (0, 0.6, 0.8)
    texture = np.zeros((2, 8, 8, 3), np.uint8)
    texture[:, 2:6, 2:4], texture[:, 2:6, 4:6] = (200, 10, 20), (30, 40, 250)
    return Views(RIG, depth, normals, texture)


def test_each_map_has_its_colours():
    maps = pictures(_views(), scale=1)
    assert list(maps) == ["surface", "depth", "normals", "texture"]
    for row in maps.values():
        assert [picture.size for picture in row] == [(8, 8), (8, 8)]
        for picture in row:
            assert picture.getpixel((0, 0)) == TILE
    assert maps["depth"][0].getpixel((2, 3)) == tuple(DEPTH_COLOURS[0])
    assert maps["depth"][1].getpixel((5, 3)) == tuple(DEPTH_COLOURS[-1])
    assert maps["normals"][0].getpixel((2, 3)) == (0, 128, 128)
    assert maps["normals"][0].getpixel((5, 3)) == (128, 204, 230)
    assert maps["texture"][0].getpixel((2, 3)) == (200, 10, 20)


def test_curvature_has_its_colours_and_none_where_it_is_undefined():
    views = _views()
    bend = np.full((2, 8, 8), np.nan, np.float32)
    bend[:, 3, 2:6] = -1, -0.5, 0, 1
    views = Views(RIG, views.depth, mean_curvature=bend * CURVATURE_SCALE_PER_MM * 2, shape_index=bend)
    maps = pictures(views, scale=1)
    assert list(maps) == ["depth", "mean_curvature", "shape_index"]
    hollow, middle, bulge = (tuple(int(c) for c in BEND_COLOURS[i]) for i in (0, 4, -1))
    for picture in maps["mean_curvature"]:
        assert [picture.getpixel((col, 3)) for col in range(2, 6)] == [hollow, hollow, middle, bulge]
        assert picture.getpixel((3, 4)) == TILE
    for picture in maps["shape_index"]:
        assert [picture.getpixel((col, 3)) for col in (2, 4, 5)] == [hollow, middle, bulge]
        assert picture.getpixel((3, 3)) == tuple(int(c) for c in BEND_COLOURS[2])


def test_cameras_above_and_below_are_captioned_too():
    depth = np.zeros((3, 8, 8), np.float32)
    yaw, pitch = {"front": 0, "left": 30, "above": 0}, {"left": -5, "above": 20}
    level = contact_sheet(Views(Rig(size_px=8, yaw_deg=yaw, maps=("depth",)), depth))
    raised = contact_sheet(Views(Rig(size_px=8, yaw_deg=yaw, pitch_deg=pitch, maps=("depth",)), depth))
    assert raised.height > level.height  # one caption has a line more


def test_a_surface_turned_to_the_light_is_brighter():
    views = _views()
    views.normals[0, 3, 3] = (-0.5, 0.5, np.sqrt(0.5))
    views.normals[0, 4, 3] = (0.5, -0.5, np.sqrt(0.5))
    surface = pictures(views, scale=1)["surface"][0].convert("L")
    assert surface.getpixel((3, 3)) > surface.getpixel((3, 4)) + 40


def test_small_views_are_enlarged():
    maps = pictures(_views())
    assert {picture.size for row in maps.values() for picture in row} == {(224, 224)}
    # A filter, not blocks: the step of depth has colours of its own.
    row = np.asarray(maps["texture"][0])[112]
    assert len(np.unique(row, axis=0)) > 10
    large = Rig(size_px=300, yaw_deg={"front": 0}, maps=("depth",))
    assert pictures(Views(large, np.zeros((1, 300, 300), np.float32)))["depth"][0].size == (300, 300)


def test_maps_that_are_not_there_have_no_row():
    views = _views()
    assert list(pictures(Views(RIG, views.depth))) == ["depth"]
    assert contact_sheet(Views(RIG, views.depth)).height < contact_sheet(views).height / 3


@pytest.mark.parametrize("value", [np.nan, 4.0])
def test_empty_and_flat_views_can_be_drawn(value):
    assert contact_sheet(Views(RIG, np.full((2, 8, 8), value, np.float32))).mode == "RGB"


def _plain(colour: tuple[int, int, int], size: tuple[int, int] = (60, 40)) -> Image.Image:
    return Image.new("RGB", size, colour)


def test_a_grid_places_every_picture_once_in_its_row_and_column():
    colours = [[(250, 0, 0), (0, 250, 0), (0, 0, 250)], [(90, 0, 0), (0, 90, 0), (0, 0, 90)]]
    sheet = np.asarray(grid([[_plain(c) for c in row] for row in colours], ["a", "b"], ["x", "y", "z"]))
    corners = np.empty((2, 3, 2), int)
    for row, col in np.ndindex(2, 3):
        found = np.argwhere((sheet == colours[row][col]).all(-1))
        assert len(found) == 60 * 40
        corners[row, col] = found.min(axis=0)
        assert (found.max(axis=0) - found.min(axis=0)).tolist() == [39, 59]
    np.testing.assert_array_equal(corners[:, :, 0], corners[:, :1, 0].repeat(3, axis=1))
    np.testing.assert_array_equal(corners[:, :, 1], corners[:1, :, 1].repeat(2, axis=0))
    assert (np.diff(corners[:, 0, 0]) > 40).all()
    assert (np.diff(corners[0, :, 1]) > 60).all()


def test_captions_stand_on_the_page_beside_the_pictures():
    sheet = np.asarray(grid([[_plain(TILE)]], ["a long caption of a row\nand its note"], ["column"]))
    tile = np.argwhere((sheet == TILE).all(-1)).min(axis=0)
    ink = np.argwhere((sheet != PAGE).any(-1) & (sheet != TILE).any(-1))
    above, beside = ink[ink[:, 0] < tile[0]], ink[ink[:, 1] < tile[1]]
    # Every letter is in one of the two margins, none is cut off at the rim.
    assert len(above) > 30
    assert len(beside) > 100
    assert (ink >= 5).all()
    assert ((ink[:, 0] < tile[0]) | (ink[:, 1] < tile[1])).all()
    # The column's caption is centred over its picture.
    assert abs(above[:, 1].mean() - (tile[1] + 30)) < 6


def test_pictures_that_do_not_fit_the_grid_are_refused():
    with pytest.raises(ValueError, match="1 row captions and 2 column captions do not fit rows of"):
        grid([[_plain(PAGE)]], ["a"], ["x", "y"])
    with pytest.raises(ValueError, match="must be of one size"):
        grid([[_plain(PAGE), _plain(PAGE, (9, 9))]], ["a"], ["x", "y"])


def test_a_sheet_is_the_same_every_time():
    assert contact_sheet(_views()).tobytes() == contact_sheet(_views()).tobytes()
