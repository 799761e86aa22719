"""A picture read only when its pixels are needed: decoding a texture costs as much as all the rest of a scan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from affectvlm.errors import ScanError

MAX_PIXELS = 200_000_000
"""Scanners' textures have a tenth of this; a file that claims more is damaged or hostile."""


@dataclass(frozen=True)
class PictureFile:
    """A picture on disk; ``np.asarray`` reads its pixels.

    Parameters
    ----------
    path : Path
        The caller has made sure that it may be opened.
    """

    path: Path

    @cached_property
    def pixels(self) -> np.ndarray:
        """(H, W, 3) uint8, RGB, the top row first.

        Raises
        ------
        ScanError
            It is no picture, cut short, or far too large.
        """
        try:
            with Image.open(self.path) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise ScanError(
                        f"{self.path}: expected a texture of at most {MAX_PIXELS} pixels, found {picture.width} x "
                        f"{picture.height}; export the scan with a smaller one"
                    )
                return np.asarray(picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ScanError(f"{self.path}: expected a picture, found one that cannot be read ({reason})") from error

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.pixels, dtype=dtype, copy=copy)  # type: ignore[call-overload]
