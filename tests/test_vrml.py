"""VRML as BU-3DFE and BU-4DFE write it, and as nobody should."""

import gzip
import itertools
import re
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from affectvlm.errors import ScanError
from affectvlm.scan import FaceScan, normalize, read_scan, write_scan
from affectvlm.scan.number_list import read_indices, read_numbers
from affectvlm.scan.picture_file import PictureFile
from affectvlm.scan.polygons import fan
from affectvlm.synthesis.embedded import embedded_face

PIXELS = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)

SQUARE = [[0, 0, 0], [1, 0, 0], [1, 1, 0.5], [0, 1, 0]]

PLAIN = b"#VRML V2.0 utf8\nShape { geometry IndexedFaceSet { coord Coordinate { point [ %s ] } coordIndex [ %s ] } }\n"
POINTS = b"0 0 0, 1 0 0, 1 1 0.5, 0 1 0"

BU_3DFE = (
    b"#VRML V2.0 utf8\r\n"
    b'# Produced by a scanner: point [ 9 9 9 ] stands in a comment, and "this is not closed\r\n'
    b'WorldInfo { title "coordIndex [ 0, 1, 2, -1 ]" info [ "a } b", "c \\" ] d" ] }\r\n'
    b'NavigationInfo { type [ "EXAMINE", "ANY" ] headlight TRUE speed 1.0 }\r\n'
    b'Viewpoint { position 0 0 400.5 orientation 0 0 1 0 description "front" }\r\n'
    b"DEF face Group {\r\n children [\r\n  Shape {\r\n"
    b"   appearance Appearance {\r\n    material Material { diffuseColor 1 1 1 }\r\n"
    b'    texture ImageTexture { url "F0001_AN01WH_F3D.bmp" repeatS FALSE }\r\n   }\r\n'
    b"   geometry IndexedFaceSet {\r\n    ccw TRUE solid FALSE creaseAngle 1.57\r\n"
    b"    coord Coordinate {\r\n     point [\r\n"
    b"\t\t0.000000\t\t0.000000\t\t0.000000,\r\n\t\t1.000000 0.000000 0.000000, # the second\r\n"
    b"\t\t1.0,1e0,5e-1,\r\n\t\t+0. 1. -0,\r\n     ]\r\n    }\r\n"
    b"    coordIndex [\r\n     0, 1, 2, 3, -1,\r\n    ]\r\n"
    b"    texCoord TextureCoordinate {\r\n     point [ 0 0, 0.25 0, .25 .25, 0 0.25 ]\r\n    }\r\n"
    b"    texCoordIndex [ 0 1 2 3 -1 ]\r\n   }\r\n  }\r\n ]\r\n}\r\n"
)

BU_4DFE = (
    b"#VRML V2.0 utf8\n\nTransform { children [ Shape {\n"
    b'appearance Appearance { texture ImageTexture { url [ "D:\\\\out\\\\F001\\\\000.jpg" ] } }\n'
    b"geometry IndexedFaceSet {\ncoord Coordinate { point [\n0 0 0,1 0 0,1 1 0.5,0 1 0,\n] }\n"
    b"texCoord TextureCoordinate { point [\n0 0,.25 0,.25 .25,0 .25,\n] }\n"
    b"coordIndex [\n0,1,2,-1,\n0,2,3,-1\n]\ntexCoordIndex [\n0,1,2,-1,\n0,2,3\n]\n} } ] }\n"
)


def written(folder: Path, content: bytes, name: str = "a.wrl") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def square(scan: FaceScan) -> None:
    """The square of the fixtures, with its two triangles."""
    np.testing.assert_array_equal(scan.vertices, np.array(SQUARE, np.float32))
    np.testing.assert_array_equal(scan.triangles, [[0, 1, 2], [0, 2, 3]])


@pytest.mark.filterwarnings("error")
def test_a_scan_of_bu3dfe(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "F0001_AN01WH_F3D.bmp")
    scan = read_scan(written(tmp_path, BU_3DFE, "F0001_AN01WH_F3D.wrl"))
    square(scan)
    np.testing.assert_array_equal(scan.uv, [[0, 0], [0.25, 0], [0.25, 0.25], [0, 0.25]])
    np.testing.assert_array_equal(scan.uv_triangles, [[0, 1, 2], [0, 2, 3]])
    assert isinstance(scan.texture, PictureFile)
    np.testing.assert_array_equal(scan.texture, PIXELS)
    assert scan.colours is None


