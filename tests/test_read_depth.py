"""Depth pictures and arrays, from files packed by hand, and a depth camera's frames end to end."""

import io
import json
import os
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affectvlm.errors import ScanError
from affectvlm.scan.depth_camera import Intrinsics, points_before_camera, read_intrinsics, read_unit_mm
from affectvlm.scan.normalize import normalize
from affectvlm.scan.picture_file import PictureFile
from affectvlm.scan.range_image import RangeImage
from affectvlm.scan.read_depth import is_depth_picture
from affectvlm.scan.read_range import read_range_image
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.generate import Study

CAMERA = {"fx": 100.0, "fy": 125.0, "cx": 9.5, "cy": 7.0}


@contextmanager
def within_memory(most: int) -> Iterator[None]:
    """Nothing inside takes more bytes at a time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def png(steps: np.ndarray, bits: int = 16, colour: int = 0, size: tuple[int, int] | None = None) -> bytes:
    """A picture ((R, C) int), chunk by chunk; ``size`` is what it announces."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows, columns = size or steps.shape
    lines = b"".join(b"\0" + row.astype(">u2" if bits == 16 else "u1").tobytes() for row in steps)
    header = struct.pack(">IIBBBBB", columns, rows, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def wall(depth: float = 600, rows: int = 15, columns: int = 20) -> np.ndarray:
    """Large enough to be taken for a person: 600 mm away it is 120 x 72 mm."""
    return np.full((rows, columns), depth)


def write(folder: Path, steps: np.ndarray, camera: dict | None = None, name: str = "frame") -> Path:
    path = folder / f"{name}.png"
    path.write_bytes(png(steps))
    (folder / f"{name}.json").write_text(json.dumps(CAMERA if camera is None else camera))
    return path


@pytest.mark.filterwarnings("error")
def test_depth_becomes_points_before_the_camera(tmp_path):
    steps = wall()
    steps[3, 4] = 0
    steps[2, 15] = 650
    image = read_range_image(write(tmp_path, steps))
    assert image.measured.sum() == 15 * 20 - 1
    assert not image.measured[3, 4]
    # Five and a half columns to the right of the axis and five rows above it.
    np.testing.assert_allclose(image.points[2, 15], [5.5 * 6.5, 5 * 5.2, -650], rtol=1e-6)
    np.testing.assert_allclose(image.points[7, 9], [-0.5 * 6, 0, -600], rtol=1e-6)
    # Right is +x, up is +y, and the surface faces the camera.
    assert image.points[0, 19, 0] > 0 < image.points[0, 19, 1]
    scan = image.mesh(20)
    assert (scan.vertex_normals[:, 2] > 0).all()


@pytest.mark.parametrize(
    ("said", "unit"),
    [
        ({}, 1),
        ({"depth_unit_mm": 0.25}, 0.25),
        ({"depth_scale": 1000}, 1),
        ({"depth_scale": 1000.0}, 1),
        ({"depth_scale": 5000}, 0.2),
        ({"depth_scale": 0.001}, 1),
        ({"depth_scale": 0.0001}, 0.1),
    ],
)
def test_the_unit_of_depth(tmp_path, said, unit):
    image = read_range_image(write(tmp_path, np.rint(wall(600) / unit), CAMERA | said))
    np.testing.assert_allclose(image.points[..., 2], -600, rtol=1e-6)


@pytest.mark.parametrize(
    "said",
    [
        CAMERA,
        {"fx": 100, "fy": 125, "ppx": 9.5, "ppy": 7, "width": 20, "model": "none"},
        {"width": 20, "height": 15, "intrinsic_matrix": [100, 0, 0, 0, 125, 0, 9.5, 7, 1]},
        {"K": [100, 0, 9.5, 0, 125, 7, 0, 0, 1]},
        {"camera_matrix": [[100, 0, 9.5], [0, 125, 7], [0, 0, 1]]},
        {"intrinsics": [[100, 0, 9.5], [0, 125, 7], [0, 0, 1]]},
        {"intrinsics": {"fx": 100, "fy": 125, "ppx": 9.5, "ppy": 7}},
        {"intrinsic": {"width": 20, "intrinsic_matrix": [100, 0, 0, 0, 125, 0, 9.5, 7, 1]}, "extrinsic": []},
        {name: str(value) for name, value in CAMERA.items()},
    ],
)
def test_every_way_to_describe_a_camera(said):
    assert read_intrinsics(said, "camera.json") == Intrinsics(100, 125, 9.5, 7)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, 'expected the camera\'s intrinsics, {"fx": .*found none called .fx'),
        ({"fx": 100, "fy": 125, "cx": 9}, "found none called .cy"),
        (CAMERA | {"fx": "wide"}, "could not convert"),
        (CAMERA | {"fx": None}, "expected the camera's intrinsics"),
        (CAMERA | {"fx": [1, 2]}, "expected the camera's intrinsics"),
        (CAMERA | {"fx": 0}, "with fx and fy of 1 to 1000000, found fx, fy, cx, cy = 0, 125"),
        (CAMERA | {"fy": -125}, "= 100, -125"),
        (CAMERA | {"fx": float("nan")}, "= nan, 125"),
        (CAMERA | {"cx": float("inf")}, "100, 125, inf"),
        (CAMERA | {"cx": 1e300}, r"100, 125, 1e\+300"),
        (CAMERA | {"cx": 10**400}, "expected the camera's intrinsics"),
        ({"K": [1, 2, 3]}, r"K with shape \(3,\)"),
        ({"K": np.ones((3, 3)).tolist()}, r"K with shape \(3, 3\), which is no"),
        ({"K": [[1, 2], [3]]}, "expected the camera's intrinsics"),
        ({"K": {"a": 1}}, "expected the camera's intrinsics"),
    ],
)
def test_what_is_no_camera_is_refused(said, words):
    with pytest.raises(ScanError, match=words) as caught:
        read_intrinsics(said, "camera.json")
    assert str(caught.value).startswith("camera.json: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"depth_scale": 1}, "steps in a metre .1000. or metres in a step .0.001., found 1; say depth_unit_mm"),
        ({"depth_unit_mm": 0}, "0.001 to 1000 mm, found '0'"),
        ({"depth_unit_mm": -1}, "0.001 to 1000 mm"),
        ({"depth_scale": -5}, "0.001 to 1000 mm"),
        ({"depth_unit_mm": 1e300}, "0.001 to 1000 mm"),
        ({"depth_unit_mm": "mm"}, "found 'mm'"),
        ({"depth_scale": float("nan")}, "found 'nan'"),
        ({"depth_scale": float("inf")}, "found 'inf'"),
        ({"depth_unit_mm": None}, "found 'None'"),
    ],
)
def test_what_is_no_unit_is_refused(said, words):
    with pytest.raises(ScanError, match=words):
        read_unit_mm(said, "camera.json")


