"""Mixed precision: only the encoders' products are coarse; weights, embeddings and the objective are single."""

import lightning
import numpy as np
import pytest
import torch

from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.objectives import ObjectiveConfig, build_objective
from affectvlm.prepared import PreparedSet
from affectvlm.prepared.clips import Clips
from affectvlm.training import TrainConfig
from affectvlm.training.data import ClipDataset, ViewData
from affectvlm.training.fit import HISTORY, build_trainer, fit
from affectvlm.training.task import AffectVLMTask

TINY = ModelConfig(
    image_widths=(8, 16), text_width=16, text_layers=1, text_heads=2, embedding_dim=16, fusion="attention"
)
ALL = ObjectiveConfig(terms={"multiview": 1, "clip": 1, "siglip": 1, "supcon": 1, "cross_entropy": 1})


class FirstStep(lightning.Callback):
    """Keep the gradients of the first step, the embeddings that the objective was given, and what it said.

    ``pictures`` is what the image encoder was given, by and by; the first step's come first.
    """

    def on_fit_start(self, trainer, pl_module):
        self.pictures = []
        vision_model = pl_module.model.towers.vision_model
        vision_model.register_forward_pre_hook(
            lambda module, args, given: self.pictures.append(given["pixel_values"].clone()), with_kwargs=True
        )
        pl_module.objective.register_forward_hook(self.keep)
        pl_module.model.towers.visual_projection.register_forward_hook(self.keep_projected)

    def keep(self, module, given, said):
        (self.given,), self.said, self.autocast = given, said, torch.is_autocast_enabled("cpu")

    def keep_projected(self, module, given, projected):
        self.projected = projected.dtype

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        self.gradients = {name: p.grad.clone() for name, p in pl_module.named_parameters()}
        self.dtypes = {p.dtype for p in pl_module.parameters()}


def first_step(folder, **settings):
    prepared = PreparedSet(folder)
    config = TrainConfig(epochs=1, batch_size=24, model=TINY, objective=ALL, **settings)
    clips, watch = Clips(prepared), FirstStep()
    torch.manual_seed(0)
    task = AffectVLMTask(AffectVLM.build(TINY, prepared.classes, prepared.rig), clips, config)
    build_trainer(config, [watch]).fit(task, ViewData(ClipDataset(clips, 0), np.arange(24), np.arange(2), 24, 0))
    return watch


@pytest.fixture(scope="module")
def single(tiny_set):
    return first_step(tiny_set)


@pytest.mark.parametrize("accumulation", [1, 3])
def test_the_objective_sees_single_precision_and_the_encoders_do_not(tiny_set, accumulation):
    mixed = first_step(tiny_set, precision="bf16-mixed", accumulation=accumulation)
    assert mixed.projected == torch.bfloat16
    assert not mixed.autocast
    assert {value.dtype for value in mixed.given[:3]} == {torch.float32}
    for embeddings in mixed.given[:3]:
        torch.testing.assert_close(embeddings.norm(dim=-1), torch.ones(embeddings.shape[:-1]), rtol=0, atol=1e-6)
    assert mixed.dtypes == {torch.float32}
    assert {gradient.dtype for gradient in mixed.gradients.values()} == {torch.float32}


def test_the_encoder_is_given_the_pictures_of_single_precision(tiny_set, single):
    mixed = first_step(tiny_set, precision="bf16-mixed")
    assert len(mixed.pictures) == len(single.pictures) == 2  # a training step and a validation step
    for ours, theirs in zip(mixed.pictures, single.pictures, strict=True):
        assert ours.dtype == torch.float32
        assert torch.equal(ours, theirs)


def test_the_loss_of_the_same_embeddings_is_that_of_single_precision(tiny_set):
    mixed = first_step(tiny_set, precision="bf16-mixed")
    assert build_objective(ALL)(mixed.given).loss.item() == mixed.said.loss.item()


def test_gradients_point_where_those_of_single_precision_do(tiny_set, single):
    mixed = first_step(tiny_set, precision="bf16-mixed")
    ours, theirs = (torch.cat([g.flatten() for g in found.gradients.values()]) for found in (mixed, single))
    assert not torch.equal(ours, theirs)
    assert torch.nn.functional.cosine_similarity(ours, theirs, dim=0) > 0.98
    assert mixed.said.loss.item() == pytest.approx(single.said.loss.item(), rel=0.02)


def test_a_mixed_training_leaves_a_model_in_single_precision(tiny_set, tmp_path):
    prepared = PreparedSet(tiny_set)
    subjects = tuple(prepared.subjects)
    config = TrainConfig(epochs=2, batch_size=24, model=TINY, precision="bf16-mixed")
    model = fit(prepared, subjects[:4], subjects[4:], config, tmp_path).model
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert len((tmp_path / HISTORY).read_text().splitlines()) == 3
