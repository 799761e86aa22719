"""What damaged files brought to light, one test each."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from affectvlm.datasets.action_units import read_occurrence
from affectvlm.datasets.folder import FolderDataset
from affectvlm.errors import AffectVLMError, ScanError, in_one_line
from affectvlm.scan import read_scan
from affectvlm.scan.picture_file import PictureFile

from .fixtures import Fixture, make_fixtures
from .mutators import glb, zipped


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory) -> dict[str, Fixture]:
    return make_fixtures(tmp_path_factory.mktemp("made"))


def laid_out(fixture: Fixture, folder: Path, **changed: bytes) -> Path:
    """Write the fixture's files, the first with what is changed in it."""
    for name, content in fixture.files.items():
        for old, new in changed.items():
            content = content.replace(old.encode(), new)
        (folder / name).write_bytes(content)
    return folder / fixture.main


def with_tree(fixture: Fixture, folder: Path, change) -> Path:
    """Write the ``.glb`` fixture with its tree changed."""
    content = fixture.files["face.glb"]
    length = struct.unpack_from("<I", content, 12)[0]
    tree = json.loads(content[20 : 20 + length])
    change(tree)
    path = folder / "face.glb"
    path.write_bytes(glb(json.dumps(tree).encode(), content[28 + length :]))
    return path


def test_a_textured_triangle_of_a_vertex_that_is_not_there(fixtures, tmp_path):
    content = fixtures["glb"].files["face.glb"]
    rows = content.index(struct.pack("<3H", 0, 11, 12))
    path = tmp_path / "face.glb"
    path.write_bytes(content[:rows] + struct.pack("<H", 40_000) + content[rows + 2 :])
    with pytest.raises(ScanError, match=r"face\.glb: triangles refer to vertices 0 to 40000, but there are 121"):
        read_scan(path)


@pytest.mark.parametrize("name", ["obj", "off", "ply, text", "stl, text", "wrl"])
@pytest.mark.filterwarnings("error")
def test_a_number_beyond_float32(fixtures, tmp_path, name):
    fixture = fixtures[name]
    path = tmp_path / fixture.main
    content = fixture.files[fixture.main]
    place = content.index(b"-50")
    path.write_bytes(content[:place] + b"-1e39 " + content[content.index(b" ", place) :])
    with pytest.raises(ScanError, match="not finite"):
        read_scan(path)


@pytest.mark.parametrize("line", ["v", "v 1", "v 1 2", "v x y z"])
def test_a_vertex_without_its_numbers(tmp_path, line):
    path = tmp_path / "face.obj"
    path.write_text(f"v 0 0 0\n{line}\nv 1 1 0\nf 1 2 3\n")
    with pytest.raises(ScanError, match=r"face\.obj: expected a OBJ mesh"):
        read_scan(path)


@pytest.mark.filterwarnings("error")
def test_two_places_in_infinity(tmp_path):
    path = tmp_path / "face.obj"
    path.write_text("v 1e39 0 0\nv 1e39 1 0\nv 1 1 0\nf 1 2 3\n")
    with pytest.raises(ScanError, match="2 of 3 vertices are not finite"):
        read_scan(path)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_a_nan_that_signals(fixtures, tmp_path):
    content = fixtures["ply, textured"].files["face.ply"]
    place = content.index(b"end_header\n") + len("end_header\n")
    path = tmp_path / "face.ply"
    path.write_bytes(content[:place] + struct.pack("<I", 0x7F800001) + content[place + 4 :])
    (tmp_path / "face.jpg").write_bytes(fixtures["ply, textured"].files["face.jpg"])
    with pytest.raises(ScanError, match="not finite"):
        read_scan(path)


@pytest.mark.parametrize("times", [50_000, 4_000_000_000])
def test_numbers_named_more_often_than_they_are_there(fixtures, tmp_path, times):
    def count(tree):
        tree["accessors"][0]["count"] = times
        del tree["accessors"][0]["bufferView"]

    def repeat(tree):
        tree["meshes"][0]["primitives"] *= times

    path = with_tree(fixtures["glb"], tmp_path, count if times > 10**6 else repeat)
    with pytest.raises(ScanError, match=r"face\.glb: announces meshes of .* bytes in a file of"):
        read_scan(path)


