"""Frames for a stream, made one ahead of its answers, with what belongs to each until it is answered."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from typing import Generic, TypeVar

Frame = TypeVar("Frame")
Note = TypeVar("Note")


class InTurn(Generic[Frame, Note]):
    """Frames that a live stream takes, none of them made for nothing.

    While a frame is looked at the next one is made, on another core; the one after that only when the first has its
    answer. A source that could give any number of frames then makes no more than are answered, and three are in memory
    at most.

    Parameters
    ----------
    made : iterator of (frame, note)
        Makes a frame when it is asked for; its note is whatever is wanted back with the answer.
    """

    def __init__(self, made: Iterator[tuple[Frame, Note]]) -> None:
        self._made = made
        self._changed = threading.Condition()
        self._answered = -1
        self._closed = False
        self._notes: dict[int, Note] = {}

    def __iter__(self) -> Iterator[Frame]:
        """Give the frames; for one thread, the one that reads the stream's source."""
        number = 0
        while True:
            with self._changed:
                self._changed.wait_for(partial(self._is_turn_of, number))
                if self._closed:
                    return
            try:
                frame, note = next(self._made)
            except StopIteration:
                return
            with self._changed:
                self._notes[number] = note
            yield frame
            number += 1

    def answered(self, number: int) -> Note:
        """Give a frame's note back, and let the next frame be made; for the thread that reads the answers."""
        with self._changed:
            note = self._notes.pop(number)
            self._notes = {other: kept for other, kept in self._notes.items() if other > number}
            self._answered = number
            self._changed.notify_all()
        return note

    def _is_turn_of(self, number: int) -> bool:
        return self._closed or self._answered >= number - 2

    def close(self) -> None:
        """Let no further frame be made."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
