import base64
import json
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import EpsImagePlugin, Image

from affectvlm.errors import ScanError
from affectvlm.scan import FaceScan, read_scan, write_scan
from affectvlm.scan.mesh_text import MAX_BYTES
from affectvlm.scan.parts import Part, join
from affectvlm.scan.picture_file import PictureFile
from affectvlm.scan.range_image import RangeImage
from affectvlm.scan.read import is_scan, scan_suffix
from affectvlm.scan.write_bnt import write_bnt
from affectvlm.views import Rig, render

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
PIXELS = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8)  # top row first


def hill(size: int = 11) -> tuple[np.ndarray, np.ndarray]:
    """A smooth bump on a grid: (size^2, 3) vertices whose numbers float32 and text hold exactly, and triangles."""
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    z = ((x - size // 2) ** 2 + (y - size // 2) ** 2) * -0.125
    corner = np.arange(size * size).reshape(size, size)
    a, b, c, d = (part.ravel() for part in (corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]))
    return np.stack([x, y, z], axis=-1).reshape(-1, 3), np.concatenate([np.c_[a, b, c], np.c_[a, c, d]])


def corners(scan: FaceScan) -> np.ndarray:
    """(T, 9): each triangle's corners, starting with the smallest one so that the order round it is all that counts."""
    places = scan.vertices[scan.triangles]
    first = [min(range(3), key=lambda k: tuple(triangle[k])) for triangle in places]
    turned = np.stack([np.roll(triangle, -k, axis=0) for triangle, k in zip(places, first, strict=True)])
    flat = turned.reshape(len(turned), 9)
    return flat[np.lexsort(flat.T)]


def textured_obj(folder: Path, map_kd: str = "face.png", picture: Path | None = None) -> Path:
    """A square of two triangles whose shared edge is a seam: 4 positions, 6 places in the picture."""
    Image.fromarray(PIXELS).save(picture or folder / "face.png")
    (folder / "face.mtl").write_text(f"newmtl skin\nKd 1 1 1\nmap_Kd {map_kd}\n")
    path = folder / "face.obj"
    path.write_text(
        "mtllib face.mtl\nv 0 0 0\nv 1 0 0\nv 1 1 0.5\nv 0 1 0\n"
        "vt 0 0\nvt 0.25 0\nvt 0.25 0.25\nvt 0.5 0.5\nvt 1 1\nvt 0.5 1\n"
        "usemtl skin\nf 1/1 2/2 3/3\nf 1/4 3/5 4/6\n"
    )
    return path


def gltf(folder: Path, name: str, vertices: np.ndarray, triangles: np.ndarray, **changes: object) -> Path:
    """A glTF file with its buffer inside; ``changes`` replace parts of its tree."""
    blob = vertices.astype("<f4").tobytes() + triangles.astype("<u4").tobytes()
    tree: dict[str, object] = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0}, "indices": 1}]}],
        "buffers": [
            {
                "byteLength": len(blob),
                "uri": "data:application/octet-stream;base64," + base64.b64encode(blob).decode(),
            }
        ],
        "bufferViews": [
            {"buffer": 0, "byteOffset": 0, "byteLength": 12 * len(vertices)},
            {"buffer": 0, "byteOffset": 12 * len(vertices), "byteLength": 12 * len(triangles)},
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(vertices), "type": "VEC3"},
            {"bufferView": 1, "componentType": 5125, "count": triangles.size, "type": "SCALAR"},
        ],
    }
    path = folder / name
    path.write_text(json.dumps(tree | changes))
    return path


@pytest.mark.parametrize("suffix", ["obj", "ply", "stl", "off", "glb"])
@pytest.mark.filterwarnings("error")
def test_every_format_gives_the_same_surface(tmp_path: Path, suffix: str) -> None:
    vertices, triangles = hill()
    path = tmp_path / f"hill.{suffix.upper()}"
    data = trimesh.Trimesh(vertices, triangles, process=False).export(file_type=suffix)
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    scan = read_scan(path)
    expected = FaceScan(vertices, triangles)
    assert len(scan.vertices) == len(vertices)  # STL repeats each at every corner
    np.testing.assert_array_equal(corners(scan), corners(expected))
    assert scan.source == str(path)
    assert not scan.textured


