"""Bosphorus' range images, from files packed by hand."""

import struct
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affectvlm.errors import ScanError
from affectvlm.scan.picture_file import PictureFile
from affectvlm.scan.range_image import RangeImage
from affectvlm.scan.read_range import read_range_image
from affectvlm.scan.write_bnt import write_bnt

ROWS, COLUMNS, ZMIN = 6, 5, -1e9
NAME = b"bs000_N_N_0.png"


def table() -> np.ndarray:
    """(5, R, C) x, y, z, u, v with the picture's top row first; two pixels are background."""
    row, column = np.indices((ROWS, COLUMNS), float)
    blocks = np.stack([column - 2, 3 - row, 10 * row + column, column / 8 + 0.25, row / 16 + 0.125])
    blocks[:, 0, 0] = ZMIN
    blocks[2, 3, 2] = ZMIN  # z alone tells
    return blocks


def packed(blocks: np.ndarray, name: bytes = NAME, count: int | None = None) -> bytes:
    """Each number on its own, the bottom row first."""
    _, rows, columns = blocks.shape
    parts = [struct.pack("<H", rows), struct.pack("<H", columns), struct.pack("<d", ZMIN)]
    parts += [struct.pack("<H", len(name)), name, struct.pack("<I", blocks.size if count is None else count)]
    for block in blocks:
        for row in reversed(range(rows)):
            parts += [struct.pack("<d", number) for number in block[row]]
    return b"".join(parts)


def with_picture(folder: Path, blocks: np.ndarray, size: tuple[int, int] = (16, 12)) -> Path:
    path = folder / "bs000_N_N_0.bnt"
    path.write_bytes(packed(blocks))
    pixels = np.arange(size[0] * size[1] * 3).reshape(size[1], size[0], 3).astype(np.uint8)
    Image.fromarray(pixels).save(path.with_suffix(".png"))
    return path


@pytest.mark.filterwarnings("error")
def test_points_stand_where_they_were_measured(tmp_path):
    image = read_range_image(with_picture(tmp_path, table()))
    measured = np.ones((ROWS, COLUMNS), bool)
    measured[0, 0] = measured[3, 2] = False
    np.testing.assert_array_equal(image.measured, measured)
    assert np.isnan(image.points[~measured]).all()
    np.testing.assert_array_equal(image.points[measured], np.moveaxis(table()[:3], 0, -1)[measured])
    assert image.points[0, 1, 1] == 3  # the top row is the highest


@pytest.mark.filterwarnings("error")
def test_the_picture_is_laid_on_by_its_places_and_not_yet_read(tmp_path):
    image = read_range_image(with_picture(tmp_path, table()))
    assert image.texture == PictureFile(tmp_path / "bs000_N_N_0.png")
    scan = image.mesh(1000)
    assert scan.texture is image.texture
    assert "pixels" not in vars(image.texture)
    np.testing.assert_array_equal(scan.uv_triangles, scan.triangles)
    # x and y give the pixel, u and v of the file what must come out; the file's v counts downwards.
    column, row = scan.vertices[:, 0] + 2, 3 - scan.vertices[:, 1]
    np.testing.assert_array_equal(scan.uv[:, 0], column / 8 + 0.25)
    np.testing.assert_array_equal(scan.uv[:, 1], 1 - (row / 16 + 0.125))
    assert np.asarray(scan.texture).shape == (12, 16, 3)
    assert "pixels" in vars(image.texture)


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".jpg", ".bmp"])
def test_the_picture_may_have_another_ending(tmp_path, suffix):
    path = with_picture(tmp_path, table())
    path.with_suffix(".png").rename(path.with_suffix(suffix))
    assert read_range_image(path).texture == PictureFile(path.with_suffix(suffix))


def test_without_its_picture_the_shape_is_used(tmp_path):
    path = with_picture(tmp_path, table())
    path.with_suffix(".png").unlink()
    with pytest.warns(UserWarning, match=r"bs000_N_N_0\.bnt: expected its picture bs000_N_N_0\.png beside it"):
        image = read_range_image(path)
    assert image.texture is None is image.uv
    assert image.mesh(1000).texture is None


@pytest.mark.filterwarnings("error")
def test_a_file_that_names_no_picture_needs_none(tmp_path):
    (tmp_path / "a.bnt").write_bytes(packed(table(), b""))
    assert read_range_image(tmp_path / "a.bnt").texture is None


@pytest.mark.parametrize("name", [b"../secret.png", b"/etc/secret.png", b"\xff\x00\n" * 50, b"a" * 65535])
def test_the_name_in_the_file_is_never_opened(tmp_path, name):
    folder = tmp_path / "scans"
    folder.mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    (folder / "a.bnt").write_bytes(packed(table(), name))
    with pytest.warns(UserWarning, match="found none; the shape") as caught:
        assert read_range_image(folder / "a.bnt").texture is None
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)


