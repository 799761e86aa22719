"""Training on a tiny prepared set, on one process."""

import re
import shutil
from pathlib import Path

import lightning
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from pydantic import ValidationError
from torchmetrics.classification import MulticlassRecall

from affectvlm.cli.options import LARGEST_SEED
from affectvlm.errors import ConfigError
from affectvlm.evaluation.metrics import STATISTICS
from affectvlm.model import ModelConfig
from affectvlm.objectives import ObjectiveConfig
from affectvlm.prepared import PreparedSet
from affectvlm.prepared.clips import Clips
from affectvlm.training import TrainConfig
from affectvlm.training.fit import CHECKPOINTS, HISTORY, calibrated_scale, embed, fit, mean_at_rest
from affectvlm.training.run_folder import claim_run
from affectvlm.training.task import AffectVLMTask
from affectvlm.training.validation_uar import ValidationUAR
from tower_fixtures import write_bert

TINY = ModelConfig(image_widths=(8, 16), text_width=16, text_layers=1, text_heads=2, embedding_dim=16)
CONFIG = TrainConfig(epochs=3, batch_size=24, model=TINY)


def held_out(folder):
    """The set's first four subjects, to train on, and its fifth."""
    subjects = tuple(PreparedSet(folder).subjects)
    assert len(subjects) == 5
    return subjects[:4], subjects[4:]


@pytest.fixture(scope="module")
def fitted(tiny_set, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    return folder, fit(PreparedSet(tiny_set), *held_out(tiny_set), CONFIG, folder)


def test_training_writes_a_row_an_epoch_and_keeps_the_epoch_that_validation_chose(fitted):
    folder, result = fitted
    history = pd.read_csv(folder / HISTORY)
    measured = ["loss", "contrastive", "triplet", "margin", "prompts_alike", "validation_uar", "seconds"]
    assert list(history) == ["epoch", *measured]
    assert history["epoch"].tolist() == [1, 2, 3]
    assert result.chosen_epoch == int(history.loc[history["validation_uar"].idxmax(), "epoch"])
    np.testing.assert_allclose(history["loss"], history["contrastive"] + history["triplet"], rtol=1e-4)
    assert (
        history["margin"].between(CONFIG.objective.multiview.margin_low, CONFIG.objective.multiview.margin_high).all()
    )


def test_the_history_holds_the_terms_and_learned_numbers_of_the_objective(tiny_set, tmp_path):
    config = CONFIG.model_copy(update={"epochs": 1, "objective": ObjectiveConfig(terms={"siglip": 2, "supcon": 1})})
    fit(PreparedSet(tiny_set), *held_out(tiny_set), config, tmp_path)
    history = pd.read_csv(tmp_path / HISTORY)
    terms = ["siglip", "siglip_scale", "siglip_bias", "supcon"]
    assert list(history) == ["epoch", "loss", *terms, "prompts_alike", "validation_uar", "seconds"]
    np.testing.assert_allclose(history["loss"], 2 * history["siglip"] + history["supcon"], rtol=1e-4)


def test_the_history_tells_how_alike_the_prompts_of_the_classes_are(tiny_set, tmp_path, monkeypatch):
    monkeypatch.setattr("affectvlm.training.fit.TOO_ALIKE", -1.0)
    with pytest.warns(UserWarning, match="epoch 1: the prompts of all classes have come to mean nearly the same"):
        model = fit(PreparedSet(tiny_set), *held_out(tiny_set), CONFIG.model_copy(update={"epochs": 1}), tmp_path).model
    with torch.no_grad():
        cosines = (prompts := model.encode_classes()) @ prompts.T
    others = cosines[~torch.eye(len(cosines), dtype=torch.bool)].mean()  # of one epoch, which is the chosen one
    assert pd.read_csv(tmp_path / HISTORY)["prompts_alike"].item() == pytest.approx(others.item(), abs=1e-5)


def test_the_same_seed_gives_the_same_model_and_another_seed_another(fitted, tiny_set, tmp_path):
    again = fit(PreparedSet(tiny_set), *held_out(tiny_set), CONFIG, tmp_path / "again").model.state_dict()
    other_config = CONFIG.model_copy(update={"seed": 1})
    other = fit(PreparedSet(tiny_set), *held_out(tiny_set), other_config, tmp_path / "other").model.state_dict()
    state = fitted[1].model.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in state.items())
    assert not torch.equal(state["towers.visual_projection.weight"], other["towers.visual_projection.weight"])