@pytest.mark.parametrize("name", ["frame.json", "intrinsics.json", "camera_intrinsic.json", "camera.json"])
def test_the_camera_is_looked_for_beside_the_picture(tmp_path, name):
    path = write(tmp_path, wall())
    (tmp_path / "frame.json").rename(tmp_path / name)
    assert read_range_image(path).measured.all()


def test_a_pictures_own_camera_goes_before_the_folders(tmp_path):
    path = write(tmp_path, wall())
    (tmp_path / "camera.json").write_text("no JSON")
    assert read_range_image(path).measured.all()


def test_a_camera_elsewhere_is_not_read(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    path = write(folder, wall())
    (folder / "frame.json").rename(tmp_path / "frame.json")
    (folder / "frame.json").symlink_to(tmp_path / "frame.json")
    with pytest.raises(ScanError, match=r"intrinsics in frame\.json or intrinsics\.json beside it, found neither"):
        read_range_image(path)


@pytest.mark.parametrize(
    "name", ["frame.jpg", "frame_color.png", "frame_rgb.png", "frame_colour.jpg", "color/frame.png", "rgb/frame.jpg"]
)
@pytest.mark.filterwarnings("error")
def test_a_photograph_of_the_same_pixels_is_laid_on(tmp_path, name):
    path = write(tmp_path, wall())
    (tmp_path / name).parent.mkdir(exist_ok=True)
    Image.new("RGB", (20, 15), (200, 100, 50)).save(tmp_path / name)
    image = read_range_image(path)
    assert image.texture == PictureFile(tmp_path / name)
    assert "pixels" not in vars(image.texture)
    assert image.mesh(20).textured


def test_a_depth_picture_is_not_its_own_photograph_where_disks_know_no_case(tmp_path):
    path = write(tmp_path, wall())
    os.link(path, path.with_suffix(".PNG"))
    assert read_range_image(path).texture is None


def test_a_name_may_have_depth_replaced_by_color(tmp_path):
    path = write(tmp_path, wall(), name="07_depth")
    Image.new("RGB", (20, 15)).save(tmp_path / "07_color.png")
    assert read_range_image(path).texture == PictureFile(tmp_path / "07_color.png")


def test_a_photograph_of_another_size_is_left_out(tmp_path):
    path = write(tmp_path, wall())
    Image.new("RGB", (40, 30)).save(tmp_path / "frame.jpg")
    with pytest.warns(UserWarning, match="expected frame.jpg to have 15 x 20 pixels as the scan, found 30 x 40"):
        assert read_range_image(path).texture is None


def test_which_png_is_depth(tmp_path):
    for name, content in {
        "depth": png(wall()),
        "grey": png(wall(100), bits=8),
        "colour": png(np.zeros((4, 12)), colour=2),
        "none": b"GIF89a",
        "empty": b"",
    }.items():
        (tmp_path / f"{name}.png").write_bytes(content)
        assert is_depth_picture(tmp_path / f"{name}.png") == (name == "depth")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (png(wall(100), bits=8), "PNG, 16 bits of grey., found one of 8 bits; a photograph alone has no shape"),
        (png(np.zeros((4, 12)), colour=2), "found one in colour"),
        (b"\xff\xd8\xff\xe0 a photograph with a wrong name", "found no PNG"),
        (b"", "found no PNG"),
        (png(wall(), size=(4_000_000_000, 4_000_000_000)), "announces 4000000000 x 4000000000 pixels"),
        (png(wall(), size=(4000, 4000)), "announces 4000 x 4000 pixels, which its .* bytes cannot hold"),
        (png(wall(), size=(0, 20)), "announces 20 x 0 pixels"),
        (png(wall()).replace(b"IDAT", b"IDXT"), "expected a depth picture, found it damaged"),
        (png(0 * wall()), "expected depth, found 15 x 20 pixels without any"),
        (png(wall(5000)), "within 2000 mm, found nothing nearer than 5000 mm; say what a step of depth is"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_what_is_no_depth_picture_is_refused(tmp_path, content, words):
    path = write(tmp_path, wall())
    path.write_bytes(content)
    with within_memory(2_000_000), pytest.raises(ScanError, match=words) as caught:
        read_range_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "found neither; write .*depth_unit_mm"),
        ("", "found no JSON"),
        ("[1, 2]", "found a list"),
        ("{" * 100_000, "found no JSON"),
        ("[" * 100_000, "found no JSON"),
        ('{"fx": ' + "9" * 5000 + "}", "found no JSON|intrinsics"),
        (" " * (2 << 20), r"found no JSON \(2097152 bytes\)"),
        ('{"fx": 1}', "found none called 'fy'"),
    ],
)
def test_a_camera_that_is_not_described_is_refused(tmp_path, content, words):
    path = write(tmp_path, wall())
    (tmp_path / "frame.json").unlink()
    if content is not None:
        (tmp_path / "frame.json").write_text(content)
    with pytest.raises(ScanError, match=words):
        read_range_image(path)


