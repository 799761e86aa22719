"""Where the frames of a live face come from: a performer, or files that come into a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from affectvlm.app.live.live import Live, Made
from affectvlm.app.live.performer import Controls, Easing, Performer, Role
from affectvlm.app.live.picture import CENTRE_MM, FIELD_MM, fitted
from affectvlm.errors import ScanError
from affectvlm.recognizer.recognizer import Face
from affectvlm.recognizer.stream import newest_of
from affectvlm.recognizer.watched_folder import watch_folder
from affectvlm.scan import read_scan

MOST_FPS = 30.0
"""A performer is recorded no oftener, as by a usual camera: the machine has other things to do."""

REFIT = 1.25
"""A file's face is shown at the scale of the one before, unless its size differs by more than this."""


class Stage:
    """Who performs, and where the sliders stand; both may change at any time, and hold from the next frame on."""

    def __init__(self, role: Role, textured: bool = False) -> None:
        self.role = role
        self.controls = Controls()
        self._textured = textured

    def frames(self, live: Live) -> Iterator[tuple[Face, Made]]:
        """Record frame after frame."""
        performer: Performer | None = None
        playing: Role | None = None
        began_s, frame, easing = live.clock(), 0, Easing()
        while True:
            if performer is None or self.role != playing:
                playing = self.role
                performer = Performer(playing, self._textured)
                began_s, frame, easing = live.clock(), 0, Easing()
            now_s = live.clock()
            moment = easing.follow(performer.moment(now_s - began_s, self.controls), now_s - began_s)
            scan = performer.scan(moment, frame)
            strengths = moment.strengths.mean(axis=1)
            yield scan, Made(now_s, scan, np.array(CENTRE_MM), FIELD_MM, moment.asked, strengths)
            frame += 1
            if live.wait(max(0.0, now_s + 1 / MOST_FPS - live.clock())):
                return


def files_of(folder: Path) -> Callable[[Live], Iterator[tuple[Face, Made]]]:
    """Make a source of the scans that come into a folder, the newest whenever one is wanted."""

    def frames(live: Live) -> Iterator[tuple[Face, Made]]:
        centre, size = np.zeros(3), 0.0
        for arrived in newest_of(watch_folder(folder, live.wait), live.clock):
            path = arrived.frame
            try:
                scan = read_scan(path)
            except ScanError:
                # The stream reads it once more, and says what is wrong with it.
                yield path, Made(arrived.at_s, None, centre, size, path.name)
                continue
            new_centre, new_size = fitted(scan)
            if not size / REFIT < new_size < size * REFIT:
                centre, size = new_centre, new_size
            yield scan, Made(arrived.at_s, scan, centre, size, path.name)

    return frames