def test_an_interrupted_training_goes_on_and_ends_where_the_uninterrupted_one_does(tiny_set, tmp_path, monkeypatch):
    """Also with dropout, which a tower of BERT's kind has: its random numbers go on, too."""
    write_bert(tmp_path / "bert")
    model = ModelConfig(image_widths=(8, 16), embedding_dim=16, text_encoder=str(tmp_path / "bert"))
    config = CONFIG.model_copy(update={"model": model})
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    undisturbed = fit(PreparedSet(tiny_set), *held_out(tiny_set), config, whole)
    step = AffectVLMTask.training_step

    def fails_in_the_third_epoch(self, batch, batch_idx):
        if self.current_epoch == 2:
            raise RuntimeError("the power went out")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(AffectVLMTask, "training_step", fails_in_the_third_epoch)
    with pytest.raises(RuntimeError, match="power"):
        fit(PreparedSet(tiny_set), *held_out(tiny_set), config, cut)
    assert len(pd.read_csv(cut / HISTORY)) == 2
    monkeypatch.undo()
    resumed = fit(PreparedSet(tiny_set), *held_out(tiny_set), config, cut)
    histories = [pd.read_csv(folder / HISTORY).drop(columns="seconds") for folder in (cut, whole)]
    pd.testing.assert_frame_equal(*histories)
    assert pd.read_csv(cut / HISTORY)["seconds"].max() < 600  # every epoch has its own clock
    state = resumed.model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in undisturbed.model.state_dict().items())


def test_a_training_goes_on_from_its_last_epoch_whichever_was_the_best(tiny_set, tmp_path, monkeypatch):
    """Epochs that are worse than the first one are not trained again."""
    monkeypatch.setattr("affectvlm.training.validation_uar.ValidationUAR.compute", lambda self: next(scores))
    scores = iter(torch.tensor([0.5, 0.4, 0.3]))
    fitted = fit(PreparedSet(tiny_set), *held_out(tiny_set), CONFIG, tmp_path)
    assert fitted.chosen_epoch == 1
    assert torch.load(tmp_path / CHECKPOINTS / "last.ckpt", weights_only=True)["epoch"] == 2
    assert fit(PreparedSet(tiny_set), *held_out(tiny_set), CONFIG, tmp_path).chosen_epoch == 1  # no score is asked for


