"""Progress where no bar can be shown: a line a minute in a batch job's log."""

import io

import pytest
from rich.console import Console

from affectvlm import console
from affectvlm.console import ProgressLines, progress_bar


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def printed(monkeypatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=stream, force_terminal=False))
    return stream


def test_a_line_is_printed_once_a_minute_with_the_time_that_is_left(printed):
    """Half a scan a second: 100 scans that were done before do not count."""
    clock = Clock()
    lines = ProgressLines("scans [bu4dfe]", 4100, clock)
    for second in range(0, 181, 4):
        clock.now_s = 1000.0 + second
        lines.tell(100 + second // 2)
    assert printed.getvalue().splitlines() == [
        "scans [bu4dfe]: 130 of 4100, 2:12:20 left",
        "scans [bu4dfe]: 160 of 4100, 2:11:20 left",
        "scans [bu4dfe]: 190 of 4100, 2:10:20 left",
    ]


def test_what_has_not_moved_yet_has_no_time_left(printed):
    clock = Clock()
    lines = ProgressLines("scans", 10, clock)
    lines.tell(3)
    clock.now_s += 60
    lines.tell(3)
    assert printed.getvalue() == "scans: 3 of 10\n"


def test_work_of_less_than_a_minute_prints_nothing(printed):
    with progress_bar("scans", 3) as done:
        for count in (1, 2, 3):
            done(count)
    with progress_bar("scans", 3, lambda: 2):
        pass
    assert printed.getvalue() == ""


def test_a_bar_without_a_terminal_prints_lines_and_nothing_else(printed, monkeypatch):
    monkeypatch.setattr(console, "LINE_PERIOD_S", 0)
    with progress_bar("scans", 3) as done:
        done(2)
    assert printed.getvalue() == "scans: 2 of 3\n"


def test_work_in_other_processes_is_asked_after_and_told_in_lines(printed, monkeypatch):
    """The block ends when it was asked for the second time, which is after the first line."""
    monkeypatch.setattr(console, "LINE_PERIOD_S", 0)
    asked_twice = console.threading.Event()
    answers = iter([1, 2])

    def poll() -> int:
        answer = next(answers, 2)
        if answer == 2:
            asked_twice.set()
        return answer

    with progress_bar("scans", 3, poll):
        assert asked_twice.wait(60)
    assert printed.getvalue().startswith("scans: 1 of 3\n")


def test_on_a_terminal_there_is_a_bar_and_no_line(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=stream, force_terminal=True, width=100))
    monkeypatch.setattr(console, "LINE_PERIOD_S", 0)
    with progress_bar("scans", 3) as done:
        done(3)
    assert "3/3" in stream.getvalue()
    assert "scans: 3 of 3" not in stream.getvalue()
