"""A live face: one smoothed answer a frame, causal, with bounded memory, and late by two frames' work at most.

A live source is read by a thread of its own into a box that holds one frame. A newer frame takes the older one's
place, so that what is answered next is always the newest: a slow machine answers fewer frames, and falls no further
behind.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np

from affectvlm.errors import ScanError
from affectvlm.recognizer.prediction import Prediction
from affectvlm.recognizer.softmax import softmax

Frame = TypeVar("Frame")

SMOOTHING_S = 0.2
"""Usual time constant: a blink or one bad scan does not change an answer, an onset of half a second still shows."""


@dataclass(frozen=True)
class StreamAnswer:
    """The answer at one frame of a stream.

    Parameters
    ----------
    frame : int
        Counted from 0 as the source gives them, dropped ones too.
    label : str, optional
        The most probable apparent expression of late, or ``unsure``; None where the frame cannot be used.
    probabilities : dict of class -> float
        Smoothed; empty where the frame cannot be used.
    error : str, optional
        Why the frame cannot be used. The frames after it go on from those before it.
    dropped : int
        Frames since the last answer that a newer one replaced before they could be looked at.
    latency_ms : float
        From when the frame came to this answer.
    """

    frame: int
    label: str | None = None
    probabilities: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    dropped: int = 0
    latency_ms: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Lay it out for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Arrived(Generic[Frame]):
    """A frame as it comes.

    Parameters
    ----------
    number : int
        From 0.
    frame
        What the source gave.
    at_s : float
        When, by the stream's clock.
    dropped : int
        How many came between the one that was taken before and this one.
    """

    number: int
    frame: Frame
    at_s: float
    dropped: int = 0


class Box(Generic[Frame]):
    """Room for one frame, the newest, between the thread that reads a source and the one that answers."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._newest: Arrived[Frame] | None = None
        self._taken = -1
        self._ended = False
        self._failure: BaseException | None = None

    def put(self, number: int, frame: Frame, at_s: float) -> bool:
        """Put a frame in, in place of one that was not taken; False when nobody will take it any more."""
        with self._changed:
            if not self._ended:
                self._newest = Arrived(number, frame, at_s, number - self._taken - 1)
                self._changed.notify()
            return not self._ended

    def end(self, failure: BaseException | None = None) -> None:
        """No frame will be put in or taken any more, but for one that is still there."""
        with self._changed:
            self._ended, self._failure = True, failure
            self._changed.notify()

    def take(self) -> Arrived[Frame] | None:
        """Wait for a frame and take it out; None at the end.

        Raises
        ------
        BaseException
            What the source failed with, after its last frame.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self._ended)
            newest, self._newest = self._newest, None
            if newest is not None:
                self._taken = newest.number
            elif self._failure is not None:
                raise self._failure
            return newest


def newest_of(source: Iterable[Frame], clock: Callable[[], float] = time.monotonic) -> Iterator[Arrived[Frame]]:
    """Give the newest frame of a live source whenever one is asked for, and drop those that came before it.

    The source is read in a thread of its own, which ends at the source's next frame when this is closed.
    """
    box: Box[Frame] = Box()

    def read() -> None:
        try:
            for number, frame in enumerate(source):
                if not box.put(number, frame, clock()):
                    return
        except BaseException as failure:  # it is raised where the answers are read
            box.end(failure)
        else:
            box.end()

    threading.Thread(target=read, name="source of a stream", daemon=True).start()
    try:
        while (arrived := box.take()) is not None:
            yield arrived
    finally:
        box.end()


def every_one_of(source: Iterable[Frame], clock: Callable[[], float] = time.monotonic) -> Iterator[Arrived[Frame]]:
    """Give all frames of a source that waits, such as a list or files: each comes when it is asked for."""
    for number, frame in enumerate(source):
        yield Arrived(number, frame, clock())


class Smoothing:
    """Exponential smoothing of log-probabilities over time: a frame's share fades by e in every time constant.

    The logits are cosines to the frame's embedding: to smooth them is to smooth the embeddings. A mean of logarithms
    is sure where the frames agree, and unsure where they contradict each other.

    Parameters
    ----------
    time_constant_s : float
        Seconds; 0: every frame alone.
    """

    def __init__(self, time_constant_s: float) -> None:
        self._constant_s = time_constant_s
        self._mean: np.ndarray | None = None
        self._at_s = -math.inf

    def add(self, probabilities: np.ndarray, at_s: float) -> np.ndarray:
        """Give the (classes,) probabilities of all frames so far, this one added, which was recorded at ``at_s``."""
        logarithms = np.log(np.maximum(probabilities, np.finfo(float).tiny))
        if self._mean is None or self._constant_s == 0:
            self._mean = logarithms
        else:
            share = -math.expm1(-(at_s - self._at_s) / self._constant_s)
            self._mean = self._mean + share * (logarithms - self._mean)
        self._at_s = at_s
        return softmax(self._mean)


def answer_stream(
    arrivals: Iterable[Arrived[Frame]],
    judge: Callable[[Frame], np.ndarray],
    call: Callable[[np.ndarray], Prediction],
    smoothing: Smoothing,
    fps: float | None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[StreamAnswer]:
    """Answer frame by frame.

    Parameters
    ----------
    arrivals : iterable of Arrived
        From :func:`newest_of` or :func:`every_one_of`, by the same clock.
    judge : callable
        Frame -> (classes,) probabilities, sum 1; raises ScanError.
    call : callable
        Smoothed probabilities -> their label.
    smoothing : Smoothing
    fps : float, optional
        At which the frames were recorded; None: when they came.
    clock : callable -> float
        Seconds.
    """
    for arrived in arrivals:
        try:
            probabilities = judge(arrived.frame)
        except ScanError as error:
            answer = Prediction("", error=str(error))
        else:
            at_s = arrived.at_s if fps is None else arrived.number / fps
            answer = call(smoothing.add(probabilities, at_s))
        latency_ms = 1000 * (clock() - arrived.at_s)
        yield StreamAnswer(
            arrived.number, answer.label, answer.probabilities, answer.error, arrived.dropped, latency_ms
        )
