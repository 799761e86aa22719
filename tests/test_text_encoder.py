"""Any text encoder of transformers on the text side: how it is pooled, projected, frozen, saved."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer, BartConfig, RobertaConfig, RobertaModel, T5Config, T5EncoderModel

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ModelError
from affectvlm.language import Grammar
from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.model.pretrained import load_text_encoder, text_class
from affectvlm.model.text_encoder import POOLING_FILE, pool
from affectvlm.model.towers import build_towers, tokenize, towers_from_dict, towers_to_dict
from affectvlm.views import Rig
from tower_fixtures import write_bert, write_clip

PROMPTS = ["a happy face", "a person who looks very very sad", "sad"]
SMALL = {"image_widths": (8, 8), "embedding_dim": 12}


def built(folder, **settings):
    config = ModelConfig(text_encoder=str(folder), **{**SMALL, **settings})
    return build_towers(config, Rig(size_px=16), Grammar(EMOTIONS))


def write_pooling(folder, **settings):
    (folder / POOLING_FILE).parent.mkdir(exist_ok=True)
    (folder / POOLING_FILE).write_text(json.dumps(settings))


def test_pooling_takes_the_tokens_that_are_not_padding():
    states = torch.tensor([[[1.0, -4.0], [3.0, 2.0], [100.0, 100.0]], [[100.0, 100.0], [5.0, 1.0], [7.0, -1.0]]])
    mask = torch.tensor([[1, 1, 0], [0, 1, 1]])
    for pooling, expected in {
        "mean": [[2.0, -1.0], [6.0, 0.0]],
        "max": [[3.0, 2.0], [7.0, 1.0]],
        "cls": [[1.0, -4.0], [5.0, 1.0]],
        "last": [[3.0, 2.0], [7.0, -1.0]],
    }.items():
        assert torch.equal(pool(states, mask, pooling), torch.tensor(expected)), pooling


@pytest.mark.parametrize(
    ("settings", "pooling"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False, "include_prompt": True}, "mean"),
        ({"word_embedding_dimension": 20, "pooling_mode_cls_token": True}, "cls"),
        ({"pooling_mode_max_tokens": True}, "max"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"embedding_dimension": 20, "pooling_mode": "lasttoken"}, "last"),
        ({"pooling_mode": "cls"}, "cls"),
    ],
)
def test_a_folder_says_how_its_encoder_is_pooled(tmp_path, settings, pooling):
    write_bert(tmp_path)
    write_pooling(tmp_path, **settings)
    assert load_text_encoder(str(tmp_path)).pooling == pooling


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"pooling_mode_mean_sqrt_len_tokens": True}, "mean_sqrt_len_tokens"),
        ({"pooling_mode_mean_tokens": True, "pooling_mode_max_tokens": True}, "mean_tokens, max_tokens"),
        ({"pooling_mode": "weightedmean"}, "weightedmean"),
        ({}, "none"),
    ],
)
def test_a_kind_of_pooling_that_is_not_known_is_refused(tmp_path, settings, found):
    write_bert(tmp_path)
    write_pooling(tmp_path, **settings)
    with pytest.raises(ModelError, match=f"expected one kind of pooling .*, found {found};"):
        built(tmp_path)


def test_prompts_are_the_projected_masked_mean_of_the_encoders_states(tmp_path):
    bert = write_bert(tmp_path)
    towers, tokenizer = built(tmp_path)
    ids, mask = tokenize(tokenizer, PROMPTS)
    assert (mask == 0).any()
    means = []
    for row, held in zip(ids, mask.bool(), strict=True):  # each prompt alone, without padding
        means.append(bert(input_ids=row[held][None]).last_hidden_state[0].mean(dim=0))
    # In training mode the fresh projection is centred on the batch; its encoder stays as it is when it is frozen.
    towers.freeze(("text",))
    centred = torch.stack(means)
    centred = (centred - centred.mean(dim=0)) / (centred.var(dim=0, unbiased=False) + 1e-5).sqrt()
    expected = torch.nn.functional.normalize(centred @ towers.text_projection.weight.T, dim=-1)
    torch.testing.assert_close(towers.encode_text(ids, mask), expected, atol=1e-5, rtol=1e-5)


def test_a_prompt_does_not_depend_on_the_others(tmp_path):
    write_bert(tmp_path)
    towers, tokenizer = built(tmp_path)
    together = towers.eval().encode_text(*tokenize(tokenizer, PROMPTS))
    alone = torch.cat([towers.encode_text(*tokenize(tokenizer, [prompt])) for prompt in PROMPTS])
    torch.testing.assert_close(together, alone)


def test_beside_a_clip_the_image_tower_keeps_the_clips_projection_and_the_text_gets_a_fresh_one(tmp_path):
    clip = write_clip(tmp_path / "clip", projection=10)
    write_bert(tmp_path / "bert", width=20)
    towers, tokenizer = built(tmp_path / "bert", pretrained=str(tmp_path / "clip"))
    assert torch.equal(towers.visual_projection.weight, clip.visual_projection.weight)
    assert towers.text_projection.weight.shape == (10, 20)
    assert towers.centred == ("text",)
    assert set(towers.pretrained) == {"vision_model", "visual_projection", "text_model"}
    assert "[CLS]" in tokenizer.get_vocab()
    assert towers.encode_text(*tokenize(tokenizer, PROMPTS)).shape == (3, 10)


def test_the_text_tower_of_a_clip_can_be_taken_alone(tmp_path):
    clip = write_clip(tmp_path, width=24, text_width=16)
    encoder = load_text_encoder(str(tmp_path))
    ids, mask = tokenize(encoder.tokenizer, PROMPTS)
    assert encoder.pooling == "pooler"
    theirs = clip.text_model(input_ids=ids, attention_mask=mask).pooler_output
    assert torch.equal(encoder.model(input_ids=ids, attention_mask=mask).pooler_output, theirs)
    assert built(tmp_path)[0].text_projection.weight.shape == (12, 16)


def test_the_encoder_of_a_t5_is_taken_without_its_decoder(tmp_path):
    write_bert(tmp_path)  # for a tokenizer
    for file in ("config.json", "model.safetensors"):
        (tmp_path / file).unlink()
    settings = T5Config(vocab_size=70, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
    T5EncoderModel(settings).save_pretrained(tmp_path)
    towers, tokenizer = built(tmp_path)
    again = towers_from_dict(json.loads(json.dumps(towers_to_dict(towers))))
    again.load_state_dict(towers.state_dict())
    batch = tokenize(tokenizer, PROMPTS)
    assert torch.equal(again.eval().encode_text(*batch), towers.eval().encode_text(*batch))
    assert not any("decoder" in name for name in towers.state_dict())


def test_what_is_no_text_encoder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="expected a text encoder of transformers, found a 'bart'"):
        text_class(BartConfig(), "some/bart")
    write_bert(tmp_path)
    with pytest.raises(ModelError, match=r"found a 'bert'; a text encoder goes to model\.text_encoder"):
        AffectVLM.build(ModelConfig(pretrained=str(tmp_path)), EMOTIONS, Rig(size_px=16))


@pytest.mark.parametrize("frozen", [(), ("text",)])
def test_gradients_reach_the_projection_and_an_encoder_that_is_not_frozen(tmp_path, frozen):
    write_bert(tmp_path)
    towers, tokenizer = built(tmp_path, frozen=frozen)
    assert towers.text_model.training == (not frozen)  # transformers reads models for inference, without dropout
    towers.encode_text(*tokenize(tokenizer, PROMPTS)).sum().backward()
    for name, parameter in towers.named_parameters():
        if name.startswith(("text_projection", "text_centre")):
            assert parameter.grad is not None
        elif name.startswith("text_model"):
            assert (parameter.grad is None) == bool(frozen), name
    assert not any("pooler" in name for name, _ in towers.named_parameters())  # would never learn


def test_a_frozen_encoder_gives_the_same_in_training(tmp_path):
    write_bert(tmp_path)  # it has dropout
    towers, tokenizer = built(tmp_path, frozen=("text",))
    batch = tokenize(tokenizer, PROMPTS)
    towers.train()
    assert torch.equal(towers.encode_text(*batch), towers.encode_text(*batch))


def test_a_saved_model_needs_the_encoders_folder_no_more(tmp_path):
    write_bert(tmp_path / "bert")
    write_pooling(tmp_path / "bert", pooling_mode_cls_token=True)
    config = ModelConfig(text_encoder=str(tmp_path / "bert"), **SMALL)
    model = AffectVLM.build(config, EMOTIONS, Rig(size_px=16)).eval()
    model.save(tmp_path / "mine")
    shutil.rmtree(tmp_path / "bert")
    loaded = AffectVLM.load(tmp_path / "mine")
    assert torch.equal(loaded.encode_text(PROMPTS), model.encode_text(PROMPTS))
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())


def test_long_prompts_are_cut_to_what_the_encoder_can_take(tmp_path):
    write_bert(tmp_path)  # 40 places
    towers, tokenizer = built(tmp_path)
    ids, mask = tokenize(tokenizer, ["sad " * 100])
    assert ids.shape == (1, 40)
    assert towers.eval().encode_text(ids, mask).isfinite().all()


def test_places_that_an_encoder_loses_to_its_padding_are_not_filled(tmp_path):
    write_bert(tmp_path)  # for a tokenizer
    settings = RobertaConfig(
        vocab_size=70,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=40,
        pad_token_id=0,  # positions begin behind it, at 1
    )
    RobertaModel(settings).save_pretrained(tmp_path)
    encoder = load_text_encoder(str(tmp_path))
    ids, mask = tokenize(encoder.tokenizer, ["sad " * 100])
    assert ids.shape == (1, 39)
    assert encoder.model(input_ids=ids, attention_mask=mask).last_hidden_state.isfinite().all()


OURS = ["models.Transformer", "models.Pooling", "models.Normalize"]


@pytest.mark.parametrize(
    ("types", "found"),
    [
        (OURS, None),
        (OURS[:2], None),
        ([*OURS[:2], "models.Dense", OURS[2]], "found a Dense, which would be left out; take another text encoder"),
        (["models.WordEmbeddings", OURS[1]], "found a WordEmbeddings"),
        (None, "found something else"),
    ],
)
def test_modules_that_would_be_left_out_are_refused(tmp_path, types, found):
    write_bert(tmp_path)
    modules = types and [{"idx": 0, "path": "", "type": f"sentence_transformers.{name}"} for name in types]
    (tmp_path / "modules.json").write_text(json.dumps(modules))
    if found is None:
        assert load_text_encoder(str(tmp_path)).pooling == "mean"
    else:
        with pytest.raises(ModelError, match=found) as raised:
            load_text_encoder(str(tmp_path))
        assert str(raised.value).startswith(f"{tmp_path / 'modules.json'}: expected ")


@pytest.mark.slow
def test_a_hub_id_is_taken_from_the_cache_without_network(tmp_path):
    for name, write in (("clip", write_clip), ("bert", write_bert)):
        snapshot = tmp_path / f"models--some--{name}" / "snapshots" / ("a" * 40)
        snapshot.mkdir(parents=True)
        (tmp_path / f"models--some--{name}" / "refs").mkdir()
        (tmp_path / f"models--some--{name}" / "refs" / "main").write_text("a" * 40)
        write(snapshot)
    write_pooling(snapshot, pooling_mode="cls")
    script = """
