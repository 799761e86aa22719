"""A cross-validation with everything that it leaves behind: numbers, model, pictures, environment, report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from affectvlm.evaluation.cross_validation import cross_validate
from affectvlm.evaluation.report import write_report
from affectvlm.files import written_whole
from affectvlm.prepared import PreparedSet
from affectvlm.run_record import RunRecord
from affectvlm.training import TrainConfig
from affectvlm.views.picture import grid, pictures


def run_study(
    prepared: PreparedSet, config: TrainConfig, run: Path, n_folds: int, jobs: int, record: RunRecord
) -> dict[str, Any]:
    """Cross-validate and report; an interrupted study goes on where it was.

    Parameters
    ----------
    prepared : PreparedSet
    config : TrainConfig
    run : Path
        Gets all that :func:`affectvlm.evaluation.cross_validation.cross_validate` writes, and ``views.png``,
        ``environment.json`` and ``report.html``.
    n_folds : int
    jobs : int
        Trainings at a time.
    record : RunRecord
        Told how long it took.

    Returns
    -------
    dict
        What is in ``metrics.json``.
    """
    with record.stage("training and testing"):
        metrics = cross_validate(prepared, config, run, n_folds, jobs, record)
    with record.stage("report"):
        with written_whole(run / "views.png") as path:
            picture_of_views(prepared).save(path)
        record.write(run / "environment.json", prepared.rig.fingerprint)
        write_report(run)
    return metrics


def picture_of_views(prepared: PreparedSet) -> Image.Image:
    """Show what a model sees: one subject's strongest scan of each class (columns) in every view (rows)."""
    index = prepared.index
    mine = index[index["subject"] == prepared.subjects[0]]
    columns = []
    for name in prepared.classes:
        rows = mine.index[mine["emotion"] == name]
        if len(rows):
            strongest = rows[int(np.argmax(mine.loc[rows, "intensity"].fillna(0).to_numpy()))]
            columns.append((name, next(iter(pictures(prepared.views(int(strongest))).values()))))
    cells = [[column[1][view] for column in columns] for view in range(len(prepared.rig.names))]
    return grid(cells, list(prepared.rig.names), [column[0] for column in columns])
