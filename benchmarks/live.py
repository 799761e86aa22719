"""How many frames a second of a moving face are recognised, and how late is each answer?

    python benchmarks/live.py --ict DIR --makehuman DIR

The app's live part without a browser: a made-up person shows one emotion after the other before a sensor, one thread
makes the frames and another recognises them (:class:`affectvlm.app.live.live.Live`). An answer is as late as the time
from the beginning of its frame's making, sensor included, to the answer; frames are made 30 times a second at most.

Beside it, the processor's time for making a frame, and for recognising it: as one of a stream, which looks for the face
first where it was in the frame before, and alone. That hardly depends on what else the machine does, and the longer of
the two threads' times is what limits a machine that does nothing else. The load when it began stands above the table,
which is Markdown, as docs/speed.md has it.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np

from affectvlm.app.live.live import Crowd, Live
from affectvlm.app.live.performer import NATURE, Controls, Performer, Role
from affectvlm.app.live.sources import Stage
from affectvlm.cores import usable_cores
from affectvlm.recognizer import Recognizer
from affectvlm.synthesis.library import FaceSource
from affectvlm.synthesis.sensors import SENSORS

Result = TypeVar("Result")

WARM_UP_S = 3.0
TIMED = 40
TIMED_FPS = 20.0
"""Frames whose processor time is taken, and how far they are apart."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", type=Path, help="a checkout of ICT-FaceKit")
    parser.add_argument("--makehuman", type=Path, help="a checkout of mpfb2")
    parser.add_argument("--seconds", type=float, default=15.0, help="for each face model and sensor")
    parser.add_argument("--sensors", nargs="+", default=list(SENSORS), choices=list(SENSORS))
    arguments = parser.parse_args()
    sources = [FaceSource()]
    if arguments.ict is not None:
        sources.append(FaceSource.find("ict-facekit", arguments.ict))
    if arguments.makehuman is not None:
        sources.append(FaceSource.find("makehuman", arguments.makehuman))
    recognizer = Recognizer.from_pretrained()
    print(f"{usable_cores()} cores, load {os.getloadavg()[0]:.1f} when it began, {arguments.seconds:g} s each\n")
    print(
        "| face, sensor | vertices | answers a second | late by, ms: median | 95 % | made in | recognised in | alone |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for source in sources:
        for sensor in arguments.sensors:
            role = Role(source, sensor=sensor, movement=NATURE)
            vertices, times_ms = _timed(recognizer, role)
            rate, late_ms = _live(recognizer, role, arguments.seconds)
            print(
                f"| {source.name}, {sensor} | {vertices:,} | {rate:.1f} | {np.median(late_ms):.0f} "
                f"| {np.percentile(late_ms, 95):.0f} | {' | '.join(f'{ms:.1f}' for ms in times_ms)} |",
                flush=True,
            )


def _live(recognizer: Recognizer, role: Role, seconds: float) -> tuple[float, np.ndarray]:
    """Answers a second, and how late each of them was, ms."""
    live = Live(recognizer, Stage(role).frames, Crowd())
    number, late_s, began_s = 0, [], live.clock()
    while (now_s := live.clock()) < began_s + WARM_UP_S + seconds:
        shown = live.newest(number)
        if shown is not None:
            number = shown.number
            if now_s > began_s + WARM_UP_S:
                late_s.append((shown.at_s, shown.at_s - shown.made.began_s))
    live.stop()
    at_s, late = np.array(late_s).T
    return (len(at_s) - 1) / (at_s[-1] - at_s[0]), 1000 * late


def _timed(recognizer: Recognizer, role: Role) -> tuple[int, np.ndarray]:
    """Vertices, and the processor's time in ms for making a frame, recognising it in a stream, and alone; medians."""
    performer = Performer(role)
    seconds = np.arange(TIMED) / TIMED_FPS
    making = _times(performer.scan(performer.moment(at_s, Controls()), number) for number, at_s in enumerate(seconds))
    scans = [scan for scan, _ in making]
    following = _times(recognizer.stream(scans))
    alone = _times(recognizer.predict_proba(scan) for scan in scans)
    times = [[spent_s for _, spent_s in each] for each in (making, following, alone)]
    return len(scans[-1].vertices), 1000 * np.median(times, axis=1)


def _times(work: Iterable[Result]) -> list[tuple[Result, float]]:
    """Give what comes, with the processor's time in seconds that this thread took for each."""
    done, began_s = [], time.thread_time()
    for result in work:
        done.append((result, time.thread_time() - began_s))
        began_s = time.thread_time()
    return done


if __name__ == "__main__":
    main()
