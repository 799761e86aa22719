"""Range images as Bosphorus keeps them: a ``.bnt`` file with a point for each pixel, and its picture."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from affectvlm.files import written_whole
from affectvlm.scan.range_image import RangeImage
from affectvlm.scan.write import write_picture

BACKGROUND = -1e9
"""Stands for all three coordinates of a pixel where nothing was measured, and in the header as ``zmin``."""


def write_bnt(path: Path, image: RangeImage) -> list[Path]:
    """Write a range image, and its texture as a ``.png`` of the same name.

    Two things that the data set's description leaves open are taken from the programs that read it: v counts from
    the picture's top, and x and y are the background's value too where z is.

    Returns
    -------
    list of Path
        What was written; the ``.bnt`` is the last.
    """
    rows, columns = image.points.shape[:2]
    written = []
    if image.texture is not None:
        written.append(path.with_suffix(".png"))
        write_picture(written[0], np.asarray(image.texture))
    name = b"".join(file.name.encode() for file in written)
    blocks = np.empty((5, rows, columns), "<f8")  # x, y, z, u, v
    blocks[:3] = np.where(image.measured, np.moveaxis(image.points, -1, 0), BACKGROUND)
    uv = image.texture_uv.astype(np.float64)
    blocks[3], blocks[4] = uv[..., 0], 1 - uv[..., 1]
    header = struct.pack("<HHdH", rows, columns, BACKGROUND, len(name)) + name + struct.pack("<I", blocks.size)
    with written_whole(path) as unfinished:
        unfinished.write_bytes(header + blocks[:, ::-1].tobytes())  # the bottom row comes first
    return [*written, path]
