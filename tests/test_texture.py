"""Painted faces: each colour is where the landmarks say, the same for the same person, on a layout that is shared."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.face_model import REGIONS
from affectvlm.synthesis.texture.complexion import Complexion, draw_complexion, lab_to_srgb
from affectvlm.synthesis.texture.face_zones import find_zones
from affectvlm.synthesis.texture.paint import PUPIL_MM, paint
from affectvlm.synthesis.texture.texel_map import map_texels
from affectvlm.synthesis.texture.uv_atlas import MARGIN, pack_tiles, unroll

MODEL = embedded_face()
SIZE = 256
MARKS = MODEL.neutral[MODEL.landmarks]
PLAIN = Complexion(
    skin=(65.0, 11.0, 15.0),
    lips=(50.0, 24.0, 12.0),
    hair=(15.0, 3.0, 4.0),
    iris=(40.0, -4.0, -12.0),
    ruddiness=1.0,
    mottling=0.0,
    freckles=0.0,
    age_spots=0.0,
    wrinkles=0.1,
    stubble=0.0,
    eye_shadows=0.0,
    brow_density=1.0,
    brow_thickness=1.0,
    lash_line=0.5,
    hairline_mm=0.0,
    seed=7,
)


@pytest.fixture(scope="module")
def texels():
    return map_texels(MODEL, SIZE)


@pytest.fixture(scope="module")
def colour_at(texels):
    """Mean colour around a place of the neutral face, among texels of a region."""
    picture = paint(MODEL, PLAIN, SIZE).reshape(-1, 3).astype(float)
    first = np.full(len(texels.places), -1)
    first[texels.nearest.ravel()[::-1]] = np.arange(SIZE * SIZE)[::-1]
    trees = {}

    def look(place, region="skin", radius=2.5):
        if region not in trees:
            rows = np.flatnonzero(texels.region == REGIONS.index(region))
            trees[region] = rows, cKDTree(texels.places[rows])
        rows, tree = trees[region]
        return picture[first[rows[tree.query_ball_point(place, radius)]]].mean(axis=0)

    return look


def test_lab_becomes_srgb_as_the_standards_say():
    known = {(100, 0, 0): (255, 255, 255), (0, 0, 0): (0, 0, 0), (53.585, 0, 0): (128, 128, 128)}
    known |= {(53.2408, 80.0925, 67.2032): (255, 0, 0), (32.297, 79.1875, -107.8602): (0, 0, 255)}
    for lab, rgb in known.items():
        np.testing.assert_allclose(lab_to_srgb(np.array(lab)).astype(int), rgb, atol=1)


def test_lips_are_redder_than_the_cheek_and_brows_darker_than_the_forehead(colour_at):
    lip = colour_at(MARKS[57] * 0.5 + MARKS[66] * 0.5, radius=3)
    cheek = colour_at(0.5 * (MARKS[46] + MARKS[54]) + np.float32([6, 0, 0]), radius=8)
    assert lip[0] - lip[1] > cheek[0] - cheek[1] + 15
    for brow in (MARKS[19], MARKS[24]):
        forehead = colour_at(brow + np.float32([0, 18, 0]), radius=8)
        assert colour_at(brow).mean() < 0.7 * forehead.mean()


def test_pupils_are_dark_in_the_middle_of_a_coloured_iris_on_white(colour_at, texels):
    eyes = texels.places[texels.region == REGIONS.index("eyes")]
    for side in (-1, 1):
        ball = eyes[side * eyes[:, 0] > 0]
        front = ball[ball[:, 2].argmax()]
        ring = [front + np.float32([4 * np.cos(a), 4 * np.sin(a), -0.7]) for a in np.arange(0, 6.28, 0.52)]
        iris = np.array([colour_at(place, "eyes", 1.0) for place in ring])
        assert colour_at(front, "eyes", 0.7 * PUPIL_MM).mean() < 45
        assert (iris[:, 2] > iris[:, 0]).all()  # blue all around: the disk is round and lies in the middle
        assert colour_at(front + np.float32([9 * side, 0, -4]), "eyes", 1.5).mean() > 130


def test_teeth_are_light_and_the_throat_is_dark(texels):
    picture = paint(MODEL, PLAIN, SIZE)
    of_texel = np.zeros((len(texels.places), 3))
    of_texel[texels.nearest.ravel()] = picture.reshape(-1, 3)
    teeth = texels.region == REGIONS.index("teeth")
    throat = (texels.region == REGIONS.index("mouth")) & (texels.places[:, 2] < MARKS[62, 2] - 25)
    front = teeth & (texels.places[:, 2] > texels.places[teeth, 2].max() - 6)
    assert of_texel[front].mean() > 150
    assert of_texel[throat].mean() < 60


def test_a_picture_depends_on_the_complexion_alone():
    other = Complexion(**{**vars(PLAIN), "seed": 8})
    np.testing.assert_array_equal(paint(MODEL, PLAIN, 128), paint(MODEL, PLAIN, 128))
    assert (paint(MODEL, PLAIN, 128) != paint(MODEL, other, 128)).any()


def test_the_places_of_texels_lie_on_the_face_and_free_ones_take_their_neighbours(texels):
    distance, _ = cKDTree(MODEL.neutral).query(texels.places)
    edges = MODEL.neutral[MODEL.triangles] - MODEL.neutral[np.roll(MODEL.triangles, 1, axis=1)]
    assert distance.max() <= np.linalg.norm(edges, axis=-1).max()
    assert texels.nearest.min() >= 0
    assert set(np.unique(texels.nearest)) == set(range(len(texels.places)))
    assert texels.light.min() >= 0
    assert texels.light.max() <= 1 + 1e-6


@pytest.mark.parametrize("attributes", [{}, {"sex": "female"}, {"age": "older", "ancestry": "klingon"}])
def test_what_is_not_known_is_drawn(attributes):
    drawn = [draw_complexion(attributes, np.random.default_rng(seed)) for seed in range(60)]
    assert len({c.skin for c in drawn}) == 60
    assert drawn[0] == draw_complexion(attributes, np.random.default_rng(0))
    if attributes.get("sex") == "female":
        assert not any(c.stubble for c in drawn)


def test_lightness_and_age_follow_the_attributes():
    def mean(name, **attributes):
        drawn = [draw_complexion(attributes, np.random.default_rng(seed)) for seed in range(200)]
        return np.mean([np.atleast_1d(getattr(c, name))[0] for c in drawn])

    light, middle, dark = (mean("skin", ancestry=name) for name in ("european", "asian", "african"))
    assert light > middle > dark + 10
    assert mean("wrinkles", age="older") > mean("wrinkles", age="young") + 0.3


def test_hair_leaves_face_and_ears_free_and_begins_without_a_step(texels):
    zones = find_zones(MODEL, texels)
    skin = MODEL.neutral[MODEL.regions == 0]
    sides = np.abs(skin[:, 0]) > np.abs(MARKS[0, 0]) + 6
    ears = skin[sides & (skin[:, 1] < MARKS[19, 1]) & (skin[:, 1] > MARKS[48, 1])]
    tree = cKDTree(texels.places)
    assert zones.scalp[tree.query(ears)[1]].max() < 0
    assert zones.scalp[tree.query(MARKS[17:68])[1]].max() < -10
    crown, temple = [0, MARKS[27, 1] + 85, -60], [60, MARKS[19, 1] + 40, -90]
    assert zones.scalp[tree.query([crown, temple])[1]].min() > 5
    on_skin = texels.region == REGIONS.index("skin")
    near = cKDTree(texels.places[on_skin]).query_pairs(2.5, output_type="ndarray")
    height = zones.scalp[on_skin]
    assert np.abs(height[near[:, 0]] - height[near[:, 1]]).max() < 25


# Layouts.


def test_two_pictures_and_pieces_over_each_other_are_laid_side_by_side():
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    # A face; another picture (u from 1 to 2); and one that lies over the face.
    uv = np.concatenate([square, square + np.float32([1, 0]), square])
    packed = pack_tiles(uv, np.concatenate([triangles, triangles + 4, triangles + 8]))
    boxes = [(packed[rows].min(axis=0), packed[rows].max(axis=0)) for rows in (slice(0, 4), slice(4, 8), slice(8, 12))]
    assert packed.min() >= 0
    assert packed.max() <= 1
    for i, (low, high) in enumerate(boxes):
        for other_low, other_high in boxes[:i]:
            assert (low >= other_high).any() or (other_low >= high).any()
    sides = [float((high - low)[0]) for low, high in boxes]
    assert sides[0] == pytest.approx((1 - 2 * MARGIN) * 2 / 3, rel=1e-5)
    assert sides[0] > 1.9 * max(sides[1:])


def test_a_head_laid_out_anew_keeps_its_triangles_apart_and_gives_the_face_most_room():
    uv, uv_triangles = unroll(MODEL.neutral, MODEL.triangles, MODEL.regions)
    assert uv_triangles.shape == MODEL.triangles.shape
    assert uv.min() >= 0
    assert uv.max() <= 1
    corners = uv[uv_triangles]
    edges = corners[:, 1:] - corners[:, :1]
    area = 0.5 * np.abs(edges[:, 0, 0] * edges[:, 1, 1] - edges[:, 0, 1] * edges[:, 1, 0])
    regions = MODEL.regions[MODEL.triangles].min(axis=1)
    face = (regions == 0) & (MODEL.neutral[MODEL.triangles].mean(axis=1)[:, 2] > -70)
    assert area[face].sum() > 0.25
    # Eyes, mouth and teeth lie beside the skin, each eye in a place of its own.
    left = MODEL.neutral[MODEL.triangles].mean(axis=1)[:, 0] > 0
    boxes = [corners[(regions == 1) & side] for side in (left, ~left)]
    assert boxes[0][..., 1].max() <= boxes[1][..., 1].min()
    assert min(box[..., 0].min() for box in boxes) >= 0.8


def test_triangles_of_a_head_laid_out_anew_read_their_own_place():
    uv, uv_triangles = unroll(MODEL.neutral, MODEL.triangles, MODEL.regions)
    texels = map_texels(replace(MODEL, uv=uv, uv_triangles=uv_triangles), 512)
    column, from_bottom = np.clip(512 * uv[uv_triangles].mean(axis=1), 0, 511).astype(int).T
    read = texels.places[texels.nearest[511 - from_bottom, column]]
    elsewhere = np.linalg.norm(read - MODEL.neutral[MODEL.triangles].mean(axis=1), axis=1) > 4
    regions = MODEL.regions[MODEL.triangles].min(axis=1)
    for region in range(len(REGIONS)):
        assert elsewhere[regions == region].mean() < 0.05, REGIONS[region]
