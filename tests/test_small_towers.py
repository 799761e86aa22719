"""The small towers compute what transformers' ResNet and CLIP text transformer do, and need none of its models."""

import json
import re
import subprocess
import sys

import pytest
import torch
import trimesh
from pydantic import ValidationError
from transformers import CLIPTextConfig, CLIPTextModel, ResNetConfig, ResNetModel

from affectvlm.emotions import EMOTIONS
from affectvlm.language import Grammar
from affectvlm.language.tokenizer import train_tokenizer
from affectvlm.model import AffectVLM
from affectvlm.model.small_towers import (
    ResNetSettings,
    SmallResNet,
    SmallTextTransformer,
    TextTransformerSettings,
)
from affectvlm.model.towers import tokenize
from affectvlm.recognizer import Recognizer

CLOSE = {"rtol": 1e-5, "atol": 1e-5}

RESNET_NAMES = (
    (r"^embedder\.embedder\.", "stem."),
    (r"^encoder\.stages\.(\d+)\.layers\.(\d+)\.", r"stages.\1.\2."),
    (r"\.layer\.0\.", ".first."),
    (r"\.layer\.1\.", ".second."),
    (r"\.normalization\.", ".norm."),
)
CLIP_NAMES = (
    (r"^embeddings\.", ""),
    (r"^encoder\.layers\.", "blocks."),
    (r"\.self_attn\.q_proj\.", ".attention.query."),
    (r"\.self_attn\.k_proj\.", ".attention.key."),
    (r"\.self_attn\.v_proj\.", ".attention.value."),
    (r"\.self_attn\.out_proj\.", ".attention.out."),
    (r"\.layer_norm1\.", ".attention_norm."),
    (r"\.layer_norm2\.", ".mlp_norm."),
    (r"\.mlp\.fc1\.", ".widen."),
    (r"\.mlp\.fc2\.", ".narrow."),
    (r"^final_layer_norm\.", "final_norm."),
)


def renamed(state, names):
    """A state with our names in place of transformers'."""

    def ours(name):
        for theirs, own in names:
            name = re.sub(theirs, own, name)
        return name

    return {ours(name): value for name, value in state.items()}


def randomised(model, std, seed=5):
    """Weights and statistics that matter: transformers' start so small, or so even, that they could be left out."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in (*model.named_parameters(), *model.named_buffers()):
            if name.endswith("running_var") or ("norm" in name and name.endswith("weight")):
                value.uniform_(0.5, 1.5, generator=generator)
            elif value.is_floating_point() and value.ndim == 1:
                value.normal_(0, 0.3, generator=generator)
            elif value.is_floating_point() and std is not None:
                value.normal_(0, std, generator=generator)
    return model


def resnets(channels, widths, blocks):
    """Transformers' and ours."""
    theirs = ResNetModel(
        ResNetConfig(
            num_channels=channels,
            embedding_size=widths[0],
            hidden_sizes=list(widths),
            depths=[blocks] * len(widths),
            layer_type="basic",
        )
    )
    return theirs, SmallResNet(ResNetSettings(channels=channels, widths=widths, blocks=blocks))


def text_transformers(tokenizer, width, layers, heads, max_tokens=48):
    """Transformers' and ours."""
    theirs = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            max_position_embeddings=max_tokens,
            pad_token_id=tokenizer.pad_token_id,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
    )
    settings = TextTransformerSettings(
        tokens=len(tokenizer),
        max_tokens=max_tokens,
        end_token=tokenizer.eos_token_id,
        width=width,
        layers=layers,
        heads=heads,
    )
    return theirs, SmallTextTransformer(settings)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(Grammar(EMOTIONS))


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("shape", [(64, 64), (33, 47), (1, 2)])
@pytest.mark.parametrize(
    ("channels", "widths", "blocks"), [(4, (32, 64, 128), 1), (1, (8,), 3), (3, (8, 8, 12), 2), (2, (16, 8), 1)]
)
def test_the_resnet_is_that_of_transformers(channels, widths, blocks, shape, training):
    theirs, ours = resnets(channels, widths, blocks)
    randomised(theirs, std=None).train(training)
    ours.load_state_dict(renamed(theirs.state_dict(), RESNET_NAMES))
    ours.train(training)
    pictures = torch.randn(5, channels, *shape, generator=torch.Generator().manual_seed(1))
    expected, found = theirs(pixel_values=pictures).pooler_output.flatten(1), ours(pixel_values=pictures).pooler_output
    assert found.shape == (5, ours.config.hidden_size)
    torch.testing.assert_close(found, expected, **CLOSE)
    state = ours.state_dict()  # the running statistics too
    for name, value in renamed(theirs.state_dict(), RESNET_NAMES).items():
        torch.testing.assert_close(state[name], value, **CLOSE)


TEXTS = ["a happy person", "sad", "an old woman who is a little afraid of something that nobody else can see", ""]


@pytest.mark.parametrize(("width", "layers", "heads"), [(128, 2, 4), (16, 1, 1), (24, 3, 8)])
def test_the_text_transformer_is_that_of_clip_with_padding_or_without(tokenizer, width, layers, heads):
    theirs, ours = text_transformers(tokenizer, width, layers, heads)
    randomised(theirs, std=0.15)
    ours.load_state_dict(renamed(theirs.state_dict(), CLIP_NAMES))
    ids, mask = tokenize(tokenizer, TEXTS)
    assert len({int(held) for held in mask.sum(dim=1)}) == len(TEXTS)
    expected = theirs(input_ids=ids, attention_mask=mask).pooler_output
    torch.testing.assert_close(ours(input_ids=ids, attention_mask=mask).pooler_output, expected, **CLOSE)
    # What is behind the end does not matter, neither to them nor to us.
    torch.testing.assert_close(theirs(input_ids=ids).pooler_output, expected, **CLOSE)
    other = torch.where(mask.bool(), ids, torch.arange(ids.shape[1]) + 9)
    torch.testing.assert_close(ours(other).pooler_output, expected, **CLOSE)
    for text, row in zip(TEXTS, expected, strict=True):
        alone, _ = tokenize(tokenizer, [text])
        torch.testing.assert_close(ours(alone).pooler_output[0], row, **CLOSE)
    assert expected.std(dim=0).min() > 0.05  # or all texts would be alike, and the test empty


