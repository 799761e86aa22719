"""From the frames of a sequence to embeddings, with no more views in memory than are looked at together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np

from affectvlm.errors import ScanError
from affectvlm.recognizer.encoder import Encoder
from affectvlm.recognizer.following import Following
from affectvlm.scan import FaceScan, Pose
from affectvlm.views import Views, encode, to_channels
from affectvlm.views.coverage import seen_views

BATCH = 16
"""Frames that are drawn, and then encoded, at once."""

ROW = 4
"""Frames after each other that one thread draws: in the first the face is looked for everywhere, and then followed."""


@dataclass(frozen=True, eq=False)
class EmbeddedFrames:
    """What is kept of a sequence.

    Parameters
    ----------
    embeddings : (n, D) float32, unit length
        Of the frames that can be used.
    usable : (n,) int
        Their numbers, from 0.
    errors : dict of int -> str
        The other frames' numbers, and why they cannot be used.
    """

    embeddings: np.ndarray
    usable: np.ndarray
    errors: dict[int, str]


def embed_frames(
    encoder: Encoder,
    frames: Sequence[FaceScan | Path],
    look: Callable[[FaceScan | Path, Pose | None], tuple[Views, Pose | None]],
    pool: Executor,
    on_frame: Callable[[int], None],
) -> EmbeddedFrames:
    """Embed every frame alone; for a model that reads movement (``rank_pooling``), with the frames around it.

    Parameters
    ----------
    encoder : Encoder
    frames : sequence
    look : callable
        Draws a frame's views, as :class:`~affectvlm.recognizer.following.Following` has it.
    pool : Executor
        Where frames are drawn, :data:`BATCH` at a time.
    on_frame : callable
        Called with the number of frames drawn so far.

    Raises
    ------
    ScanError
        No frame can be used, or, where the model reads movement, only one.
    """
    errors: dict[int, str] = {}
    usable: list[int] = []

    def drawn() -> Iterator[Views]:
        for start in range(0, len(frames), BATCH):
            rows = [frames[first : first + ROW] for first in range(start, min(start + BATCH, len(frames)), ROW)]
            seen = list(chain.from_iterable(pool.map(lambda row: _in_a_row(look, row), rows)))
            for number, views in enumerate(seen, start):
                if isinstance(views, Views):
                    usable.append(number)
                    yield views
                else:
                    errors[number] = str(views)
            on_frame(start + len(seen))

    moving = encoder.time == "rank_pooling"
    clips = _around(drawn(), encoder.frames or 2) if moving else ([views] for views in drawn())
    embeddings = []
    while batch := list(islice(clips, BATCH)):
        embeddings.append(encode_clips(encoder, batch))
    least = 2 if moving else 1
    if len(usable) < least:
        reason = f"; the first of the others: {next(iter(errors.values()))}" if errors else ""
        raise ScanError(
            f"expected a sequence with a face in at least {least} of its frames, found {len(usable)} such among "
            f"{len(frames)}{reason}"
        )
    return EmbeddedFrames(np.concatenate(embeddings), np.array(usable), errors)


def encode_clips(encoder: Encoder, clips: Sequence[Iterable[Views]]) -> np.ndarray:
    """Embed n clips, all of T frames: (n, D) float32."""
    channels = np.stack([np.stack([to_channels(encode(views), views.rig) for views in clip]) for clip in clips])
    return encoder.encode_faces(channels, seen_views(channels, encoder.rig))  # (n, T, V, C, H, W), (n, T, V)


def evenly_chosen(length: int, count: int) -> np.ndarray:
    """(count or fewer,) int: the middle frame of each of ``count`` equal parts, the frames of an evaluation."""
    if length <= count:
        return np.arange(length)
    edges = length * np.arange(count + 1) // count
    chosen: np.ndarray = edges[:-1] + np.diff(edges) // 2
    return chosen


def _in_a_row(
    look: Callable[[FaceScan | Path, Pose | None], tuple[Views, Pose | None]], frames: Sequence[FaceScan | Path]
) -> list[Views | ScanError]:
    follow = Following(look)
    seen: list[Views | ScanError] = []
    for frame in frames:
        try:
            seen.append(follow(frame))
        except ScanError as error:
            seen.append(error)
    return seen


def _around(frames: Iterator[Views], width: int) -> Iterator[list[Views]]:
    """Give for each frame the ``width`` frames around it: for the first ones the first, for the last ones the last."""
    window: deque[Views] = deque(maxlen=width)
    came = given = 0
    for views in frames:
        window.append(views)
        came += 1
        # A full window is that of its middle frame; the first one, also of the frames before its middle.
        while len(window) == width and given <= came - width + (width - 1) // 2:
            yield list(window)
            given += 1
    for _ in range(came - given):
        yield list(window)
