"""A sequence as a film for slides and mails: the face, the answer at each frame, and the course that draws itself."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from affectvlm.app.face.bars import percent
from affectvlm.app.sequence.player import band_order
from affectvlm.app.sequence.reading import SequenceReading
from affectvlm.recognizer.class_colours import class_colours

WIDTH, HEIGHT = 640, 404

FACE = (16, 16, 256, 256)
"""Left, top, right and bottom, pixels, as below."""

SAID_LEFT, SAID_RIGHT, SAID_TOP, ROW = 284, 624, 24, 24

COURSE = (16, 288, 624, 378)

PAGE, INK, MUTED, TRACK, HEAD = (255, 255, 255), (38, 40, 44), (104, 108, 115), (236, 237, 239), (52, 112, 200)

AHEAD = 0.2
"""How much colour the course has where it is still to come."""

FASTEST_CS = 4
"""Hundredths of a second that a picture stands at least: programs that show GIFs take less for a mistake."""

MOST_PICTURES = 150
"""About 2 MB; of a longer sequence every second, third ... frame is shown."""

REST_CS = 100
"""The last picture stands so much longer, before it all begins again."""

COLOURS = 255
"""A GIF's palette has 256; one of them is Pillow's, for what does not change."""

PALETTE_FRAMES = 3
"""So many pictures, evenly chosen, tell which colours are needed beside those that are known."""


def sequence_gif(reading: SequenceReading) -> bytes:
    """Draw a sequence as an animated GIF that plays at its own rate, over and over."""
    shown, delays_cs = schedule(len(reading.timeline), reading.fps)
    film = _Film(reading)
    pictures = [film.picture(number) for number in shown]
    palette = _palette(pictures, film.flat)
    first, *others = (_indexed(picture, palette, film.flat) for picture in pictures)
    packed = io.BytesIO()
    first.save(
        packed,
        "GIF",
        save_all=True,
        append_images=others,
        duration=[10 * delay for delay in delays_cs],
        loop=0,
        optimize=False,
    )
    return packed.getvalue()


def schedule(frames: int, fps: float) -> tuple[list[int], list[int]]:
    """Choose the frames that are shown, and how long.

    Parameters
    ----------
    frames : int
    fps : float

    Returns
    -------
    numbers : list of int
        Every frame, or as many as :data:`FASTEST_CS` and :data:`MOST_PICTURES` leave, evenly chosen.
    delays_cs : list of int
        Hundredths of a second; rounding does not add up, and the last has :data:`REST_CS` more.
    """
    step = max(int(np.ceil(FASTEST_CS * fps / 100 - 1e-9)), -(-frames // MOST_PICTURES), 1)
    numbers = list(range(0, frames, step))
    starts = [round(100 * number / fps) for number in [*numbers, frames]]
    delays = np.diff(starts).tolist()
    delays[-1] = max(delays[-1], FASTEST_CS) + REST_CS
    return numbers, delays


class _Film:
    """Draws the pictures; what is the same in all of them is drawn once."""

    def __init__(self, reading: SequenceReading) -> None:
        self.reading, self.timeline = reading, reading.timeline
        self.names = band_order(self.timeline.classes)
        self.colours = class_colours(self.names)
        self.flat = [PAGE, INK, TRACK, HEAD, *(ImageColor.getrgb(colour)[:3] for colour in self.colours.values())]
        self.ground = self._ground()
        course = self._course()
        self.done, self.ahead = course, Image.blend(Image.new("RGB", course.size, PAGE), course, AHEAD)

    def picture(self, number: int) -> Image.Image:
        """Draw one frame: (HEIGHT, WIDTH) RGB."""
        picture = self.ground.copy()
        draw = ImageDraw.Draw(picture)
        answer = self.timeline.answers[number]
        self._draw_face(picture, number, faint=answer.error is not None)
        label = answer.label or "no answer"
        draw.text((SAID_LEFT, SAID_TOP), label, INK, _font(24))
        draw.text((SAID_RIGHT, SAID_TOP + 8), self._moment(number), MUTED, _font(14), anchor="ra")
        for row, name in enumerate(reversed(self.names)):
            if answer.error is None:
                self._draw_share(draw, self._row(row), name, answer.probabilities[name])
        left, top, right, bottom = COURSE
        at = round((number + 1) / len(self.timeline) * (right - left))
        picture.paste(self.ahead, (left, top))
        picture.paste(self.done.crop((0, 0, at, bottom - top)), (left, top))
        draw.rectangle((left + at - 1, top - 3, left + at, bottom + 2), HEAD)
        return picture

    def _row(self, row: int) -> int:
        """Middle of a class's row."""
        return SAID_TOP + 52 + row * min(ROW, (FACE[3] - SAID_TOP - 60) // len(self.names))

    def _ground(self) -> Image.Image:
        """Draw the names, the tracks, the marks and the axis."""
        ground = Image.new("RGB", (WIDTH, HEIGHT), PAGE)
        draw = ImageDraw.Draw(ground)
        for row, name in enumerate(reversed(self.names)):
            middle = self._row(row)
            draw.text((SAID_LEFT, middle), name[:14], INK, _font(14), anchor="lm")
            draw.rounded_rectangle((SAID_LEFT + 92, middle - 5, SAID_RIGHT - 44, middle + 5), 3, TRACK)
        left, top, right, bottom = COURSE
        for name, anchor in (("onset", "rs"), ("apex", "ms"), ("offset", "ls")):
            frame = getattr(self.timeline, name)
            if frame is None:
                continue
            x = left + (frame + 0.5) / len(self.timeline) * (right - left)
            half = draw.textlength(name, _font(13))
            # Words stay within the picture.
            anchor = "ls" if x - half < left else "rs" if x + half > right else anchor
            draw.text((x, top - 8), name, INK, _font(13), anchor=anchor)
        draw.text((left, bottom + 6), self._moment(0), MUTED, _font(12))
        draw.text((right, bottom + 6), self._moment(len(self.timeline) - 1), MUTED, _font(12), anchor="ra")
        return ground

    def _course(self) -> Image.Image:
        """Draw the whole course: bands, a column a frame, with lines at onset, apex and offset."""
        left, top, right, bottom = COURSE
        width, height = right - left, bottom - top
        course = Image.new("RGB", (width, height), TRACK)
        draw = ImageDraw.Draw(course)
        edges = np.rint(np.arange(len(self.timeline) + 1) / len(self.timeline) * width).astype(int)
        for number, answer in enumerate(self.timeline.answers):
            below = 0.0
            for name in self.names if answer.error is None else ():
                above = below + answer.probabilities[name]
                high, low = round(height * (1 - above)), round(height * (1 - below))
                if low > high and edges[number + 1] > edges[number]:
                    draw.rectangle((edges[number], high, edges[number + 1] - 1, low - 1), self.colours[name])
                below = above
        for frame in (self.timeline.onset, self.timeline.apex, self.timeline.offset):
            if frame is not None:
                x = int((frame + 0.5) / len(self.timeline) * width)
                draw.line((x, 0, x, height), INK, 1)
        return course

    def _draw_face(self, picture: Image.Image, number: int, faint: bool) -> None:
        packed = self.reading.pictures[number]
        if packed is None:
            return
        left, top, right, bottom = FACE
        face = Image.open(io.BytesIO(packed)).convert("RGBA").resize((right - left, bottom - top))
        seen = face.getchannel("A")
        picture.paste(face, (left, top), seen.point(lambda alpha: alpha * 3 // 10) if faint else seen)

    def _draw_share(self, draw: ImageDraw.ImageDraw, middle: int, name: str, share: float) -> None:
        left, right = SAID_LEFT + 92, SAID_RIGHT - 44
        long = round(share * (right - left))
        if long > 1:
            draw.rounded_rectangle((left, middle - 5, left + long, middle + 5), min(3, long // 2), self.colours[name])
        draw.text((SAID_RIGHT, middle), percent(share), INK, _font(14), anchor="rm")

    def _moment(self, number: int) -> str:
        seconds = self.timeline.seconds(number)
        return f"frame {number + 1}" if seconds is None else f"{seconds:.2f} s"


def _palette(pictures: list[Image.Image], flat: list[tuple[int, int, int]]) -> Image.Image:
    """Find the colours for all pictures: one palette, so that none flickers; the flat colours come last in it."""
    chosen = pictures[:: -(-len(pictures) // PALETTE_FRAMES)]
    sheet = Image.new("RGB", (WIDTH, HEIGHT * len(chosen)))
    for row, picture in enumerate(chosen):
        sheet.paste(picture, (0, row * HEIGHT))
    free = COLOURS - len(flat)
    found = sheet.quantize(free, Image.Quantize.MEDIANCUT).getpalette() or []
    palette = Image.new("P", (1, 1))
    # Where fewer are needed, the rest is black.
    palette.putpalette([*(found + [0] * 3 * free)[: 3 * free], *(value for colour in flat for value in colour)])
    return palette


def _indexed(picture: Image.Image, palette: Image.Image, flat: list[tuple[int, int, int]]) -> Image.Image:
    """Bring a picture to the palette: flat colours exactly, where Pillow may take their neighbours; others nearly."""
    rows = np.array(picture.quantize(palette=palette, dither=Image.Dither.NONE))
    code = np.asarray(picture).astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    for place, (red, green, blue) in enumerate(flat, COLOURS - len(flat)):
        rows[code == (red << 16) + (green << 8) + blue] = place
    indexed = Image.fromarray(rows, "P")
    indexed.putpalette(palette.getpalette() or [])
    return indexed


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)
