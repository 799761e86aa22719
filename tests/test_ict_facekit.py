"""ICT-FaceKit's own files: a kit of four vertices with known answers, and the real kit where it is there."""

import os
from pathlib import Path

import numpy as np
import pytest

from affectvlm.errors import DataError
from affectvlm.synthesis import ict_facekit
from affectvlm.synthesis.face_model import REGIONS
from affectvlm.synthesis.ict_facekit import PROJECT, read_ict_facekit
from affectvlm.synthesis.texture.uv_atlas import MARGIN

# The real layout: a licence as comments, all vertices, all texture coordinates, polygons by material. The fifth vertex
# and the third polygon stand for the lashes, which follow the part that is used.
HEADER = "######\n#    #\n# ICT FaceKit #\n######\n\nmtllib ICTFaceModelMaterial.mtl\n"
NEUTRAL = np.array([[0, 0, 1], [1, 0, 1], [1, 2, 3], [0, 1, 1], [9, 9, 9]], float)  # units of 10 mm
UV = "vt 0 0\nvt 0.5 0\nvt 0.5 0.25\nvt 0 0.25\nvt 0.75 1\n"
FACES = "usemtl M_Face\nf 1/1 2/2 3/3 4/4\nf 4/4 3/5 1/1\nusemtl M_EyeLashes\nf 5/5 1/1 2/2\n"
SHIFT = {"identity000": 5.0, "identity001": -7.0}
SHIFT |= {"mouthPress_L": 1.0, "mouthPress_R": 2.0, "mouthRollLower": 3.0, "mouthRollUpper": 4.0, "jawOpen": 6.0}
"""Mesh -> how far its first vertex is moved along x, in units; all others are as the neutral mesh."""


def write_mesh(path: Path, vertices: np.ndarray) -> None:
    lines = "".join(f"v {x:g} {y:g} {z:g}\n" for x, y, z in vertices)
    path.write_text(HEADER + lines + UV + FACES)


@pytest.fixture
def kit(tmp_path, monkeypatch):
    """A whole kit of five vertices, of which four are used."""
    monkeypatch.setattr(ict_facekit, "VERTICES", 4)
    monkeypatch.setattr(ict_facekit, "POLYGONS", 2)
    monkeypatch.setattr(ict_facekit, "NOSE_TIP", 2)
    monkeypatch.setattr(ict_facekit, "PARTS", ((3, "skin"), (4, "eyes")))
    monkeypatch.setattr(ict_facekit, "AXES", 2)
    folder = tmp_path / "ICT-FaceKit"
    (folder / "FaceXModel").mkdir(parents=True)
    for name in ("generic_neutral_mesh", "identity000", "identity001", *ict_facekit._arkit_names()):
        vertices = NEUTRAL.copy()
        vertices[0, 0] += SHIFT.get(name, 0.0)
        write_mesh(folder / "FaceXModel" / f"{name}.obj", vertices)
    return folder


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p.relative_to(folder)): (p.stat().st_size, p.stat().st_mtime_ns) for p in folder.rglob("*")}


def test_the_neutral_face_is_in_millimetres_with_the_nose_tip_at_the_origin(kit):
    model = read_ict_facekit(kit)
    np.testing.assert_array_equal(model.neutral, [[-10, -20, -20], [0, -20, -20], [0, 0, 0], [-10, -10, -20]])
    assert model.neutral.dtype == np.float32


def test_quads_become_two_triangles_and_what_follows_the_used_part_is_left_out(kit):
    model = read_ict_facekit(kit)
    np.testing.assert_array_equal(model.triangles, [[0, 1, 2], [0, 2, 3], [3, 2, 0]])
    np.testing.assert_array_equal(model.uv_triangles, [[0, 1, 2], [0, 2, 3], [3, 4, 0]])
    # One picture stays as it is, but for a margin.
    expected = MARGIN + (1 - 2 * MARGIN) * np.array([[0, 0], [0.5, 0], [0.5, 0.25], [0, 0.25], [0.75, 1]])
    np.testing.assert_allclose(model.uv, expected, atol=1e-6)


