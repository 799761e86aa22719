"""Pretrained CLIPs: read from a folder, made to see a rig's maps, frozen, saved."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import normalize
from transformers import CLIPImageProcessorPil

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ModelError
from affectvlm.language import Grammar
from affectvlm.model import AffectVLM, ModelConfig, source
from affectvlm.model.towers import build_towers, tokenize, towers_from_dict, towers_to_dict
from affectvlm.training import TrainConfig
from affectvlm.views import Rig
from affectvlm.views.render import to_channels
from tower_fixtures import write_clip

PROMPTS = ["a happy face", "a person who looks sad"]


def built(folder, maps=("texture",), size_px=16, **settings):
    """The towers alone, ready for inference."""
    config = ModelConfig(pretrained=str(folder), **settings)
    return build_towers(config, Rig(size_px=size_px, maps=maps), Grammar(EMOTIONS))[0].eval()


def pictures(size=16, count=3, seed=0):
    """(count, size, size, 3) uint8."""
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)


def as_transformers_does(clip, images, **settings):
    """Embeddings of RGB pictures in a CLIP, through its own normalisation."""
    process = CLIPImageProcessorPil(do_resize=False, do_center_crop=False)
    pixels = process(list(images), return_tensors="pt")["pixel_values"]
    return normalize(clip.get_image_features(pixel_values=pixels, **settings).pooler_output, dim=-1)


def channels(rig, **maps):
    """What a model gets of kept maps; zero where a map is left out."""
    count, size = len(next(iter(maps.values()))), rig.size_px
    shapes = {"normals": (count, size, size, 3), "texture": (count, size, size, 3)}
    nothing = {name: np.full(shapes.get(name, (count, size, size)), 32768, np.uint16) for name in rig.maps}
    nothing["normals"] = np.full((count, size, size, 3), 128, np.uint8)
    return torch.from_numpy(to_channels({**nothing, **maps}, rig))


def close(one, other):
    torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "shape",
    [
        {"size": 32, "patch": 16},
        {"size": 24, "patch": 8, "width": 24, "text_width": 16, "projection": 20},
        {"size": 28, "patch": 14, "width": 16, "text_width": 24, "projection": 8},
    ],
)
def test_a_clip_gives_what_transformers_gives_through_its_own_normalisation(tmp_path, shape):
    clip = write_clip(tmp_path, **shape)
    config = ModelConfig(pretrained=str(tmp_path))
    rig = Rig(size_px=shape["size"], maps=("texture",))
    towers, tokenizer = build_towers(config, rig, Grammar(EMOTIONS))
    images = pictures(shape["size"])
    close(towers.eval().encode_images(channels(rig, texture=images)), as_transformers_does(clip, images))
    ids, mask = tokenize(tokenizer, PROMPTS)
    torch.testing.assert_close(
        towers.encode_text(ids, mask), normalize(clip.get_text_features(ids, mask).pooler_output, dim=-1)
    )
    assert towers.embedding_dim == clip.config.projection_dim


@pytest.mark.parametrize("maps", [("texture", "depth", "normals"), ("depth", "normals", "texture", "shape_index")])
def test_an_rgb_picture_among_more_channels_gives_the_pretrained_output(tmp_path, maps):
    clip, images, rig = write_clip(tmp_path), pictures(), Rig(size_px=16, maps=maps)
    if "shape_index" in maps:
        views = channels(rig, texture=images, shape_index=np.full((3, 16, 16), 128, np.uint8))
    else:
        views = channels(rig, texture=images)
    assert views.shape[1] == rig.channels > 3
    close(built(tmp_path, maps).encode_images(views), as_transformers_does(clip, images))


def test_without_texture_the_normals_are_read_as_the_picture_and_depth_starts_as_the_mean_of_the_kernels(tmp_path):
    clip, rig = write_clip(tmp_path), Rig(size_px=16, maps=("depth", "normals"))
    towers = built(tmp_path, rig.maps)
    levels = pictures().clip(1)  # the usual picture of normals: n = (level - 128) / 127
    pixels = normalised((levels.astype(np.float32) - 128) / 127 / 2 + 0.5)
    theirs = normalize(clip.get_image_features(pixel_values=pixels).pooler_output, dim=-1)
    close(towers.encode_images(channels(rig, normals=levels)), theirs)

    kernels = towers.vision_model.embeddings.patch_embedding.weight
    rgb = clip.vision_model.embeddings.patch_embedding.weight * torch.tensor([0.5 / std for std in STD])[:, None, None]
    torch.testing.assert_close(kernels[:, 1:], rgb)
    torch.testing.assert_close(kernels[:, 0], rgb.mean(dim=1))


MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def normalised(images):
    """(n, H, W, 3) RGB from 0 to 1 -> what a CLIP takes."""
    return torch.from_numpy(((images - MEAN) / STD).astype(np.float32)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", ["depth", "mean_curvature", "shape_index"])
def test_a_single_map_is_read_as_a_grey_picture(tmp_path, name):
    clip = write_clip(tmp_path)
    views = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    grey = ((views + 1) / 2).permute(0, 2, 3, 1).expand(-1, -1, -1, 3).double().numpy()
    theirs = normalize(clip.get_image_features(pixel_values=normalised(grey)).pooler_output, dim=-1)
    close(built(tmp_path, (name,)).encode_images(views), theirs)


def test_a_further_map_is_seen_from_the_start(tmp_path):
    write_clip(tmp_path)
    towers, rig = built(tmp_path, ("texture", "depth")), Rig(size_px=16, maps=("texture", "depth"))
    flat = channels(rig, texture=pictures())
    deep = channels(rig, texture=pictures(), depth=np.full((3, 16, 16), 33000, np.uint16))
    assert (towers.encode_images(flat) - towers.encode_images(deep)).norm(dim=1).min() > 1e-4


def test_a_folders_own_normalisation_is_read_and_the_clips_own_size_is_kept_bit_for_bit(tmp_path):
    clip = write_clip(tmp_path)
    halves = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}  # what our channels are already
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(halves))
    state = built(tmp_path).vision_model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in clip.vision_model.state_dict().items())
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5], "image_std": 1}))
    with pytest.raises(ModelError, match="expected image_mean and image_std of three numbers"):
        built(tmp_path)


@pytest.mark.parametrize("size", [8, 24, 40])
def test_another_size_is_seen_with_position_embeddings_as_transformers_interpolates_them(tmp_path, size):
    clip = write_clip(tmp_path, size=16, patch=8)
    images, rig = pictures(size), Rig(size_px=size, maps=("texture",))
    theirs = as_transformers_does(clip, images, interpolate_pos_encoding=True)
    close(built(tmp_path, size_px=size).encode_images(channels(rig, texture=images)), theirs)


def test_a_size_that_patches_do_not_divide_is_refused_with_those_that_fit(tmp_path):
    write_clip(tmp_path, size=16, patch=8)
    with pytest.raises(ModelError, match="views of 16 px, its own size, or of 24 or 32 px"):
        built(tmp_path, size_px=30)


def test_a_clip_kept_in_half_precision_is_read_in_single(tmp_path):
    write_clip(tmp_path).half().save_pretrained(tmp_path)
    towers = built(tmp_path)
    assert {value.dtype for value in towers.parameters()} == {torch.float32}
    again = towers_from_dict(json.loads(json.dumps(towers_to_dict(towers))))
    assert {value.dtype for value in again.parameters()} == {torch.float32}


def test_a_saved_model_needs_the_clips_folder_no_more_and_does_not_name_it(tmp_path):
    write_clip(tmp_path / "clip", width=24, projection=10)
    rig = Rig(size_px=24, maps=("texture", "depth", "normals"))
    model = AffectVLM.build(ModelConfig(pretrained=str(tmp_path / "clip")), EMOTIONS, rig).eval()
    model.save(tmp_path / "mine")
    shutil.rmtree(tmp_path / "clip")
    loaded = AffectVLM.load(tmp_path / "mine")
    views = torch.randn(2, 7, 24, 24, generator=torch.Generator().manual_seed(1))
    assert torch.equal(loaded.towers.encode_images(views), model.towers.encode_images(views))
    assert torch.equal(loaded.encode_text(PROMPTS), model.encode_text(PROMPTS))
    assert str(tmp_path) not in (tmp_path / "mine" / "config.json").read_text()


LEARNERS = {
    (): {"vision_model", "visual_projection", "text_model", "text_projection"},
    ("image",): {"visual_projection", "text_model", "text_projection"},
    ("image", "text"): {"visual_projection", "text_projection"},
}


@pytest.mark.parametrize("frozen", LEARNERS)
def test_gradients_reach_all_of_what_is_not_frozen_and_nothing_else(tmp_path, frozen):
    write_clip(tmp_path)
    config = ModelConfig(pretrained=str(tmp_path), frozen=frozen)
    towers, tokenizer = build_towers(config, Rig(size_px=16), Grammar(EMOTIONS))
    towers.train()
    views = torch.randn(2, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    (towers.encode_images(views) * towers.encode_text(*tokenize(tokenizer, PROMPTS))).sum().backward()
    for name, parameter in towers.named_parameters():
        learns = name.split(".")[0] in LEARNERS[frozen]
        assert parameter.requires_grad == learns
        assert (parameter.grad is not None) == learns, name


def test_a_frozen_tower_stays_in_inference_mode(tmp_path):
    write_clip(tmp_path)
    towers = built(tmp_path, frozen=("image",)).train()
    assert towers.training
    assert not any(module.training for module in towers.vision_model.modules())
    assert all(module.training for module in towers.text_model.modules())


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"frozen": ("image",)}, "the image tower starts from nothing"),
        ({"frozen": ("text",)}, "the text tower starts from nothing"),
        ({"frozen": ("image",), "text_encoder": "some"}, "the image tower starts from nothing"),
        ({"lora_rank": 4}, "there is none"),
        ({"lora_rank": 4, "pretrained": "some", "frozen": ("image", "text")}, "there is none"),
    ],
)
def test_what_starts_from_nothing_is_neither_frozen_nor_adapted(settings, reason):
    with pytest.raises(ValueError, match=reason):
        ModelConfig(**settings)


def test_a_folder_without_its_files_is_refused_with_their_names(tmp_path):
    folder = tmp_path / "clip"
    with pytest.raises(ModelError, match=r"expected a folder with config\.json, model\.safetensors .* no such folder"):
        built(folder)
    folder.mkdir()
    with pytest.raises(ModelError, match=r"found no config\.json, no model\.safetensors, no tokenizer\.json"):
        built(folder)
    write_clip(folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"found no model\.safetensors \(a pickle is never read"):
        built(folder)
    with pytest.raises(ModelError, match="found a file"):
        built(folder / "pytorch_model.bin")


def test_a_damaged_or_unsuitable_folder_is_refused_with_the_reason(tmp_path):
    write_clip(tmp_path / "clip")
    weights = load_file(tmp_path / "clip" / "model.safetensors")
    name = "vision_model.post_layernorm.weight"
    save_file({key: value for key, value in weights.items() if key != name}, tmp_path / "clip" / "model.safetensors")
    with pytest.raises(ModelError, match=f"lacks 1 weights of a 'clip' \\({name}"):
        built(tmp_path / "clip")
    (tmp_path / "clip" / "model.safetensors").write_bytes(b"not tensors")
    with pytest.raises(ModelError, match=r"cannot read model\.safetensors"):
        built(tmp_path / "clip")
    (tmp_path / "clip" / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="found an adapter"):
        built(tmp_path / "clip")
    (tmp_path / "clip" / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json: expected JSON"):
        built(tmp_path / "clip")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", {"model_type": "clip", "vision_config": [1]}),
        ("config.json", {"model_type": "clip", "vision_config": {"num_attention_heads": 0}}),
        ("config.json", {"model_type": "clip", "text_config": 3}),
        ("open_clip_config.json", {"model_cfg": []}),
        ("open_clip_config.json", {"model_cfg": {"vision_cfg": 3}}),
    ],
)
def test_a_damaged_configuration_is_one_line(tmp_path, file, content):
    write_clip(tmp_path)
    (tmp_path / "config.json").unlink()
    (tmp_path / file).write_text(json.dumps(content))
    with pytest.raises(ModelError) as raised:
        built(tmp_path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("value", [0, [], "x"])
@pytest.mark.parametrize("setting", ["hidden_size", "num_attention_heads", "num_hidden_layers", "model_type"])
@pytest.mark.parametrize("part", ["vision", "text"])
def test_a_kept_clip_that_cannot_be_built_is_refused_in_one_line(tmp_path, part, setting, value):
    write_clip(tmp_path / "clip")
    config = ModelConfig(pretrained=str(tmp_path / "clip"))
    AffectVLM.build(config, EMOTIONS, Rig(size_px=16, maps=("texture",))).save(tmp_path / "model")
    kept = json.loads((tmp_path / "model" / "config.json").read_text())
    kept["towers"][part][setting] = value
    (tmp_path / "model" / "config.json").write_text(json.dumps(kept))
    with pytest.raises(ModelError, match="the model is damaged") as raised:
        AffectVLM.load(tmp_path / "model")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["RN50", "openai/RN50x4", "timm/resnet50_clip.openai", "/models/RN101.pt"])
def test_a_clip_with_a_resnet_is_refused_by_its_name(name):
    with pytest.raises(ModelError, match="a CLIP with a ResNet, which transformers does not carry"):
        built(name)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.json", {"model_type": "clip", "vision_config": {"layers": [3, 4, 6, 3]}}),
        ("config.json", {"model_type": "clip", "vision_config": {"patch_size": None}}),
        ("open_clip_config.json", {"model_cfg": {"vision_cfg": {"layers": [3, 4, 6, 3]}}}),
    ],
)
def test_a_clip_with_a_resnet_is_refused_by_its_configuration(tmp_path, file, content):
    (tmp_path / file).write_text(json.dumps(content))
    with pytest.raises(ModelError, match="a CLIP with a ResNet"):
        built(tmp_path)


def test_without_network_the_error_says_which_files_to_put_where(monkeypatch):
    def no_network(*_, **__):
        raise OSError("We couldn't connect to the hub.\nCheck your connection.")

    monkeypatch.setattr(source, "cached_file", no_network)
    with pytest.raises(ModelError) as raised:
        built("openai/clip-vit-base-patch32")
    assert str(raised.value) == (
        "openai/clip-vit-base-patch32: found no folder of that name, and the hub gives nothing (We couldn't connect to "
        "the hub); without network, put its config.json, model.safetensors and tokenizer.json (or vocab.json and "
        "merges.txt, or vocab.txt), and preprocessor_config.json if it has one, into a folder and name that folder "
        "instead"
    )


def test_the_settings_shown_in_the_documentation_are_settings(tmp_path):
    text = (Path(__file__).parents[1] / "docs" / "towers.md").read_text("utf-8")
    shown = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert len(shown) == 4
    for number, settings in enumerate(shown):
        file = tmp_path / f"{number}.yaml"
        file.write_text(settings)
        config = TrainConfig.from_yaml(file)
        assert config.model.is_pretrained("text")
    for name in ("learning_rate", "pretrained_learning_rate", "layer_decay"):
        default = re.search(rf"\| `{name}` \((.*?)\) \|", text)[1]
        assert float(default) == getattr(TrainConfig(), name)
