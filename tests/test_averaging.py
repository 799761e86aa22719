"""The average of the weights: its numbers, who sees it, and that a training that goes on has lost none of it."""

from types import SimpleNamespace

import lightning
import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from torch import nn

from affectvlm.model import ModelConfig
from affectvlm.prepared import PreparedSet
from affectvlm.prepared.clips import Clips
from affectvlm.training import TrainConfig
from affectvlm.training import fit as fitting
from affectvlm.training.averaging import WeightAverage
from affectvlm.training.fit import CHECKPOINTS, HISTORY, fit
from affectvlm.training.task import AffectVLMTask, build_task

TINY = ModelConfig(image_widths=(8, 8), text_width=16, text_layers=1, text_heads=2, embedding_dim=16)
CONFIG = TrainConfig(epochs=3, batch_size=24, model=TINY, averaging=0.8)


class Norm(nn.Module):
    """A weight that is learned, one that is not, running statistics, and a count of the steps."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([8.0]))
        self.frozen = nn.Parameter(torch.tensor([5.0]), requires_grad=False)
        self.register_buffer("mean", torch.tensor([80.0]))
        self.register_buffer("count", torch.tensor(0))


def step(average, task, number, weight, mean):
    with torch.no_grad():
        task.model.weight.fill_(weight)
        task.model.mean.fill_(mean)
        task.model.count.fill_(number)
    average.on_train_batch_end(SimpleNamespace(global_step=number), task, None, None, number - 1)


def test_the_average_of_three_steps_is_the_one_that_is_computed_by_hand():
    task, average = SimpleNamespace(model=Norm()), WeightAverage(0.15)
    average.on_train_start(None, task)
    step(average, task, 1, 18.0, 180.0)  # 1/10 of 8 and 9/10 of 18
    torch.testing.assert_close(average.others["weight"], torch.tensor([17.0]))
    step(average, task, 2, 27.0, 270.0)  # 0.15, less than 2/11: 0.15 x 17 + 0.85 x 27
    torch.testing.assert_close(average.others["weight"], torch.tensor([25.5]))
    step(average, task, 3, 25.5, 255.0)
    assert set(average.others) == {"weight", "mean", "count"}
    average.on_validation_start(None, task)
    torch.testing.assert_close(task.model.weight.data, torch.tensor([25.5]))
    torch.testing.assert_close(task.model.mean, torch.tensor([255.0]))
    assert task.model.count == 3
    assert task.model.frozen == 5
    average.on_train_epoch_start(None, task)
    assert (task.model.weight.item(), task.model.mean.item()) == (25.5, 255.0)


def test_the_model_has_the_average_from_the_validation_to_the_next_epoch():
    task, average = SimpleNamespace(model=Norm()), WeightAverage(0.9)
    average.on_train_start(None, task)
    average.on_train_epoch_start(None, task)
    step(average, task, 1, 18.0, 180.0)
    assert task.model.weight == 18
    average.on_validation_start(None, task)
    torch.testing.assert_close(task.model.weight.data, torch.tensor([17.0]))
    # What is written then, and read by another process.
    written = {name: value.clone() for name, value in average.state_dict().items()}
    other, again = SimpleNamespace(model=Norm()), WeightAverage(0.9)
    other.model.load_state_dict(task.model.state_dict())
    again.load_state_dict(written)
    for each, model in ((average, task), (again, other)):
        if each is again:
            each.on_train_start(None, model)
        each.on_train_epoch_start(None, model)
        assert model.model.weight == 18
        torch.testing.assert_close(each.others["weight"], torch.tensor([17.0]))


def held_out(folder):
    prepared = PreparedSet(folder)
    subjects = tuple(prepared.subjects)
    return prepared, subjects[:4], subjects[4:]


class ByHand(lightning.Callback):
    """Average every step's weights as the definition says; note what validation and the next epoch see."""

    def __init__(self):
        self.trained, self.validated, self.begun = [], [], []

    @staticmethod
    def copy(task):
        return {name: value.detach().double().clone() for name, value in task.model.state_dict().items()}

    def on_train_epoch_start(self, trainer, pl_module):
        self.begun.append(self.copy(pl_module))

    def on_train_batch_end(self, trainer, pl_module, *rest):
        now = self.copy(pl_module)
        decay = min(CONFIG.averaging, (1 + len(self.trained)) / (10 + len(self.trained)))
        before = self.average if self.trained else self.begun[0]
        self.average = {name: decay * before[name] + (1 - decay) * value for name, value in now.items()}
        self.trained.append(now)

    def on_validation_epoch_end(self, trainer, pl_module):
        self.validated.append((self.copy(pl_module), self.average))


