"""A face that is recognised as it moves, for one visitor, for as long as he looks.

Two threads share the work: one makes the frames (a performer before a sensor, or files that come into a folder), the
other recognises them (:meth:`Recognizer.stream`). All that passes between them is the frame itself. Only the newest
answer is kept. They begin when somebody asks for an answer, and end when nobody has asked for a while.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from affectvlm.app.live.picture import picture
from affectvlm.errors import AffectVLMError, ConfigError
from affectvlm.recognizer import Recognizer, StreamAnswer
from affectvlm.recognizer.in_turn import InTurn
from affectvlm.recognizer.recognizer import Face
from affectvlm.scan import FaceScan

PATIENCE_S = 2.0
"""A visitor who asks for nothing for so long has left."""

MOST_AT_ONCE = 4
"""Visitors whose faces move at the same time: each gets his share of the machine, and more would get too little."""

OVER_S = 3.0
"""Frames a second and lateness are those of the last seconds."""


@dataclass(frozen=True, eq=False)
class Made:
    """What belongs to a frame beside the frame: for people to look at, never for the recognizer.

    Parameters
    ----------
    began_s : float
        When its making began, by the clock of the one who made it.
    scan : FaceScan, optional
        As the sensor gave it; None where there is nothing to draw.
    centre : (3,) float
    field : float
        What of it is drawn (:func:`~affectvlm.app.live.picture.picture`).
    asked : str
        What was asked of the performer, or the file's name.
    strengths : (A,) float32, optional
        Of a performer's action units, the mean of both sides.
    """

    began_s: float
    scan: FaceScan | None
    centre: np.ndarray
    field: float
    asked: str
    strengths: np.ndarray | None = None

    def picture(self) -> bytes:
        """Draw it: a JPEG; empty where there is nothing to draw."""
        return b"" if self.scan is None else picture(self.scan, self.centre, self.field)


@dataclass(frozen=True)
class Pace:
    """How quick a stream is.

    Parameters
    ----------
    answers_a_second : float
        Over the last :data:`OVER_S` seconds.
    latency_ms : float
        From the beginning of a frame's making to its answer, the median of the same.
    """

    answers_a_second: float = 0.0
    latency_ms: float = 0.0


class Stopwatch:
    """Counts answers, and how late they are, of the last seconds."""

    def __init__(self) -> None:
        self._answers: deque[tuple[float, float]] = deque()

    def add(self, began_s: float, now_s: float) -> Pace:
        """Count an answer to a frame whose making began then."""
        self._answers.append((now_s, now_s - began_s))
        while self._answers[0][0] < now_s - OVER_S:
            self._answers.popleft()
        times, late = zip(*self._answers, strict=True)
        span = times[-1] - times[0]
        return Pace((len(times) - 1) / span if span > 0 else 0.0, 1000 * median(late))


@dataclass(frozen=True, eq=False)
class Shown:
    """The newest answer.

    Parameters
    ----------
    number : int
        Of the answer, from 1, never the same twice.
    answer : StreamAnswer
    made : Made
    pace : Pace
    at_s : float
        When it was given.
    """

    number: int
    answer: StreamAnswer
    made: Made
    pace: Pace
    at_s: float


Source = Callable[["Live"], Iterator[tuple[Face, Made]]]
"""Makes frames for a visitor until :meth:`Live.wait` says that it is over."""


@dataclass
class Crowd:
    """How many faces move at the same time."""

    most: int = MOST_AT_ONCE
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _inside: int = 0

    def enter(self) -> None:
        """Take a place.

        Raises
        ------
        ConfigError
            There is none left.
        """
        with self._lock:
            if self._inside >= self.most:
                raise ConfigError(
                    f"{self._inside} visitors look at a live face now, as many as this machine is to serve at once; "
                    "it goes on here when one of them leaves"
                )
            self._inside += 1

    def leave(self) -> None:
        """Give the place back."""
        with self._lock:
            self._inside -= 1


CROWD = Crowd()


class Live:
    """What one visitor looks at.

    Parameters
    ----------
    recognizer : Recognizer
        Shared by all visitors.
    source : callable
        Makes the frames, in a thread of its own.
    crowd : Crowd
        Of whom the visitor is one while his face moves.
    clock : callable -> float
        Seconds.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        source: Source,
        crowd: Crowd = CROWD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._recognizer, self._source = recognizer, source
        self._crowd = crowd
        self.clock = clock
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._asked_s = -math.inf
        self._shown: Shown | None = None
        self._error: AffectVLMError | None = None
        self._number = 0

    @property
    def running(self) -> bool:
        """Whether its threads are at work."""
        return self._thread is not None

    def newest(self, after: int = 0, timeout_s: float = 0.5) -> Shown | None:
        """Wait for an answer that is newer than the one with the number ``after``; None if none comes in time.

        Starts the threads where they do not run.

        Raises
        ------
        AffectVLMError
            What the stream ended with, once; or there is no place left.
        """
        with self._changed:
            self._asked_s = self.clock()
            if self._error is None and self._thread is None:
                self._start()
            self._changed.wait_for(lambda: self._is_news(after), timeout_s)
            self._asked_s = self.clock()
            error, self._error = self._error, None
            if error is not None:
                raise error
            return self._shown if self._is_news(after) else None

    def wait(self, seconds: float) -> bool:
        """Let time pass; True when it is over, because it was stopped or nobody looks any more. For sources."""
        return self._stop.wait(seconds) or self.clock() - self._asked_s > PATIENCE_S

    def stop(self) -> None:
        """End the threads, and wait for them."""
        thread = self._thread
        self._stop.set()
        if thread is not None:
            thread.join()

    def _is_news(self, after: int) -> bool:
        return self._error is not None or (self._shown is not None and self._shown.number > after)

    def _start(self) -> None:
        self._crowd.enter()
        self._stop.clear()
        self._thread = threading.Thread(target=self._run, name="live face", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        error: AffectVLMError | None = None
        try:
            self._recognise()
        except AffectVLMError as raised:
            error = raised
        finally:
            self._crowd.leave()
            with self._changed:
                self._error, self._thread = error, None
                self._changed.notify_all()

    def _recognise(self) -> None:
        stopwatch = Stopwatch()
        with closing(InTurn(self._source(self))) as frames:
            for answer in self._recognizer.stream(frames, live=True):
                made, now_s = frames.answered(answer.frame), self.clock()
                with self._changed:
                    self._number += 1
                    self._shown = Shown(self._number, answer, made, stopwatch.add(made.began_s, now_s), now_s)
                    self._changed.notify_all()
