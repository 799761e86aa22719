"""FRGC's range images, from text written by hand."""

import gzip
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affectvlm.errors import ScanError
from affectvlm.scan.picture_file import PictureFile
from affectvlm.scan.read_range import read_range_image

ROWS, COLUMNS = 4, 5


@contextmanager
def within_memory(most: int) -> Iterator[None]:
    """Nothing inside takes more bytes at a time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


def grid() -> np.ndarray:
    """(4, R, C) flag, x, y, z; two pixels were not measured."""
    row, column = np.indices((ROWS, COLUMNS), float)
    values = np.stack([np.ones_like(row), column - 2.125, 7.5 - row, -1500.25 - row * column])
    values[0, 1, 2] = values[0, 3, 4] = 0
    values[1:, 1, 2] = values[1:, 3, 4] = -999999
    return values


def text(values: np.ndarray, head: str = "{} rows\n{} columns\npixels (flag X Y Z):\n", form: str = "{:.6f}") -> bytes:
    lines = [" ".join(f"{int(flag)}" for flag in values[0].ravel())]
    lines += [" ".join(form.format(number) for number in block.ravel()) for block in values[1:]]
    return (head.format(*values.shape[1:]) + "\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("name", ["02463d546.abs", "02463d546.abs.gz", "02463D546.ABS"])
@pytest.mark.filterwarnings("error")
def test_points_stand_where_they_were_measured(tmp_path, name):
    content = text(grid())
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    image = read_range_image(tmp_path / name)
    measured = grid()[0] == 1
    np.testing.assert_array_equal(image.measured, measured)
    np.testing.assert_array_equal(image.points[measured], np.moveaxis(grid()[1:], 0, -1)[measured])
    assert np.isnan(image.points[~measured]).all()
    assert image.texture is None
    assert image.points[0, 0].tolist() == [-2.125, 7.5, -1500.25]


@pytest.mark.parametrize(
    "content",
    [
        text(grid()).replace(b"\n", b"\r\n"),
        text(grid(), "  {}  rows \n {}columns  \n pixels (flag X Y Z):\n"),
        text(grid(), "{} ROWS\n{} Columns\nPixels (flag x y z): \n"),
        text(grid(), "{} rows\n{}\tcolumns\n\npixels:\n").replace(b"-2.1", b"\n-2.1").replace(b" 7.5", b"\t7.5"),
        text(grid()).replace(b" ", b"  ").rstrip(),
        text(grid(), form="{:e}"),
        text(grid(), form="{:g}"),
        text(grid(), form="{:+.9f}"),
    ],
    ids=range(8),
)
@pytest.mark.filterwarnings("error")
def test_white_space_and_forms_of_numbers_do_not_matter(tmp_path, content):
    (tmp_path / "a.abs").write_bytes(content)
    image = read_range_image(tmp_path / "a.abs")
    measured = grid()[0] == 1
    np.testing.assert_array_equal(image.measured, measured)
    np.testing.assert_allclose(image.points[measured], np.moveaxis(grid()[1:], 0, -1)[measured], rtol=3e-6)


def test_either_mark_of_nothing_is_enough(tmp_path):
    values = grid()
    values[0, 0, 0] = 0  # with coordinates
    values[3, 0, 1] = -999999  # with a flag
    (tmp_path / "a.abs").write_bytes(text(values))
    image = read_range_image(tmp_path / "a.abs")
    assert image.measured.sum() == ROWS * COLUMNS - 4
    assert not image.measured[0, 0]
    assert not image.measured[0, 1]


@pytest.mark.parametrize("suffix", [".ppm", ".jpg", ".png"])
@pytest.mark.filterwarnings("error")
def test_a_picture_of_the_same_pixels_is_laid_on(tmp_path, suffix):
    (tmp_path / "a.abs.gz").write_bytes(gzip.compress(text(grid())))
    colours = np.full((ROWS, COLUMNS, 3), 90, np.uint8)
    Image.fromarray(colours).save(tmp_path / f"a{suffix}")
    image = read_range_image(tmp_path / "a.abs.gz")
    assert image.texture == PictureFile(tmp_path / f"a{suffix}")
    scan = image.mesh(1000)
    assert scan.textured
    # x gives the column, y the row.
    np.testing.assert_allclose(scan.uv[:, 0], (scan.vertices[:, 0] + 2.125 + 0.5) / COLUMNS, atol=1e-6)
    np.testing.assert_allclose(scan.uv[:, 1], 1 - (7.5 - scan.vertices[:, 1] + 0.5) / ROWS, atol=1e-6)
    assert np.abs(np.asarray(scan.texture).astype(int) - 90).max() <= 1


@pytest.mark.parametrize("damaged", [True, False])
def test_a_picture_that_does_not_fit_is_left_out(tmp_path, damaged):
    (tmp_path / "a.abs").write_bytes(text(grid()))
    Image.new("RGB", (COLUMNS, ROWS + 1)).save(tmp_path / "a.png")
    if damaged:
        (tmp_path / "a.png").write_bytes(b"no picture")
    words = "cannot be read" if damaged else "expected a.png to have 4 x 5 pixels as the scan, found 5 x 5"
    with pytest.warns(UserWarning, match=words):
        assert read_range_image(tmp_path / "a.abs").texture is None


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
@pytest.mark.parametrize("part", range(20))
def test_a_file_cut_short_is_refused(tmp_path, part, pack):
    whole = pack(text(grid()).rstrip()[:-7])  # a number that lacks its end is still a number
    path = tmp_path / "a.abs.gz"
    path.write_bytes(whole[: len(whole) * part // 20])
    with pytest.raises(ScanError) as caught:
        read_range_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "expected lines such as '480 rows'"),
        (b"480 columns\n640 rows\n", "expected lines such as '480 rows'.* found b'480 columns"),
        (text(grid()).replace(b"4 rows", b"0 rows"), "announces 0 x 5 pixels"),
        (text(grid()).replace(b"4 rows", b"5 rows"), "expected 100 numbers .*, found 80; the file is cut short"),
        (text(grid()).replace(b"7.500000", b"x7.50000", 1), r"number at byte \d+ of the text, found b'x7.50000"),
        (text(grid()).replace(b"7.500000", b"1.2.3", 1), "found b'1.2.3"),
        (text(grid()).replace(b"4 rows", b"999999999 rows"), "announces 999999999 x 5 pixels"),
        (gzip.compress(text(grid()).replace(b"4 rows", b"999999999 rows")), "announces 999999999 x 5 pixels"),
        (text(grid()).replace(b"4 rows", b"4000 rows"), r"announces 4000 x 5 pixels, which its \d+ bytes cannot hold"),
        (gzip.compress(text(grid())).replace(b"\x1f\x8b\x08", b"\x1f\x8b\x09"), "packed by gzip, found it damaged"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_a_damaged_file_is_refused(tmp_path, content, words):
    (tmp_path / "a.abs").write_bytes(content)
    with within_memory(4_000_000), pytest.raises(ScanError, match=words) as caught:
        read_range_image(tmp_path / "a.abs")
    assert str(caught.value).startswith(f"{tmp_path}/a.abs: ")


@pytest.mark.parametrize(
    ("filler", "words"),
    [(b" ", "found 0; the file is cut short"), (b"\n", "found 0; the file is cut short"), (b"1", "found b'1111")],
)
def test_a_small_file_that_unpacks_to_a_large_one_takes_no_memory(tmp_path, filler, words):
    path = bomb(tmp_path, filler)
    with within_memory(30_000_000), pytest.raises(ScanError, match=words):
        read_range_image(path)


def test_numbers_after_the_last_are_not_even_unpacked(tmp_path):
    path = bomb(tmp_path, b"0 ")
    # 5 MB of numbers, as points once more, and a few pieces of 1 MB with theirs.
    with within_memory(30_000_000), pytest.warns(UserWarning, match="what follows the last pixel's numbers"):
        assert not read_range_image(path).measured.any()


def bomb(folder: Path, filler: bytes) -> Path:
    (folder / "a.abs").write_bytes(text(grid()))
    read_range_image(folder / "a.abs")  # compiled code is loaded before memory is measured
    head = b"480 rows\n640 columns\npixels (flag X Y Z):\n"
    (folder / "a.abs.gz").write_bytes(gzip.compress(head + filler * (20_000_000 // len(filler))))
    return folder / "a.abs.gz"


def test_a_whole_scan_is_read_exactly_over_the_borders_of_its_pieces(tmp_path):
    rng = np.random.default_rng(3)
    values = rng.normal(0, 300, (4, 150, 200))
    values[0] = 1
    content = text(values)
    assert len(content) > 1 << 20
    for name, packed in (("a.abs", content), ("b.abs.gz", gzip.compress(content))):
        (tmp_path / name).write_bytes(packed)
        points = read_range_image(tmp_path / name).points
        written = [[np.float32(f"{number:.6f}") for number in block.ravel()] for block in values[1:]]
        np.testing.assert_array_equal(points.reshape(-1, 3).T, written)