def test_a_picture_that_is_a_link_elsewhere_is_not_opened(tmp_path):
    folder = tmp_path / "scans"
    folder.mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    (folder / "a.png").symlink_to(tmp_path / "secret.png")
    (folder / "a.bnt").write_bytes(packed(table()))
    with pytest.warns(UserWarning, match="found none"):
        assert read_range_image(folder / "a.bnt").texture is None


def test_linked_scans_find_the_pictures_beside_the_real_ones(tmp_path):
    real, linked = with_picture(tmp_path, table()), tmp_path / "chosen"
    linked.mkdir()
    for file in (real, real.with_suffix(".png")):
        (linked / file.name).symlink_to(file)
    assert read_range_image(linked / real.name).texture is not None


def test_places_beyond_the_picture_take_its_border(tmp_path):
    blocks = table()
    blocks[3, 1, 1], blocks[4, 2, 2], blocks[3, 4, 4], blocks[4, 0, 0] = -0.5, 1.5, np.nan, 77
    with pytest.warns(UserWarning, match="3 points lie outside the picture"):
        image = read_range_image(with_picture(tmp_path, blocks))
    assert image.uv[1, 1, 0] == 0
    assert image.uv[2, 2, 1] == 0
    assert image.uv[4, 4, 0] == 0
    assert np.isfinite(image.mesh(1000).uv).all()


def test_numbers_that_are_none_are_not_measured(tmp_path):
    blocks = table()
    blocks[0, 1, 1], blocks[1, 2, 2], blocks[2, 4, 4] = np.nan, np.inf, -1e300
    (tmp_path / "a.bnt").write_bytes(packed(blocks, b""))
    assert read_range_image(tmp_path / "a.bnt").measured.sum() == ROWS * COLUMNS - 5


def test_bytes_after_the_last_value_are_passed_over(tmp_path):
    (tmp_path / "a.bnt").write_bytes(packed(table(), b"") + b"12345")
    with pytest.warns(UserWarning, match="5 bytes after the last value"):
        assert read_range_image(tmp_path / "a.bnt").points.shape == (ROWS, COLUMNS, 3)


@pytest.mark.parametrize("part", range(20))
def test_a_file_cut_short_is_refused(tmp_path, part):
    whole = packed(table())
    path = tmp_path / "a.bnt"
    path.write_bytes(whole[: len(whole) * part // 20])
    with pytest.raises(ScanError) as caught:
        read_range_image(path)
    assert str(caught.value).startswith(f"{path}: expected ")
    assert "copy the file again" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (packed(table(), count=0), r"5 values for each of 6 x 5 pixels, found 0 announced \(byte 29\)"),
        (packed(table(), count=4_294_967_295), "found 4294967295 announced"),
        (struct.pack("<HHdHI", 0, 5, ZMIN, 0, 0), "0 x 5 pixels"),
        (struct.pack("<HHdHI", 4000, 4000, ZMIN, 0, 80_000_000), "640000018 bytes for 4000 x 4000 pixels, found 18"),
        (struct.pack("<HHdHI", 60000, 14000, ZMIN, 0, 4_200_000_000), "at most 20000000 pixels, found 60000 x 14000"),
        (b"\x89PNG\r\n\x1a\n" + bytes(3000), "is no .bnt range image|announced"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_a_header_is_not_believed(tmp_path, content, words):
    (tmp_path / "a.bnt").write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ScanError, match=words):
            read_range_image(tmp_path / "a.bnt")
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_what_is_written_comes_back(tmp_path):
    rng = np.random.default_rng(4)
    points = rng.normal(0, 80, (9, 7, 3)).astype(np.float32)
    points[rng.random((9, 7)) < 0.3] = np.nan
    colours = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    image = RangeImage(points, colours)
    write_bnt(tmp_path / "a.bnt", image)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = read_range_image(tmp_path / "a.bnt")
    np.testing.assert_array_equal(back.points, points)
    np.testing.assert_array_equal(np.asarray(back.texture), colours)
    np.testing.assert_allclose(back.uv, image.texture_uv, rtol=0, atol=1e-7)
    # With places of its own in a larger picture, too.
    photograph = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
    image = RangeImage(points, photograph, uv=rng.random((9, 7, 2)))
    write_bnt(tmp_path / "b.bnt", image)
    back = read_range_image(tmp_path / "b.bnt")
    np.testing.assert_allclose(back.uv, image.uv, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(np.asarray(back.texture), photograph)


def test_another_ending_or_no_file_is_refused(tmp_path):
    with pytest.raises(ScanError, match=r"ends in \.bnt, \.abs, \.abs\.gz, \.png, \.npz, found '\.obj'"):
        read_range_image(tmp_path / "a.obj")
    with pytest.raises(ScanError, match="expected a file, found none"):
        read_range_image(tmp_path / "a.bnt")
    (tmp_path / "b.bnt").mkdir()
    with pytest.raises(ScanError, match="found a directory"):
        read_range_image(tmp_path / "b.bnt")