def test_parts_of_the_mesh_are_told_apart(kit):
    assert [REGIONS[region] for region in read_ict_facekit(kit).regions] == ["skin", "skin", "skin", "eyes"]


def test_axes_are_differences_from_the_neutral_face(kit):
    model = read_ict_facekit(kit)
    assert model.axis_names == ("identity000", "identity001")
    expected = np.zeros((2, 4, 3))
    expected[:, 0, 0] = [50, -70]
    np.testing.assert_allclose(model.axes, expected, atol=1e-5)


def test_an_action_unit_is_its_shapes_weighted_and_parts_without_sides_are_halved(kit):
    model = read_ict_facekit(kit)
    moved = dict(zip(model.shape_names, model.shapes[:, 0, 0], strict=True))
    # AU23: 0.5 mouthPress of the side, and half of 0.25 x (mouthRollLower + mouthRollUpper).
    assert moved["AU23_L"] == pytest.approx(0.5 * 10 + 0.125 * (30 + 40))
    assert moved["AU23_R"] == pytest.approx(0.5 * 20 + 0.125 * (30 + 40))
    assert moved["AU24_L"] == pytest.approx(10)
    assert moved["AU26"] == pytest.approx(0.6 * 60)
    assert moved["AU27"] == pytest.approx(60)
    assert moved["AU28"] == pytest.approx(30 + 40)
    touched = ("AU23", "AU24", "AU26", "AU27", "AU28")
    others = [value for name, value in moved.items() if name[:4] not in touched]
    np.testing.assert_allclose(others, 0, atol=1e-5)
    np.testing.assert_allclose(model.shapes[:, 1:], 0, atol=1e-5)


def test_units_have_sides_exactly_where_a_shape_of_theirs_has(kit):
    names = set(read_ict_facekit(kit).shape_names)
    without_sides = {"AU17", "AU18", "AU22", "AU26", "AU27", "AU28", "AU29", "AU30_L", "AU30_R"}
    sided = {unit + side for unit in set(ict_facekit.ACTION_UNITS) - without_sides for side in ("_L", "_R")}
    assert names == without_sides | sided


def test_both_sides_together_are_the_whole_action(kit):
    model = read_ict_facekit(kit)
    shape = dict(zip(model.shape_names, model.shapes, strict=True))
    whole = 0.5 * (10 + 20) + 0.25 * 30 + 0.25 * 40
    assert (shape["AU23_L"] + shape["AU23_R"])[0, 0] == pytest.approx(whole)


def test_the_inner_folder_may_be_named_instead(kit):
    outer, inner = (read_ict_facekit(folder) for folder in (kit, kit / "FaceXModel"))
    np.testing.assert_array_equal(outer.shapes, inner.shapes)


@pytest.mark.parametrize("name", ["generic_neutral_mesh", "identity001", "jawOpen", "mouthSmile_R"])
def test_a_missing_file_is_named_with_the_place_to_get_it(kit, name):
    (kit / "FaceXModel" / f"{name}.obj").unlink()
    with pytest.raises(DataError) as error:
        read_ict_facekit(kit)
    assert f"{name}.obj" in str(error.value)
    assert str(kit) in str(error.value)
    assert PROJECT in str(error.value)


def test_a_folder_that_is_something_else_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"generic_neutral_mesh\.obj first"):
        read_ict_facekit(tmp_path)


def cut_in_the_vertices(text: str) -> str:
    return text[: text.index("v 1 2 3")]


def cut_before_the_faces(text: str) -> str:
    return text[: text.index("usemtl")]


def cut_in_a_face(text: str) -> str:
    return text[: text.index("f 4/4 3") + 6]


