"""A live frame as a picture: quick enough to be drawn twenty times a second beside all else."""

from __future__ import annotations

import io
from functools import cache

import numba
import numpy as np
from PIL import Image

from affectvlm.scan import FaceScan
from affectvlm.scan.rasterizer import rasterize, shade_normals
from affectvlm.views.picture import AMBIENT, CLAY, LIGHTS

SIZE_PX = 400

GROUND = (46, 50, 58)
"""Behind the face; it sits well on a light and on a dark page."""

QUALITY = 80
"""Of the JPEG: 10 to 20 kB a picture."""

STEPS = 256
"""Of the table of colours, along each of two directions."""

FIELD_MM = 275.0
"""Width of what is seen of a performer, from the front."""

CENTRE_MM = (0.0, 12.0, -45.0)
"""What is in the middle, with the nose tip near the origin."""

_STRAIGHT = np.eye(3, dtype=np.float32)[None]


def picture(scan: FaceScan, centre: np.ndarray, field: float) -> bytes:
    """Draw a scan as clay, seen along -z, as it comes: neither brought upright nor mended.

    Parameters
    ----------
    scan : FaceScan
    centre : (3,) float
        What is in the middle of the picture, in the scan's own unit, as ``field``.
    field : float
        Width and height of what is seen.

    Returns
    -------
    bytes
        A JPEG of :data:`SIZE_PX` pixels a side.
    """
    middle = np.asarray(centre, np.float32)
    _, triangle, weights = rasterize(scan.vertices, scan.triangles, _STRAIGHT, middle, SIZE_PX, field)
    normals = shade_normals(
        triangle, weights, scan.vertices, scan.triangles, scan.vertex_normals, _STRAIGHT, middle, np.inf
    )[0]
    colours = _coloured(normals, _table(), np.array(GROUND, np.uint8))
    content = io.BytesIO()
    Image.fromarray(colours, "RGB").save(content, "JPEG", quality=QUALITY)
    return content.getvalue()


def fitted(scan: FaceScan) -> tuple[np.ndarray, float]:
    """Tell where to look so that a scan in any unit fills the picture: the centre (3,) and the field."""
    low, high = np.percentile(scan.vertices, (1, 99), axis=0)
    return (low + high) / 2, 1.25 * float(max((high - low)[:2].max(), 1e-6))


@numba.njit(cache=True, nogil=True)
def _coloured(normals: np.ndarray, table: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """(H, W, 3) unit normals, 0 where nothing is -> (H, W, 3) uint8: looked up, quicker than lighting each pixel."""
    height, width = normals.shape[:2]
    half = (table.shape[0] - 1) / 2
    colours = np.empty((height, width, 3), np.uint8)
    for row in range(height):
        for column in range(width):
            x, y, z = normals[row, column]
            colour = ground
            if x != 0 or y != 0 or z != 0:
                side = -1 if z < 0 else 1  # a surface that shows its inside is lit as if it showed its outside
                colour = table[round((side * y + 1) * half), round((side * x + 1) * half)]
            for channel in range(3):
                colours[row, column, channel] = colour[channel]
    return colours


@cache
def _table() -> np.ndarray:
    """(STEPS, STEPS, 3) uint8: colour of clay whose normal points so far to the right (columns) and up (rows)."""
    steps = np.linspace(-1, 1, STEPS)
    x, y = np.meshgrid(steps, steps)
    normals = np.stack([x, y, np.sqrt(np.maximum(1 - x * x - y * y, 0))], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    light = np.broadcast_to(AMBIENT, normals.shape).copy()
    for direction, colour in LIGHTS:
        towards = np.array(direction) / np.linalg.norm(direction)
        light += np.clip(normals @ towards, 0, None)[..., None] * colour
    return np.rint(255 * np.clip(CLAY * light, 0, 1) ** (1 / 2.2)).astype(np.uint8)
