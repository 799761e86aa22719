"""Folds that never see their test subjects, and a canary for leaks: labels that mean nothing are not learned."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from affectvlm.errors import ConfigError
from affectvlm.evaluation.cross_validation import all_epochs_done, cross_validate, epochs_in_all
from affectvlm.evaluation.folds import Split
from affectvlm.evaluation.metrics import measure
from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.prepared import PreparedSet
from affectvlm.run_record import RunRecord
from affectvlm.training import TrainConfig
from affectvlm.training.fit import fit

TINY = ModelConfig(image_widths=(8, 16), text_width=16, text_layers=1, text_heads=2, embedding_dim=16)
CONFIG = TrainConfig(epochs=2, batch_size=24, model=TINY)


@pytest.fixture(scope="module")
def run(tiny_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    return folder, cross_validate(PreparedSet(tiny_set), CONFIG, folder, 2, 1, RunRecord(0))


def test_every_sample_is_tested_once_by_a_model_that_knew_neither_its_subject_nor_chose_by_it(run):
    folder, _ = run
    predictions, split = pd.read_parquet(folder / "predictions.parquet"), Split.load(folder / "folds.json")
    assert predictions["key"].is_unique
    assert len(predictions) == 5 * 25
    for fold in split.folds:
        assert set(predictions.loc[predictions["fold"] == fold.index, "subject"]) == set(fold.test)
        assert not set(fold.test) & (set(fold.train) | set(fold.validation))


def test_the_numbers_are_those_of_the_predictions(run):
    folder, metrics = run
    assert metrics == json.loads((folder / "metrics.json").read_text())
    predictions = pd.read_parquet(folder / "predictions.parquet")
    pooled = measure(predictions["emotion"].tolist(), predictions["predicted"].tolist(), metrics["classes"])
    assert metrics["pooled"]["uar"] == pooled.uar
    probabilities = predictions[[f"p_{name}" for name in metrics["classes"]]].to_numpy()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert predictions["predicted"].tolist() == [metrics["classes"][i] for i in probabilities.argmax(axis=1)]


def test_a_run_leaves_a_model_and_no_checkpoints(run):
    folder, metrics = run
    assert AffectVLM.load(folder / "model").classes == tuple(metrics["classes"])
    assert all_epochs_done(folder) == epochs_in_all(CONFIG, 2) == 6
    assert not list(folder.glob("**/*.ckpt"))


def test_an_interrupted_run_repeats_nothing_and_ends_with_the_same_numbers(run, tiny_set, tmp_path, monkeypatch):
    from affectvlm.evaluation import cross_validation

    trained = []

    def counted(*arguments):
        if len(trained) == 1 and "interrupted" not in trained:
            trained.append("interrupted")
            raise KeyboardInterrupt
        trained.append(arguments[4].name)
        return fit(*arguments)

    monkeypatch.setattr(cross_validation, "fit", counted)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(PreparedSet(tiny_set), CONFIG, tmp_path, 2, 1, RunRecord(0))
    assert not (tmp_path / "metrics.json").exists()
    metrics = cross_validate(PreparedSet(tiny_set), CONFIG, tmp_path, 2, 1, RunRecord(0))
    assert trained == ["00", "interrupted", "01", "final"]
    assert metrics == run[1]


def test_two_processes_at_a_time_give_the_same_numbers(run, tiny_set, tmp_path):
    assert cross_validate(PreparedSet(tiny_set), CONFIG, tmp_path, 2, 2, RunRecord(0)) == run[1]


def test_a_folder_with_another_run_is_refused_and_left_alone(run, tiny_set):
    before = {path: path.stat().st_mtime_ns for path in run[0].rglob("*")}
    with pytest.raises(ConfigError, match="other settings"):
        cross_validate(PreparedSet(tiny_set), CONFIG, run[0], 3, 1, RunRecord(0))
    assert before == {path: path.stat().st_mtime_ns for path in run[0].rglob("*")}


def _shuffled_within_subjects(prepared, seed):
    """Every subject's labels in a random order among his scans: nothing in a face can tell them."""
    rng = np.random.default_rng(seed)
    prepared.index["emotion"] = prepared.index.groupby("subject")["emotion"].transform(
        lambda labels: rng.permutation(labels.to_numpy())
    )
    return prepared


def _chance(prepared, predicted):
    """What shuffled labels leave of accuracy for these guesses: the neutral scan is one of 25, each emotion four."""
    shares = prepared.index["emotion"].value_counts(normalize=True)
    assert shares.round(2).to_dict() == {**dict.fromkeys(prepared.classes, 0.16), "neutral": 0.04}
    return np.array(binom.interval(0.99, len(predicted), shares[predicted].mean())) / len(predicted)


def test_canary_labels_shuffled_within_subjects_leave_accuracy_at_chance(tiny_set, tmp_path, monkeypatch):
    from affectvlm.evaluation import cross_validation

    # Every place that opens the set sees the shuffled labels.
    monkeypatch.setattr(
        cross_validation, "PreparedSet", lambda folder: _shuffled_within_subjects(PreparedSet(folder), 7)
    )
    config = CONFIG.model_copy(update={"epochs": 3})
    shuffled = _shuffled_within_subjects(PreparedSet(tiny_set), 7)
    metrics = cross_validate(shuffled, config, tmp_path, 3, 1, RunRecord(0))
    predictions = pd.read_parquet(tmp_path / "predictions.parquet")
    low, high = _chance(shuffled, predictions["predicted"])
    assert low <= metrics["pooled"]["accuracy"] <= high
    own = PreparedSet(tiny_set).index.set_index("key")["emotion"]
    assert predictions["emotion"].tolist() != own[predictions["key"]].tolist()


def test_the_canary_can_sing_a_label_that_leaks_into_the_picture_is_found(tiny_set, tmp_path, monkeypatch):
    # The same shuffled labels, but each written into the views: what a leak would look like.
    from affectvlm.evaluation import cross_validation

    class Leaky(PreparedSet):
        def channels(self, rows, drawings=None):
            views = super().channels(rows, drawings)
            for view, emotion in zip(views, self.index["emotion"].to_numpy()[rows], strict=True):
                view[:, :, :, :4] = self.classes.index(emotion) - 3
            return views

    monkeypatch.setattr(cross_validation, "PreparedSet", lambda folder: _shuffled_within_subjects(Leaky(folder), 7))
    config = CONFIG.model_copy(update={"epochs": 6})
    leaky = _shuffled_within_subjects(Leaky(tiny_set), 7)
    metrics = cross_validate(leaky, config, tmp_path, 3, 1, RunRecord(0))
    predictions = pd.read_parquet(tmp_path / "predictions.parquet")
    assert metrics["pooled"]["accuracy"] > _chance(leaky, predictions["predicted"])[1]