def test_a_training_that_dies_in_the_midst_of_a_checkpoint_keeps_the_one_before(tiny_set, tmp_path, monkeypatch):
    """And needs no temporary folder of the system, from which a move may be a copy."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    save = torch.save

    def save_half_of_the_second_last(checkpoint, file):
        save(checkpoint, file)
        if checkpoint["epoch"] == 1 and "optimizer_states" in checkpoint:
            file.truncate(file.tell() // 2)
            raise RuntimeError("the power went out")

    monkeypatch.setattr("torch.save", save_half_of_the_second_last)
    with pytest.raises(RuntimeError, match="power"):
        fit(PreparedSet(tiny_set), *held_out(tiny_set), CONFIG, tmp_path / "run")
    folder = tmp_path / "run" / CHECKPOINTS
    assert torch.load(folder / "last.ckpt", weights_only=True)["epoch"] == 0
    assert sorted(path.name.split("=")[0] for path in folder.iterdir()) == ["epoch", "last.ckpt"]


def test_all_processes_but_the_first_only_train(tiny_set, tmp_path, monkeypatch):
    monkeypatch.setattr("lightning.Trainer.is_global_zero", property(lambda self: False))
    monkeypatch.setattr("affectvlm.training.fit.embed", None)
    assert fit(PreparedSet(tiny_set), *held_out(tiny_set), CONFIG.model_copy(update={"epochs": 1}), tmp_path) is None


def confusions(classes, rng):
    """Samples of some of the classes, taken for any."""
    for _ in range(50):
        occurring = rng.choice(classes, rng.integers(1, classes + 1), replace=False)
        truth, guess = rng.choice(occurring, 40), rng.integers(0, classes, 40)
        confusion = np.zeros((classes, classes))
        np.add.at(confusion, (truth, guess), 1)
        yield torch.from_numpy(truth), torch.nn.functional.one_hot(torch.from_numpy(guess), classes).float(), confusion


def test_the_epoch_is_chosen_by_the_uar_that_the_evaluation_reports():
    """Also where validation lacks a class that others are taken for."""
    missing = 0
    for truth, scores, confusion in confusions(5, np.random.default_rng(0)):
        ours, torchmetrics = ValidationUAR(num_classes=5), MulticlassRecall(num_classes=5, average="macro")
        for metric in (ours, torchmetrics):
            metric.update(scores[:15], truth[:15])
            metric.update(scores[15:], truth[15:])
        assert ours.compute().item() == pytest.approx(float(STATISTICS["uar"](confusion)), abs=1e-6)
        if confusion.sum(axis=1).all():
            assert ours.compute().item() == torchmetrics.compute().item()
        else:
            missing += ours.compute().item() > torchmetrics.compute().item() + 0.01
    assert missing > 10


def test_the_scale_of_the_probabilities_makes_the_validation_samples_most_likely(fitted, tiny_set):
    clips, model = Clips(PreparedSet(tiny_set)), fitted[1].model
    samples = clips.of(held_out(tiny_set)[1])
    with torch.inference_mode():
        cosine = embed(model, clips, samples) @ model.encode_classes().T
    # Right every other time: neither no trust nor full trust is the best.
    labels = cosine.argmax(dim=1)
    labels[::2] = (labels[::2] + 1) % len(model.classes)
    clips.labels[samples] = labels.numpy()
    scale = calibrated_scale(model, clips, samples)

    def unlikeliness(factor):
        return torch.nn.functional.cross_entropy(factor * cosine, labels).item()

    assert 0.6 < scale < 190
    assert unlikeliness(scale) <= min(unlikeliness(f * scale) for f in (0.5, 0.9, 1.1, 2)) + 1e-6


def test_the_typical_face_at_rest_is_the_mean_of_the_validation_subjects_neutral_ones(fitted, tiny_set):
    clips, model = Clips(PreparedSet(tiny_set)), fitted[1].model
    samples = clips.of(held_out(tiny_set)[1])
    neutral = samples[clips.index.loc[samples, "emotion"] == "neutral"]
    assert 0 < len(neutral) < len(samples)
    expected = embed(model, clips, neutral).mean(dim=0)
    torch.testing.assert_close(model.typical_rest, expected, atol=1e-6, rtol=0)
    assert expected.norm() > 0.1
    assert not mean_at_rest(model, clips, np.setdiff1d(samples, neutral)).any()


def test_settings_come_from_yaml_and_a_wrong_one_is_named_with_its_file(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("epochs: 7\nobjective: {multiview: {margin: 0.3}}\n")
    config = TrainConfig.from_yaml(file)
    assert (config.epochs, config.objective.multiview.margin, config.batch_size) == (7, 0.3, TrainConfig().batch_size)
    for text, place in (
        ("epochs: many", "'epochs'"),
        ("objective: {multiview: {magrin: 1}}", "'objective.multiview.magrin'"),
        ("- a list", "YAML"),
        ("seed: 2020-13-45", "YAML of .*month must be in 1..12"),
        ("[" * 2000, "YAML"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError, match=place) as raised:
            TrainConfig.from_yaml(file)
        assert str(file) in str(raised.value)
        assert "\n" not in str(raised.value)
    with pytest.raises(ConfigError, match="cannot read"):
        TrainConfig.from_yaml(tmp_path / "missing.yaml")


def test_the_settings_that_a_run_wrote_down_can_be_used_again(tiny_set, tmp_path):
    claim_run(tmp_path, PreparedSet(tiny_set), CONFIG, folds=5)
    assert TrainConfig.from_yaml(tmp_path / "config.yaml") == CONFIG


def test_a_run_folder_takes_only_the_same_settings_again(tiny_set, tmp_path):
    prepared = PreparedSet(tiny_set)
    claim_run(tmp_path, prepared, CONFIG)
    written = (tmp_path / "config.yaml").read_bytes()
    claim_run(tmp_path, prepared, CONFIG)
    with pytest.raises(ConfigError, match="other settings"):
        claim_run(tmp_path, prepared, CONFIG.model_copy(update={"epochs": 4}))
    assert (tmp_path / "config.yaml").read_bytes() == written


def test_a_run_folder_that_was_moved_keeps_the_epoch_that_was_chosen(fitted, tiny_set, tmp_path):
    shutil.copytree(fitted[0], tmp_path / "moved")
    again = fit(PreparedSet(tiny_set), *held_out(tiny_set), CONFIG, tmp_path / "moved")
    assert again.chosen_epoch == fitted[1].chosen_epoch
    state = again.model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in fitted[1].model.state_dict().items())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("seed: -1", "'seed'"),
        ("seed: 4294967296", "'seed'"),
        ("objective: {multiview: {margin: 0.7}}", "'objective.multiview'"),
        ("model: {text_heads: 3}", "'model'"),
        ("model: {image_widths: []}", "'model.image_widths'"),
        ("model: {time: attention}", "learns from sequences"),
        ("model: {frames: 4, time: attention, embedding_dim: 33}", "an even embedding_dim, found 33"),
        ("model: {frames: 4, time: causal, embedding_dim: 33}", "an even embedding_dim, found 33"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_is_written(tmp_path, text, place):
    (tmp_path / "settings.yaml").write_text(text)
    with pytest.raises(ConfigError, match=place):
        TrainConfig.from_yaml(tmp_path / "settings.yaml")


def test_the_largest_seed_is_one_that_every_generator_takes():
    assert lightning.seed_everything(TrainConfig(seed=LARGEST_SEED).seed, verbose=False) == LARGEST_SEED
    with pytest.raises(ValidationError):
        TrainConfig(seed=LARGEST_SEED + 1)


def test_the_settings_of_sequences_in_the_documentation_are_settings():
    text = (Path(__file__).parent.parent / "docs" / "method.md").read_text("utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    configs = [TrainConfig(**yaml.safe_load(block)) for block in blocks]
    assert [config.model.frames for config in configs].count(8) == 1
