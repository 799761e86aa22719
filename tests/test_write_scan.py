"""Scans are written as the data sets have them, whole or not at all, and read back as they were."""

import re
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affectvlm.errors import ScanError
from affectvlm.scan import FaceScan, read_scan
from affectvlm.scan.number_text import number_text
from affectvlm.scan.range_image import RangeImage
from affectvlm.scan.write import write_scan
from affectvlm.scan.write_bnt import write_bnt
from affectvlm.scan.write_landmarks import write_bnd, write_lm3

SIZE = 9


def seamed(texture: bool = True) -> FaceScan:
    """A bump whose left half lies on the picture's right half and the other way round: its middle column is a seam.

    Every number is a multiple of 1/64, which text holds exactly.
    """
    column, row = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    z = ((column - 4) ** 2 + (row - 4) ** 2) * -0.125
    vertices = np.stack([column - 4, 4 - row, z], axis=-1).reshape(-1, 3)
    corner = np.arange(SIZE * SIZE).reshape(SIZE, SIZE)
    a, b, c, d = (part.ravel() for part in (corner[:-1, :-1], corner[1:, :-1], corner[1:, 1:], corner[:-1, 1:]))
    triangles = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
    if not texture:
        return FaceScan(vertices, triangles)
    left, right = (np.stack([(column + shift) / 16 + 1 / 32, row / 16 + 1 / 4], axis=-1) for shift in (7, -4))
    uv = np.concatenate([left.reshape(-1, 2), right.reshape(-1, 2)])
    on_the_right = vertices[triangles, 0].mean(axis=1, keepdims=True) > 0
    checker = np.indices((32, 32)).sum(axis=0) % 2 * 200
    colours = np.stack([checker, np.arange(32 * 32).reshape(32, 32) // 4, 255 - checker], axis=-1).astype(np.uint8)
    return FaceScan(vertices, triangles, uv, triangles + on_the_right * SIZE * SIZE, colours)


def rough() -> FaceScan:
    """A face-sized surface with arbitrary coordinates."""
    shape = seamed()
    noise = np.random.default_rng(5).normal(0, 1, shape.vertices.shape)
    return FaceScan(shape.vertices * 23.4567 + noise, shape.triangles, shape.uv, shape.uv_triangles, shape.texture)


def vrml(path: Path) -> dict[str, object]:
    """What formats.md says of BU-3DFE's VRML, read independently of the package."""
    text = path.read_text()
    assert text.startswith("#VRML V2.0 utf8\n")
    assert text.count("{") == text.count("}")
    assert text.count("[") == text.count("]")

    def numbers(field: str) -> list[float]:
        found = re.findall(rf"\b{field}\s*\[([^\]]*)\]", text)
        assert len(found) == 1
        return [float(word) for word in re.split(r"[,\s]+", found[0]) if word]

    def polygons(field: str) -> np.ndarray:
        rows = np.array(numbers(field)).reshape(-1, 4)
        assert (rows[:, 3] == -1).all()
        return rows[:, :3].astype(int)

    found = {
        "points": np.array(numbers(r"coord\s+Coordinate\s*{\s*point")).reshape(-1, 3),
        "triangles": polygons("coordIndex"),
        "url": re.findall(r'ImageTexture\s*{\s*url\s+"([^"]*)"', text),
    }
    if "texCoord" in text:
        found["uv"] = np.array(numbers(r"texCoord\s+TextureCoordinate\s*{\s*point")).reshape(-1, 2)
        found["uv_triangles"] = polygons("texCoordIndex")
    return found


@pytest.mark.parametrize("picture", [".png", ".bmp", ".jpg"])
@pytest.mark.parametrize("suffix", [".ply", ".obj"])
@pytest.mark.filterwarnings("error")
def test_what_is_written_is_read_back_through_the_seam(tmp_path, suffix, picture):
    scan = seamed()
    path = tmp_path / f"face{suffix}"
    written = write_scan(path, scan, picture)
    back = read_scan(path)
    assert len(back.vertices) == SIZE * SIZE  # the seam has split none
    # The same places and colours at the same corners of the same triangles: whatever is drawn of it is the same.
    np.testing.assert_array_equal(back.vertices[back.triangles], scan.vertices[scan.triangles])
    np.testing.assert_array_equal(back.uv[back.uv_triangles], scan.uv[scan.uv_triangles])
    if picture == ".jpg":
        with Image.open(tmp_path / "face.jpg") as image:
            assert image.format == "JPEG"
        assert back.texture.shape == scan.texture.shape
    else:
        np.testing.assert_array_equal(back.texture, scan.texture)
    assert written[-1] == path
    assert sorted(tmp_path.iterdir()) == sorted(written)


@pytest.mark.parametrize("suffix", [".ply", ".obj"])
@pytest.mark.filterwarnings("error")
def test_a_range_image_comes_back_with_each_points_own_colour(tmp_path, suffix):
    scan = hilly_grid().mesh(1000)
    np.testing.assert_array_equal(scan.uv_triangles, scan.triangles)
    write_scan(tmp_path / f"grid{suffix}", scan)
    back = read_scan(tmp_path / f"grid{suffix}")
    np.testing.assert_array_equal(back.vertices[back.triangles], scan.vertices[scan.triangles])
    np.testing.assert_allclose(back.uv[back.uv_triangles], scan.uv[scan.uv_triangles], rtol=0, atol=5.1e-7)
    np.testing.assert_array_equal(back.texture, hilly_grid().texture)


def test_ply_names_places_at_vertices_only_where_there_is_no_seam(tmp_path):
    write_scan(tmp_path / "grid.ply", hilly_grid().mesh(1000))
    write_scan(tmp_path / "seam.ply", seamed())
    grid, seam = ((tmp_path / f"{name}.ply").read_bytes().split(b"end_header")[0] for name in ("grid", "seam"))
    assert b"texture_u" in grid
    assert b"texcoord" not in grid
    assert b"texture_u" not in seam
    assert b"texcoord" in seam


def test_a_smooth_picture_survives_as_jpeg(tmp_path):
    scan = seamed()
    smooth = np.indices((64, 64)).sum(axis=0)[..., None] * np.array([1.5, 1.0, 0.5]) + 20
    picture = smooth.astype(np.uint8)
    write_scan(tmp_path / "a.ply", FaceScan(scan.vertices, scan.triangles, scan.uv, scan.uv_triangles, picture), ".jpg")
    assert np.abs(np.asarray(read_scan(tmp_path / "a.ply").texture, float) - smooth).mean() < 2


@pytest.mark.parametrize(("suffix", "error"), [(".ply", 0), (".obj", 5.1e-5)])
def test_coordinates_are_kept_to_a_ten_thousandth(tmp_path, suffix, error):
    scan = rough()
    write_scan(tmp_path / f"face{suffix}", scan)
    back = read_scan(tmp_path / f"face{suffix}")
    difference = np.abs(back.vertices[back.triangles] - scan.vertices[scan.triangles])
    assert difference.max() <= error + 4e-6 * (error > 0)  # float32 at 100 mm
    assert (difference.max() == 0) == (suffix == ".ply")


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".wrl"])
def test_a_bare_mesh_is_one_file_that_names_no_other(tmp_path, suffix):
    scan = seamed(texture=False)
    path = tmp_path / f"face{suffix}"
    assert write_scan(path, scan) == [path]
    assert list(tmp_path.iterdir()) == [path]
    content = path.read_bytes()
    assert not any(word in content for word in (b"TextureFile", b"mtllib", b"usemtl", b"url", b"texCoord", b"vt "))
    if suffix == ".wrl":
        read = vrml(path)
        np.testing.assert_array_equal(read["points"], scan.vertices)
        np.testing.assert_array_equal(read["triangles"], scan.triangles)
        assert b"Material" in content  # or viewers would draw it without light
    else:
        back = read_scan(path)
        np.testing.assert_array_equal(back.vertices[back.triangles], scan.vertices[scan.triangles])
        assert back.texture is None