def test_a_text_stl_and_a_text_ply_are_read(tmp_path: Path) -> None:
    vertices, triangles = hill()
    mesh = trimesh.Trimesh(vertices, triangles, process=False)
    (tmp_path / "a.stl").write_text(mesh.export(file_type="stl_ascii"))
    (tmp_path / "a.ply").write_bytes(mesh.export(file_type="ply", encoding="ascii"))
    for name in ("a.stl", "a.ply"):
        np.testing.assert_array_equal(corners(read_scan(tmp_path / name)), corners(FaceScan(vertices, triangles)))


def test_normals_are_smooth_over_merged_corners(tmp_path: Path) -> None:
    vertices, triangles = hill()
    (tmp_path / "hill.stl").write_bytes(trimesh.Trimesh(vertices, triangles, process=False).export(file_type="stl"))
    scan = read_scan(tmp_path / "hill.stl")
    row = {tuple(vertex): i for i, vertex in enumerate(vertices)}
    order = [row[tuple(vertex)] for vertex in scan.vertices.tolist()]
    np.testing.assert_allclose(scan.vertex_normals, FaceScan(vertices, triangles).vertex_normals[order], atol=1e-6)


def test_a_seam_splits_the_picture_and_not_the_mesh(tmp_path: Path) -> None:
    scan = read_scan(textured_obj(tmp_path))
    assert scan.vertices.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0.5], [0, 1, 0]]
    assert scan.triangles.tolist() == [[0, 1, 2], [0, 2, 3]]
    expected = [[[0, 0], [0.25, 0], [0.25, 0.25]], [[0.5, 0.5], [1, 1], [0.5, 1]]]
    np.testing.assert_array_equal(scan.uv[scan.uv_triangles], expected)
    np.testing.assert_array_equal(scan.texture, PIXELS)


def test_picture_coordinates_of_glb_have_their_origin_at_the_bottom_left_too(tmp_path: Path) -> None:
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    visual = trimesh.visual.TextureVisuals(
        square[:, :2], trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(PIXELS))
    )
    mesh = trimesh.Trimesh(square, [[0, 1, 2], [0, 2, 3]], visual=visual, process=False)
    (tmp_path / "square.glb").write_bytes(mesh.export(file_type="glb"))
    scan = read_scan(tmp_path / "square.glb")
    np.testing.assert_allclose(scan.uv[scan.uv_triangles], scan.vertices[scan.triangles][..., :2])
    np.testing.assert_array_equal(scan.texture, PIXELS)


def test_meshes_of_a_scene_are_moved_to_their_places_and_joined(tmp_path: Path) -> None:
    vertices, triangles = hill()
    nodes = [{"mesh": 0, "translation": [10, 0, 0]}, {"mesh": 0, "scale": [-1, 1, 1], "translation": [0, 0, 7]}]
    scan = read_scan(gltf(tmp_path, "two.gltf", vertices, triangles, nodes=nodes, scenes=[{"nodes": [0, 1]}]))
    expected = FaceScan(
        np.concatenate([vertices + np.array([10, 0, 0]), vertices * [-1, 1, 1] + np.array([0, 0, 7])]),
        np.concatenate([triangles, triangles[:, ::-1] + len(vertices)]),  # the mirrored one still faces outwards
    )
    np.testing.assert_array_equal(corners(scan), corners(expected))
    assert (scan.vertex_normals[:, 2] > 0).all()


def test_two_pictures_are_laid_side_by_side(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2), RED).save(tmp_path / "a.png")
    Image.new("RGB", (2, 4), BLUE).save(tmp_path / "b.png")
    (tmp_path / "m.mtl").write_text("newmtl a\nmap_Kd a.png\nnewmtl b\nmap_Kd b.png\n")
    (tmp_path / "f.obj").write_text(
        "mtllib m.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 5 0 0\nv 6 0 0\nv 5 1 0\nvt 0.5 0.5\nvt 0.75 0.5\nvt 0.5 0.75\n"
        "usemtl a\nf 1/1 2/2 3/3\nusemtl b\nf 4/1 5/2 6/3\n"
    )
    scan = read_scan(tmp_path / "f.obj")
    height, width, _ = scan.texture.shape
    assert (height, width) == (4, 4)
    for triangle, places in zip(scan.triangles, scan.uv_triangles, strict=True):
        colour = RED if scan.vertices[triangle[0], 0] < 2 else BLUE
        for u, v in scan.uv[places]:
            assert tuple(scan.texture[int((1 - v) * height), int(u * width)]) == colour


