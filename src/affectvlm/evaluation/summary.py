"""From the pooled predictions of a cross-validation to every number that its report states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from affectvlm.errors import DataError
from affectvlm.evaluation.metrics import Metrics, measure, over_folds, subject_interval

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("key", "fold", "subject", "emotion", "intensity", "predicted")
"""What a table of predictions holds, beside one ``p_<class>`` column a class; one row a test sample."""


def summarise(
    predictions: pd.DataFrame,
    classes: Sequence[str],
    chosen_epochs: Mapping[int, int],
    source: str,
    seed: int,
) -> dict[str, Any]:
    """Measure each fold, the folds together, and each intensity.

    Parameters
    ----------
    predictions : DataFrame with the :data:`COLUMNS`
        Every sample once, predicted by the fold whose training did not see its subject. A missing intensity
        means that the data set states none.
    classes : sequence of str
    chosen_epochs : mapping of fold -> the epoch that its validation subjects chose
    source : str
        Where the scans come from, "synthetic: ..." when no person was scanned.
    seed : int
        Of the bootstrap.

    Returns
    -------
    dict
        Plain numbers and lists, for ``metrics.json``. The main numbers are pooled: every subject is tested
        once, so the pooled predictions are one test of all subjects, and the interval is over these.

    Raises
    ------
    DataError
        A column or a fold's epoch is missing, or a sample was predicted more than once.
    """
    _check(predictions, chosen_epochs)
    by_fold = {int(index): _measure(rows, classes) for index, rows in predictions.groupby("fold")}
    mean, deviation = over_folds(list(by_fold.values()))
    return {
        "source": source,
        "classes": list(classes),
        "folds": [
            {
                "fold": index,
                "chosen_epoch": chosen_epochs[index],
                "count": fold.count,
                "accuracy": fold.accuracy,
                "uar": fold.uar,
                "macro_f1": fold.macro_f1,
            }
            for index, fold in by_fold.items()
        ],
        "mean": mean,
        "deviation": deviation,
        "pooled": {**_measure(predictions, classes).to_dict(), **_intervals(predictions, seed)},
        # Rows without an intensity fall out of the grouping.
        "by_intensity": {
            str(int(intensity)): _measure(rows, classes).to_dict()
            for intensity, rows in predictions.groupby("intensity")
        },
    }


def _measure(rows: pd.DataFrame, classes: Sequence[str]) -> Metrics:
    return measure(rows["emotion"].tolist(), rows["predicted"].tolist(), classes)


def _intervals(predictions: pd.DataFrame, seed: int) -> dict[str, list[float]]:
    true, predicted, subjects = (predictions[c].tolist() for c in ("emotion", "predicted", "subject"))
    return {
        "uar_interval": list(subject_interval(true, predicted, subjects, "uar", seed)),
        "accuracy_interval": list(subject_interval(true, predicted, subjects, "accuracy", seed)),
    }


def _check(predictions: pd.DataFrame, chosen_epochs: Mapping[int, int]) -> None:
    if missing := [name for name in COLUMNS if name not in predictions.columns]:
        raise DataError(f"the predictions lack the columns {', '.join(missing)}")
    if predictions.empty:
        raise DataError("no predictions to measure")
    if (repeated := predictions["key"][predictions["key"].duplicated()]).size:
        raise DataError(f"sample {repeated.iloc[0]!r} was predicted more than once; every sample is tested once")
    if missing_folds := sorted(set(predictions["fold"].tolist()) - set(chosen_epochs)):
        raise DataError(f"no chosen epoch is stated for fold {missing_folds[0]}")
