"""A picture read only when its pixels are needed: decoding a texture costs as much as all the rest of a scan."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from affectvlm.errors import ScanError, in_one_line

PICTURE_SUFFIXES: tuple[str, ...] = (".jpg", ".png", ".bmp", ".jpeg", ".tif", ".tiff", ".gif", ".ppm")
"""Endings of pictures, the likeliest first."""

PICTURE_FORMATS: tuple[str, ...] = ("JPEG", "PNG", "BMP", "TIFF", "GIF", "PPM")
"""What Pillow may be asked to read: it knows forty more formats, and runs other programs for some."""

MAX_PIXELS = 80_000_000
"""Scanners' textures have a tenth of this; a file that claims more is damaged or hostile."""


MAX_PIXELS_PER_BYTE = 10_000
"""Of a picture of one colour, by the densest of the formats; memory for all pixels is taken before they are read."""


@dataclass(frozen=True)
class PictureFile:
    """A picture on disk; ``np.asarray`` reads its pixels, and keeps them.

    Parameters
    ----------
    path : Path
        The caller has made sure that it may be opened.
    """

    path: Path

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and 3, from the first bytes: no pixel is decoded.

        Raises
        ------
        ScanError
            It is no picture, of no plain format, or far too large.
        """
        with self._opened() as picture:
            return picture.height, picture.width, 3

    @cached_property
    def pixels(self) -> np.ndarray:
        """(H, W, 3) uint8, RGB, the top row first.

        Raises
        ------
        ScanError
            It is no picture, of no plain format, cut short, or far too large.
        """
        with self._opened() as picture:
            return rgb(picture)

    @contextmanager
    def _opened(self) -> Iterator[Image.Image]:
        try:
            with Image.open(self.path, formats=PICTURE_FORMATS) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise ScanError(
                        f"{self.path}: expected a texture of at most {MAX_PIXELS} pixels, found {picture.width} x "
                        f"{picture.height}; export the scan with a smaller one"
                    )
                size = self.path.stat().st_size
                if picture.width * picture.height > MAX_PIXELS_PER_BYTE * size:
                    raise ScanError(
                        f"{self.path}: announces {picture.width} x {picture.height} pixels, which its {size} bytes "
                        "cannot hold; copy it again"
                    )
                yield picture
        except ScanError:
            raise
        except Exception as error:
            # Pillow meets damaged pixels with anything from SyntaxError to zlib.error.
            reason = in_one_line(str(error).replace(str(self.path), "it"), 150) or type(error).__name__
            raise ScanError(
                f"{self.path}: expected a {', '.join(PICTURE_FORMATS)} picture, found one that cannot be read "
                f"({reason}); export or copy it again"
            ) from error

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.pixels, dtype=dtype, copy=copy)  # type: ignore[call-overload]


def rgb(picture: Image.Image) -> np.ndarray:
    """(H, W, 3) uint8 pixels of an open picture of any mode; transparency is left out."""
    if picture.mode == "P" and "transparency" in picture.info:
        picture = picture.convert("RGBA")  # Pillow warns when it is to leave a palette's transparency out itself
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))