def test_polygons_are_cut_into_triangles(tmp_path: Path) -> None:
    path = tmp_path / "quad.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nv 2 0 0\nf 1 2 3 4\nf 2 5 3\n")
    scan = read_scan(path)
    assert len(scan.triangles) == 3
    a, b, c = np.moveaxis(scan.vertices[scan.triangles], 1, 0)
    assert np.cross(b - a, c - a)[:, 2].sum() == pytest.approx(2 * 1.5)


def test_points_that_no_triangle_uses_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "loose.obj"
    path.write_text("v 9 9 9\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 2 3 4\n")
    assert read_scan(path).vertices.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("lost", ["face.png", "face.mtl"])
def test_a_lost_picture_is_said_once_and_the_shape_is_used(
    tmp_path: Path, lost: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = textured_obj(tmp_path)
    (tmp_path / lost).unlink()
    with pytest.warns(UserWarning, match=f"{lost} is not in the scan's folder") as said:
        scan = read_scan(path)
    assert len(said) == 1
    assert "\n" not in str(said[0].message)
    assert len(scan.triangles) == 2
    assert scan.texture is None
    assert not caplog.records


def test_a_damaged_picture_is_said(tmp_path: Path) -> None:
    path = textured_obj(tmp_path)
    (tmp_path / "face.png").write_bytes((tmp_path / "face.png").read_bytes()[:40])
    with pytest.warns(UserWarning, match=r"face\.png is not a readable picture"):
        assert read_scan(path).texture is None


def jpeg(path: Path) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, "JPEG")
    return path.read_bytes()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", ["obj", "ply"])
