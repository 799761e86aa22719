"""Low-rank adapters: what learns, and that nothing of them is left in a saved model."""

import sys

import pandas as pd
import pytest
import torch

from affectvlm.cli import main
from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ModelError
from affectvlm.language import Grammar
from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.model.adapters import add_adapters, is_adapter
from affectvlm.model.towers import build_towers
from affectvlm.prepared import PreparedSet
from affectvlm.training import TrainConfig
from affectvlm.training.fit import HISTORY, fit
from affectvlm.training.optimizer import build_optimizer
from affectvlm.training.task import AffectVLMTask
from affectvlm.views import Rig
from tower_fixtures import write_bert, write_clip

pytest.importorskip("peft", reason="needs the extra `lora`")

RIG = Rig(size_px=16)
PROMPTS = ["a happy face", "a person who looks sad"]


@pytest.fixture
def clip_folder(tmp_path):
    write_clip(tmp_path / "clip")
    return tmp_path / "clip"


def built(folder, **settings):
    torch.manual_seed(0)
    return AffectVLM.build(ModelConfig(pretrained=str(folder), **settings), EMOTIONS, RIG)


def views():
    return torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1))


def trained(model, steps=5):
    """A few large steps, so that the adapters matter."""
    config = TrainConfig(pretrained_learning_rate=1e-2, weight_decay=0)
    optimizer = build_optimizer(model, model.towers, config)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        (model.towers.encode_images(views()) * model.encode_text(PROMPTS)).sum().backward()
        optimizer.step()
    return model.eval()


def test_adapters_change_nothing_at_first(clip_folder):
    plain, adapted = built(clip_folder).eval(), built(clip_folder, lora_rank=2).eval()
    assert torch.equal(adapted.towers.encode_images(views()), plain.towers.encode_images(views()))
    assert torch.equal(adapted.encode_text(PROMPTS), plain.encode_text(PROMPTS))


def test_only_adapters_projections_and_fusion_learn(clip_folder):
    model = built(clip_folder, lora_rank=2)
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    others = {"towers.visual_projection.weight", "towers.text_projection.weight"}
    others |= {name for name, _ in model.named_parameters() if name.startswith(("fusion.", "time."))}
    assert {name for name in learning if not is_adapter(name)} == others
    # Two layers a tower, their queries and values, A and B of each.
    assert sum(is_adapter(name) for name in learning) == 2 * 2 * 2 * 2
    for name, parameter in model.named_parameters():
        if is_adapter(name):
            assert sorted(parameter.shape) == [2, 16]
            assert name.split(".")[-4] in ("q_proj", "v_proj")


def test_gradients_reach_every_adapter_and_no_pretrained_weight(clip_folder):
    model = trained(built(clip_folder, lora_rank=2), steps=1)  # B is zero at first: A learns from the second step on
    model.zero_grad()
    (model.towers.encode_images(views()) * model.encode_text(PROMPTS)).sum().backward()
    for name, parameter in model.towers.named_parameters():
        if is_adapter(name):
            assert parameter.grad.abs().max() > 0, name
        elif not name.endswith("projection.weight"):
            assert parameter.grad is None, name


def test_adapters_learn_ten_times_as_fast_as_their_weights_would(clip_folder):
    model = built(clip_folder, lora_rank=2)
    config = TrainConfig(pretrained_learning_rate=1e-5, layer_decay=0.5)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = build_optimizer(model, model.towers, config).param_groups
    rates = {names[id(p)]: group["lr"] for group in groups for p in group["params"]}
    assert rates["towers.vision_model.encoder.layers.1.self_attn.q_proj.lora_A.default.weight"] == pytest.approx(1e-4)
    assert rates["towers.text_model.encoder.layers.0.self_attn.v_proj.lora_B.default.weight"] == pytest.approx(5e-5)
    assert rates["towers.text_projection.weight"] == 1e-5
    assert rates["fusion.logits"] == 3e-3


