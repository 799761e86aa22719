"""Classes of one's own, from a folder of scans to a model that names them; and labels in one's own words."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
import yaml
from scipy.special import softmax

from affectvlm.datasets import open_dataset
from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ConfigError, DataError, ModelError
from affectvlm.language import Grammar, Known, Vocabulary
from affectvlm.model import AffectVLM
from affectvlm.prepared import PreparedSet, prepare
from affectvlm.prepared.clips import Clips
from affectvlm.recognizer import Recognizer
from affectvlm.recognizer import recognizer as recognizing
from affectvlm.recognizer.torch_encoder import TorchEncoder
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.generate import Study
from affectvlm.training import TrainConfig
from affectvlm.training.fit import fit
from affectvlm.training.run_folder import claim_run
from affectvlm.training.task import AffectVLMTask
from conftest import TINY_MODEL

WORDS = """
classes:
  frown: {adjectives: [frowning], doing: [frowning, knitting the brows]}
  anger: {nouns: [crossness]}
"""
CLASSES = ("anger", "happiness", "frown")
SEEN_AS = {"anger": "anger", "happiness": "happiness", "sadness": "Frown"}


@pytest.fixture(scope="module")
def words(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("words") / "words.yaml"
    file.write_text(WORDS)
    return file


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> Path:
    """Three subjects with two scans of each of three classes: two of the project's, and one of somebody's own."""
    root = tmp_path_factory.mktemp("scans")
    for sample in Study(FaceSource(), subjects=3, seed=1).samples():
        if sample.emotion in SEEN_AS and sample.intensity in (3, 4):
            scan = sample.load()
            folder = root / sample.subject / SEEN_AS[sample.emotion]
            folder.mkdir(parents=True, exist_ok=True)
            mesh = trimesh.Trimesh(scan.vertices, scan.triangles, process=False)
            mesh.export(folder / f"{sample.intensity}.ply")
    return root


@pytest.fixture(scope="module")
def prepared(scans, words, tiny_rig, tmp_path_factory) -> PreparedSet:
    with pytest.raises(DataError, match=r"found 'Frown'; rename it to one of anger, .*, or name a vocabulary"):
        open_dataset("folder", scans).samples()
    dataset = open_dataset("folder", scans, classes=Vocabulary.from_yaml(words).classes)
    return prepare(dataset.samples(), tiny_rig, tmp_path_factory.mktemp("set") / "set", "folder")


@pytest.fixture(scope="module")
def config(words) -> TrainConfig:
    """From a settings file that names the vocabulary's file."""
    settings = {"epochs": 1, "batch_size": 6, "model": TINY_MODEL.model_dump(mode="json"), "vocabulary": words.name}
    file = words.with_name("settings.yaml")
    file.write_text(yaml.safe_dump(settings))
    return TrainConfig.from_yaml(file)


@pytest.fixture(scope="module")
def folder(prepared, config, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("run")
    fitted = fit(prepared, tuple(prepared.subjects[:2]), tuple(prepared.subjects[2:]), config, run)
    fitted.model.save(run / "model")
    return run / "model"


def test_classes_of_ones_own_go_from_the_folders_to_the_models_answers(prepared, folder, scans):
    assert prepared.classes == CLASSES
    (answer,) = Recognizer.from_pretrained(folder).predict([next(scans.rglob("*.ply"))])
    assert answer.error is None
    assert tuple(answer.probabilities) == CLASSES


def test_a_model_keeps_its_words_and_needs_no_file_again(folder, words, config):
    model = AffectVLM.load(folder)
    own = Vocabulary.from_yaml(words)
    assert model.grammar == Grammar(CLASSES, own)
    assert any("crossness" in prompt for prompt in model.grammar.ensemble("anger"))
    assert not any("fury" in prompt for prompt in model.grammar.ensemble("anger"))
    with torch.inference_mode():
        expected = model.encode_prompts([Grammar(CLASSES, own).ensemble(name) for name in CLASSES])
        assert torch.equal(model.encode_classes(), expected)
    # The tokenizer was trained on them, too.
    assert len(model.tokenizer("knitting brows frowning crossness")["input_ids"]) == 6


@pytest.mark.parametrize("damage", [{"classes": ["anger", "grin"]}, {"vocabulary": {"classes": {}}}])
def test_a_model_whose_words_were_lost_is_refused(folder, tmp_path, damage):
    copy = shutil.copytree(folder, tmp_path / "model")
    kept = json.loads((copy / "config.json").read_text("utf-8"))
    (copy / "config.json").write_text(json.dumps({**kept, **damage}), "utf-8")
    with pytest.raises(ModelError, match=r"model: the model is damaged \(.*\); train it again") as error:
        AffectVLM.load(copy)
    assert "\n" not in str(error.value)


def test_a_runs_settings_hold_the_words_themselves(prepared, config, tmp_path):
    claim_run(tmp_path, prepared, config)
    text = (tmp_path / "config.yaml").read_text()
    assert "words.yaml" not in text
    again = TrainConfig.from_yaml(tmp_path / "config.yaml")
    assert again == config
    assert again.vocabulary.classes["frown"].doing == ("frowning", "knitting the brows")
    claim_run(tmp_path, prepared, again)


def test_without_words_for_a_class_a_run_is_refused_before_anything_is_written(prepared, tmp_path):
    with pytest.raises(ConfigError, match=r"no words for the class 'frown', only for anger, .* --vocabulary"):
        claim_run(tmp_path / "run", prepared, TrainConfig())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("vocabulary", "line"),
    [("words.yaml", "cannot read the vocabulary"), ("broken.yaml", "classes.frown: expected at least one word")],
)
def test_a_vocabulary_that_a_settings_file_names_is_told_with_its_own_name(tmp_path, vocabulary, line):
    (tmp_path / "broken.yaml").write_text("classes: {frown: {}}")
    (tmp_path / "settings.yaml").write_text(f"vocabulary: {vocabulary}")
    with pytest.raises(ConfigError, match=rf"{re.escape(str(tmp_path / vocabulary))}: {re.escape(line)}"):
        TrainConfig.from_yaml(tmp_path / "settings.yaml")