def test_no_pixel_is_decoded_until_it_is_used(tmp_path: Path, suffix: str) -> None:
    """A picture cut short in its pixels spoils nothing that needs no picture."""
    vertices, triangles = hill()
    write_scan(tmp_path / f"a.{suffix}", FaceScan(vertices, triangles, vertices[:, :2] / 10, triangles, PIXELS), ".jpg")
    content = jpeg(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(content[: len(content) // 2])
    scan = read_scan(tmp_path / f"a.{suffix}")
    assert isinstance(scan.texture, PictureFile)
    assert scan.texture.path == tmp_path / "a.jpg"
    assert scan.texture.shape == (64, 64, 3)
    assert scan.textured
    assert render(scan, Rig(size_px=16, maps=("depth", "normals"))).texture is None
    with pytest.raises(ScanError, match=r"a\.jpg: expected a .* picture, found one that cannot be read") as caught:
        render(scan, Rig(size_px=16, maps=("texture",)))
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("error")
def test_a_material_that_two_meshes_share_leaves_its_picture_on_disk(tmp_path: Path) -> None:
    path = textured_obj(tmp_path)
    path.write_text(path.read_text().replace("f 1/4", "g other\nf 1/4"))
    assert read_scan(path).texture.path == tmp_path / "face.png"


def test_of_two_pictures_a_damaged_one_is_left_out(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2), RED).save(tmp_path / "a.png")
    content = jpeg(tmp_path / "b.jpg")
    (tmp_path / "b.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "m.mtl").write_text("newmtl a\nmap_Kd a.png\nnewmtl b\nmap_Kd b.jpg\n")
    (tmp_path / "f.obj").write_text(
        "mtllib m.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 5 0 0\nv 6 0 0\nv 5 1 0\nvt 0.5 0.5\nvt 0.75 0.5\nvt 0.5 0.75\n"
        "usemtl a\nf 1/1 2/2 3/3\nusemtl b\nf 4/1 5/2 6/3\n"
    )
    with pytest.warns(UserWarning, match=r"b\.jpg: expected a .* picture, .*; the shape is used without it"):
        scan = read_scan(tmp_path / "f.obj")
    for triangle, places in zip(scan.triangles, scan.uv_triangles, strict=True):
        u, v = scan.uv[places].mean(axis=0)
        colour = scan.texture[int((1 - v) * 2), int(u * 4)].tolist()
        assert colour == (list(RED) if scan.vertices[triangle[0], 0] < 2 else [128, 128, 128])


@pytest.mark.parametrize("name", ["face.eps", "face.png", "face.mtl"])
def test_no_other_kind_of_picture_reaches_pillow(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """For EPS it would start another program."""
    path = textured_obj(tmp_path, name)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n"
    if name != "face.mtl":
        (tmp_path / name).write_bytes(eps)
    read: list[str] = []
    monkeypatch.setattr(EpsImagePlugin.EpsImageFile, "_open", lambda self: read.append("eps"))
    with pytest.warns(UserWarning, match="is not a readable picture"):
        assert read_scan(path).texture is None
    assert read == []


def test_a_picture_of_another_kind_inside_a_glb_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    visual = trimesh.visual.TextureVisuals(
        square[:, :2], trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(PIXELS))
    )
    mesh = trimesh.Trimesh(square, [[0, 1, 2], [0, 2, 3]], visual=visual, process=False)
    (tmp_path / "a.glb").write_bytes(mesh.export(file_type="glb"))
    assert read_scan(tmp_path / "a.glb").texture is not None
    monkeypatch.setattr("affectvlm.scan.mesh_file.PICTURE_FORMATS", ("JPEG",))  # this one holds a PNG
    assert read_scan(tmp_path / "a.glb").texture is None


@pytest.mark.filterwarnings("error")
def test_colours_of_vertices_come_along(tmp_path: Path) -> None:
    vertices, triangles = hill()
    colours = np.random.default_rng(0).integers(0, 256, vertices.shape, dtype=np.uint8)
    mesh = trimesh.Trimesh(vertices, triangles, vertex_colors=colours, process=False)
    (tmp_path / "a.ply").write_bytes(mesh.export(file_type="ply"))
    (tmp_path / "text.ply").write_bytes(mesh.export(file_type="ply", encoding="ascii"))
    (tmp_path / "a.glb").write_bytes(mesh.export(file_type="glb"))
    lines = ["v 50 50 50 1 1 1"]  # which no triangle uses
    lines += [
        "v {} {} {} {:.6f} {:.6f} {:.6f}".format(*v, *rgb) for v, rgb in zip(vertices, colours / 255, strict=True)
    ]
    lines += ["f {} {} {}".format(*triangle) for triangle in triangles + 2]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    row = {tuple(vertex): i for i, vertex in enumerate(vertices.tolist())}
    for name in ("a.ply", "text.ply", "a.glb", "a.obj"):
        scan = read_scan(tmp_path / name)
        order = [row[tuple(vertex)] for vertex in scan.vertices.tolist()]
        assert len(order) == len(vertices)
        np.testing.assert_array_equal(scan.colours, colours[order], err_msg=name)
        assert scan.texture is None


def test_parts_without_colours_are_grey_beside_coloured_ones() -> None:
    vertices, triangles = hill()
    red = np.tile(np.array([RED], np.uint8), (len(vertices), 1))
    scan = join([Part(vertices, triangles), Part(vertices + np.array([0, 0, 9]), triangles, colours=red)], "two")
    assert (scan.colours[: len(vertices)] == 128).all()
    assert (scan.colours[len(vertices) :] == RED).all()
    assert join([Part(vertices, triangles)], "one").colours is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("suffix", [".bnt", ".npz"])
def test_a_range_image_becomes_a_mesh(tmp_path: Path, suffix: str) -> None:
    column, row = np.meshgrid(np.arange(6.0), np.arange(5.0))
    points = np.stack([column, -row, column * 0.5 + 1], axis=-1) * 2
    points[:, 3:, 2] += 50  # a step that no slope makes
    if suffix == ".bnt":
        write_bnt(tmp_path / "a.bnt", RangeImage(points))
    else:
        np.savez(tmp_path / "a.npz", points=points)
    scan = read_scan(tmp_path / f"a{suffix}")
    assert len(scan.vertices) == 30
    assert len(scan.triangles) == 2 * 2 * 4 * 2
    assert scan.source == str(tmp_path / f"a{suffix}")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("spacing", "step", "bridged"),
    [(1.0, 3.8, True), (1.0, 4.1, False), (1.0, 9.5, False), (2.0, 7.5, True), (2.0, 8.5, False)],
)
def test_a_plane_before_another_is_not_joined_to_it(tmp_path: Path, spacing: float, step: float, bridged: bool) -> None:
    """By more than 4 mm, or four times the spacing."""
    column, row = np.meshgrid(np.arange(40.0), np.arange(30.0))
    points = np.stack([column * spacing, -row * spacing, np.where(column < 20, -1, -1 - step)], axis=-1)
    np.savez(tmp_path / "a.npz", points=points)
    scan = read_scan(tmp_path / "a.npz")
    assert len(scan.triangles) == 2 * 29 * (39 if bridged else 38)


@pytest.mark.filterwarnings("error")
def test_a_steep_cheek_is_joined_though_its_steps_are_long(tmp_path: Path) -> None:
    column, row = np.meshgrid(np.arange(40.0), np.arange(30.0))
    depth = 500 + np.tan(np.radians(80)) * np.maximum(column - 20, 0)  # 5.7 mm a step
    points = np.stack([column, -row, -depth], axis=-1)
    np.savez(tmp_path / "a.npz", points=points)
    assert len(read_scan(tmp_path / "a.npz").triangles) == 2 * 29 * 39


def test_a_scan_is_told_from_the_pictures_beside_it(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "photograph.png")
    Image.fromarray(np.full((4, 4), 700, np.uint16)).save(tmp_path / "depth.png")
    for name in ("a.wrl.gz", "a.ABS.GZ", "a.obj", "a.gz", ".obj", "a.mtl", "notes.txt"):
        (tmp_path / name).write_bytes(b"x")
    found = {path.name for path in tmp_path.iterdir() if is_scan(path)}
    assert found == {"depth.png", "a.wrl.gz", "a.ABS.GZ", "a.obj"}
    assert scan_suffix("a.wrl.gz") == ".wrl.gz"
    assert scan_suffix("a.gz") is None


@pytest.mark.parametrize("way", ["up", "absolute", "link"])
def test_nothing_outside_the_folder_is_opened(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    secret = tmp_path / "secret.png"
    name = {"up": "../secret.png", "absolute": str(secret), "link": "innocent.png"}[way]
    path = textured_obj(folder, name, picture=secret)
    if way == "link":
        (folder / "innocent.png").symlink_to(secret)
    opened: list[Path] = []
    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: (opened.append(self), read_bytes(self))[1])
    with pytest.warns(UserWarning, match=r"lies outside the scan's folder|is not in the scan's folder"):
        scan = read_scan(path)
    assert scan.texture is None
    assert [file.name for file in opened] == ["face.obj", "face.mtl"]


def test_a_path_of_another_machine_finds_the_picture_beside_the_scan(tmp_path: Path) -> None:
    scan = read_scan(textured_obj(tmp_path, "C:\\Users\\someone\\scans\\face.png"))
    np.testing.assert_array_equal(scan.texture, PIXELS)


def test_a_gltf_buffer_outside_the_folder_is_refused(tmp_path: Path) -> None:
    vertices, triangles = hill()
    blob = vertices.astype("<f4").tobytes() + triangles.astype("<u4").tobytes()
    (tmp_path / "secret.bin").write_bytes(blob)
    (tmp_path / "scans").mkdir()
    buffers = [{"byteLength": len(blob), "uri": "../secret.bin"}]
    with pytest.raises(ScanError, match="cannot be read"):
        read_scan(gltf(tmp_path / "scans", "a.gltf", vertices, triangles, buffers=buffers))


PLY_CLAIM = (
    "ply\nformat {form} 1.0\nelement vertex 4000000000\nproperty float x\nproperty float y\nproperty float z\n"
    "element face 1\nproperty list uchar int vertex_indices\nend_header\n"
)


def broken_files() -> dict[str, bytes]:
    vertices, triangles = hill()
    mesh = trimesh.Trimesh(vertices, triangles, process=False)
    nan = vertices.copy()
    nan[60, 1] = np.nan
    return {
        "empty.obj": b"",
        "prose.obj": b"Dear reader,\nthis is a letter and no mesh.\n",
        "prose.off": b"no mesh",
        "prose.stl": b"no mesh",
        "points.obj": "".join(f"v {x} {y} {z}\n" for x, y, z in vertices).encode(),
        "points.ply": trimesh.PointCloud(vertices).export(file_type="ply"),
        "missing_corner.obj": b"v 0 0 0\nv 1 0 0\nf 1 2 9\n",
        "nan.obj": trimesh.Trimesh(nan, triangles, process=False).export(file_type="obj").encode(),
        "nan.ply": trimesh.Trimesh(nan, triangles, process=False).export(file_type="ply"),
        "cut.ply": mesh.export(file_type="ply")[:-500],
        "cut.stl": mesh.export(file_type="stl")[:-501],
        "cut.glb": mesh.export(file_type="glb")[:-500],
        "headless.ply": b"ply\nformat ascii 1.0\nelement vertex 3\n",
        "garbage.glb": bytes(range(256)) * 4,
        "garbage.gltf": b'{"asset": ',
        "garbage.ply": b"ply\n" + bytes(range(256)),
        "claims_binary.ply": PLY_CLAIM.format(form="binary_little_endian").encode() + bytes(1000),
        "claims_text.ply": PLY_CLAIM.format(form="ascii").encode() + b"0 0 0\n" * 10,
        "claims.off": b"OFF\n4000000000 4000000000 0\n0 0 0\n1 0 0\n",
        "claims.stl": bytes(80) + struct.pack("<I", 4_000_000_000) + bytes(500),
    }


@pytest.mark.parametrize("name", sorted(broken_files()))
@pytest.mark.filterwarnings("error")
def test_a_broken_file_is_one_clear_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(broken_files()[name])
    tracemalloc.start()
    with pytest.raises(ScanError) as caught:
        read_scan(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert peak < 30e6  # what a header claims is not believed


def test_values_that_a_gltf_only_announces_are_not_made_up(tmp_path: Path) -> None:
    accessors = [
        {"componentType": 5126, "count": 4_000_000_000, "type": "VEC3"},
        {"componentType": 5125, "count": 3, "type": "SCALAR"},
    ]
    with pytest.raises(ScanError, match=r"announces meshes of 9\.6e\+10 bytes"):
        read_scan(gltf(tmp_path, "claims.gltf", *hill(), accessors=accessors))


def test_a_mesh_placed_over_and_over_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("affectvlm.scan.mesh_file.MAX_TRIANGLES", 1000)
    nodes = [{"mesh": 0} for _ in range(6)]  # 200 triangles each
    path = gltf(tmp_path, "many.gltf", *hill(), nodes=nodes, scenes=[{"nodes": list(range(6))}])
    with pytest.raises(ScanError, match="more than 1000 triangles"):
        read_scan(path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent.obj", "no such file"),
        ("folder.obj", "directory"),
        ("scan.docx", r"\.ply, \.obj, \.stl, .*\.wrl, .*\.wrl\.gz, .*\.bnt, \.abs, \.abs\.gz, .*found '\.docx'"),
        ("scan", "found 'no ending'"),
    ],
)
def test_what_is_no_mesh_file_is_said_before_it_is_opened(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "folder.obj").mkdir()
    (tmp_path / "scan.docx").write_text("text")
    (tmp_path / "scan").write_text("text")
    with pytest.raises(ScanError, match=words):
        read_scan(tmp_path / name)


def test_the_first_error_is_kept_as_the_cause(tmp_path: Path) -> None:
    path = tmp_path / "garbage.glb"
    path.write_bytes(bytes(100))
    with pytest.raises(ScanError) as caught:
        read_scan(str(path))
    assert isinstance(caught.value.__cause__, ValueError)


def test_pictures_that_are_far_too_large_side_by_side_are_left_out(tmp_path: Path) -> None:
    Image.new("L", (30_000, 1)).save(tmp_path / "wide.png")
    Image.new("L", (1, 30_000)).save(tmp_path / "high.png")
    (tmp_path / "m.mtl").write_text("newmtl a\nmap_Kd wide.png\nnewmtl b\nmap_Kd high.png\n")
    (tmp_path / "f.obj").write_text(
        "mtllib m.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nv 5 0 0\nvt 0 0\nvt 1 0\nvt 0 1\n"
        "usemtl a\nf 1/1 2/2 3/3\nusemtl b\nf 2/1 4/2 3/3\n"
    )
    with pytest.warns(
        UserWarning, match=r"f\.obj: expected pictures of at most \d+ pixels side by side, found 900030000"
    ):
        scan = read_scan(tmp_path / "f.obj")
    assert scan.texture is None
    assert len(scan.triangles) == 2


@pytest.mark.parametrize("suffix", [".obj", ".stl", ".off", ".glb", ".ply", ".wrl"])
def test_a_file_that_is_far_too_large_is_refused_before_it_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"face{suffix}"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ScanError, match=f"at most {MAX_BYTES} bytes, found {MAX_BYTES + 1}"):
        read_scan(path)


def test_a_name_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(ScanError, match="expected a file that can be read, found File name too long"):
        read_scan("a" * 300 + ".ply")
