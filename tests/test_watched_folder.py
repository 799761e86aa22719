"""A watched folder: whole files alone, in their order, each once; the folder changes only between two looks."""

import json
import os
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from affectvlm.cli import main
from affectvlm.errors import ScanError
from affectvlm.recognizer import Recognizer
from affectvlm.recognizer.stream import newest_of
from affectvlm.recognizer.watched_folder import LOOK_EVERY_S, LOOKING_SHARE, watch_folder
from affectvlm.scan import write_scan

LONG_S = 60
"""For what happens at once, unless the test fails."""


class Looks:
    """Something happens after each look; after the last the watch ends. Counts the looks: 1 when the first is over."""

    def __init__(self, *steps) -> None:
        self._steps = list(steps)
        self.number = 0

    def __call__(self, seconds: float) -> bool:
        assert seconds >= LOOK_EVERY_S
        self.number += 1
        if not self._steps:
            return True
        self._steps.pop(0)()
        return False


def nothing() -> None:
    pass


def write(path: Path, content: bytes = b"whole", at_s: int | None = None):
    """Give what writes a file, at a time of its own: a clock may be too coarse to tell two from each other."""

    def step() -> None:
        path.write_bytes(content)
        if at_s is not None:
            os.utime(path, (at_s, at_s))

    return step


def all_of(*steps):
    return lambda: [step() for step in steps]


def given(folder: Path, *steps) -> list[tuple[int, str]]:
    """What is given, and after how many steps."""
    looks = Looks(*steps)
    return [(looks.number, path.name) for path in watch_folder(folder, looks)]


def test_a_file_is_given_when_it_rests_for_a_look(tmp_path):
    scan = tmp_path / "scan.ply"
    steps = write(scan, b"ha", 10), write(scan, b"half", 11), write(scan, b"half of it", 12), nothing, nothing
    assert given(tmp_path, *steps) == [(4, "scan.ply")]


def test_a_file_that_grows_again_after_a_pause_is_given_again(tmp_path):
    scan = tmp_path / "scan.ply"
    steps = write(scan, b"half", 10), nothing, write(scan, b"whole scan", 11), nothing, nothing
    assert given(tmp_path, *steps) == [(2, "scan.ply"), (4, "scan.ply")]


def test_a_file_that_was_written_elsewhere_and_renamed_is_given_at_once(tmp_path):
    for name in (".scan.ply", "scan.ply.part"):
        unfinished, scan = tmp_path / name, tmp_path / "scan.ply"
        steps = write(unfinished), lambda: unfinished.rename(scan), nothing, scan.unlink  # noqa: B023
        assert given(tmp_path, *steps) == [(2, "scan.ply")]


def test_files_of_one_look_come_in_the_order_in_which_they_were_written(tmp_path):
    names = {"c.ply": 10, "a.ply": 20, "b10.ply": 30, "b2.ply": 30}
    steps = all_of(*(write(tmp_path / name, at_s=at_s) for name, at_s in names.items())), nothing
    assert given(tmp_path, *steps) == [(2, name) for name in ("c.ply", "a.ply", "b2.ply", "b10.ply")]


def test_of_what_was_there_before_only_the_newest_is_given(tmp_path):
    for name, at_s in {"a.ply": 10, "c.ply": 30, "b.ply": 20, "notes.txt": 40}.items():
        write(tmp_path / name, at_s=at_s)()
    assert given(tmp_path, nothing, nothing) == [(1, "c.ply")]


def test_what_is_no_scan_is_passed_over(tmp_path):
    (tmp_path / "folder.ply").mkdir()
    picture = np.zeros((4, 4, 3), np.uint8)
    steps = all_of(
        write(tmp_path / "notes.txt"),
        write(tmp_path / "ply"),
        write(tmp_path / ".hidden.ply"),
        write(tmp_path / "empty.ply", b""),
        lambda: Image.fromarray(picture).save(tmp_path / "skin.png"),
        lambda: Image.fromarray(picture[..., 0].astype(np.uint16)).save(tmp_path / "depth.png"),
        write(tmp_path / "SCAN.OBJ", at_s=2_000_000_000),
    )
    assert given(tmp_path, steps, nothing, nothing) == [(2, "depth.png"), (2, "SCAN.OBJ")]


def test_a_name_that_is_used_again_is_a_new_frame(tmp_path):
    scan = tmp_path / "latest.ply"
    steps = write(scan, at_s=10), nothing, write(scan, at_s=11), nothing, scan.unlink, write(scan, at_s=11), nothing
    assert given(tmp_path, *steps) == [(2, "latest.ply"), (4, "latest.ply"), (7, "latest.ply")]


def test_the_newest_wins_where_answers_are_slow(tmp_path):
    """Three files come while the first one is looked at: the last of them is next."""
    write(tmp_path / "0.ply", at_s=1)()
    written, looked = threading.Event(), threading.Event()
    steps = [
        nothing,
        lambda: written.wait(LONG_S),
        nothing,
        lambda: (looked.set(), False)[1],
    ]
    arrivals = newest_of(watch_folder(tmp_path, Looks(*steps)))
    assert next(arrivals).frame.name == "0.ply"
    for number in (1, 2, 3):
        write(tmp_path / f"{number}.ply", at_s=10 + number)()
    written.set()
    assert looked.wait(LONG_S)
    newest = next(arrivals)
    assert (newest.frame.name, newest.dropped) == ("3.ply", 2)
    assert list(arrivals) == []


def test_a_folder_that_takes_long_to_look_at_is_looked_at_less_often(tmp_path, monkeypatch):
    times = iter([100.0, 102.0])
    monkeypatch.setattr("affectvlm.recognizer.watched_folder.time", SimpleNamespace(monotonic=lambda: next(times)))
    waits = []
    list(watch_folder(tmp_path, lambda seconds: waits.append(seconds) or True))
    assert waits == [2.0 * (1 / LOOKING_SHARE - 1)]


def test_a_folder_that_is_not_there_is_one_line(tmp_path):
    missing = tmp_path / "missing"
    with pytest.raises(ScanError, match=r"missing: expected a folder to watch .* found No such file") as error:
        next(watch_folder(missing))
    assert "\n" not in str(error.value)


def test_watch_prints_a_line_of_json_for_each_scan(tmp_path, model_folder, embedded_samples, monkeypatch, capsys):
    scan = tmp_path / "1.ply"
    write_scan(scan, embedded_samples[0].load())
    monkeypatch.setattr("affectvlm.recognizer.watched_folder.watch_folder", lambda folder: iter([scan]))
    monkeypatch.setattr(sys, "argv", ["affectvlm", "watch", str(tmp_path), "--model", str(model_folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    (line,) = capsys.readouterr().out.splitlines()
    answer = json.loads(line)
    assert answer["path"] == str(scan)
    expected = Recognizer.from_pretrained(model_folder).predict_proba(scan)
    np.testing.assert_allclose(list(answer["probabilities"].values()), expected, atol=1e-9)