DAMAGES = {
    "empty": lambda text: "",
    "another text": lambda text: "this is no mesh\n",
    "cut in the vertices": cut_in_the_vertices,
    "too few vertices": lambda text: text.replace("v 1 2 3\n", "").replace("v 9 9 9\n", ""),
    "a vertex that is no number": lambda text: text.replace("v 1 2 3", "v 1 two 3"),
    "a vertex that is not finite": lambda text: text.replace("v 1 2 3", "v 1 nan 3"),
    "cut before the faces": cut_before_the_faces,
    "cut in a face": cut_in_a_face,
    "a face without texture": lambda text: text.replace("f 1/1 2/2 3/3 4/4", "f 1 2 3 4"),
    "a face that is no number": lambda text: text.replace("f 1/1", "f a/b"),
    "a face of a vertex that is not there": lambda text: text.replace("f 1/1", "f 700/1"),
    "a face of a uv that is not there": lambda text: text.replace("f 1/1", "f 1/700"),
    "a uv that is no number": lambda text: text.replace("vt 0.5 0\n", "vt 0.5 x\n"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_neutral_mesh_is_named(kit, damage):
    file = kit / "FaceXModel" / "generic_neutral_mesh.obj"
    file.write_text(damage(file.read_text()))
    with pytest.raises(DataError) as error:
        read_ict_facekit(kit)
    assert str(file) in str(error.value)
    assert PROJECT in str(error.value)


def test_a_damaged_shape_is_named(kit):
    file = kit / "FaceXModel" / "jawOpen.obj"
    file.write_text(cut_in_the_vertices(file.read_text()))
    with pytest.raises(DataError, match=r"jawOpen\.obj: expected at least 4 vertices, found 2"):
        read_ict_facekit(kit)


def test_the_kit_is_left_as_it_is(kit):
    before = contents(kit)
    read_ict_facekit(kit)
    assert contents(kit) == before


@pytest.fixture(scope="module")
def real_kit():
    named = os.environ.get("AFFECTVLM_DATA")
    data = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    folder = data / "ict-facekit"
    if not (folder / "FaceXModel").is_dir():
        pytest.skip(f"no unpacked ICT-FaceKit at {folder}; unpack it and name the folder above it in AFFECTVLM_DATA")
    return folder


@pytest.mark.slow
def test_the_real_kit_is_a_face_in_millimetres_with_shapes_on_their_sides(real_kit):
    model = read_ict_facekit(real_kit)
    assert model.neutral.shape == (24_591, 3)
    assert model.axes.shape == (100, 24_591, 3)
    assert (model.triangles.min(), model.triangles.max()) == (0, 24_590)
    assert model.uv_triangles.max() < len(model.uv)
    assert np.bincount(model.regions).tolist() == [9409 + 1839 + 768, 3140, 2046 + 2977, 4412]
    # The landmarks are on the subject's right first, and mirrored pairs are at mirrored places.
    points = model.neutral[model.landmarks]
    assert np.all(points[[0, 17, 36, 48], 0] < -20)
    for right, left in ((0, 16), (17, 26), (21, 22), (36, 45), (39, 42), (31, 35), (48, 54), (60, 64)):
        np.testing.assert_allclose(points[left] * [-1, 1, 1], points[right], atol=2)
    low, high = model.neutral.min(axis=0), model.neutral.max(axis=0)
    assert np.all(high - low > 140)
    assert np.all(high - low < 400)
    # Nothing of the face itself lies before the nose tip, and +y is up: the mean of the brows' shapes is above it.
    assert high[2] < 2
    displacement = {
        name: np.linalg.norm(shape, axis=1) for name, shape in zip(model.shape_names, model.shapes, strict=True)
    }
    assert model.neutral[displacement["AU1_L"] > 1, 1].min() > 0
    assert model.neutral[displacement["AU26"] > 5, 1].max() < 20
    for name, moved in displacement.items():
        assert moved.max() > 0.5, name
        side = {"_L": 1, "_R": -1}.get(name[-2:], 0) if not name.startswith("AU30") else 0
        x = np.average(model.neutral[:, 0], weights=moved)
        assert side * x > 5 if side else abs(x) < 1, name
    # Smiling draws the corner of the mouth up and out; the jaw's opening lowers the chin.
    left_smile = model.shapes[model.shape_names.index("AU12_L")]
    corner = left_smile[np.linalg.norm(left_smile, axis=1).argmax()]
    assert corner[0] > 0
    assert corner[1] > 0
    jaw = model.shapes[model.shape_names.index("AU26")]
    assert jaw[np.linalg.norm(jaw, axis=1).argmax(), 1] < -10