def test_vrml_holds_the_mesh_and_the_picture_apart_at_the_seam(tmp_path):
    scan = rough()
    path = tmp_path / "F0001_AN01WH_F3D.wrl"
    written = write_scan(path, scan, ".bmp")
    assert [file.name for file in written] == ["F0001_AN01WH_F3D.bmp", "F0001_AN01WH_F3D.wrl"]
    read = vrml(path)
    np.testing.assert_allclose(read["points"], scan.vertices, rtol=0, atol=5.1e-5)
    np.testing.assert_array_equal(read["triangles"], scan.triangles)
    np.testing.assert_allclose(read["uv"], scan.uv, rtol=0, atol=5.1e-7)
    np.testing.assert_array_equal(read["uv_triangles"], scan.uv_triangles)
    assert read["url"] == ["F0001_AN01WH_F3D.bmp"]
    with Image.open(written[0]) as image:
        assert image.format == "BMP"
        np.testing.assert_array_equal(np.asarray(image), scan.texture)


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".wrl"])
@pytest.mark.filterwarnings("error")
def test_files_name_each_other_without_a_path_and_with_spaces(tmp_path, suffix):
    folder = tmp_path / "my scans"
    path = folder / f"Frau Müller 1.2{suffix}"
    write_scan(path, seamed(), ".png")
    for file in folder.iterdir():
        if file.suffix != ".png":
            content = file.read_bytes()
            assert str(tmp_path).encode() not in content
            assert b"my scans" not in content
            wanted = "Frau Müller 1.2.mtl" if file.suffix == ".obj" else "Frau Müller 1.2.png"
            assert wanted.encode() in content
    if suffix == ".wrl":
        assert vrml(path)["url"] == ["Frau Müller 1.2.png"]
    else:
        np.testing.assert_array_equal(read_scan(path).texture, seamed().texture)


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".wrl"])
def test_the_same_scan_makes_the_same_bytes(tmp_path, suffix):
    for folder in ("a", "b"):
        write_scan(tmp_path / folder / f"face{suffix}", rough(), ".jpg")
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()