def test_a_prompt_in_training_says_only_what_is_true_of_its_sample(tiny_set, tiny_model):
    clips = Clips(PreparedSet(tiny_set))
    task = AffectVLMTask(tiny_model, clips, TrainConfig())
    every = tiny_model.grammar.vocabulary
    sample = next(i for i in range(len(clips)) if clips.intensity(i) == 4)
    label = tiny_model.classes.index(clips.index["emotion"].iat[sample])
    rng = np.random.default_rng(0)
    text = "\n".join(task._prompt(label, sample, [False, True, False], rng) for _ in range(3000))
    known = json.loads(clips.index["attributes"].iat[sample])
    assert set(known) == {"sex", "age", "ancestry"}
    tables = {
        "sex": (every.sex, known["sex"]),
        "age": (every.attributes["age"], known["age"]),
        "ancestry": (every.attributes["ancestry"], known["ancestry"]),
        "intensity": (every.intensity, 4),
        "view": (every.view, "left"),
    }
    for table, value in tables.values():
        for name, phrases in table.items():
            for phrase in phrases:
                found = re.search(rf"(?<!very )(?<![\w-]){phrase}(?![\w-])", text) is not None
                assert found == (name == value), (name, phrase)
    for name, phrases in every.map.items():
        assert (phrases[0] in text) == (name in tiny_model.rig.maps)


def test_a_sample_of_which_no_view_is_left_names_none(tiny_set, tiny_model):
    task = AffectVLMTask(tiny_model, Clips(PreparedSet(tiny_set)), TrainConfig())
    rng = np.random.default_rng(0)
    assert not any("seen" in task._prompt(0, 0, [False] * 3, rng) for _ in range(200))


def test_an_unknown_intensity_is_none_and_a_known_one_a_number(tiny_set):
    clips = Clips(PreparedSet(tiny_set))
    found = {clips.index["emotion"].iat[i] == "neutral": clips.intensity(i) for i in range(len(clips))}
    assert found[True] is None
    assert Known(intensity=found[False]).intensity in (1, 2, 3, 4)


LABELS = ("a person in pain", "a person laughing", "frowning")


def test_labels_take_the_place_of_the_classes(tiny_model, embedded_samples):
    recognizer = Recognizer(TorchEncoder(tiny_model))
    faces = [sample.load() for sample in embedded_samples[3::20]]
    answers = recognizer.predict(faces, labels=LABELS)
    prompts = recognizer.encoder.encode_text(LABELS)
    for face, answer in zip(faces, answers, strict=True):
        expected = softmax(recognizer.encoder.logit_scale * prompts @ recognizer.embed(face))
        assert tuple(answer.probabilities) == LABELS
        np.testing.assert_allclose(list(answer.probabilities.values()), expected, atol=1e-6)
        assert answer.label == max(LABELS, key=answer.probabilities.__getitem__)
    assert recognizer.predict([], labels=LABELS) == []


def test_prompts_are_read_once_for_all_scans(tiny_model, embedded_samples, monkeypatch):
    read = []
    encode = tiny_model.encode_text
    monkeypatch.setattr(tiny_model, "encode_text", lambda prompts: read.append(prompts) or encode(prompts))
    monkeypatch.setattr(recognizing, "BATCH", 2)
    told = []
    recognizer = Recognizer(TorchEncoder(tiny_model))
    faces = [embedded_samples[3].load()] * 3
    recognizer.predict(faces, LABELS, told.append)
    assert read == [list(LABELS)]
    assert told == [2, 3]
    recognizer.predict(faces)
    recognizer.predict(faces[0])
    assert len(read) == 2
    assert read[1] == [prompt for name in EMOTIONS for prompt in tiny_model.grammar.ensemble(name)]
