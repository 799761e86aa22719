"""What the terminal shows: progress bars, tables, one-line errors."""

from __future__ import annotations

import csv
import json
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.status import Status
from rich.table import Table

if TYPE_CHECKING:
    from affectvlm.datasets.inspection import Inspection
    from affectvlm.recognizer import Prediction, Timeline

out = Console(emoji=False)
err = Console(stderr=True, emoji=False)


PROBLEMS_SHOWN = 20
"""Of a data set; more would push the table off the screen."""

RATE_PERIOD_S = 600
"""The time left is reckoned from the last ten minutes: what is done comes in lots, some of them a minute apart."""

LINE_PERIOD_S = 60
"""Between two lines of progress where no bar can be shown."""


def show_warnings_as_lines() -> None:
    """Print a warning as one line without its place in the code: it is about the user's data."""

    def print_line(message: Warning | str, *rest: Any) -> None:
        err.print(f"[yellow]warning:[/] {escape(str(message))}", highlight=False, soft_wrap=True)

    warnings.showwarning = print_line  # type: ignore[assignment]


def say(text: str, style: str = "") -> None:
    """Print a line as it is: a path may hold what rich would take for markup."""
    out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def say_next(*commands: str) -> None:
    """Print what to try next."""
    out.print("Next:")
    for command in commands:
        say(f"  {command}", "bold")


def print_error(text: str) -> None:
    """Print what a user can mend, in one line."""
    err.print(f"[red]error:[/] {escape(text)}", highlight=False, soft_wrap=True)


def say_status(text: str) -> None:
    """Print beside the answers what is going on."""
    err.print(text, markup=False, highlight=False, soft_wrap=True)


def working(text: str) -> Status:
    """Show a spinner while something of unknown length goes on."""
    return err.status(f"{text} ...")


