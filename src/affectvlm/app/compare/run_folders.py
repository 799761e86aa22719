"""Runs that a visitor may look at: those below the one folder that the page was started with, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from affectvlm.model_files import CONFIG, FORMS, RECORD, WEIGHTS

MODEL, REPORT = "model", "report.html"
"""What ``affectvlm train``, ``evaluate`` and ``demo`` leave in a run's folder; the first does without a report."""

FACTS = ("config.yaml", "metrics.json")
"""What else of a run is read."""

MAX_DEPTH = 3
"""Folders below the one given."""

MOST_RUNS = 200
"""As many as a list to choose from can hold."""


@dataclass(frozen=True)
class Run:
    """A run's folder.

    Parameters
    ----------
    name : str
        Its path below the folder of all runs, with "/"; that folder's own name if it is itself the run.
    folder : Path
    model : Path, optional
        Folder of its model.
    report : Path, optional
        Its report, HTML.
    """

    name: str
    folder: Path
    model: Path | None
    report: Path | None


def find_runs(runs: Path) -> list[Run]:
    """Find the runs in a folder, in the order of their names.

    Links to folders are not followed. A run of which a file is a link that leads out of the folder is passed over.

    Parameters
    ----------
    runs : Path
    """
    root = Path(os.path.realpath(runs))
    found = []
    for folder in _walk(root, 0):
        model = folder / MODEL if _is_model(folder / MODEL) else None
        report = folder / REPORT if (folder / REPORT).is_file() else None
        if (model or report) and _stays_within(root, folder):
            found.append(
                Run(folder.relative_to(root).as_posix() if folder != root else root.name, folder, model, report)
            )
        if len(found) == MOST_RUNS:
            break
    return found


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    """Yield a folder and those below it that are no links; what may not be listed is passed over."""
    yield folder
    if depth == MAX_DEPTH:
        return
    try:
        with os.scandir(folder) as listing:
            names = sorted(entry.name for entry in listing if entry.is_dir(follow_symlinks=False))
    except OSError:
        return
    for name in names:
        if not name.startswith("."):
            yield from _walk(folder / name, depth + 1)


def _is_model(folder: Path) -> bool:
    return all((folder / name).is_file() for name in (CONFIG, WEIGHTS))


def _stays_within(root: Path, run: Path) -> bool:
    """Whether every file of a run that the page would read lies, links resolved, below the folder of all runs."""
    files = [run / name for name in (REPORT, *FACTS)] + [run / MODEL / name for name in (*FORMS, RECORD)]
    return all(root in Path(os.path.realpath(file)).parents for file in files)
