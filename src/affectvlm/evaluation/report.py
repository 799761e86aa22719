"""A run's report: one HTML file that stands alone, made from nothing but the run's folder."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from affectvlm.errors import DataError
from affectvlm.evaluation.figures import training_figures
from affectvlm.evaluation.folds import Split
from affectvlm.evaluation.summary import COLUMNS
from affectvlm.files import written_whole

HISTORY_COLUMNS = ("epoch", "loss", "validation_uar")
"""What every history holds; the terms of the loss and the margin are drawn when they are there."""

METRICS_KEYS = ("source", "classes", "folds", "mean", "deviation", "pooled", "by_intensity")
ENVIRONMENT_KEYS = ("versions", "git_revision", "seed", "rig_fingerprint", "stages_s", "total_s")

SUREST_MISTAKES = 8
"""Mistakes that are listed, those made with the most conviction."""


@dataclass(frozen=True)
class RunFolder:
    """Everything that a cross-validation leaves behind."""

    config: str
    split: Split
    histories: dict[int, pd.DataFrame]
    predictions: pd.DataFrame
    metrics: dict[str, Any]
    environment: dict[str, Any]
    views_png: bytes

    @classmethod
    def read(cls, run: Path) -> RunFolder:
        """Read a run's folder.

        Raises
        ------
        DataError
            A file is missing or damaged, or lacks a column or an entry.
        """
        split = Split.load(_present(run / "folds.json"))
        metrics = _json(run / "metrics.json", METRICS_KEYS)
        return cls(
            config=_present(run / "config.yaml").read_text(encoding="utf-8"),
            split=split,
            histories={
                fold.index: _history(run / "folds" / f"{fold.index:02d}" / "history.csv") for fold in split.folds
            },
            predictions=_predictions(run / "predictions.parquet", metrics["classes"]),
            metrics=metrics,
            environment=_json(run / "environment.json", ENVIRONMENT_KEYS),
            views_png=_present(run / "views.png").read_bytes(),
        )


def write_report(run: Path) -> Path:
    """Write ``report.html`` into a run's folder from the other files there.

    Parameters
    ----------
    run : Path
        Folder of a finished cross-validation.

    Returns
    -------
    Path
        The report: one file that loads nothing else.

    Raises
    ------
    DataError
        A file of the run is missing or damaged.
    """
    folder = RunFolder.read(run)
    html = _environment().get_template("report.html.j2").render(_context(folder))
    with written_whole(run / "report.html") as unfinished:
        unfinished.write_text(html, encoding="utf-8")
    return run / "report.html"


def _context(folder: RunFolder) -> dict[str, Any]:
    """What the template shows: the run's own numbers, and those that follow from them."""
    metrics = folder.metrics
    chosen = {fold["fold"]: fold["chosen_epoch"] for fold in metrics["folds"]}
    return {
        "synthetic": metrics["source"].startswith("synthetic"),
        "metrics": metrics,
        "pooled": metrics["pooled"],
        "split": folder.split,
        "environment": folder.environment,
        "config": folder.config,
        "subjects": _by_subject(folder.predictions),
        "mistakes": _surest_mistakes(folder.predictions),
        "figures": [(title, Markup(svg)) for title, svg in training_figures(folder.histories, chosen)],
        "views": "data:image/png;base64," + base64.b64encode(folder.views_png).decode(),
        "chance": 1 / len(metrics["classes"]),
    }


def _by_subject(predictions: pd.DataFrame) -> dict[str, Any]:
    """How accuracy varies from person to person."""
    right = predictions["predicted"] == predictions["emotion"]
    accuracy = right.groupby(predictions["subject"]).mean()
    return {
        "count": len(accuracy),
        "worst": accuracy.min(),
        "worst_name": accuracy.idxmin(),
        "median": accuracy.median(),
        "best": accuracy.max(),
    }


def _surest_mistakes(predictions: pd.DataFrame) -> list[dict[str, Any]]:
    """The wrong predictions with the highest probability, the surest first."""
    wrong = predictions[predictions["predicted"] != predictions["emotion"]]
    rows = [{**row, "probability": row[f"p_{row['predicted']}"]} for row in wrong.to_dict("records")]
    return sorted(rows, key=lambda row: (-row["probability"], row["key"]))[:SUREST_MISTAKES]


def _present(path: Path) -> Path:
    if not path.is_file():
        raise DataError(f"{path}: missing, and the report needs it; `affectvlm evaluate` writes it: let a run finish")
    return path


def _json(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    try:
        content = json.loads(_present(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}); run `affectvlm evaluate` again") from error
    if missing := [key for key in keys if key not in content]:
        raise DataError(f"{path}: lacks {', '.join(missing)}; run `affectvlm evaluate` again")
    return dict(content)


def _predictions(path: Path, classes: list[str]) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(_present(path))
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: not a Parquet table ({error}); run `affectvlm evaluate` again") from error
    return _with_columns(frame, (*COLUMNS, *(f"p_{name}" for name in classes)), path)


def _history(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(_present(path))
    except ValueError as error:
        raise DataError(f"{path}: not a table ({error}); run `affectvlm evaluate` again") from error
    return _with_columns(frame, HISTORY_COLUMNS, path)


def _with_columns(frame: pd.DataFrame, columns: tuple[str, ...], path: Path) -> pd.DataFrame:
    if missing := [name for name in columns if name not in frame.columns]:
        raise DataError(f"{path}: lacks the columns {', '.join(missing)}; run `affectvlm evaluate` again")
    return frame


def _environment() -> Environment:
    """Escape everything; an entry that is missing is an error, not a blank."""
    environment = Environment(
        loader=PackageLoader("affectvlm", "evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=_percent, duration=_duration, span=_span)
    return environment


def _percent(share: float | None) -> str:
    """Write a share as a percentage with one decimal, without its sign."""
    return "–" if share is None else f"{100 * share:.1f}"


def _duration(seconds: float) -> str:
    """Write seconds as a person would say them."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _span(numbers: list[int]) -> str:
    """Write the range of some counts: "9" or "9 to 10"."""
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"
