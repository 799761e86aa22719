"""PLY of every kind: text and both byte orders, any order of properties, polygons of several lengths."""

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affectvlm.errors import ScanError
from affectvlm.scan import FaceScan, read_scan

POINTS = [[0, 0, 0], [1, 0, 0], [1, 1, 0.5], [0, 1, 0], [2, 0.5, -3]]
POLYGONS = [[0, 1, 2, 3], [1, 4, 2]]
TRIANGLES = [[0, 1, 2], [0, 2, 3], [1, 4, 2]]
PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)

FORMATS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
CODES = {"char": "b", "uchar": "B", "short": "h", "ushort": "H", "int": "i", "uint": "I", "float": "f", "double": "d"}

Value = float | list[float]


def ply(
    form: str, elements: dict[str, tuple[list[str], list[list[Value]]]], comments: str = "", end: str = "\n"
) -> bytes:
    """A PLY file; a property is written as it stands in the header, such as ``list uchar int vertex_indices``."""
    header = ["ply", f"format {form} 1.0", *comments.splitlines()]
    body = b""
    for name, (properties, rows) in elements.items():
        header += [f"element {name} {len(rows)}", *(f"property {line}" for line in properties)]
        for row in rows:
            words = []
            for line, value in zip(properties, row, strict=True):
                kinds = line.split()[:-1]
                values = value if isinstance(value, list) else [value]
                if kinds[0] == "list":
                    words.append((kinds[1], len(values)))
                words += [(kinds[-1], number) for number in values]
            if form == "ascii":
                body += (" ".join(f"{number:g}" for _, number in words) + end).encode()
            else:
                body += b"".join(struct.pack(FORMATS[form] + CODES[kind], number) for kind, number in words)
    return (end.join([*header, "end_header"]) + end).encode() + body


def mesh(form: str, **changes: object) -> bytes:
    elements = {
        "vertex": (["float x", "float y", "float z"], POINTS),
        "face": (["list uchar int vertex_indices"], [[polygon] for polygon in POLYGONS]),
    }
    return ply(form, elements | changes)


def read(folder: Path, content: bytes) -> FaceScan:
    (folder / "a.ply").write_bytes(content)
    return read_scan(folder / "a.ply")


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.filterwarnings("error")
def test_triangles_and_quads_may_be_mixed(tmp_path: Path, form: str) -> None:
    scan = read(tmp_path, mesh(form))
    np.testing.assert_array_equal(scan.vertices, np.array(POINTS, np.float32))
    np.testing.assert_array_equal(scan.triangles, TRIANGLES)
    assert scan.texture is None
    assert scan.colours is None


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.filterwarnings("error")
def test_properties_and_elements_of_any_kind_and_order(tmp_path: Path, form: str) -> None:
    vertex = (
        [
            "uchar blue",
            "double z",
            "list ushort short extra",
            "float y",
            "uchar red",
            "short quality",
            "double x",
            "uchar green",
        ],
        [[10 + i, z, [7] * i, y, 30 + i, -5, x, 20 + i] for i, (x, y, z) in enumerate(POINTS)],
    )
    face = (["int flags", "list int uint vertex_index", "float area"], [[9, polygon, 0.5] for polygon in POLYGONS])
    camera = (["float view_px", "list uchar float k"], [[1.5, [1.0, 2.0]]])
    content = ply(
        form, {"camera": camera, "face": face, "vertex": vertex}, "comment made by hand\nobj_info nothing", "\r\n"
    )
    scan = read(tmp_path, content)
    np.testing.assert_array_equal(scan.vertices, np.array(POINTS, np.float32))
    np.testing.assert_array_equal(scan.triangles, TRIANGLES)
    np.testing.assert_array_equal(scan.colours, [[30 + i, 20 + i, 10 + i] for i in range(5)])


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ["face.png", "my face.png"])
@pytest.mark.filterwarnings("error")
def test_places_at_the_corners_as_meshlab_writes_them(tmp_path: Path, form: str, name: str) -> None:
    Image.fromarray(PIXELS).save(tmp_path / name)
    places = [[[0, 0], [0.25, 0], [0.25, 0.5], [0, 0.5]], [[0.5, 0], [1, 0.25], [0.5, 0.5]]]
    elements = {
        "vertex": (["float x", "float y", "float z"], POINTS),
        "face": (
            ["list uchar int vertex_indices", "list uchar float texcoord"],
            [[polygon, [x for place in at for x in place]] for polygon, at in zip(POLYGONS, places, strict=True)],
        ),
    }
    scan = read(tmp_path, ply(form, elements, f"comment VCGLIB generated\ncomment TextureFile {name}"))
    np.testing.assert_array_equal(scan.vertices[scan.triangles], np.array(POINTS, np.float32)[TRIANGLES])
    a, b = places
    np.testing.assert_array_equal(scan.uv[scan.uv_triangles], [[a[0], a[1], a[2]], [a[0], a[2], a[3]], b])
    assert scan.texture.path == tmp_path / name