@pytest.mark.filterwarnings("error")
def test_a_frame_of_bu4dfe_finds_its_picture_by_its_own_name(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "017.jpg")
    scan = read_scan(written(tmp_path, BU_4DFE, "017.wrl"))
    square(scan)
    np.testing.assert_array_equal(scan.uv_triangles, scan.triangles)
    assert scan.texture.path == tmp_path / "017.jpg"
    assert scan.texture.shape == (4, 6, 3)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["a.wrl.gz", "a.vrml.gz", "a.wrz", "a.WRL", "only_called.wrl"])
def test_gzip_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    Image.fromarray(PIXELS).save(tmp_path / f"{name.split('.')[0]}.PNG")
    scan = read_scan(written(tmp_path, gzip.compress(BU_4DFE), name))
    square(scan)
    assert scan.texture.shape == (4, 6, 3)


@pytest.mark.parametrize("picture", [".png", ".bmp", ".jpg"])
@pytest.mark.filterwarnings("error")
def test_what_the_package_writes_is_read_back(tmp_path: Path, picture: str) -> None:
    rng = np.random.default_rng(4)
    vertices = rng.normal(0, 100, (500, 3))
    triangles = rng.integers(0, 500, (900, 3))
    uv = rng.uniform(0, 1, (700, 2))
    scan = FaceScan(vertices, triangles, uv, rng.integers(0, 700, (900, 3)), PIXELS)
    write_scan(tmp_path / "a.wrl", scan, picture)
    back = read_scan(tmp_path / "a.wrl")
    # Exactly the digits that were written: four of a coordinate, six of a place in the picture.
    np.testing.assert_array_equal(back.vertices, np.round(scan.vertices.astype(float), 4).astype(np.float32))
    np.testing.assert_array_equal(back.uv, np.round(scan.uv.astype(float), 6).astype(np.float32))
    np.testing.assert_array_equal(back.triangles, scan.triangles)
    np.testing.assert_array_equal(back.uv_triangles, scan.uv_triangles)
    assert back.texture.path == tmp_path / f"a{picture}"
    if picture != ".jpg":
        np.testing.assert_array_equal(back.texture, PIXELS)


def face_nodes(scan: FaceScan, pieces: list[np.ndarray]) -> bytes:
    """VRML with a node for each piece (rows of triangles), which repeats the vertices at its seams."""
    nodes = []
    for piece in pieces:
        used, corners = np.unique(scan.triangles[piece], return_inverse=True)
        points = " ".join(map(repr, scan.vertices[used].ravel().tolist()))
        indices = " -1 ".join(" ".join(map(str, row)) for row in corners.reshape(-1, 3).tolist())
        nodes.append((PLAIN % (points.encode(), indices.encode())).partition(b"\n")[2])
    return b"#VRML V2.0 utf8\n" + b"".join(nodes)


@pytest.mark.filterwarnings("error")
def test_a_face_in_pieces_is_the_same_face(tmp_path: Path) -> None:
    """Cut into nodes of too few vertices to be kept alone, or with three vertices for each triangle."""
    model = embedded_face()
    whole = FaceScan(model.neutral, model.triangles)
    rows = np.arange(len(whole.triangles))
    expected = normalize(read_scan(written(tmp_path, face_nodes(whole, [rows])))).face
    for count in (2, 30, 150):
        scan = read_scan(written(tmp_path, face_nodes(whole, np.array_split(rows, count))))
        assert len(scan.vertices) > len(whole.vertices)
        np.testing.assert_array_equal(scan.vertices[scan.triangles], whole.vertices[whole.triangles])
        same_surface(normalize(scan).face, expected)
    points = " ".join(map(repr, whole.vertices[whole.triangles].ravel().tolist())).encode()
    indices = " -1 ".join(f"{3 * row} {3 * row + 1} {3 * row + 2}" for row in rows).encode()
    scan = read_scan(written(tmp_path, PLAIN % (points, indices)))
    assert len(scan.vertices) == 3 * len(rows)
    same_surface(normalize(scan).face, expected)


def same_surface(scan: FaceScan, expected: FaceScan) -> None:
    """Within what the pose differs by when the same vertices come in another order."""
    np.testing.assert_allclose(scan.vertices[scan.triangles], expected.vertices[expected.triangles], atol=0.1)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("again", [b"0 2 1 -1 3 2 0 -1", b"1 2 0 -1 0 3 2 -1", b"4 3 2 -1 2 1 4 -1"])
