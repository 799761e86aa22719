"""How fast each part of a model learns."""

import numpy as np
import pytest
import torch
from transformers import DistilBertConfig, DistilBertModel, ResNetConfig, ResNetModel

from affectvlm.emotions import EMOTIONS
from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.training import TrainConfig
from affectvlm.training.optimizer import build_optimizer, layers_below_top, one_cycle
from affectvlm.views import Rig
from tower_fixtures import write_bert, write_clip

TINY = ModelConfig(image_widths=(8, 8), text_width=16, text_layers=1, text_heads=2, embedding_dim=12)


def rates_by_name(model, config):
    """Parameter name -> highest learning rate, of all that the optimizer holds; each once."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = build_optimizer(model, model.towers, config).param_groups
    held = [(names[id(p)], group["lr"]) for group in groups for p in group["params"]]
    assert len(held) == len(dict(held))
    return dict(held)


def built(config):
    return AffectVLM.build(config.model, EMOTIONS, Rig(size_px=16, maps=("texture",)))


def test_a_model_from_nothing_learns_at_one_rate_and_its_vectors_are_not_decayed():
    config = TrainConfig(model=TINY)
    model = built(config)
    decayed, free = build_optimizer(model, model.towers, config).param_groups
    assert (decayed["lr"], free["lr"]) == (3e-3, 3e-3)
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.05, 0.0)
    learning = list(model.parameters())
    assert [id(p) for p in decayed["params"]] == [id(p) for p in learning if p.ndim > 1]
    assert [id(p) for p in free["params"]] == [id(p) for p in learning if p.ndim <= 1]


def test_what_is_pretrained_learns_at_its_own_rate_and_what_is_fresh_at_the_other(tmp_path):
    write_clip(tmp_path / "clip")
    write_bert(tmp_path / "bert")
    settings = ModelConfig(pretrained=str(tmp_path / "clip"), text_encoder=str(tmp_path / "bert"))
    config = TrainConfig(learning_rate=1e-3, pretrained_learning_rate=2e-5, model=settings)
    for name, rate in rates_by_name(built(config), config).items():
        pretrained = name.startswith(("towers.vision_model", "towers.visual_projection", "towers.text_model"))
        assert rate == (2e-5 if pretrained else 1e-3), name


def test_layer_decay_one_changes_nothing(tmp_path):
    write_clip(tmp_path)
    config = TrainConfig(model=ModelConfig(pretrained=str(tmp_path)))
    assert set(rates_by_name(built(config), config).values()) == {1e-5, 3e-3}


def test_each_layer_below_the_top_learns_that_much_slower(tmp_path):
    write_clip(tmp_path)  # two layers a tower
    config = TrainConfig(pretrained_learning_rate=1e-4, layer_decay=0.5, model=ModelConfig(pretrained=str(tmp_path)))
    expected = {
        "vision_model.embeddings.class_embedding": 2.5e-5,
        "vision_model.embeddings.patch_embedding.weight": 2.5e-5,
        "vision_model.pre_layrnorm.weight": 2.5e-5,
        "vision_model.encoder.layers.0.self_attn.q_proj.weight": 5e-5,
        "vision_model.encoder.layers.1.mlp.fc1.bias": 1e-4,
        "vision_model.post_layernorm.weight": 1e-4,
        "visual_projection.weight": 1e-4,
        "text_model.embeddings.token_embedding.weight": 2.5e-5,
        "text_model.encoder.layers.0.layer_norm1.bias": 5e-5,
        "text_model.encoder.layers.1.layer_norm1.bias": 1e-4,
        "text_model.final_layer_norm.weight": 1e-4,
        "text_projection.weight": 1e-4,
    }
    rates = rates_by_name(built(config), config)
    assert {name: rates[f"towers.{name}"] for name in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("encoder", "layers"),
    [
        (
            DistilBertModel(DistilBertConfig(vocab_size=9, dim=4, hidden_dim=4, n_heads=2, n_layers=3)),
            {"embeddings.word_embeddings.weight": 3, "transformer.layer.0.ffn.lin1.bias": 2},
        ),
        (
            ResNetModel(ResNetConfig(embedding_size=4, hidden_sizes=[4, 4], depths=[2, 2], layer_type="basic")),
            {
                "embedder.embedder.convolution.weight": 2,
                "encoder.stages.0.layers.1.layer.0.convolution.weight": 1,
                "encoder.stages.1.layers.0.layer.0.convolution.weight": 0,
            },
        ),
    ],
)
def test_layers_are_counted_in_any_encoder(encoder, layers):
    names = [name for name, _ in encoder.named_parameters()]
    counted = dict(zip(names, layers_below_top(names), strict=True))
    assert {name: counted[name] for name in layers} == layers


def test_a_frozen_tower_is_not_in_the_optimizer(tmp_path):
    write_clip(tmp_path)
    config = TrainConfig(model=ModelConfig(pretrained=str(tmp_path), frozen=("image",)))
    names = rates_by_name(built(config), config)
    assert not any(name.startswith("towers.vision_model") for name in names)
    assert any(name.startswith("towers.text_model") for name in names)


def test_a_step_moves_what_learns_and_nothing_else(tmp_path):
    write_clip(tmp_path)
    config = TrainConfig(weight_decay=0.1, model=ModelConfig(pretrained=str(tmp_path), frozen=("text",)))
    model = built(config).train()
    before = {name: value.clone() for name, value in model.named_parameters()}
    optimizer = build_optimizer(model, model.towers, config)
    views = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    (model.towers.encode_images(views) * model.encode_text(["a happy face", "sad"])).sum().backward()
    optimizer.step()
    moved = {name.split(".")[1] for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert moved == {"vision_model", "visual_projection", "text_projection"}


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_each_rate_rises_to_its_highest_and_falls_over_any_number_of_steps(share):
    for steps in range(1, 130):
        groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in (0.003, 1e-5)]
        optimizer = torch.optim.AdamW(groups)
        schedule = one_cycle(optimizer, steps, share)
        rates = []
        for _ in range(steps):
            rates.append([group["lr"] for group in optimizer.param_groups])
            optimizer.step()
            if len(rates) < steps:
                schedule.step()
        fast, slow = np.array(rates).T
        np.testing.assert_allclose(fast, 300 * slow)
        top = int(np.argmax(fast))
        assert 0 < max(fast) <= 0.003 + 1e-12
        assert (np.diff(fast[: top + 1]) > 0).all()
        assert (np.diff(fast[top:]) < 0).all()
        if steps >= 60:
            assert max(fast) > 0.9 * 0.003
            assert fast[-1] < 1e-4 * 0.003
