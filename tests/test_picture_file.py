"""A picture on disk gives its shape from its header and its pixels when they are asked for."""

import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affectvlm.errors import ScanError
from affectvlm.scan.picture_file import PICTURE_FORMATS, PICTURE_SUFFIXES, PictureFile

PIXELS = np.random.default_rng(3).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and holds a single byte of pixels."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("suffix", PICTURE_SUFFIXES)
@pytest.mark.filterwarnings("error")
def test_every_plain_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(PIXELS).save(path)
    picture = PictureFile(path)
    assert picture.shape == PIXELS.shape
    assert "pixels" not in vars(picture)
    if suffix in (".jpg", ".jpeg", ".gif"):
        assert np.asarray(picture).shape == PIXELS.shape
    else:
        np.testing.assert_array_equal(np.asarray(picture), PIXELS)
        np.testing.assert_array_equal(np.asarray(picture, np.float32), PIXELS.astype(np.float32))
    assert np.asarray(picture).dtype == np.uint8
    path.unlink()
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(picture))  # read once, then kept


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    grey = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert(mode)
    grey.save(tmp_path / "a.png")
    expected = np.repeat(np.array([[0, 255], [255, 0]], np.uint8)[..., None], 3, axis=2)
    np.testing.assert_array_equal(np.asarray(PictureFile(tmp_path / "a.png")), expected)


def test_it_travels_to_a_worker_as_a_path(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    copy = pickle.loads(pickle.dumps(PictureFile(tmp_path / "a.png")))
    np.testing.assert_array_equal(np.asarray(copy), PIXELS)


BROKEN = {
    "empty.png": (b"", "cannot identify"),
    "prose.png": (b"Dear reader", "cannot identify"),
    "large.png": (png_header(9_000, 9_001), "at most 80000000 pixels, found 9000 x 9001"),
    "bomb.png": (png_header(2**31 - 1, 2**31 - 1), "picture"),
    "postscript.png": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "cannot identify"),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
@pytest.mark.filterwarnings("error")
def test_what_is_no_picture_is_known_from_its_header(tmp_path: Path, name: str) -> None:
    content, words = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    for look in (lambda: PictureFile(tmp_path / name).shape, lambda: np.asarray(PictureFile(tmp_path / name))):
        with pytest.raises(ScanError, match=words) as caught:
            look()
        assert str(caught.value).startswith(str(tmp_path / name))
        assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's own, of TIFF
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg", ".tif", ".ppm"])
def test_cut_and_damaged_pixels_are_one_error(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / f"a{suffix}"
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    whole = path.read_bytes()
    for _ in range(60):
        content = bytearray(whole)
        if rng.integers(2):
            del content[rng.integers(len(content)) :]
        for at in rng.integers(0, max(len(content), 1), 5):
            content[at : at + 1] = bytes([rng.integers(256)])
        path.write_bytes(content)
        try:
            shape = np.asarray(PictureFile(path)).shape
        except ScanError:
            continue
        assert shape[2] == 3
    path.write_bytes(whole[: len(whole) // 2])
    if suffix != ".tif":
        assert PictureFile(path).shape == (64, 64, 3)
    with pytest.raises(ScanError, match="cannot be read"):
        np.asarray(PictureFile(path))


def test_a_picture_that_is_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(ScanError, match=r"a\.png: expected a .* picture, found one that cannot be read"):
        np.asarray(PictureFile(tmp_path / "a.png"))


def test_nothing_that_runs_a_program_is_among_the_formats() -> None:
    assert set(PICTURE_FORMATS) == {"JPEG", "PNG", "BMP", "TIFF", "GIF", "PPM"}