def test_a_triangle_that_is_there_again_either_way_round_is_left_out(tmp_path: Path, again: bytes) -> None:
    places = b" -1 ] texCoord TextureCoordinate { point [ 0 0, 1 0, 1 1, 0 1, 0.5 0.5 ] } solid [ "
    scan = read_scan(written(tmp_path, PLAIN % (POINTS + b" 0 0 0", b"0 1 2 -1 " + again + b" 0 2 3" + places)))
    assert sorted(sorted(row) for row in scan.triangles.tolist()) == [[0, 1, 2], [0, 2, 3]]
    assert scan.triangles[0].tolist() == [0, 1, 2]  # the first stays
    assert len(scan.vertices) == 5
    np.testing.assert_array_equal(scan.uv_triangles[0], [0, 1, 2])
    assert len(scan.uv_triangles) == 2


@pytest.mark.filterwarnings("error")
def test_a_face_with_two_sides_is_a_face(tmp_path: Path) -> None:
    model = embedded_face()
    one = FaceScan(model.neutral, model.triangles)
    two = FaceScan(model.neutral, np.concatenate([model.triangles, model.triangles[:, ::-1]]))
    for name in ("a.wrl", "a.ply"):
        write_scan(tmp_path / f"two_{name}", two)
        write_scan(tmp_path / name, one)
        faces = [normalize(read_scan(tmp_path / file)).face for file in (f"two_{name}", name)]
        same_surface(*faces)


@pytest.mark.filterwarnings("error")
def test_rows_are_kept_though_vertices_repeat_or_are_not_used(tmp_path: Path) -> None:
    """Landmark files count the file's vertices."""
    scan = read_scan(written(tmp_path, PLAIN % (b"7 7 7 " + POINTS + b" 0 0 0", b"1 2 3 -1 5 3 4 -1")))
    assert scan.vertices.tolist() == [[7, 7, 7], *SQUARE, [0, 0, 0]]
    assert scan.triangles.tolist() == [[1, 2, 3], [1, 3, 4]]  # but the triangles meet where the file repeats a place


@pytest.mark.parametrize(
    ("indices", "triangles"),
    [
        (b"0 1 2", [[0, 1, 2]]),
        (b"0,1,2,-1,0,2,3", [[0, 1, 2], [0, 2, 3]]),
        (b"0 1 2 3 -1", [[0, 1, 2], [0, 2, 3]]),
        (b"1 2 3 0 1 -1 0 1 2 -1", [[1, 2, 3], [1, 3, 0], [1, 0, 1], [0, 1, 2]]),
        (b"+0 01 2 -1", [[0, 1, 2]]),
    ],
)
@pytest.mark.filterwarnings("error")
def test_polygons_are_fans(tmp_path: Path, indices: bytes, triangles: list[list[int]]) -> None:
    assert read_scan(written(tmp_path, PLAIN % (POINTS, indices))).triangles.tolist() == triangles


def test_faces_without_area_are_said_and_left_out(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="3 faces of fewer than 3 corners are left out"):
        scan = read_scan(written(tmp_path, PLAIN % (POINTS, b"0 1 -1 0 1 2 -1 -1 3 -1")))
    assert scan.triangles.tolist() == [[0, 1, 2]]


@pytest.mark.filterwarnings("error")
def test_clockwise_faces_are_turned_with_their_places(tmp_path: Path) -> None:
    content = BU_3DFE.replace(b"ccw TRUE", b"ccw FALSE").replace(b"[ 0 1 2 3 -1 ]", b"[ 3 2 1 0 -1 ]")
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    scan = read_scan(written(tmp_path, content))
    assert scan.triangles.tolist() == [[0, 2, 1], [0, 3, 2]]
    assert scan.uv_triangles.tolist() == [[3, 1, 2], [3, 0, 1]]


