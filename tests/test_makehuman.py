"""MakeHuman's own files: a tiny folder for what can go wrong, and the real data where they are there."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from affectvlm.errors import DataError
from affectvlm.synthesis import makehuman
from affectvlm.synthesis.makehuman import PROJECT, makehuman_files, read_makehuman, read_target
from affectvlm.synthesis.makehuman_units import ANCESTRIES, LANDMARKS

MIRRORED = [(i, 16 - i) for i in range(8)] + [(17 + i, 26 - i) for i in range(5)]
MIRRORED += [(31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]
MIRRORED += [(48, 54), (49, 53), (50, 52), (59, 55), (58, 56), (60, 64), (61, 63), (67, 65)]
"""Pairs of landmarks, the subject's right (-x) first."""


def write_target(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))
    return path


@pytest.fixture
def checkout(tmp_path):
    """Every file of a checkout by name; a base mesh of one quad, and targets that move nothing."""
    data = tmp_path / "mpfb2" / "src" / "mpfb" / "data"
    (data / "3dobjs").mkdir(parents=True)
    (data / "3dobjs" / "base.obj").write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\ng body\nf 1/1 2/1 3/1 4/1\n")
    for name in makehuman._target_names():
        write_target(data / "targets" / f"{name}.target.gz", "# nothing\n")
    return tmp_path / "mpfb2"


def test_a_target_is_read_in_millimetres(tmp_path):
    path = write_target(tmp_path / "a.target.gz", "# comment\n\n2 .5 -.001 0\n0 0 0 -1.25\n")
    expected = np.zeros((4, 3))
    expected[2], expected[0] = [50, -0.1, 0], [0, 0, -125]
    np.testing.assert_allclose(read_target(path, 4), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("4 0 0 0\n", "vertex numbers below 4"),
        ("-1 0 0 0\n", "vertex numbers below 4"),
        ("1.5 0 0 0\n", "vertex numbers below 4"),
        ("1 0 nan 0\n", "finite displacements"),
        ("1 0 0\n", "three displacements"),
        ("1 0 0 0\n2 0 0\n", "three displacements"),
        ("1 0 x 0\n", "three displacements"),
    ],
)
def test_a_damaged_target_is_named(tmp_path, text, complaint):
    path = write_target(tmp_path / "nose-hump-incr.target.gz", text)
    with pytest.raises(DataError, match=complaint) as error:
        read_target(path, 4)
    assert str(path) in str(error.value)
    assert PROJECT in str(error.value)


@pytest.mark.parametrize("cut", [slice(None, 25), slice(5, None), slice(0, 0)])
def test_a_target_that_is_not_gzipped_is_named(tmp_path, cut):
    path = write_target(tmp_path / "a.target.gz", "1 0 0 0\n" * 50)
    path.write_bytes(path.read_bytes()[cut])
    with pytest.raises(DataError, match=r"a\.target\.gz: expected"):
        read_target(path, 4)


def test_the_checkout_its_data_and_the_folder_around_it_name_the_same_files(checkout):
    files = makehuman_files(checkout)
    assert makehuman_files(checkout / "src" / "mpfb" / "data") == files
    assert makehuman_files(checkout.parent) == files
    assert all(file.is_file() for file in files.values())


@pytest.mark.parametrize("name", ["3dobjs/base.obj", "targets/nose/nose-hump-incr.target.gz"])
def test_a_missing_file_is_named_with_the_place_to_get_it(checkout, name):
    (checkout / "src" / "mpfb" / "data" / name).unlink()
    with pytest.raises(DataError, match="1 are missing") as error:
        makehuman_files(checkout)
    for part in (name, str(checkout), PROJECT):
        assert part in str(error.value)


def test_a_folder_that_is_something_else_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"3dobjs/base\.obj first"):
        makehuman_files(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("v 1 1 0", "v 1 one 0", "vertices, and quads"),
        ("f 1/1 2/1 3/1 4/1", "f 1/1 2/1 3/1", "vertices, and quads"),
        ("f 1/1 2/1 3/1 4/1", "f 1/1 2/1 three/1 4/1", "vertices, and quads"),
        ("g body", "g shoe", "none of body"),
        ("", "", "none of helper-l-eye"),
    ],
)
def test_a_damaged_base_mesh_is_named(checkout, old, new, complaint):
    file = checkout / "src" / "mpfb" / "data" / "3dobjs" / "base.obj"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(DataError, match=complaint) as error:
        read_makehuman(checkout)
    assert str(file) in str(error.value)


@pytest.fixture(scope="module")
def folder():
    named = os.environ.get("AFFECTVLM_DATA")
    data = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    found = data / "makehuman-cc0"
    if not found.is_dir():
        pytest.skip(f"no unpacked MakeHuman at {found}; unpack it and name the folder above it in AFFECTVLM_DATA")
    return found


@pytest.fixture(scope="module")
def model(folder):
    return read_makehuman(folder)


@pytest.fixture(scope="module")
def head(folder):
    """The unsubdivided targets, to compare with."""
    files = makehuman_files(folder)
    vertices, polygons = makehuman._read_base(files["base.obj"])
    vertices -= vertices[makehuman.NOSE_TIP]
    near = vertices[:, 1] > -makehuman.BELOW_NOSE_MM
    quads = np.concatenate([group[near[group].all(axis=1)] for group in polygons.values()])
    used, corners = np.unique(quads, return_inverse=True)
    return makehuman._Head(files, vertices, used, makehuman.subdivide(corners.reshape(-1, 4), len(used)))


