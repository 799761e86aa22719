"""Metrics against hand-computed values, scikit-learn and scipy."""

import json

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import DataError
from affectvlm.evaluation.metrics import (
    STATISTICS,
    Metrics,
    chance_interval,
    measure,
    over_folds,
    subject_interval,
)

TRUE = ["anger", "anger", "anger", "anger", "fear", "fear"]
PREDICTED = ["anger", "anger", "anger", "fear", "fear", "disgust"]
CLASSES = ("anger", "disgust", "fear")


def _random_predictions(rng: np.random.Generator, count: int, skill: float) -> tuple[list[str], list[str]]:
    true = rng.choice(EMOTIONS, count)
    predicted = np.where(rng.random(count) < skill, true, rng.choice(EMOTIONS, count))
    return true.tolist(), predicted.tolist()


def test_hand_computed_values():
    metrics = measure(TRUE, PREDICTED, CLASSES)
    assert metrics.confusion.tolist() == [[3, 0, 1], [0, 0, 0], [0, 1, 1]]
    assert metrics.count == 6
    assert metrics.accuracy == 4 / 6
    # Disgust never occurs: it has no recall and does not enter the average, but its false positive costs F1.
    assert metrics.recall == {"anger": 3 / 4, "disgust": None, "fear": 1 / 2}
    assert metrics.uar == (3 / 4 + 1 / 2) / 2
    assert metrics.macro_f1 == pytest.approx((6 / 7 + 0 + 1 / 2) / 3, abs=1e-15)


@pytest.mark.parametrize("seed", range(5))
def test_agreement_with_scikit_learn(seed):
    true, predicted = _random_predictions(np.random.default_rng(seed), 97, skill=0.5)
    metrics = measure(true, predicted, EMOTIONS)
    np.testing.assert_array_equal(metrics.confusion, confusion_matrix(true, predicted, labels=EMOTIONS))
    assert metrics.accuracy == pytest.approx(accuracy_score(true, predicted), abs=1e-14)
    assert metrics.uar == pytest.approx(recall_score(true, predicted, average="macro"), abs=1e-14)
    assert metrics.macro_f1 == pytest.approx(f1_score(true, predicted, average="macro"), abs=1e-14)


def test_rows_and_columns_follow_the_order_of_the_classes():
    metrics = measure(TRUE, PREDICTED, CLASSES[::-1])
    assert metrics.confusion.tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 3]]
    assert list(metrics.recall) == ["fear", "disgust", "anger"]
    assert metrics.uar == measure(TRUE, PREDICTED, CLASSES).uar


def test_a_dictionary_survives_json():
    metrics = measure(np.array(TRUE), np.array(PREDICTED), CLASSES)
    assert json.loads(json.dumps(metrics.to_dict())) == {
        "accuracy": metrics.accuracy,
        "uar": metrics.uar,
        "macro_f1": metrics.macro_f1,
        "recall": metrics.recall,
        "confusion": metrics.confusion.tolist(),
        "count": 6,
    }


@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        ([], [], "no predictions to measure"),
        (["anger"], [], r"\[1, 0\] entries"),
        (["joy"], ["anger"], "'joy' is none of the classes anger, disgust, fear"),
        (["anger"], ["joy"], "'joy' is none of the classes"),
    ],
)
def test_what_cannot_be_measured_is_refused(true, predicted, message):
    with pytest.raises(DataError, match=message):
        measure(true, predicted, CLASSES)


@pytest.mark.parametrize("statistic", STATISTICS)
def test_the_interval_equals_a_plain_bootstrap_over_subjects(statistic):
    rng = np.random.default_rng(1)
    true, predicted = _random_predictions(rng, 60, skill=0.6)
    subjects = rng.choice(list("abcdefgh"), 60)
    found = subject_interval(true, predicted, subjects, statistic, seed=5, draws=50)

    names = np.unique(subjects)
    times = np.random.default_rng(5).multinomial(len(names), np.full(len(names), 1 / len(names)), size=50)
    values = []
    for each in times:
        rows = np.concatenate([np.tile(np.flatnonzero(subjects == n), k) for n, k in zip(names, each, strict=True)])
        drawn = measure([true[i] for i in rows], [predicted[i] for i in rows], EMOTIONS)
        values.append(getattr(drawn, statistic))
    assert found == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), abs=1e-12)


