"""How good predictions are: accuracy, unweighted average recall, macro F1, and how sure one can be of them.

Every statistic is a function of confusion matrices, rows true and columns predicted, with any leading axes:
one matrix for a fold, thousands for a bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any, Literal

import numpy as np
from scipy.stats import binom

from affectvlm.errors import DataError

StatisticName = Literal["accuracy", "uar", "macro_f1"]


def _accuracy(confusion: np.ndarray) -> np.ndarray:
    """(..., C, C) counts -> (...) share of samples on the diagonal."""
    return _diagonal(confusion).sum(-1) / confusion.sum((-2, -1))


def _uar(confusion: np.ndarray) -> np.ndarray:
    """(..., C, C) counts -> (...) mean recall over the classes that occur."""
    support = confusion.sum(-1)
    recall = _diagonal(confusion) / np.maximum(support, 1)
    return recall.sum(-1) / (support > 0).sum(-1)


def _macro_f1(confusion: np.ndarray) -> np.ndarray:
    """(..., C, C) counts -> (...) mean F1 of the classes that occur or were predicted, like scikit-learn."""
    # The denominator of F1 = 2 TP / (2 TP + FP + FN) counts a class's row and column.
    counted = confusion.sum(-1) + confusion.sum(-2)
    f1 = 2 * _diagonal(confusion) / np.maximum(counted, 1)
    return f1.sum(-1) / (counted > 0).sum(-1)


STATISTICS: dict[StatisticName, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": _accuracy,
    "uar": _uar,
    "macro_f1": _macro_f1,
}
"""The summary numbers: name -> function of (..., C, C) confusion matrices."""


@dataclass(frozen=True, eq=False)
class Metrics:
    """What is said of one set of predictions.

    Parameters
    ----------
    accuracy : float
        Share of samples predicted rightly.
    uar : float
        Unweighted average recall: the mean of the recalls of the classes that occur.
    macro_f1 : float
        Mean of the F1 scores of the classes that occur or were predicted.
    recall : dict of class -> float, or None where the class has no sample
    confusion : (C, C) int64
        Rows true, columns predicted, in the order of the classes.
    count : int
        Samples.
    """

    accuracy: float
    uar: float
    macro_f1: float
    recall: dict[str, float | None]
    confusion: np.ndarray
    count: int

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain numbers and lists, for JSON."""
        return {
            "accuracy": self.accuracy,
            "uar": self.uar,
            "macro_f1": self.macro_f1,
            "recall": dict(self.recall),
            "confusion": self.confusion.tolist(),
            "count": self.count,
        }


def measure(true: Sequence[str], predicted: Sequence[str], classes: Sequence[str]) -> Metrics:
    """Compare predictions with the truth.

    Parameters
    ----------
    true, predicted : sequences of N class names
    classes : sequence of C class names
        The order of the confusion matrix.

    Raises
    ------
    DataError
        There is no sample, the lengths differ, or a name is none of the classes.
    """
    _check_lengths(true, predicted)
    confusion = _confusion(_codes(true, classes), _codes(predicted, classes), len(classes))
    support = confusion.sum(1)
    recall = {name: float(confusion[i, i] / support[i]) if support[i] else None for i, name in enumerate(classes)}
    numbers = {name: float(statistic(confusion)) for name, statistic in STATISTICS.items()}
    return Metrics(**numbers, recall=recall, confusion=confusion, count=int(confusion.sum()))


def subject_interval(
    true: Sequence[str],
    predicted: Sequence[str],
    subjects: Sequence[str],
    statistic: StatisticName = "uar",
    seed: int = 0,
    draws: int = 2000,
    level: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of a statistic by bootstrap over subjects.

    Scans of one face succeed and fail together, so whole subjects are drawn with replacement: drawing scans
    would make the interval too narrow.

    Parameters
    ----------
    true, predicted, subjects : sequences of N names
    statistic : {"accuracy", "uar", "macro_f1"}
    seed : int
    draws : int
    level : float

    Returns
    -------
    low, high : float

    Raises
    ------
    DataError
        There are fewer than two subjects, or the lengths differ.
    """
    _check_lengths(true, predicted, subjects)
    names, subject = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    if len(names) < 2:
        raise DataError("an interval over subjects needs at least 2 subjects, found 1")
    classes = sorted({*true, *predicted})
    n = len(classes)
    by_subject = np.zeros((len(names), n, n))  # (S, C, C)
    np.add.at(by_subject, (subject, _codes(true, classes), _codes(predicted, classes)), 1)
    # How often each draw holds each subject, (draws, S); its confusion is the sum over its subjects.
    even = np.full(len(names), 1 / len(names))
    times = np.random.default_rng(seed).multinomial(len(names), even, size=draws)
    drawn = (times @ by_subject.reshape(len(names), -1)).reshape(draws, n, n)
    tail = (1 - level) / 2
    low, high = np.quantile(STATISTICS[statistic](drawn), [tail, 1 - tail])
    return float(low), float(high)


def over_folds(folds: Sequence[Metrics]) -> tuple[dict[str, float], dict[str, float | None]]:
    """Mean and sample standard deviation (n - 1) of each statistic over folds; one fold has no deviation.

    Returns
    -------
    mean, deviation : dict of statistic's name -> float
    """
    means: dict[str, float] = {}
    deviations: dict[str, float | None] = {}
    for name in STATISTICS:
        values = [getattr(fold, name) for fold in folds]
        means[name] = mean(values)
        deviations[name] = stdev(values) if len(values) > 1 else None
    return means, deviations


def chance_interval(count: int, n_classes: int, level: float = 0.99) -> tuple[float, float]:
    """Where the accuracy of pure guesses falls in at least ``level`` of all cases.

    Exact (binomial) for ``count`` samples whose true classes are equally frequent and independent of the
    predictions and of each other, as after the labels were drawn anew.

    Returns
    -------
    low, high : float
    """
    low, high = binom.interval(level, count, 1 / n_classes)
    return float(low) / count, float(high) / count


def _diagonal(confusion: np.ndarray) -> np.ndarray:
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def _confusion(true: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Count pairs of class indices: (N,), (N,) -> (C, C) int64."""
    return np.bincount(true * n_classes + predicted, minlength=n_classes**2).reshape(n_classes, n_classes)


def _codes(names: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Class names -> (N,) int64 indices."""
    index = {name: i for i, name in enumerate(classes)}
    if unknown := sorted({str(name) for name in names if name not in index}):
        raise DataError(f"{unknown[0]!r} is none of the classes {', '.join(classes)}")
    return np.array([index[name] for name in names], np.int64)


def _check_lengths(*columns: Sequence[str]) -> None:
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        raise DataError(f"one entry a sample is expected in each sequence, found {lengths} entries")
    if lengths[0] == 0:
        raise DataError("no predictions to measure")