@pytest.mark.parametrize("part", range(20))
def test_a_picture_cut_short_is_refused(tmp_path, part):
    whole = png(np.random.default_rng(0).integers(500, 700, (15, 20)))[:-12]
    path = write(tmp_path, wall())
    path.write_bytes(whole[: len(whole) * part // 20])
    with pytest.raises(ScanError) as caught:
        read_range_image(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_the_room_behind_a_person_goes_and_what_is_small_before_him_too():
    camera = Intrinsics(500, 500, 100, 80)
    depth = np.full((160, 200), 1500.0)  # the wall
    depth[20:140, 50:150] = 600 + 200 * np.linspace(0, 1, 100)  # 120 x 144 mm, 200 mm deep
    depth[0:10, 0:10] = 250  # something 5 mm wide
    depth[:3] = np.nan
    points = points_before_camera(depth, camera, "frame.png")
    kept = np.isfinite(points[..., 2])
    assert kept[20:140, 50:150].all()
    assert not kept[:, :50].any() or (kept[:, :50] == (depth[:, :50] == 250)).all()
    assert not kept[:, 150:].any()
    assert not kept[140:].any()


def test_a_wall_a_step_behind_the_head_is_not_parted():
    camera = Intrinsics(500, 500, 100, 80)
    depth = np.full((160, 200), 890.0)
    depth[20:140, 50:150] = 800
    assert np.isfinite(points_before_camera(depth, camera, "frame.png")).all()


# Arrays


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize(
    "camera",
    [
        CAMERA,
        {"K": np.array([[100, 0, 9.5], [0, 125, 7], [0, 0, 1]])},
        {"intrinsics": np.array([[100, 0, 9.5], [0, 125, 7], [0, 0, 1]], np.float32)},
        {name: np.array([value]) for name, value in CAMERA.items()},
    ],
)
@pytest.mark.parametrize(
    ("depth", "unit"),
    [
        (wall().astype(np.uint16), None),
        (wall().astype(np.float32), None),
        (wall(6000).astype(np.int32), 0.1),
        (wall(0.6), 1000),
        (np.asfortranarray(wall()), None),
        (wall()[..., None].astype(">i4"), 1),
    ],
)
@pytest.mark.filterwarnings("error")
def test_depth_in_an_npz_is_as_in_a_picture(tmp_path, camera, depth, unit):
    said = {} if unit is None else {"depth_unit_mm": unit}
    image = read_range_image(npz(tmp_path / "a.npz", depth=depth, **camera, **said))
    wanted = read_range_image(write(tmp_path, wall()))
    np.testing.assert_allclose(image.points, wanted.points, rtol=1e-6)


def test_small_numbers_of_depth_are_metres(tmp_path):
    depth = wall(0.6).astype(np.float32)
    depth[:5] = 0
    with pytest.warns(UserWarning, match="half of depth is below 20, so it is taken as metres"):
        image = read_range_image(npz(tmp_path / "a.npz", depth=depth, **CAMERA))
    np.testing.assert_allclose(image.points[5:, :, 2], -600, rtol=1e-6)


@pytest.mark.parametrize("metres", [False, True])
def test_points_in_an_npz_are_taken_as_they_are(tmp_path, metres):
    rng = np.random.default_rng(1)
    points = rng.normal(0, 50, (8, 9, 3)).astype(np.float32)
    points[0, 0], points[1, 1] = 0, [1, np.nan, 3]
    colours = rng.integers(0, 256, (8, 9, 3), dtype=np.uint8)
    path = npz(tmp_path / "a.npz", points=points / np.float32(1000 if metres else 1), rgb=colours)
    if metres:
        with pytest.warns(UserWarning, match="span less than 5, so they are taken as metres"):
            image = read_range_image(path)
    else:
        image = read_range_image(path)
    measured = np.ones((8, 9), bool)
    measured[0, 0] = measured[1, 1] = False
    np.testing.assert_array_equal(image.measured, measured)
    np.testing.assert_allclose(image.points[measured], points[measured], rtol=1e-6 if metres else 0)
    np.testing.assert_array_equal(image.texture, colours)


def test_colours_that_do_not_fit_are_left_out(tmp_path):
    points = np.random.default_rng(1).normal(0, 50, (8, 9, 3))
    path = npz(tmp_path / "a.npz", points=points, colours=np.zeros((8, 9, 3)))
    with pytest.warns(UserWarning, match=r"expected colours \(8, 9, 3\) uint8, found \(8, 9, 3\) float64"):
        assert read_range_image(path).texture is None


def raw_npz(path: Path, header: str, content: bytes = b"", announced: int | None = None) -> Path:
    """An npz whose depth has any header."""
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("depth.npy", head + content)
        for name, value in CAMERA.items():
            array = io.BytesIO()
            np.save(array, value)
            archive.writestr(f"{name}.npy", array.getvalue())
    whole = packed.getvalue()
    if announced is not None:  # the unpacked size, in both places where it stands
        whole = whole.replace(struct.pack("<I", len(head) + len(content)), struct.pack("<I", announced))
    path.write_bytes(whole)
    return path


HEADER = "{'descr': '<u2', 'fortran_order': False, 'shape': (15, 20), }\n"


def test_an_npz_packed_by_hand_is_read(tmp_path):
    image = read_range_image(raw_npz(tmp_path / "a.npz", HEADER, wall().astype("<u2").tobytes()))
    np.testing.assert_allclose(image.points[..., 2], -600)


@pytest.mark.parametrize(
    ("header", "announced", "words"),
    [
        (HEADER.replace("15, 20", "4000000000, 4000000000"), None, "numbers for at most 20000000 pixels"),
        (HEADER.replace("15, 20", "4000, 4000"), None, r"found uint16 \(4000, 4000\) in \d+ bytes"),
        (HEADER.replace("15, 20", "4000, 4000"), 4_000_000_000, "announces 4000000000 bytes for 'depth'"),
        (HEADER.replace("15, 20", "-15, 20"), None, "expected"),
        (HEADER.replace("15, 20", "300"), None, "cannot be read|expected"),
        (HEADER.replace("15, 20", "15, 20, 1, 1"), None, r"expected depth \(R, C\), found uint16 \(15, 20, 1, 1\)"),
        (HEADER.replace("<u2", "|O"), None, "expected 'depth' to be numbers"),
        (HEADER.replace("<u2", "<U2"), None, "expected 'depth' to be numbers"),
        (HEADER.replace("<u2", "<c8"), None, "expected 'depth' to be numbers"),
        (HEADER.replace("'<u2'", "[('a', '<u2')]"), None, "expected 'depth' to be numbers"),
        (HEADER.replace("<u2", "|b1"), None, r"expected depth \(R, C\), found bool"),
        (HEADER.replace("<u2", "what"), None, "cannot be read"),
        ("__import__('os').abort()\n", None, "cannot be read"),
        ("(" * 5000 + "\n", None, "cannot be read"),
        ("", None, "cannot be read"),
    ],
)
def test_an_array_that_is_not_what_it_says_is_refused(tmp_path, header, announced, words):
    path = raw_npz(tmp_path / "a.npz", header, wall().astype("<u2").tobytes(), announced)
    with within_memory(4_000_000), pytest.raises(ScanError, match=words) as caught:
        read_range_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, r"expected an array called depth \(R, C\), .*found nothing"),
        ({"vertices": np.zeros((4, 3)), "triangles": np.zeros((2, 3))}, "found vertices, triangles"),
        ({"depth": wall()}, "expected the camera's intrinsics.*found none called 'fx'"),
        ({"points": np.zeros((30, 3))}, r"expected points \(R, C, 3\) on a grid, found float64 \(30, 3\)"),
        ({"depth": np.zeros((0, 5)), **CAMERA}, "0 x 5 pixels without any"),
        ({"depth": np.full((5, 5), np.nan), **CAMERA}, "5 x 5 pixels without any"),
        ({"depth": wall(5000), **CAMERA}, "found nothing nearer than 5000 mm"),
        ({"depth": wall(), **CAMERA, "fx": np.array([1, 2])}, "expected the camera's intrinsics"),
    ],
)
def test_missing_arrays_are_named(tmp_path, arrays, words):
    with pytest.raises(ScanError, match=words) as caught:
        read_range_image(npz(tmp_path / "a.npz", **arrays))
    assert str(caught.value).startswith(f"{tmp_path}/a.npz: ")