@pytest.fixture(scope="module")
def watched(tiny_set, tmp_path_factory):
    folder, watch = tmp_path_factory.mktemp("averaged"), ByHand()
    with pytest.MonkeyPatch.context() as patch:
        callbacks = fitting._callbacks
        # Behind the average, so that it sees what the average leaves.
        patch.setattr(fitting, "_callbacks", lambda *given: [*callbacks(*given), watch])
        return folder, watch, fit(*held_out(tiny_set), CONFIG, folder)


def counts(name):
    return name.endswith("num_batches_tracked")


def test_validation_sees_the_average_and_training_goes_on_with_its_own_weights(watched):
    _, watch, _ = watched
    assert len(watch.validated) == 3
    for epoch, (seen, expected) in enumerate(watch.validated):
        last = watch.trained[4 * (epoch + 1) - 1]
        for name, value in expected.items():
            torch.testing.assert_close(seen[name], last[name] if counts(name) else value, rtol=1e-4, atol=1e-6)
        assert not torch.equal(seen["towers.visual_projection.weight"], last["towers.visual_projection.weight"])
    for epoch in (1, 2):
        for name, value in watch.begun[epoch].items():
            assert torch.equal(value, watch.trained[4 * epoch - 1][name]), name


def test_the_model_that_is_kept_is_the_average_that_was_chosen(watched):
    folder, watch, fitted = watched
    seen, _ = watch.validated[fitted.chosen_epoch - 1]
    state = fitted.model.state_dict()
    fitted_after = ("logit_scale", "typical_rest")
    assert all(torch.equal(value, state[name].double()) for name, value in seen.items() if name not in fitted_after)
    # Both sets of weights are in the checkpoint that a training goes on from.
    last = torch.load(folder / CHECKPOINTS / "last.ckpt", weights_only=True)
    name = "towers.visual_projection.weight"
    assert torch.equal(last["state_dict"][f"model.{name}"].double(), watch.validated[-1][0][name])
    assert torch.equal(last["callbacks"]["WeightAverage"][name].double(), watch.trained[-1][name])


def test_an_interrupted_training_ends_bit_for_bit_where_the_other_does(watched, tiny_set, tmp_path, monkeypatch):
    training_step = AffectVLMTask.training_step

    def fails(self, batch, batch_idx):
        if (self.current_epoch, batch_idx) == (2, 2):
            raise RuntimeError("the power went out")
        return training_step(self, batch, batch_idx)

    monkeypatch.setattr(AffectVLMTask, "training_step", fails)
    with pytest.raises(RuntimeError, match="power"):
        fit(*held_out(tiny_set), CONFIG, tmp_path)
    monkeypatch.undo()
    resumed = fit(*held_out(tiny_set), CONFIG, tmp_path)
    histories = [pd.read_csv(folder / HISTORY).drop(columns="seconds") for folder in (tmp_path, watched[0])]
    pd.testing.assert_frame_equal(*histories, check_exact=True)
    state = resumed.model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in watched[2].model.state_dict().items())
    last = [torch.load(folder / CHECKPOINTS / "last.ckpt", weights_only=True) for folder in (tmp_path, watched[0])]
    for name, value in last[0]["callbacks"]["WeightAverage"].items():
        assert torch.equal(value, last[1]["callbacks"]["WeightAverage"][name]), name


def test_averaging_changes_nothing_of_what_is_trained(watched, tiny_set, tmp_path):
    """Nor does it take part where it is not asked for."""
    fit(*held_out(tiny_set), CONFIG.model_copy(update={"averaging": None}), tmp_path)
    plain = torch.load(tmp_path / CHECKPOINTS / "last.ckpt", weights_only=True)
    assert not any("WeightAverage" in name for name in plain["callbacks"])
    for name, value in watched[1].trained[-1].items():
        assert torch.equal(plain["state_dict"][f"model.{name}"].double(), value), name
    losses = [pd.read_csv(folder / HISTORY)["loss"] for folder in (tmp_path, watched[0])]
    np.testing.assert_array_equal(*losses)


def test_weights_that_are_frozen_are_not_kept_twice(tiny_set):
    task = build_task(Clips(PreparedSet(tiny_set)), CONFIG)
    task.model.towers.vision_model.requires_grad_(False)
    average = WeightAverage(0.9)
    average.on_train_start(None, task)
    frozen = [f"towers.vision_model.{name}" for name, _ in task.model.towers.vision_model.named_parameters()]
    assert set(task.model.state_dict()) - set(average.others) == set(frozen)


@pytest.mark.parametrize("settings", [{"averaging": 0.0}, {"averaging": 1.0}])
def test_an_average_of_one_step_or_of_none_is_refused(settings):
    with pytest.raises(ValidationError):
        TrainConfig(**settings)


def test_weights_that_are_shared_out_are_not_averaged():
    with pytest.raises(ValidationError, match="take strategy 'ddp', or no averaging"):
        TrainConfig(strategy="fsdp", averaging=0.99)