@pytest.mark.parametrize("names", [("texture_u", "texture_v"), ("s", "t"), ("u", "v")])
@pytest.mark.filterwarnings("error")
def test_places_at_the_vertices(tmp_path: Path, names: tuple[str, str]) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "face.png")
    rows = [[*point, i / 8, 1 - i / 8] for i, point in enumerate(POINTS)]
    vertex = ([f"float {name}" for name in ("x", "y", "z", *names)], rows)
    face = (["list uchar int vertex_indices"], [[polygon] for polygon in POLYGONS])
    scan = read(tmp_path, ply("binary_big_endian", {"vertex": vertex, "face": face}, "comment TextureFile face.png"))
    np.testing.assert_array_equal(scan.uv[scan.uv_triangles], np.array(rows, np.float32)[TRIANGLES][..., 3:])
    np.testing.assert_array_equal(scan.texture, PIXELS)


def test_colours_as_fractions(tmp_path: Path) -> None:
    properties = ["float x", "float y", "float z", "float red", "float green", "float blue"]
    rows = [[*point, 1.0, 0.2, 0.0] for point in POINTS]
    for form in FORMATS:
        assert read(tmp_path, mesh(form, vertex=(properties, rows))).colours.tolist() == [[255, 51, 0]] * 5


def test_what_is_odd_is_said_and_the_shape_is_used(tmp_path: Path) -> None:
    face = (["list uchar int vertex_indices"], [[[0, 1]], *([polygon] for polygon in POLYGONS)])
    with pytest.warns(UserWarning, match="1 faces of fewer than 3 corners are left out"):
        np.testing.assert_array_equal(read(tmp_path, mesh("ascii", face=face)).triangles, TRIANGLES)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"solid stl", "expected a PLY mesh, found no whole header"),
        (b"ply\nformat ascii 1.0\n", "expected a PLY mesh, found no whole header"),
        (mesh("ascii").replace(b"ascii", b"binary"), "line 2: expected a line of a PLY header, found"),
        (mesh("ascii").replace(b"float z", b"triple z"), "found 'property triple z'"),
        (mesh("ascii").replace(b"vertex 5", b"vertex five"), "line 3: expected a line of a PLY header"),
        (mesh("ascii").replace(b"vertex 5", b"vertex -5"), "announces -5 of 'vertex'"),
        (mesh("ascii").replace(b"float z", b"float w"), "expected vertices with x, y and z, found x, y, w"),
        (mesh("ascii").replace(b"1 1 0.5", b"1 nan 0.5"), "line 12: expected a number, found 'nan'"),
        (mesh("ascii")[:-8], "expected 2 of 'face', found the file to end before"),
        (mesh("binary_little_endian")[:-1], "expected 2 of 'face', found the file to end before"),
        (mesh("ascii", face=(["list uchar int vertex_indices"], [[[0, 1, 5]]])), "vertices 0 to 4, found 0 to 5"),
        (mesh("ascii", face=(["list uchar int vertex_indices"], [[[0, -1, 2]]])), "vertices 0 to 4, found -1 to 2"),
        (mesh("ascii", face=(["list uchar int vertex_indices"], [])), "5 points without a surface"),
        (mesh("ascii").replace(b"face 2", b"face 90000000"), "announces 90000000 of 'face'"),
        (mesh("binary_little_endian").replace(b"vertex 5", b"vertex 4294967295"), "announces 4294967295 of 'vertex'"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_a_broken_file_is_one_clear_line(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(ScanError) as caught:
        read(tmp_path, content)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path / 'a.ply'}: ")
    assert "\n" not in str(caught.value)


def test_mutations_end_in_a_scan_or_in_one_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(12)
    outcomes = {"scan": 0, "error": 0}
    wholes = [mesh(form) for form in FORMATS]
    for _ in range(600):
        content = bytearray(wholes[rng.integers(3)])
        for _ in range(rng.integers(1, 4)):
            at, length = int(rng.integers(len(content))), int(rng.integers(1, 30))
            match rng.integers(3):
                case 0:
                    content[at] = rng.integers(256)
                case 1:
                    del content[at : at + length]
                case 2:
                    content[at:at] = content[at : at + length]
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            warnings.simplefilter("ignore", UserWarning)
            try:
                assert isinstance(read(tmp_path, bytes(content)), FaceScan)
                outcomes["scan"] += 1
            except ScanError:
                outcomes["error"] += 1
    assert min(outcomes.values()) > 20