def test_pickles_are_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    trap = np.empty((1, 1), object)
    trap[0, 0] = Trap()
    np.savez(tmp_path / "a.npz", depth=trap, **CAMERA)
    with pytest.raises(ScanError, match="expected 'depth' to be numbers"):
        read_range_image(tmp_path / "a.npz")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("part", range(20))
def test_an_npz_cut_short_is_refused(tmp_path, part):
    path = npz(tmp_path / "a.npz", depth=wall(), **CAMERA)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * part // 20])
    with pytest.raises(ScanError, match=r"expected arrays in an \.npz file") as caught:
        read_range_image(path)
    assert str(caught.value).startswith(f"{path}: ")


# End to end


def camera_of(grid: RangeImage) -> tuple[Intrinsics, np.ndarray]:
    """The pinhole camera by which a grid was measured, and (3,) where it stood, in closed form.

    With d = pz - z: x = px + (c - cx) d / f is linear in 1, c, z and c z; so is y in 1, r, z and r z.
    """
    row, column = np.nonzero(grid.measured)
    x, y, z = grid.points[grid.measured].astype(np.float64).T
    one = np.ones_like(z)
    a, b, c, d = np.linalg.lstsq(np.stack([one, column, z, column * z], axis=1), x)[0]
    focal = -1 / d
    distance, cx = b * focal, c * focal
    e, _, g, _ = np.linalg.lstsq(np.stack([one, -row, z, -row * z], axis=1), y)[0]
    cy = -g * focal
    return Intrinsics(focal, focal, cx, cy), np.array([a + cx * b, e - cy * b, distance])