from affectvlm.emotions import EMOTIONS
from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.views import Rig
config = ModelConfig(pretrained="some/clip", text_encoder="some/bert")
print(AffectVLM.build(config, EMOTIONS, Rig(size_px=16)).towers.pooling)
"""
    place = {**os.environ, "HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=place)
    assert done.stdout.strip() == "cls", done.stderr[-2000:]


SENTENCE_ENCODER = os.environ.get("AFFECTVLM_SENTENCE_ENCODER")


@pytest.mark.skipif(SENTENCE_ENCODER is None, reason="AFFECTVLM_SENTENCE_ENCODER names no folder of a sentence encoder")
def test_a_real_sentence_encoder_knows_which_sentences_mean_the_same():
    encoder = load_text_encoder(SENTENCE_ENCODER)
    assert type(encoder.tokenizer) is type(AutoTokenizer.from_pretrained(Path(SENTENCE_ENCODER)))
    ids, mask = tokenize(encoder.tokenizer, ["a happy face", "a person who is smiling", "a person who is furious"])
    with torch.inference_mode():
        states = encoder.model.eval()(input_ids=ids, attention_mask=mask).last_hidden_state
    happy, smiling, furious = torch.nn.functional.normalize(pool(states, mask, encoder.pooling), dim=-1)
    assert happy @ smiling > happy @ furious + 0.1