def test_a_mesh_of_few_triangles_and_many_points_placed_over_and_over(fixtures, tmp_path, monkeypatch):
    monkeypatch.setattr("affectvlm.scan.mesh_file.MAX_TRIANGLES", 1000)

    def place(tree):
        tree["accessors"][1]["count"] = 3
        tree["nodes"] = [{"mesh": 0}] * 9
        tree["scenes"] = [{"nodes": list(range(9))}]

    with pytest.raises(ScanError, match="more than 1000 triangles"):
        read_scan(with_tree(fixtures["glb"], tmp_path, place))


@pytest.mark.parametrize("name", ["x\0.bin", "\x1b[2J.bin", "é\u202e.bin", "a\nb.bin"])
def test_a_name_that_would_move_the_cursor(fixtures, tmp_path, name):
    path = laid_out(fixtures["gltf"], tmp_path, **{'"face.bin"': json.dumps(name).encode()})
    with pytest.raises(ScanError) as caught:
        read_scan(path)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["x\0.png", "\x1b[2J.png", "é\u202e.png", "\t.png"])
def test_a_warning_of_such_a_name(fixtures, tmp_path, name):
    path = laid_out(fixtures["obj, textured"], tmp_path, **{"face.png": name.encode()})
    with pytest.warns(UserWarning, match="face.obj") as said:
        assert read_scan(path).texture is None
    assert all(str(warning.message).isprintable() for warning in said)


@pytest.mark.parametrize("name", [b"\0", b"\x1b[2J", b"x" * 5000])
def test_a_ply_property_of_such_a_name(fixtures, tmp_path, name):
    path = laid_out(fixtures["ply"], tmp_path, **{"property float x": b"property float " + name})
    with pytest.raises(ScanError, match="expected vertices with x, y and z") as caught:
        read_scan(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300 + len(str(path))


def test_an_array_of_such_a_type(tmp_path):
    header = b"{'descr': '|\xad1', 'fortran_order': False, 'shape': (1, 1), }".ljust(117) + b"\n"
    npy = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    (tmp_path / "face.npz").write_bytes(zipped({"depth.npy": npy}))
    with pytest.raises(ScanError, match=r"face\.npz") as caught:
        read_scan(tmp_path / "face.npz")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("cell", ["\x7f", "1\x000", "\x1b[2J", "9" * 5000])
def test_a_cell_that_is_no_code(fixtures, tmp_path, cell):
    path = tmp_path / "F001_T1.csv"
    path.write_text(f"frame,AU01\n1,{cell}\n")
    with pytest.raises(AffectVLMError, match=r"F001_T1\.csv, line 2") as caught:
        read_occurrence(path)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300 + len(str(path))


@pytest.mark.parametrize("column", ["path", "subject", "emotion", "intensity", "sequence", "frame", "sex"])
def test_a_label_that_does_not_end(fixtures, tmp_path, column):
    names = ["path", "subject", "emotion", "intensity", "sequence", "frame", "sex"]
    cells = {"path": "face.obj", "subject": "F001", "emotion": "anger"} | {column: "9" * 5000}
    fixture = Fixture(
        {"labels.csv": f"{','.join(names)}\n{','.join(cells.get(n, '') for n in names)}\n".encode()}, print
    )
    laid_out(fixture, tmp_path)
    laid_out(fixtures["obj"], tmp_path)
    if column == "subject":
        assert FolderDataset(tmp_path).samples()[0].subject == "9" * 5000
        return
    with pytest.raises(AffectVLMError) as caught:
        FolderDataset(tmp_path).samples()
    assert len(str(caught.value)) < 1000 + 3 * len(str(tmp_path))


def test_a_picture_that_announces_what_its_bytes_cannot_hold(fixtures, tmp_path):
    content = fixtures["picture, bmp"].files["face.bmp"]
    path = tmp_path / "face.bmp"
    path.write_bytes(content[:18] + struct.pack("<ii", 8900, 8900) + content[26:])
    with pytest.raises(ScanError, match="8900 x 8900 pixels, which its 822 bytes cannot hold"):
        np.asarray(PictureFile(path))


def test_in_one_line():
    assert in_one_line("a\n  b\x1b[2J\tc\u202e") == "a b?[2J c?"
    assert in_one_line("x" * 500, 9) == "x" * 9