@pytest.mark.parametrize("suffix", [".ply", ".obj", ".wrl"])
def test_an_interrupted_write_leaves_no_mesh(tmp_path, suffix, monkeypatch):
    write_bytes = Path.write_bytes

    def cut_short(self: Path, content: bytes) -> int:
        write_bytes(self, content[: len(content) // 2])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", cut_short)
        with pytest.raises(KeyboardInterrupt):
            write_scan(tmp_path / f"face{suffix}", seamed())
    left = {file.suffix for file in tmp_path.iterdir()}
    assert left == ({".png", ".mtl"} if suffix == ".obj" else {".png"})
    with Image.open(tmp_path / "face.png") as image:
        np.testing.assert_array_equal(np.asarray(image), seamed().texture)


def test_an_interrupted_picture_leaves_nothing(tmp_path, monkeypatch):
    def cut_short(self, path, **options):
        Path(path).write_bytes(b"\x89PNG half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", cut_short)
    with pytest.raises(KeyboardInterrupt):
        write_scan(tmp_path / "face.wrl", seamed())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["face.stl", "face"])
def test_another_ending_is_refused(tmp_path, name):
    with pytest.raises(ScanError, match=r"ends in \.ply, \.obj or \.wrl, found ('\.stl'|'no ending')"):
        write_scan(tmp_path / name, seamed())
    assert list(tmp_path.iterdir()) == []


def test_numbers_are_written_as_python_writes_them():
    rng = np.random.default_rng(0)
    numbers = np.concatenate([rng.normal(0, 100, 3000), rng.uniform(-1e-3, 1e-3, 3000)]).reshape(-1, 3)
    wanted = "".join(f"v {x:.4f} {y:.4f} {z:.4f}\n" for x, y, z in numbers).replace("-0.0000", "0.0000")
    assert number_text(numbers, (b"v ", b" ", b" ", b"\n"), 4).decode() == wanted


@pytest.mark.parametrize(
    ("number", "decimals", "text"),
    [
        (0, 0, "0"),
        (-7, 0, "-7"),
        (1_000_000, 0, "1000000"),
        (9.99996, 4, "10.0000"),
        (-0.00004, 4, "0.0000"),
        (-0.00006, 4, "-0.0001"),
        (0.5, 1, "0.5"),
        (-123.25, 2, "-123.25"),
        (-1e9, 1, "-1000000000.0"),
    ],
)
def test_single_numbers(number, decimals, text):
    assert number_text(np.array([[number]]), (b"<", b">"), decimals) == f"<{text}>".encode()


def test_an_empty_table_is_no_text():
    assert number_text(np.empty((0, 3)), (b"", b" ", b" ", b"\n"), 4) == b""


def read_bnt(path: Path) -> tuple[float, str, np.ndarray]:
    """Background value, picture's name and (R, C, 5) table with the top row first, as formats.md describes them."""
    content = path.read_bytes()
    rows, columns, background, length = struct.unpack_from("<HHdH", content)
    assert struct.calcsize("<HHdH") == 14
    name = content[14 : 14 + length].decode("ascii")
    (count,) = struct.unpack_from("<I", content, 14 + length)
    assert count == 5 * rows * columns
    table = np.frombuffer(content, "<f8", offset=18 + length)
    assert len(table) == count
    return background, name, np.moveaxis(table.reshape(5, rows, columns)[:, ::-1], 0, -1)


def hilly_grid() -> RangeImage:
    column, row = np.meshgrid(np.arange(5.0), np.arange(4.0))
    points = np.stack([10 * column, -10 * row, 100 * row + column], axis=-1).astype(np.float32)
    points[0, 0] = points[3, 4] = points[1, 2] = np.nan
    return RangeImage(points, np.arange(60, dtype=np.uint8).reshape(4, 5, 3))


def test_bnt_has_the_bottom_row_first_and_the_background_at_zmin(tmp_path):
    image = hilly_grid()
    path = tmp_path / "bs000_E_HAPPY_0.bnt"
    assert write_bnt(path, image) == [tmp_path / "bs000_E_HAPPY_0.png", path]
    background, name, table = read_bnt(path)
    assert (background, name) == (-1e9, "bs000_E_HAPPY_0.png")
    np.testing.assert_array_equal(table[..., 2] == background, ~image.measured)
    assert (table[~image.measured][:, :3] == background).all()
    np.testing.assert_array_equal(table[image.measured][:, :3], image.points[image.measured])
    # z tells the row from the top: in the file the bottom row's first pixel is the very first.
    first_z = np.frombuffer(path.read_bytes(), "<f8", 1, offset=18 + len(name) + 2 * 8 * 20)
    assert first_z == image.points[3, 0, 2] == 300
    with Image.open(tmp_path / name) as picture:
        np.testing.assert_array_equal(np.asarray(picture), image.texture)


def test_bnt_points_find_their_own_pixel_in_the_picture(tmp_path):
    write_bnt(tmp_path / "a.bnt", hilly_grid())
    _, _, table = read_bnt(tmp_path / "a.bnt")
    u, v = table[..., 3], table[..., 4]
    assert u.min() > 0 < v.min()
    assert u.max() < 1 > v.max()
    row, column = np.indices((4, 5))
    np.testing.assert_array_equal(np.floor(u * 5), column)
    np.testing.assert_array_equal(np.floor(v * 4), row)


def test_bnt_without_colours_names_no_picture(tmp_path):
    assert write_bnt(tmp_path / "a.bnt", RangeImage(hilly_grid().points)) == [tmp_path / "a.bnt"]
    assert read_bnt(tmp_path / "a.bnt")[1] == ""
    assert list(tmp_path.iterdir()) == [tmp_path / "a.bnt"]


def test_bnd_rows_are_a_vertex_and_its_place(tmp_path):
    rng = np.random.default_rng(1)
    vertices, points = rng.integers(0, 35000, 83), rng.normal(0, 60, (83, 3)).astype(np.float32)
    write_bnd(tmp_path / "a.bnd", vertices, points)
    rows = [line.split() for line in (tmp_path / "a.bnd").read_text().splitlines()]
    assert [int(row[0]) for row in rows] == vertices.tolist()
    np.testing.assert_allclose(np.array([row[1:] for row in rows], float), points, rtol=0, atol=5.1e-5)


def test_lm3_is_a_count_and_labels_with_places_in_turn(tmp_path):
    points = np.array([[1.5, -2.25, 3.0], [0.125, 0.0, -90.0625]])
    write_lm3(tmp_path / "a.lm3", ["Nose tip", "Chin middle"], points)
    lines = (tmp_path / "a.lm3").read_text().splitlines()
    said = [line for line in lines if line.strip() and not line.startswith("#")]
    assert said == ["2 landmarks:", "Nose tip", "1.5000 -2.2500 3.0000", "Chin middle", "0.1250 0.0000 -90.0625"]
