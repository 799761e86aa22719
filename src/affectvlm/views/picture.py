"""Pictures of views for people: the maps in colour, captioned, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from affectvlm.views.render import CURVATURE_SCALE_PER_MM, Views
from affectvlm.views.rig import Rig

TILE_PX = 224
"""Small views are enlarged to at least this width."""

PAGE = (251, 251, 249)
TILE = (240, 240, 237)
INK = (38, 40, 44)
MUTED = (118, 121, 126)

CLAY = np.array([0.70, 0.59, 0.51])
"""The colour of a surface without texture (linear light)."""

LIGHTS: tuple[tuple[tuple[float, float, float], tuple[float, float, float]], ...] = (
    ((-0.50, 0.55, 0.67), (1.05, 1.02, 0.97)),
    ((0.80, 0.10, 0.60), (0.24, 0.27, 0.32)),
    ((0.00, -0.80, 0.60), (0.05, 0.05, 0.06)),
)
"""Direction towards each light (right, up, towards the camera) and colour: key, fill, bounce from below."""

AMBIENT = np.array([0.045, 0.05, 0.06])

DEPTH_COLOURS = np.array(
    [
        (68, 1, 84),
        (72, 40, 120),
        (62, 74, 137),
        (49, 104, 142),
        (38, 130, 142),
        (31, 158, 137),
        (53, 183, 121),
        (109, 205, 89),
        (180, 222, 44),
        (253, 231, 37),
    ],
    np.float64,
)
"""Viridis at ten even steps, far to near: equal steps of depth look equal, also to the colour-blind."""

BEND_COLOURS = np.array(
    [
        (0, 66, 105),
        (33, 115, 163),
        (114, 170, 207),
        (185, 212, 230),
        (238, 238, 236),
        (249, 214, 178),
        (237, 158, 92),
        (200, 98, 32),
        (127, 52, 4),
    ],
    np.float64,
)
"""Blue where a surface is hollow, light where it is neither, orange where it bulges: told apart by the colour-blind."""


def pictures(views: Views, scale: int | None = None) -> dict[str, list[Image.Image]]:
    """Colour every map of every view.

    Parameters
    ----------
    views : Views
    scale : int, optional
        Enlargement; by default enough for pictures of at least :data:`TILE_PX` pixels.

    Returns
    -------
    dict of map name -> list of V RGB pictures
        ``surface`` (clay, lit by the normals), ``depth``, ``normals``, ``mean_curvature``, ``shape_index`` and
        ``texture``, those that are there. Depth is coloured alike in all views; where curvature is undefined, the
        plain ground shows.
    """
    maps: dict[str, np.ndarray] = {}
    if views.normals is not None:
        maps["surface"] = _lit(views.normals)
    far, near = _depth_range(views)
    maps["depth"] = _ramp(DEPTH_COLOURS, (np.nan_to_num(views.depth, nan=far) - far) / (near - far))
    if views.normals is not None:
        maps["normals"] = (views.normals + 1) * 127.5
    if views.mean_curvature is not None:
        maps["mean_curvature"] = _bend_colours(views.mean_curvature / CURVATURE_SCALE_PER_MM)
    if views.shape_index is not None:
        maps["shape_index"] = _bend_colours(views.shape_index)
    if views.texture is not None:
        maps["texture"] = views.texture.astype(np.float64)
    scale = scale or math.ceil(TILE_PX / views.rig.size_px)
    return {
        name: [_picture(view, mask, scale) for view, mask in zip(colours, views.mask, strict=True)]
        for name, colours in maps.items()
    }


def contact_sheet(views: Views, scale: int | None = None) -> Image.Image:
    """Lay out every map (rows) of every view (columns) with captions.

    Parameters
    ----------
    views : Views
    scale : int, optional
        Enlargement; by default enough for pictures of at least :data:`TILE_PX` pixels.
    """
    maps = pictures(views, scale)
    far, near = _depth_range(views)
    notes = {
        "depth": f"yellow {near:.0f} mm\nviolet {far:.0f} mm",
        "normals": "right, up,\ntowards you",
        "mean_curvature": f"orange bulges\nblue is hollow\n±{CURVATURE_SCALE_PER_MM:g} per mm",
        "shape_index": "orange: cap, ridge\nlight: saddle\nblue: rut, cup",
    }
    titles = {name: name.replace("_", " ") for name in maps}
    captions = [f"{title}\n{notes[name]}" if name in notes else title for name, title in titles.items()]
    return grid(list(maps.values()), captions, _view_captions(views.rig))


def grid(
    cells: Sequence[Sequence[Image.Image]], row_captions: Sequence[str], column_captions: Sequence[str]
) -> Image.Image:
    """Put pictures into one, each row and column with its caption.

    Parameters
    ----------
    cells : R rows of C pictures, all of one size
    row_captions : R str
    column_captions : C str
        The first line of a caption is large, further lines are small.

    Raises
    ------
    ValueError
        The pictures differ in size, or their number does not fit the captions.
    """
    sizes = {picture.size for row in cells for picture in row}
    if len(cells) != len(row_captions) or any(len(row) != len(column_captions) for row in cells):
        raise ValueError(
            f"{len(row_captions)} row captions and {len(column_captions)} column captions do not fit rows of"
            f" {[len(row) for row in cells]} pictures"
        )
    if len(sizes) != 1:
        raise ValueError(f"the pictures of a grid must be of one size, found {sorted(sizes)}")
    width, height = sizes.pop()
    # Everything is measured in the height of a caption, which grows with the pictures.
    unit = max(13, round(min(width, height) / 15))
    gap, margin = round(unit * 0.6), round(unit * 1.6)
    left = margin + max(_Caption(text, unit).width for text in row_captions) + unit
    top = margin + max(_Caption(text, unit).height for text in column_captions) + round(unit * 0.7)
    sheet = Image.new(
        "RGB",
        (
            left + len(column_captions) * (width + gap) - gap + margin,
            top + len(row_captions) * (height + gap) - gap + margin,
        ),
        PAGE,
    )
    draw = ImageDraw.Draw(sheet)
    for col, text in enumerate(column_captions):
        caption = _Caption(text, unit)
        middle = left + col * (width + gap) + width / 2
        caption.draw(draw, middle, top - round(unit * 0.7) - caption.height, anchor="m")
    for row, text in enumerate(row_captions):
        caption = _Caption(text, unit)
        caption.draw(draw, margin, top + row * (height + gap) + (height - caption.height) / 2, anchor="l")
    for row, line in enumerate(cells):
        for col, picture in enumerate(line):
            sheet.paste(picture, (left + col * (width + gap), top + row * (height + gap)))
    return sheet


class _Caption:
    """A few lines of text, the first large and dark, the others small and grey."""

    def __init__(self, text: str, unit: int) -> None:
        self.lines = text.split("\n")
        self.sizes = [unit] + [round(unit * 0.78)] * (len(self.lines) - 1)
        self.fonts = [ImageFont.load_default(size=size) for size in self.sizes]
        self.height = sum(self._advance(size) for size in self.sizes)
        self.width = math.ceil(max(f.getlength(line) for f, line in zip(self.fonts, self.lines, strict=True)))

    @staticmethod
    def _advance(size: int) -> int:
        return round(size * 1.35)

    def draw(self, draw: ImageDraw.ImageDraw, x: float, y: float, anchor: str) -> None:
        """Write with the top at ``y`` and the left edge ("l") or the middle ("m") at ``x``."""
        for row, (line, size, font) in enumerate(zip(self.lines, self.sizes, self.fonts, strict=True)):
            draw.text((x, y), line, fill=MUTED if row else INK, font=font, anchor=f"{anchor}a")
            y += self._advance(size)


def _view_captions(rig: Rig) -> list[str]:
    sides = {1: "the subject's left cheek, {:+g}°", 0: "facing the camera", -1: "the subject's right cheek, {:+g}°"}
    heights = {1: "from above, {:+g}°", -1: "from below, {:+g}°"}
    captions = []
    for name, yaw, pitch in zip(rig.names, rig.yaw_deg.values(), rig.pitches_deg, strict=True):
        lines = [name]
        if yaw or not pitch:
            lines.append(sides[int(np.sign(yaw))].format(yaw))
        if pitch:
            lines.append(heights[int(np.sign(pitch))].format(pitch))
        captions.append("\n".join(lines))
    return captions


def _depth_range(views: Views) -> tuple[float, float]:
    """Farthest and nearest depth of all views, mm; (-1, 1) when they are empty."""
    if not views.mask.any():
        return -1.0, 1.0
    far, near = float(np.nanmin(views.depth)), float(np.nanmax(views.depth))
    return far, max(near, far + 1e-3)


def _ramp(colours: np.ndarray, position: np.ndarray) -> np.ndarray:
    """(N, 3) colours at even steps, (...) positions in 0-1 -> (..., 3) colours in 0-255."""
    steps = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(position, steps, colours[:, channel]) for channel in range(3)], axis=-1)


def _bend_colours(values: np.ndarray) -> np.ndarray:
    """(V, H, W) in [-1, 1], NaN where undefined -> (V, H, W, 3) colours in 0-255."""
    colours = _ramp(BEND_COLOURS, (np.nan_to_num(values) + 1) / 2)
    return np.where(np.isnan(values)[..., None], TILE, colours)


def _lit(normals: np.ndarray) -> np.ndarray:
    """(V, H, W, 3) unit normals -> (V, H, W, 3) colours in 0-255 of clay under the :data:`LIGHTS`."""
    light = np.broadcast_to(AMBIENT, normals.shape).copy()
    for direction, colour in LIGHTS:
        towards = np.array(direction) / np.linalg.norm(direction)
        light += np.clip(normals @ towards, 0, None)[..., None] * colour
    return 255 * np.clip(CLAY * light, 0, 1) ** (1 / 2.2)


def _picture(colours: np.ndarray, mask: np.ndarray, scale: int) -> Image.Image:
    """(H, W, 3) colours in 0-255 on a plain ground where ``mask`` is set, enlarged."""
    flat = np.where(mask[..., None], colours, TILE)
    picture = Image.fromarray(np.clip(np.rint(flat), 0, 255).astype(np.uint8), "RGB")
    return (
        picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.BICUBIC)
        if scale > 1
        else picture
    )
