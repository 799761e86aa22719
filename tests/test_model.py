import json

import pytest
import torch

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ModelError
from affectvlm.language import Grammar
from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.views import Rig

TINY = ModelConfig(image_widths=(8, 8), text_width=16, text_layers=1, text_heads=2, embedding_dim=12)
RIG = Rig(size_px=16)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return AffectVLM.build(TINY, EMOTIONS, RIG).eval()


def _views(count=2, channels=4, size=16):
    return torch.randn(count, 3, channels, size, size, generator=torch.Generator().manual_seed(1))


def _still(views):
    """Scans, of which every view is seen: (B, V, C, H, W) -> what a model takes."""
    return views[:, None], torch.ones(len(views), 1, views.shape[1], dtype=torch.bool)


def test_views_and_words_land_on_the_unit_sphere_of_one_space(model):
    Z, text = model.encode_views(*_still(_views())), model.encode_text(["a happy face", "a person in fear"])
    assert Z.shape == (2, 3, 12)
    assert text.shape == (2, 12)
    for embeddings in (Z, text, model.encode_faces(*_still(_views())), model.encode_classes()):
        torch.testing.assert_close(embeddings.norm(dim=-1), torch.ones(embeddings.shape[:-1]))


def test_every_view_passes_through_the_same_encoder(model):
    views = _views()
    torch.testing.assert_close(
        model.encode_views(*_still(views))[:, 1], model.encode_views(*_still(views[:, [1, 1, 1]]))[:, 0]
    )


def test_an_embedding_does_not_depend_on_the_rest_of_the_batch(model):
    views = _views(4)
    torch.testing.assert_close(model.encode_views(*_still(views))[2:3], model.encode_views(*_still(views[2:3])))
    prompts = ["a happy face", "this much longer prompt is about a person who looks sad"]
    torch.testing.assert_close(model.encode_text(prompts)[:1], model.encode_text(prompts[:1]))


def test_a_class_is_the_mean_direction_of_its_prompts(model):
    mean = model.encode_text(Grammar(EMOTIONS).ensemble("fear")).mean(dim=0)
    torch.testing.assert_close(model.encode_classes()[2], mean / mean.norm())


def test_probabilities_are_the_softmax_of_scaled_cosines(model):
    model.logit_scale.fill_(2.0)
    fused, prompts = torch.eye(12)[:1], torch.eye(12)[:2]
    expected = torch.tensor([[2.0, 0.0]]).softmax(dim=1)
    torch.testing.assert_close(model.probabilities(fused, prompts), expected)


def test_a_saved_model_is_the_same_model(model, tmp_path):
    model.logit_scale.fill_(7.5)
    model.save(tmp_path / "model")
    loaded = AffectVLM.load(tmp_path / "model")
    assert (loaded.classes, loaded.rig) == (EMOTIONS, RIG)
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())
    assert torch.equal(model.encode_views(*_still(_views())), loaded.encode_views(*_still(_views())))
    assert torch.equal(model.encode_classes(), loaded.encode_classes())
    assert not loaded.training


def test_a_saved_model_is_safetensors_and_json_only(model, tmp_path):
    model.save(tmp_path / "model")
    assert {path.suffix for path in (tmp_path / "model").iterdir()} == {".json", ".safetensors"}


def _edit(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_a_damaged_or_altered_model_is_refused(model, tmp_path):
    folder = tmp_path / "model"
    with pytest.raises(ModelError, match="expected a trained model"):
        AffectVLM.load(folder)
    model.save(folder)
    _edit(folder, rig={**RIG.model_dump(mode="json"), "field_mm": 100.0})
    with pytest.raises(ModelError, match="the rig was changed after training"):
        AffectVLM.load(folder)
    model.save(folder)
    _edit(folder, format=99)
    with pytest.raises(ModelError, match="expected format 5, found 99"):
        AffectVLM.load(folder)
    model.save(folder)
    (folder / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(ModelError, match="damaged"):
        AffectVLM.load(folder)
    model.save(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        AffectVLM.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"rig": []},
        {"rig": 3},
        {"classes": None},
        {"towers": []},
        {"vocabulary": None},
        {"fusion": "weight"},
        {"time": None},
        "rig_fingerprint",
        None,
    ],
    ids=repr,
)
def test_a_damaged_configuration_is_refused_in_one_line(model, tmp_path, change):
    model.save(tmp_path)
    file = tmp_path / "config.json"
    kept = json.loads(file.read_text())
    if change is None:
        kept = [kept]
    elif isinstance(change, str):
        del kept[change]
    else:
        kept |= change
    file.write_text(json.dumps(kept))
    with pytest.raises(ModelError, match=r"the model is damaged \(.+\); train it again") as raised:
        AffectVLM.load(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", [0, [], "x", None])
@pytest.mark.parametrize(
    ("part", "setting"),
    [
        ("vision", "widths"),
        ("vision", "blocks"),
        ("vision", "kind"),
        ("text", "width"),
        ("text", "heads"),
        ("text", "layers"),
    ],
)
def test_towers_that_cannot_be_built_are_refused_in_one_line(model, tmp_path, part, setting, value):
    model.save(tmp_path)
    kept = json.loads((tmp_path / "config.json").read_text())
    kept["towers"][part][setting] = value
    (tmp_path / "config.json").write_text(json.dumps(kept))
    with pytest.raises(ModelError, match="the model is damaged") as raised:
        AffectVLM.load(tmp_path)
    assert "\n" not in str(raised.value)