@contextmanager
def progress_bar(text: str, total: int, poll: Callable[[], int] | None = None) -> Iterator[Callable[[float], None]]:
    """Show a bar with the time that is left; where there is no terminal, now and then a line.

    Parameters
    ----------
    text : str
    total : int
    poll : callable, optional
        Asked twice a second how much is done, for work that runs in other processes.

    Yields
    ------
    callable
        To be told how much is done; parts of one count.
    """
    columns = (
        TextColumn("{task.description:<26}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    finished = threading.Event()
    bare = not err.is_terminal
    lines = ProgressLines(text, total)
    with Progress(*columns, console=err, disable=bare, speed_estimate_period=RATE_PERIOD_S) as progress:
        task = progress.add_task(text, total=total)

        def tell(done: float) -> None:
            if bare:
                lines.tell(done)
            else:
                progress.update(task, completed=done)

        def watch(ask: Callable[[], int]) -> None:
            while not finished.wait(0.5):
                tell(ask())

        watcher = threading.Thread(target=watch, args=(poll,), daemon=True) if poll else None
        if watcher:
            watcher.start()
        try:
            yield tell
        finally:
            finished.set()
            if watcher:
                watcher.join()
        progress.update(task, completed=total)


class ProgressLines:
    """Progress for a batch job's log: a line a minute, none for what is done sooner.

    Parameters
    ----------
    text : str
    total : int
    clock : callable -> float
        Seconds.
    """

    def __init__(self, text: str, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._text, self._total, self._clock = text, total, clock
        self._said_s = clock()
        self._first: tuple[float, float] | None = None

    def tell(self, done: float) -> None:
        """Print a line if the last one is long enough ago."""
        now = self._clock()
        # What was done before, by a run that was interrupted, says nothing about the speed.
        since, before = self._first = self._first or (now, done)
        if now - self._said_s < LINE_PERIOD_S:
            return
        self._said_s = now
        left = ""
        if done > before:
            seconds = round((now - since) / (done - before) * (self._total - done))
            left = f", {timedelta(seconds=seconds)} left"
        err.print(f"{self._text}: {int(done)} of {self._total}{left}", markup=False, highlight=False, soft_wrap=True)


def print_predictions(predictions: Sequence[Prediction], classes: Sequence[str], style: str) -> None:
    """Print answers as a ``table``, as ``json`` (an array) or as ``csv``.

    In ``csv`` a scan has a row. Where there is a sequence, a column ``frame`` follows the path: a sequence has a row
    for the whole of it, whose ``frame`` is empty, and then one for each frame.
    """
    if style == "json":
        print(json.dumps([prediction.to_dict() for prediction in predictions], indent=2, ensure_ascii=False))
    elif style == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        sequences = any(p.timeline is not None for p in predictions)
        writer.writerow(["path", *(["frame"] if sequences else []), "label", *classes, "error"])
        for p in predictions:
            frames = [] if p.timeline is None else list(enumerate(p.timeline.answers))
            for number, answer in [("", p), *frames]:
                numbers = [f"{answer.probabilities[name]:.6f}" if answer.probabilities else "" for name in classes]
                place = [p.path, number] if sequences else [p.path]
                writer.writerow([*place, answer.label or "", *numbers, answer.error or ""])
    else:
        out.print(_prediction_table(predictions))
        if any(p.label == "unsure" for p in predictions):
            say("unsure: no expression is probable enough to be called; the most probable one stands behind it")


def _prediction_table(predictions: Sequence[Prediction]) -> Table:
    """Lay out a row a scan; the less probable classes stand in one column, so that it fits a narrow terminal."""
    table = Table(title_justify="left")
    table.add_column("scan", overflow="fold", ratio=3)
    table.add_column("apparent expression", style="bold", overflow="fold", ratio=2)
    table.add_column("then", overflow="fold", ratio=2)
    for p in predictions:
        if p.error is not None:
            table.add_row(escape(p.path), "[red]no answer[/]", "see the error below")
            continue
        first, *rest = sorted(p.probabilities.items(), key=lambda item: -item[1])
        others = ", ".join(f"{name} {100 * share:.0f} %" for name, share in rest if share >= 0.005)
        called = f"{first[0]} {100 * first[1]:.0f} %"
        called = f"{p.label} ({called})" if p.label == "unsure" else called
        below = f"\n[dim]{_course(p.timeline)}[/]" if p.timeline is not None else ""
        table.add_row(escape(p.path) + below, escape(called), escape(others))
    return table


def _course(timeline: Timeline) -> str:
    """Say in a line when a sequence's expression begins, is strongest and ends."""

    def at(frame: int | None, otherwise: str) -> str:
        if frame is None:
            return otherwise
        seconds = timeline.seconds(frame)
        return str(frame) if seconds is None else f"{frame} ({seconds:.2f} s)"

    failed = sum(answer.error is not None for answer in timeline.answers)
    counted = f"{len(timeline)} frames" + (f", {failed} of them without an answer" if failed else "")
    if timeline.apex is None:
        return f"{counted}: no expression"
    onset, offset = at(timeline.onset, "before the first"), at(timeline.offset, "after the last")
    return f"{counted}: onset {onset}, apex {at(timeline.apex, '')}, offset {offset}"


def print_inspection(found: Inspection, style: str) -> None:
    """Print what a data set holds: a ``table`` with the first problems, all as ``json``, or all problems as ``csv``."""
    if style == "json":
        print(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    elif style == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["subject", "path", "problem"])
        writer.writerows([problem.subject or "", problem.path, problem.what] for problem in found.problems)
    else:
        out.print(_count_table(found))
        for problem in found.problems[:PROBLEMS_SHOWN]:
            say(f"{problem.path}: {problem.what}")
        if len(found.problems) > PROBLEMS_SHOWN:
            say(f"... and {len(found.problems) - PROBLEMS_SHOWN} more; --format csv lists all")
        if not found.read:
            say("No scan was read; --read does that, and finds damaged files.")


def _count_table(found: Inspection) -> Table:
    table = Table(title=f"{escape(found.dataset)} in {escape(found.root)}", title_justify="left")
    table.add_column("")
    table.add_column("found", justify="right")
    if found.expected:
        table.add_column("published", justify="right")
    for row in found.summary():
        count, expected = row["found"], row["expected"]
        style = "" if expected in (None, count) else "yellow"
        cells = [str(row["what"]), str(count), "" if expected is None else str(expected)]
        table.add_row(*cells[: len(table.columns)], style=style)
    return table


def print_metrics(metrics: dict[str, Any]) -> None:
    """Print a study's result: a row a fold, their mean and deviation, and all test subjects pooled."""
    statistics = {"accuracy": "accuracy", "uar": "UAR", "macro_f1": "macro F1"}
    table = Table(title=f"Subject-independent cross-validation ({escape(metrics['source'])})", title_justify="left")
    for heading in ("fold", "samples", *statistics.values(), "epoch"):
        table.add_column(heading, justify="right")
    for fold in metrics["folds"]:
        numbers = [f"{100 * fold[name]:.1f}" for name in statistics]
        table.add_row(str(fold["fold"]), str(fold["count"]), *numbers, str(fold["chosen_epoch"]))
    table.add_section()
    spread = [
        f"{100 * metrics['mean'][name]:.1f}" + (f" ± {100 * deviation:.1f}" if deviation is not None else "")
        for name in statistics
        for deviation in [metrics["deviation"][name]]
    ]
    table.add_row("mean", "", *spread, "")
    pooled = metrics["pooled"]
    table.add_row("all", str(pooled["count"]), *[f"{100 * pooled[name]:.1f}" for name in statistics], "", style="bold")
    out.print(table)
    low, high = pooled["uar_interval"]
    out.print(f"UAR {100 * pooled['uar']:.1f} %, 95 % interval over subjects {100 * low:.1f} to {100 * high:.1f} %")
    if metrics["by_intensity"]:
        levels = ", ".join(f"{level}: {100 * part['uar']:.1f} %" for level, part in metrics["by_intensity"].items())
        out.print(f"UAR by intensity  {levels}")