def test_a_frozen_tower_gets_no_adapters_and_one_from_nothing_learns_as_a_whole(clip_folder, tmp_path):
    model = built(clip_folder, lora_rank=2, frozen=("image",))
    adapted = {name.split(".")[1] for name, _ in model.named_parameters() if is_adapter(name)}
    assert adapted == {"text_model"}
    write_bert(tmp_path / "bert")
    config = ModelConfig(text_encoder=str(tmp_path / "bert"), image_widths=(8, 8), embedding_dim=12, lora_rank=3)
    towers = build_towers(config, RIG, Grammar(EMOTIONS))[0]
    assert all(parameter.requires_grad for parameter in towers.vision_model.parameters())
    held = {name.split(".")[-4] for name, _ in towers.text_model.named_parameters() if is_adapter(name)}
    assert held == {"query", "value"}


def test_a_merged_model_gives_what_the_adapters_gave_and_has_the_names_of_a_plain_one(clip_folder):
    model = trained(built(clip_folder, lora_rank=2))
    plain = built(clip_folder).eval()
    images, words = model.towers.encode_images(views()), model.encode_text(PROMPTS)
    assert (images - plain.towers.encode_images(views())).abs().max() > 0.01
    model.towers.merge_adapters()
    torch.testing.assert_close(model.towers.encode_images(views()), images, atol=1e-6, rtol=0)
    torch.testing.assert_close(model.encode_text(PROMPTS), words, atol=1e-6, rtol=0)
    assert list(model.state_dict()) == list(plain.state_dict())
    once = {name: value.clone() for name, value in model.state_dict().items()}
    model.towers.merge_adapters()
    assert all(torch.equal(value, once[name]) for name, value in model.state_dict().items())


def test_a_saved_model_is_read_without_peft(clip_folder, tmp_path, monkeypatch):
    model = trained(built(clip_folder, lora_rank=2))
    model.save(tmp_path / "mine")
    monkeypatch.setitem(sys.modules, "peft", None)
    loaded = AffectVLM.load(tmp_path / "mine")
    assert torch.equal(loaded.towers.encode_images(views()), model.towers.encode_images(views()))
    assert torch.equal(loaded.encode_text(PROMPTS), model.encode_text(PROMPTS))


def test_without_peft_the_command_line_names_the_extra(clip_folder, tiny_set, tmp_path, monkeypatch, capsys):
    settings = tmp_path / "settings.yaml"
    settings.write_text(f"epochs: 1\nmodel: {{pretrained: {clip_folder}, lora_rank: 2}}\n")
    command = ["train", str(tiny_set), "--config", str(settings), "--out", str(tmp_path / "run")]
    monkeypatch.setitem(sys.modules, "peft", None)
    monkeypatch.setattr(sys, "argv", ["affectvlm", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert capsys.readouterr().err.endswith("needs the library peft; install it with: pip install 'affectvlm[lora]'\n")


def test_a_tower_without_attention_is_refused(clip_folder):
    small = AffectVLM.build(ModelConfig(image_widths=(8, 8)), EMOTIONS, RIG)
    with pytest.raises(ModelError, match=r"found none in a SmallResNet; leave model\.lora_rank out"):
        add_adapters(small.towers.vision_model, 2)


def test_a_training_with_adapters_is_resumed_and_ends_where_the_uninterrupted_one_does(
    clip_folder, tiny_set, tmp_path, monkeypatch
):
    config = TrainConfig(epochs=2, batch_size=48, model=ModelConfig(pretrained=str(clip_folder), lora_rank=2))
    prepared = PreparedSet(tiny_set)
    subjects = tuple(prepared.subjects)
    whole = fit(prepared, subjects[:4], subjects[4:], config, tmp_path / "whole")

    step = AffectVLMTask.training_step

    def fails_in_the_second_epoch(self, batch, batch_idx):
        if self.current_epoch == 1:
            raise RuntimeError("the power went out")
        return step(self, batch, batch_idx)

    monkeypatch.setattr(AffectVLMTask, "training_step", fails_in_the_second_epoch)
    with pytest.raises(RuntimeError, match="power"):
        fit(prepared, subjects[:4], subjects[4:], config, tmp_path / "resumed")
    monkeypatch.undo()
    resumed = fit(prepared, subjects[:4], subjects[4:], config, tmp_path / "resumed")
    state = resumed.model.state_dict()
    assert not any(is_adapter(name) for name in state)
    assert all(torch.equal(value, state[name]) for name, value in whole.model.state_dict().items())
    histories = [pd.read_csv(tmp_path / run / HISTORY).drop(columns="seconds") for run in ("whole", "resumed")]
    pd.testing.assert_frame_equal(*histories)