def shape(model, name):
    return model.shapes[model.shape_names.index(name)]


def test_the_first_vertex_of_the_file_is_read_as_it_stands(folder):
    vertices, _ = makehuman._read_base(makehuman_files(folder)["base.obj"])
    assert vertices.shape == (19_158, 3)
    np.testing.assert_allclose(vertices[0], [-34.92, 732.99, 140.76])


def test_the_arrays_fit_each_other_and_are_finite(model):
    count = len(model.neutral)
    assert model.axes.shape == (len(model.axis_names), count, 3)
    assert model.shapes.shape == (len(model.shape_names), count, 3)
    assert len(set(model.axis_names)) == len(model.axis_names)
    assert (model.triangles.min(), model.triangles.max()) == (0, count - 1)
    assert model.uv_triangles.shape == model.triangles.shape
    assert model.uv_triangles.max() < len(model.uv)
    assert set(model.shape_changes) == set(ANCESTRIES)
    for array in (model.neutral, model.axes, model.shapes, model.uv, *model.shape_changes.values()):
        assert array.dtype == np.float32
        assert np.isfinite(array).all()
    assert set(np.unique(model.regions)) == {0, 1, 2, 3}


def test_nothing_moves_the_nose_tip_of_a_person_at_rest(model):
    tip = model.landmarks[30]
    np.testing.assert_array_equal(model.neutral[tip], 0)
    np.testing.assert_allclose(model.axes[:, tip], 0, atol=1e-5)


def test_landmarks_are_mirrored_and_run_from_brows_to_chin(model):
    points = model.neutral[model.landmarks]
    right, left = points[[i for i, _ in MIRRORED]], points[[i for _, i in MIRRORED]]
    assert (right[:, 0] < 0).all()
    assert (left[:, 0] > 0).all()
    assert np.linalg.norm(right * [-1, 1, 1] - left, axis=1).max() < 2
    np.testing.assert_allclose(points[[8, 27, 28, 29, 30, 33, 51, 57, 62, 66], 0], 0, atol=0.5)
    down = points[[19, 37, 41, 28, 29, 30, 33, 51, 62, 66, 57, 8], 1]
    assert (np.diff(down) < 0).all()
    assert (np.diff(points[:9, 1]) < 0).all()
    assert (model.regions[model.landmarks] == 0).all()
    assert len(set(LANDMARKS)) == 68


def test_left_and_right_halves_add_up_to_the_target(model, head):
    whole = head.smooth(
        sum(
            weight * head.target(f"expression/units/{ancestry}/mouth-elevation")
            for ancestry in ANCESTRIES.values()
            for weight in (makehuman.tables.ACTION_UNITS["AU10"]["mouth-elevation"] / 3,)
        )
    )
    np.testing.assert_allclose(shape(model, "AU10_L") + shape(model, "AU10_R"), whole, atol=1e-4)
    far = model.neutral[:, 0] < -makehuman.MIDLINE_BLEND_MM - 5
    np.testing.assert_allclose(shape(model, "AU10_L")[far], 0, atol=1e-3)


def test_left_and_right_shapes_mirror_at_the_landmarks(model):
    pairs = MIRRORED + [(b, a) for a, b in MIRRORED]
    mine, other = model.landmarks[[a for a, _ in pairs]], model.landmarks[[b for _, b in pairs]]
    for name in model.shape_names:
        if name.endswith("_L"):
            left, right = shape(model, name)[mine], shape(model, name[:-1] + "R")[other] * [-1, 1, 1]
            assert np.linalg.norm(left - right, axis=1).max() < 1.5, name


def test_a_person_of_one_ancestry_moves_as_its_own_units_say(model, head):
    for axis, word in ANCESTRIES.items():
        identity = np.zeros(len(model.axes))
        identity[model.axis_names.index(axis)] = 1
        np.testing.assert_allclose(model.shapes_of(identity), head.action_units(word), atol=1e-4)


def test_the_jaw_drops_and_the_eyes_close(model):
    at = model.landmarks
    chin = shape(model, "AU26")[at[8], 1]
    assert -30 < chin < -10
    closed = model.neutral + shape(model, "AU43_L") + shape(model, "AU43_R")
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        # As seen from the front: the closed upper lid bulges before the lower one.
        opening = model.neutral[at[upper], 1] - model.neutral[at[lower], 1]
        assert abs(closed[at[upper], 1] - closed[at[lower], 1]) < 0.3 * opening


def test_smiles_rise_frowns_fall_and_brows_go_their_way(model):
    corner, inner_brow, outer_brow = model.landmarks[[54, 22, 25]]
    assert (shape(model, "AU12_L")[corner, :2] > 3).all()
    assert shape(model, "AU15_L")[corner, 1] < -2
    assert shape(model, "AU1_L")[inner_brow, 1] > 2
    assert shape(model, "AU2_L")[outer_brow, 1] > 4
    assert shape(model, "AU4_L")[inner_brow, 1] < -2


def test_the_same_files_make_the_same_model(model, folder):
    assert read_makehuman(folder).fingerprint == model.fingerprint