def test_the_interval_of_independent_samples_is_the_binomial_one():
    # One scan a subject, 70 of 100 right: the textbook interval is 0.7 +- 1.96 sqrt(0.7 * 0.3 / 100).
    true = ["anger"] * 100
    predicted = ["anger"] * 70 + ["fear"] * 30
    low, high = subject_interval(true, predicted, [str(i) for i in range(100)], "accuracy", seed=0, draws=20000)
    half = 1.96 * np.sqrt(0.7 * 0.3 / 100)
    assert (low, high) == pytest.approx((0.7 - half, 0.7 + half), abs=0.011)


def test_scans_of_one_subject_count_as_one_observation():
    # Each subject's 20 scans are all right or all wrong: 20 times the scans, the very same interval.
    true = ["anger"] * 10
    predicted = ["anger"] * 7 + ["fear"] * 3
    subjects = [str(i) for i in range(10)]
    few = subject_interval(true, predicted, subjects, "accuracy", seed=2)
    many = subject_interval(true * 20, predicted * 20, subjects * 20, "accuracy", seed=2)
    assert few == many
    assert few[1] - few[0] > 0.4


def test_perfect_predictions_have_a_point_as_interval():
    assert subject_interval(TRUE, TRUE, list("abcdef"), "uar", seed=0) == (1.0, 1.0)


def test_the_seed_decides_the_interval():
    rng = np.random.default_rng(0)
    true, predicted = _random_predictions(rng, 60, skill=0.6)
    subjects = rng.choice(list("abcdefgh"), 60)
    first = subject_interval(true, predicted, subjects, seed=0)
    assert subject_interval(true, predicted, subjects, seed=0) == first
    assert subject_interval(true, predicted, subjects, seed=1) != first


def test_one_subject_has_no_interval():
    with pytest.raises(DataError, match="at least 2 subjects"):
        subject_interval(TRUE, PREDICTED, ["a"] * 6)


def test_mean_and_sample_deviation_over_folds():
    folds = [measure(TRUE, TRUE, CLASSES), measure(TRUE, PREDICTED, CLASSES)]
    mean, deviation = over_folds(folds)
    assert mean["accuracy"] == pytest.approx(5 / 6)
    assert mean["uar"] == (1 + 0.625) / 2
    # Of two values the sample deviation is their difference over the root of two.
    assert deviation["uar"] == pytest.approx((1 - 0.625) / np.sqrt(2))
    assert set(mean) == set(deviation) == {"accuracy", "uar", "macro_f1"}
    assert over_folds(folds[:1])[1] == {"accuracy": None, "uar": None, "macro_f1": None}


@pytest.mark.parametrize(("count", "n_classes", "level"), [(600, 6, 0.99), (37, 6, 0.95), (24, 2, 0.99)])
def test_the_interval_of_chance_holds_its_level_and_is_tight(count, n_classes, level):
    low, high = np.round(np.array(chance_interval(count, n_classes, level)) * count).astype(int)
    chance = binom(count, 1 / n_classes)
    assert chance.cdf(high) - chance.cdf(low - 1) >= level
    # Neither tail can spare its last outcome.
    assert chance.cdf(low) > (1 - level) / 2
    assert chance.sf(high - 1) > (1 - level) / 2


def test_metrics_are_frozen():
    metrics = measure(TRUE, PREDICTED, CLASSES)
    assert isinstance(metrics, Metrics)
    with pytest.raises(AttributeError):
        metrics.uar = 1.0