@pytest.mark.parametrize("form", ["png", "npz"])
@pytest.mark.parametrize("number", [0, 3])
def test_a_depth_cameras_frame_gives_the_face(tmp_path, number, form):
    study = Study(FaceSource.find("embedded"), subjects=1, sensor="depth-camera", seed=5, textured=True)
    recording = study.record(study.takes()[number])
    grid = recording.grid
    camera, place = camera_of(grid)
    depth = np.where(grid.measured, place[2] - grid.points[..., 2], 0)
    # A room around it: the wall 400 mm behind, as it would be seen between and beside.
    room = np.pad(depth, 40)
    room[room == 0] = np.where(np.random.default_rng(0).random((room == 0).sum()) < 0.9, depth.max() + 400, 0)
    numbers = {"fx": camera.fx, "fy": camera.fy, "cx": camera.cx + 40, "cy": camera.cy + 40, "depth_unit_mm": 0.1}
    steps = np.rint(room * 10).astype(np.uint16)
    if form == "png":
        path = write(tmp_path, steps, numbers)
        Image.fromarray(np.pad(grid.texture, ((40, 40), (40, 40), (0, 0)))).save(tmp_path / "frame_color.png")
    else:
        path = npz(tmp_path / "a.npz", depth=steps, **numbers)
    image = read_range_image(path)
    inner = image.points[40:-40, 40:-40]
    kept = np.isfinite(image.points[..., 2])
    assert kept.sum() == kept[40:-40, 40:-40][grid.measured].sum()  # the wall is gone
    kept = kept[40:-40, 40:-40]
    assert kept.sum() > 0.998 * grid.measured.sum()  # and but for points between face and wall, the face is there
    np.testing.assert_allclose(inner[kept] + place, grid.points[kept], rtol=0, atol=0.06)
    scan = image.mesh(10)
    if form == "png":
        np.testing.assert_array_equal(np.asarray(scan.texture)[40:-40, 40:-40], grid.texture)
    found = normalize(scan).pose.nose + place
    assert np.linalg.norm(found - recording.landmarks[30]) < 10