def test_a_text_of_the_most_tokens_is_read_to_its_end(tokenizer):
    theirs, ours = text_transformers(tokenizer, 16, 1, 2)
    randomised(theirs, std=0.15)
    ours.load_state_dict(renamed(theirs.state_dict(), CLIP_NAMES))
    ids, mask = tokenize(tokenizer, ["a very, very, very " * 20 + "happy person"])
    assert ids.shape == (1, 48)
    expected = theirs(input_ids=ids, attention_mask=mask).pooler_output
    torch.testing.assert_close(ours(ids).pooler_output, expected, **CLOSE)


def test_gradients_are_those_of_transformers(tokenizer):
    ids, mask = tokenize(tokenizer, TEXTS)
    pictures = torch.randn(4, 2, 30, 30, generator=torch.Generator().manual_seed(2))
    for (theirs, ours), names, given in (
        (resnets(2, (8, 12), 2), RESNET_NAMES, {"pixel_values": pictures}),
        (text_transformers(tokenizer, 16, 2, 2), CLIP_NAMES, {"input_ids": ids, "attention_mask": mask}),
    ):
        randomised(theirs, std=0.15).train()
        ours.load_state_dict(renamed(theirs.state_dict(), names))
        for model in (theirs, ours.train()):
            model(**given).pooler_output.square().sum().backward()
        expected = renamed({name: weight.grad for name, weight in theirs.named_parameters()}, names)
        for name, weight in ours.named_parameters():
            scale = max(1.0, float(expected[name].abs().max()))
            torch.testing.assert_close(weight.grad / scale, expected[name] / scale, **CLOSE)


def test_weights_start_as_those_of_transformers_do(tokenizer):
    torch.manual_seed(3)
    for (theirs, ours), names in (
        (resnets(4, (32, 64), 2), RESNET_NAMES),
        (text_transformers(tokenizer, 128, 3, 4), CLIP_NAMES),
    ):
        expected, found = renamed(theirs.state_dict(), names), ours.state_dict()
        assert found.keys() == expected.keys()
        for name, value in found.items():
            if value.ndim > 1:
                # Two standard errors of each spread, and then some: 2,000 weights are the fewest.
                assert value.std().item() == pytest.approx(expected[name].std().item(), rel=0.08), name
                assert abs(value.mean().item()) < 0.1 * value.std().item(), name
            else:
                assert torch.equal(value, expected[name]), name


def test_a_seed_makes_the_same_towers():
    settings = TextTransformerSettings(tokens=30, max_tokens=5, end_token=1, width=8, layers=1, heads=2)
    for build in (
        lambda: SmallResNet(ResNetSettings(channels=1, widths=(8, 12), blocks=2)),
        lambda: SmallTextTransformer(settings),
    ):
        states = []
        for _ in range(2):
            torch.manual_seed(7)
            states.append(build().state_dict())
        assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_heads_share_the_width():
    with pytest.raises(ValidationError, match="found 10 and 4"):
        TextTransformerSettings(tokens=30, max_tokens=5, end_token=1, width=10, layers=1, heads=4)


def test_a_small_model_is_built_kept_and_run_without_the_models_of_transformers(embedded_samples, tmp_path):
    scan = embedded_samples[4].load()
    trimesh.Trimesh(scan.vertices, scan.triangles, process=False).export(tmp_path / "face.ply")
    script = f"""
import json, sys
from pathlib import Path
from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.recognizer import Recognizer
recognizer = Recognizer.from_pretrained(backend="torch")
answers = [recognizer.predict({str(tmp_path / "face.ply")!r}, labels=labels) for labels in (None, ["calm", "loud"])]
fresh = AffectVLM.build(ModelConfig(), recognizer.classes, recognizer.rig)
fresh.save(Path({str(tmp_path / "fresh")!r}))
strangers = {{"transformers.modeling_utils", "torch._dynamo", "torch.distributed.tensor", "scipy.optimize", "sympy"}}
print(json.dumps([[answer.to_dict() for answer in answers], sorted(strangers & set(sys.modules))]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    answers, strangers = json.loads(done.stdout)
    assert strangers == []
    recognizer = Recognizer.from_pretrained(backend="torch")
    for answer, labels in zip(answers, (None, ["calm", "loud"]), strict=True):
        expected = recognizer.predict(tmp_path / "face.ply", labels=labels)
        assert answer["label"] == expected.label
        assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=1e-5)
    assert AffectVLM.load(tmp_path / "fresh").classes == recognizer.classes


def test_training_a_small_model_needs_none_of_them_either(tiny_set, tmp_path):
    script = f"""
import sys
from pathlib import Path
from affectvlm.model import ModelConfig
from affectvlm.prepared import PreparedSet
from affectvlm.training import TrainConfig
from affectvlm.training.fit import fit
tiny = ModelConfig(image_widths=(8, 8), text_width=16, text_layers=1, text_heads=2, embedding_dim=12)
prepared = PreparedSet(Path({str(tiny_set)!r}))
subjects = tuple(prepared.subjects)
config = TrainConfig(epochs=1, batch_size=48, model=tiny)
assert fit(prepared, subjects[:4], subjects[4:], config, Path({str(tmp_path)!r})) is not None
print("transformers.modeling_utils" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "False"