@pytest.mark.filterwarnings("error")
def test_without_indices_of_its_own_the_picture_takes_the_meshs(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    for replacement in (b"", b"texCoordIndex [ ]"):
        scan = read_scan(written(tmp_path, BU_3DFE.replace(b"texCoordIndex [ 0 1 2 3 -1 ]", replacement)))
        np.testing.assert_array_equal(scan.uv_triangles, [[0, 1, 2], [0, 2, 3]])
        assert scan.texture.shape == (4, 6, 3)


def shape(x: float, url: str) -> bytes:
    return (
        f'Shape {{ appearance Appearance {{ texture ImageTexture {{ url "{url}" }} }} geometry IndexedFaceSet {{ '
        f"coord Coordinate {{ point [ {x} 0 0 {x + 1} 0 0 {x} 1 0 ] }} coordIndex [ 0 1 2 -1 ] "
        "texCoord TextureCoordinate { point [ 0.25 0.25 0.75 0.25 0.25 0.75 ] } } }\n"
    ).encode()


@pytest.mark.filterwarnings("error")
def test_several_meshes_are_one_scan_with_their_pictures_side_by_side(tmp_path: Path) -> None:
    for name, colour in (("red.png", (255, 0, 0)), ("blue.png", (0, 0, 255))):
        Image.new("RGB", (8, 8), colour).save(tmp_path / name)
    scan = read_scan(written(tmp_path, b"#VRML V2.0 utf8\n" + shape(0, "red.png") + shape(5, "blue.png")))
    assert scan.vertices[:, 0].tolist() == [0, 1, 0, 5, 6, 5]
    assert scan.triangles.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert scan.texture.shape == (8, 16, 3)
    for triangle, places in zip(scan.triangles, scan.uv_triangles, strict=True):
        colour = [255, 0, 0] if scan.vertices[triangle[0], 0] < 2 else [0, 0, 255]
        for u, v in scan.uv[places]:
            assert scan.texture[int((1 - v) * 8), int(u * 16)].tolist() == colour


@pytest.mark.filterwarnings("error")
def test_meshes_that_share_a_picture_leave_it_on_disk(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "red.png")
    scan = read_scan(written(tmp_path, b"#VRML V2.0 utf8\n" + shape(0, "red.png") + shape(5, "./red.png")))
    assert scan.texture.path == tmp_path / "red.png"
    np.testing.assert_array_equal(scan.uv[scan.uv_triangles][0], scan.uv[scan.uv_triangles][1])


@pytest.mark.filterwarnings("error")
def test_used_coordinates_and_outer_transforms(tmp_path: Path) -> None:
    """A turn by a quarter about z, then twice as large, then moved; and a mirror, whose faces are turned back."""
    mesh = "IndexedFaceSet { coord %s coordIndex [ 0 1 2 -1 ] }"
    third = "Transform { center 1 0 0 rotation 0 0 1 3.141592653589793 children Shape { geometry "
    fourth = "Transform { scaleOrientation 0 0 1 0.7853981633974483 scale 3 1 1 children Shape { geometry "
    text = (
        "#VRML V2.0 utf8\n"
        "Transform { translation 10 0 0 scale 2 2 2 children Transform { rotation 0 0 2 1.5707963267948966 children [\n"
        f"Shape {{ geometry {mesh % 'DEF c Coordinate { point [ 0 0 0 1 0 0 0 1 0 ] }'} }} ] }} }}\n"
        f"Transform {{ scale -1 1 1 children Shape {{ geometry {mesh % 'USE c'} }} }}\n"
        f"{third} {mesh % 'USE c'} }} }}\n"
        f"{fourth} {mesh % 'USE c'} }} }}"
    )
    scan = read_scan(written(tmp_path, text.encode()))
    expected = [
        *([10, 0, 0], [10, 2, 0], [8, 0, 0]),
        *([0, 0, 0], [-1, 0, 0], [0, 1, 0]),
        *([2, 0, 0], [1, 0, 0], [2, -1, 0]),
        *([0, 0, 0], [2, 1, 0], [1, 2, 0]),  # three times as long along the diagonal
    ]
    np.testing.assert_allclose(scan.vertices, expected, atol=1e-6)
    # The fourth begins where the second does.
    assert scan.triangles.tolist() == [[0, 1, 2], [3, 5, 4], [6, 7, 8], [3, 10, 11]]


@pytest.mark.filterwarnings("error")
def test_prototypes_routes_scripts_and_finer_levels(tmp_path: Path) -> None:
    text = (
        "#VRML V2.0 utf8\nPROTO Thing [ field SFVec3f size 1 1 1 exposedField MFNode parts [ ] ] {\n"
        " Shape { geometry IndexedFaceSet { coord Coordinate { point [ 9 9 9 9 9 8 9 8 9 ] }\n"
        " coordIndex [ 0 1 2 ] } } }\n"
        'Script { url "javascript: function f(x) { y = [1]; }" eventIn SFBool start field SFInt32 n 3 }\n'
        "DEF clock TimeSensor { loop TRUE } ROUTE clock.fraction_changed TO x.set_fraction\n"
        "LOD { range [ 10 ] level [ Shape { geometry IndexedFaceSet { coord Coordinate\n"
        " { point [ 0 0 0 1 0 0 0 1 0 ] } normal Normal { vector [ 0 0 1 0 0 1 0 0 1 ] } coordIndex [ 0 1 2 -1 ] } }\n"
        "Shape { geometry Box { size 1 1 1 } } ] }"
    )
    assert read_scan(written(tmp_path, text.encode())).vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


@pytest.mark.filterwarnings("error")
def test_version_1(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "face.png")
    text = (
        '#VRML V1.0 ascii\nSeparator { Texture2 { filename "face.png" } Coordinate3 { point [ 0 0 0, 1 0 0, 0 1 0 ] }\n'
        "TextureCoordinate2 { point [ 0 0, 1 0, 0 1 ] } ShapeHints { vertexOrdering COUNTERCLOCKWISE }\n"
        "IndexedFaceSet { coordIndex [ 0, 1, 2, -1 ] textureCoordIndex [ 2, 1, 0, -1 ] } }\n"
    )
    scan = read_scan(written(tmp_path, text.encode()))
    assert scan.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]
    assert scan.uv_triangles.tolist() == [[2, 1, 0]]
    assert scan.texture.path.name == "face.png"


@pytest.mark.parametrize(
    ("more", "colours"),
    [
        (b"color Color { color [ 1 0 0, 0 1 0, 0 0 1, 0.2 0.4 0.6 ] }",
         [[255, 0, 0], [0, 255, 0], [0, 0, 255], [51, 102, 153]]),
        (b"colorPerVertex TRUE color Color { color [ 1 0 0 0 0 1 ] } colorIndex [ 0 0 1 -1 0 1 1 -1 ]",
         [[255, 0, 0], [255, 0, 0], [0, 0, 255], [0, 0, 255]]),
        (b"colorPerVertex FALSE color Color { color [ 1 0 0 0 0 1 ] }",
         [[128, 0, 128], [255, 0, 0], [128, 0, 128], [0, 0, 255]]),
        (b"colorPerVertex FALSE colorIndex [ 1 0 ] color Color { color [ 1 0 0 0 0 1 ] }",
         [[128, 0, 128], [0, 0, 255], [128, 0, 128], [255, 0, 0]]),
        (b"color Color { color [ 2 -1 0 0 0 0 0 0 0 0 0 0 ] }", [[255, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_colours_of_vertices(tmp_path: Path, more: bytes, colours: list[list[int]]) -> None:
    content = (PLAIN % (POINTS, b"0 1 2 -1 0 2 3 -1")).replace(b"coordIndex", more + b" coordIndex", 1)
    assert read_scan(written(tmp_path, content)).colours.tolist() == colours


def test_parts_without_colours_are_grey_beside_coloured_ones(tmp_path: Path) -> None:
    plain = PLAIN % (POINTS, b"0 1 2 -1")
    coloured = plain.replace(b"coordIndex", b"color Color { color [ 1 0 0 1 0 0 1 0 0 1 0 0 ] } coordIndex", 1)
    scan = read_scan(written(tmp_path, plain + coloured))
    assert scan.colours.tolist() == [[128, 128, 128]] * 4 + [[255, 0, 0]] * 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((b"[ 0 1 2 3 -1 ]", b"[ 0 1 2 -1 ]"), "texCoordIndex does not fit coordIndex"),
        ((b"[ 0 1 2 3 -1 ]", b"[ 0 1 2 4 -1 ]"), "texCoordIndex does not fit coordIndex"),
        ((b"[ 0 1 2 3 -1 ]", b"[ 0 1 2 x -1 ]"), "line 29: expected a whole number in texCoordIndex, found 'x'"),
        ((b"0.25 0,", b"nan 0,"), "line 27: expected a number in texture point, found 'nan'"),
        ((b"0.25 0,", b"0,"), "line 27: expected 2 numbers for each texture point, found 7 in all"),
        ((b"F0001_AN01WH_F3D.bmp", b"../a.bmp"), "../a.bmp is not in the scan's folder"),
        ((b"F0001_AN01WH_F3D.bmp", b"a\r\nb.bmp"), "a b.bmp is not in the scan's folder"),
        ((b"F0001_AN01WH_F3D.bmp", b"/etc/passwd"), "/etc/passwd is not in the scan's folder"),
        ((b" ]\r\n}\r\n", b""), "the file ends within a node"),
        ((b"ccw TRUE", b"color Color { color [ 1 0 0 ] }"), "the colours do not fit the vertices"),
        ((b"DEF face Group", b'Inline { url "b.wrl" } Group'), "an Inline node names another file"),
        ((b"DEF face Group", b"Rotation { } Group"), "a Rotation of VRML 1.0 is not applied"),
        ((b"DEF face Group", b"Transform { scale 2 2 2 } Group"), "a Transform of VRML 1.0 is not applied"),
    ],
)
def test_what_is_odd_is_said_and_the_shape_is_used(tmp_path: Path, change: tuple[bytes, bytes], words: str) -> None:
    content = BU_3DFE.replace(*change)
    assert content != BU_3DFE
    if b"F0001_AN01WH_F3D.bmp" in content:
        Image.fromarray(PIXELS).save(tmp_path / "F0001_AN01WH_F3D.bmp")
    path = written(tmp_path, content)
    with pytest.warns(UserWarning, match=re.escape(str(path))) as said:
        square(read_scan(path))
    messages = [str(warning.message) for warning in said]
    assert any(words in message for message in messages), messages
    assert all(message.startswith(f"{path}: ") and "\n" not in message for message in messages)


@pytest.mark.parametrize("way", ["up", "absolute", "link"])
def test_no_picture_outside_the_folder_is_opened(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    secret = tmp_path / "secret.png"
    Image.fromarray(PIXELS).save(secret)
    name = {"up": "../secret.png", "absolute": str(secret), "link": "innocent.png"}[way]
    if way == "link":
        (folder / "innocent.png").symlink_to(secret)
        (folder / "a.png").symlink_to(secret)
    opened: list[object] = []
    monkeypatch.setattr(Image, "open", lambda *arguments, **_: opened.append(arguments))
    with pytest.warns(UserWarning, match=r"lies outside the scan's folder|is not in the scan's folder"):
        scan = read_scan(written(folder, BU_3DFE.replace(b"F0001_AN01WH_F3D.bmp", name.encode())))
    assert scan.texture is None
    assert opened == []


TOO_DEEP = b"#VRML V2.0 utf8\n" + b"Group { children " * 100 + b"}" * 100
SELF_MADE = b"#VRML V2.0 utf8\nDEF n0 Group { }\n" + b"".join(
    b"DEF n%d Group { children [ USE n%d USE n%d ] }\n" % (i + 1, i, i) for i in range(40)
)

USED_AGAIN = (
    b"DEF c Coordinate { point [ " + b"0 0 0 1 0 0 0 1 0 " * 1000 + b"] }\n"
    + 30 * b"Shape { geometry IndexedFaceSet { coord USE c coordIndex [ 0 1 2 ] } }\n"
)  # fmt: skip

BROKEN: dict[str, tuple[bytes, str]] = {
    "no_vrml": (b"Dear reader, this is a letter", "expected a VRML file, which begins with '#VRML V2.0 utf8'"),
    "only_header": (b"#VRML V2.0 utf8\n", "expected an IndexedFaceSet with triangles, found none"),
    "no_faces": (PLAIN % (POINTS, b""), "expected an IndexedFaceSet with triangles, found none"),
    "lines": (PLAIN % (POINTS, b"0 1 -1 2 3 -1"), "expected an IndexedFaceSet with triangles, found none"),
    "cut": (BU_3DFE[: BU_3DFE.index(b"+0.")], "line 17: the list of numbers 'point' that begins here does not end"),
    "cut_string": (BU_3DFE[: BU_3DFE.index(b"F3D.bmp")], "line 11: a string does not end"),
    "word": (PLAIN % (b"0 0 0\n1 oh 0", b"0 1 2"), "line 3: expected a number in point, found 'oh'"),
    "nan": (PLAIN % (b"0 0 0\r\n1 nan 0", b"0 1 2"), "line 3: expected a number in point, found 'nan'"),
    "inf": (PLAIN % (b"0 0 0\n1 -inf 0", b"0 1 2"), "line 3: expected a number in point, found '-inf'"),
    "huge": (PLAIN % (b"0 0 0\n1 1e400 0", b"0 1 2"), "line 3: expected a number in point, found '1e400'"),
    "too_huge": (PLAIN % (b"0 0 0 1 1e39 0 0 1 0", b"0 1 2"), "1 of 3 vertices are not finite"),
    "two_points": (PLAIN % (b"0 0 0 1 1", b"0 1 2"), "line 2: expected 3 numbers for each point, found 5 in all"),
    "index": (PLAIN % (POINTS, b"0 1 2 -1\n0 2 4 -1"), "line 3: expected a vertex of 0 to 3 in coordIndex, found 4"),
    "minus_two": (PLAIN % (POINTS, b"0 1 2\n0 -2 3"), "line 3: expected a vertex of 0 to 3 in coordIndex, found -2"),
    "int32": (PLAIN % (POINTS, b"0 1 4294967296"), "line 2: expected a whole number in coordIndex, found '4294967296'"),
    "fraction": (PLAIN % (POINTS, b"0 1 2.5"), "line 2: expected a whole number in coordIndex, found '2.5'"),
    "twenty_digits": (PLAIN % (POINTS, b"0 1 18446744073709551618"), "found '18446744073709551618'"),
    "deep": (TOO_DEEP, "line 2: nodes stand more than 64 deep"),
    "use_of_use": (SELF_MADE, "expected the scene of one scan, found over 20000 nodes"),
    "many": (b"#VRML V2.0 utf8\n" + 201 * shape(0, "a.png"), "found over 200, or the same numbers used over and over"),
    "again": (b"#VRML V2.0 utf8\n" + USED_AGAIN, "found over 200, or the same numbers used over and over"),
    "long": (b"#VRML V2.0 utf8\n" + b"a " * 101_000, "found over 100000 words"),
    "turn": (b"#VRML V2.0 utf8\nTransform { rotation 0 0 1 }", "expected 4 numbers for rotation of a Transform"),
    "gzip": (gzip.compress(BU_4DFE)[:-20], "expected a whole gzip file"),
    "gzip_bits": (gzip.compress(BU_4DFE)[:40] + bytes(200), "expected a whole gzip file"),
    "bomb": (gzip.compress(b"#VRML V2.0 utf8\n" + b" " * 30_000_000), "over 30 times as many"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(BROKEN))
@pytest.mark.filterwarnings("error")
def test_a_broken_file_is_one_clear_line(tmp_path: Path, name: str) -> None:
    content, words = BROKEN[name]
    path = written(tmp_path, content, f"{name}.wrl")
    tracemalloc.start()
    with pytest.raises(ScanError) as caught:
        read_scan(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert peak < 30e6


@pytest.mark.parametrize("break_", [b"\n", b"\r\n", b"\r"])
def test_lines_are_counted_with_any_line_end(tmp_path: Path, break_: bytes) -> None:
    content = break_.join([b"#VRML V2.0 utf8", b"", *(PLAIN % (b"0 0 0 x", b"0")).splitlines()[1:]])
    with pytest.raises(ScanError, match="line 3: expected a number in point, found 'x'"):
        read_scan(written(tmp_path, content))


def test_a_picture_cut_short_is_known_only_when_it_is_used(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "F0001_AN01WH_F3D.bmp", "PNG")
    whole = (tmp_path / "F0001_AN01WH_F3D.bmp").read_bytes()
    (tmp_path / "F0001_AN01WH_F3D.bmp").write_bytes(whole[: len(whole) // 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scan = read_scan(written(tmp_path, BU_3DFE))
    with pytest.raises(ScanError, match=r"F0001_AN01WH_F3D\.bmp: expected a .* picture, found one that cannot be read"):
        np.asarray(scan.texture)


GAPS = [" ", ", ", "\t\t", "\n", "\r\n", " , ", '\n# a comment: 1 2 ] } [ " \n', ",\r\n\t"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_separators_and_any_further_nodes_give_the_same_mesh(tmp_path: Path, data: st.DataObject) -> None:
    draw = data.draw
    count = draw(st.integers(3, 12))
    coordinate = st.floats(-1e6, 1e6, width=32)
    points = draw(st.lists(st.tuples(coordinate, coordinate, coordinate), min_size=count, max_size=count))
    polygons = draw(st.lists(st.lists(st.integers(0, count - 1), min_size=3, max_size=6), min_size=1, max_size=8))
    gap = st.sampled_from(GAPS)

    def number(value: float) -> str:
        return draw(st.sampled_from([f"{value!r}", f"{value:.9e}", f"{value:+.9E}"]))

    def spread(words: list[str]) -> str:
        return "".join(f"{draw(gap)}{word}" for word in words) + draw(gap)

    rows = [row for polygon in polygons for row in (*polygon, -1)]
    if draw(st.booleans()):
        rows.pop()
    table = spread([number(x) for point in points for x in point])
    fields = [
        f"coord {draw(st.sampled_from(['', 'DEF p ']))}Coordinate {{ point [{table}] }}",
        f"coordIndex [{spread([str(row) for row in rows])}]",
        *draw(
            st.lists(
                st.sampled_from(["solid FALSE", "ccw TRUE", "creaseAngle .5", "normal Normal { vector [ 0 0 1 ] }"])
            )
        ),
    ]
    fields = draw(st.permutations(fields))
    mesh = f"Shape {{ geometry IndexedFaceSet {{{draw(gap)}{draw(gap).join(fields)}{draw(gap)}}} }}"
    around = draw(
        st.sampled_from(["%s", "Group { children [ %s ] }", "Transform { children %s }", 'WorldInfo { title "]" } %s'])
    )
    text = "#VRML V2.0 utf8\n" + draw(gap) + around % mesh + draw(gap)
    scan = read_scan(written(tmp_path, text.encode()))
    np.testing.assert_array_equal(scan.vertices, np.array(points, np.float32))
    places = [tuple(place) for place in scan.vertices.tolist()]
    used = {places[row]: row for row in sorted({row for polygon in polygons for row in polygon}, reverse=True)}
    once: dict[tuple[int, ...], list[int]] = {}  # each triangle, whichever way round, as it comes first
    for polygon in polygons:
        first, *others = (used[places[row]] for row in polygon)
        for pair in itertools.pairwise(others):
            once.setdefault(tuple(sorted((first, *pair))), [first, *pair])
    np.testing.assert_array_equal(scan.triangles, list(once.values()))


def test_mutations_end_in_a_scan_or_in_one_error(tmp_path: Path) -> None:
    """Bytes changed, lost, doubled and put in, in the two fixtures."""
    rng = np.random.default_rng(11)
    pieces = [b"[", b"]", b"{", b"}", b'"', b"#", b"-", b"1e9999", b" USE face ", b"\x00", b"\xff", b"DEF", b"9" * 30]
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    outcomes = {"scan": 0, "error": 0}
    messages: list[str] = []
    for _ in range(600):
        content = bytearray([BU_3DFE, BU_4DFE][rng.integers(2)])
        for _ in range(rng.integers(1, 4)):
            at, length = int(rng.integers(len(content))), int(rng.integers(1, 30))
            match rng.integers(4):
                case 0:
                    content[at] = rng.integers(256)
                case 1:
                    del content[at : at + length]
                case 2:
                    content[at:at] = content[at : at + length]
                case 3:
                    content[at:at] = pieces[rng.integers(len(pieces))]
        path = written(tmp_path, bytes(content))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                assert isinstance(read_scan(path), FaceScan)
                outcomes["scan"] += 1
            except ScanError as error:
                outcomes["error"] += 1
                messages.append(str(error))
        assert all(warning.category is UserWarning for warning in said)
    assert min(outcomes.values()) > 100
    assert all(message.startswith(str(tmp_path / "a.wrl")) and "\n" not in message for message in messages)


def test_numbers_are_read_as_python_reads_them() -> None:
    rng = np.random.default_rng(2)
    words = [f"{x:.{d}g}" for d in range(1, 16) for x in rng.normal(0, 1, 200) * 10.0 ** rng.integers(-6, 7, 200)]
    words += ["1e-3", "-.5", "+3", "1.", "0", "-0", "1E+5", "00012.50", "123456789012345", "1e22", "0.1e-5", "1e-400"]
    text = " ".join(words).encode()
    numbers, mistake = read_numbers(text + b"]", 0, len(text))
    assert mistake == -1
    np.testing.assert_array_equal(numbers, [float(word) for word in words])
    # What needs more than float64 holds exactly on the way is right to its last places.
    words = [
        "3.14159265358979323846",
        "12345678901234567890123",
        "4.9e-300",
        "1.7e308",
        "-0.00000000000000000000000012345",
    ]
    text = ",".join(words).encode()
    np.testing.assert_allclose(read_numbers(text + b"]", 0, len(text))[0], [float(word) for word in words], rtol=1e-15)


@pytest.mark.parametrize(
    "word", ["nan", "inf", "-", "+", ".", "-.", "e5", "1e", "1e+", "1-2", "1.2.3", "0x10", "1e999", "2]"]
)
def test_what_is_no_number_is_found(word: str) -> None:
    text = b"1 2.5 # three\n"
    numbers, mistake = read_numbers(text + word.encode() + b" 4]", 0, len(text) + len(word) + 2)
    assert numbers.tolist() == [1, 2.5]
    assert mistake == len(text)
    indices, mistake = read_indices(b"7 -1, " + word.encode() + b"]", 0, 6 + len(word))
    assert indices.tolist() == [7, -1]
    assert mistake == 6


def test_a_fan_keeps_to_its_first_corner_and_counts_what_is_too_thin() -> None:
    corners = np.array([4, 5, 6, 7, -1, 1, 2, -1, -1, 0, 1, 2, -1], np.int32)
    triangles, thin = fan(corners, corners)
    assert triangles.tolist() == [[4, 5, 6], [4, 6, 7], [0, 1, 2]]
    assert thin == 2
    assert fan(corners, corners, flip=True)[0].tolist() == [[4, 6, 5], [4, 7, 6], [0, 2, 1]]
