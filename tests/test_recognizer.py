"""The recognizer with a tiny untrained model: what it promises does not depend on the weights."""

import copy
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation
from scipy.special import softmax

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ConfigError, ModelError, ScanError
from affectvlm.language import Grammar, Vocabulary
from affectvlm.model import AffectVLM
from affectvlm.prepared import prepare
from affectvlm.recognizer import UNSURE, Prediction, Predictions, Recognizer
from affectvlm.recognizer import recognizer as recognizing
from affectvlm.recognizer.torch_encoder import TorchEncoder
from affectvlm.scan import FaceScan, ScanSequence
from affectvlm.views import Rig, decode, encode, render
from conftest import TINY_MODEL


@pytest.fixture
def recognizer(tiny_model) -> Recognizer:
    return Recognizer(TorchEncoder(tiny_model))


@pytest.fixture(scope="module")
def scans(embedded_samples) -> list[FaceScan]:
    return [sample.load() for sample in embedded_samples[3::12]]


def write_ply(path, scan: FaceScan, scale: float = 1.0):
    trimesh.Trimesh(scan.vertices * scale, scan.triangles, process=False).export(path)
    return path


def values(prediction: Prediction) -> np.ndarray:
    return np.array(list(prediction.probabilities.values()))


def test_probabilities_are_of_all_classes_in_the_models_order_and_sum_to_one(recognizer, scans):
    assert recognizer.classes == EMOTIONS
    for prediction, scan in zip(recognizer.predict(scans), scans, strict=True):
        assert prediction.path == scan.source
        assert prediction.error is None
        assert tuple(prediction.probabilities) == EMOTIONS
        assert values(prediction).min() > 0
        assert values(prediction).sum() == pytest.approx(1, abs=1e-12)
        assert prediction.label == max(EMOTIONS, key=prediction.probabilities.__getitem__)


def test_probabilities_are_the_cosines_to_the_class_prompts(recognizer, tiny_model, scans):
    views = recognizer.views(scans[0])
    model = tiny_model
    with torch.inference_mode():
        kept = encode(views)
        pixels = np.concatenate(
            [(kept["depth"][:, None] - 32768.0) / 1e4, np.moveaxis(kept["normals"] - 128.0, 3, 1) / 127], 1
        )
        pixels[:, 0][kept["depth"] == 0] = -1
        pixels = torch.tensor(pixels[None, None], dtype=torch.float32)
        fused = model.encode_faces(pixels, torch.ones(1, 1, 3, dtype=torch.bool))
        expected = model.probabilities(fused, model.encode_classes())[0]
    np.testing.assert_allclose(recognizer.predict_proba(views), expected, atol=1e-5)


def test_neither_order_nor_company_changes_an_answer(recognizer, scans):
    together = recognizer.predict(scans)
    assert isinstance(together, Predictions)
    for answer, again, scan in zip(together, recognizer.predict(scans[::-1])[::-1], scans, strict=True):
        alone = recognizer.predict(scan)
        assert isinstance(alone, Prediction)
        for other in (again, alone):
            assert (other.path, other.label) == (answer.path, answer.label)
            np.testing.assert_allclose(values(other), values(answer), atol=1e-6)
    assert len({prediction.probabilities["anger"] for prediction in together}) == len(scans)


def test_arrays_have_a_row_for_each_scan_and_none_for_one(recognizer, scans, tiny_model, monkeypatch):
    monkeypatch.setattr(recognizing, "BATCH", 3)  # so that the last batch is not a full one
    embeddings, probabilities = recognizer.embed(scans), recognizer.predict_proba(scans)
    assert (embeddings.shape, embeddings.dtype) == ((len(scans), tiny_model.towers.embedding_dim), np.float32)
    assert (probabilities.shape, probabilities.dtype) == ((len(scans), len(EMOTIONS)), np.float64)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    for scan, embedding, row in zip(scans, embeddings, probabilities, strict=True):
        np.testing.assert_allclose(recognizer.embed(scan), embedding, atol=1e-6)
        np.testing.assert_allclose(recognizer.predict_proba(scan), row, atol=1e-6)
        np.testing.assert_allclose(values(recognizer.predict(scan)), row, atol=1e-6)
    with torch.inference_mode():
        logits = float(tiny_model.logit_scale) * embeddings @ tiny_model.encode_classes().numpy().T
    np.testing.assert_allclose(softmax(logits, axis=1), probabilities, atol=1e-6)


def test_a_scan_that_cannot_be_read_has_no_array(recognizer, scans, tmp_path):
    for ask in (recognizer.embed, recognizer.predict_proba):
        with pytest.raises(ScanError, match=r"missing\.ply: no such file"):
            ask([scans[0], tmp_path / "missing.ply"])


def test_an_answer_is_withheld_below_the_models_threshold_and_not_at_it(tiny_model, scans):
    highest = float(Recognizer(TorchEncoder(tiny_model)).predict_proba(scans[0]).max())

    class Cautious(TorchEncoder):
        unsure_below = highest

    sure = Recognizer(Cautious(tiny_model)).predict(scans[0])
    assert sure.label == max(EMOTIONS, key=sure.probabilities.__getitem__)
    Cautious.unsure_below = np.nextafter(highest, 1)
    unsure = Recognizer(Cautious(tiny_model)).predict(scans[0])
    assert unsure == replace(sure, label=UNSURE)
    assert unsure.confidence == highest


def test_an_answer_in_ones_own_words_is_never_withheld(tiny_model, scans):
    class Cautious(TorchEncoder):
        unsure_below = 0.99

    labels = [f"a person who looks {name}" for name in EMOTIONS]
    recognizer = Recognizer(Cautious(tiny_model))
    assert recognizer.predict(scans[0]).label == UNSURE
    assert (
        recognizer.predict(scans[0], labels).label == labels[int(recognizer.predict_proba(scans[0], labels).argmax())]
    )
    assert next(recognizer.stream(scans[:1], labels)).label in labels


def test_the_threshold_is_kept_with_the_model(tiny_model, scans, tmp_path):
    model = copy.deepcopy(tiny_model)
    model.unsure_below.fill_(0.99)
    model.save(tmp_path / "model")
    recognizer = Recognizer.from_pretrained(tmp_path / "model")
    assert recognizer.encoder.unsure_below == pytest.approx(0.99)
    assert [answer.label for answer in recognizer.predict(scans)] == [UNSURE] * len(scans)


def test_progress_is_told_after_each_batch(recognizer, scans, monkeypatch):
    monkeypatch.setattr(recognizing, "BATCH", 3)
    told = []
    recognizer.predict(scans, on_progress=told.append)
    assert told == [3, len(scans)]


def test_answers_become_a_table(recognizer, scans, tmp_path):
    missing = tmp_path / "missing.ply"
    answers = recognizer.predict([scans[0], missing])
    table = answers.to_dataframe()
    assert list(table.columns) == ["path", "label", "error", *EMOTIONS]
    assert list(table["path"]) == [scans[0].source, str(missing)]
    assert table.loc[0, "label"] == answers[0].label
    assert table.loc[1, "error"] == f"{missing}: no such file; check the path"
    assert table.isna()[["label", "error"]].to_numpy().tolist() == [[False, True], [True, False]]
    np.testing.assert_array_equal(table.loc[0, list(EMOTIONS)].to_numpy(float), values(answers[0]))
    assert table.loc[1, list(EMOTIONS)].isna().all()
    assert list(Predictions().to_dataframe().columns) == ["path", "label", "error"]


def test_files_and_scans_get_the_same_answer(recognizer, scans, tmp_path):
    file = write_ply(tmp_path / "face.ply", scans[0])
    from_file, from_text, from_scan = recognizer.predict([file, str(file), scans[0]])
    assert (from_file.path, from_text.path) == (str(file), str(file))
    np.testing.assert_array_equal(values(from_file), values(from_text))
    np.testing.assert_allclose(values(from_file), values(from_scan), atol=1e-3)


def test_a_scan_in_metres_elsewhere_and_a_little_turned_gets_nearly_the_same_answer(recognizer, scans, tmp_path):
    moved = scans[0].moved(Rotation.from_euler("yxz", [12, -8, 5], degrees=True).as_matrix(), np.array([80, -300, 900]))
    with pytest.warns(UserWarning, match="taken to be in metres"):
        (turned,) = recognizer.predict([write_ply(tmp_path / "metres.ply", moved, scale=0.001)])
    (straight,) = recognizer.predict(scans[:1])
    others = [values(prediction) for prediction in recognizer.predict(scans[1:])]
    assert turned.label == straight.label
    difference = abs(values(turned) - values(straight)).max()
    assert difference < 0.001
    assert difference < max(abs(other - values(straight)).max() for other in others)


def test_what_cannot_be_used_gets_its_error_and_the_others_are_still_done(recognizer, scans, tmp_path):
    missing, empty = tmp_path / "missing.ply", tmp_path / "empty.obj"
    empty.write_bytes(b"")
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=90)
    ball = FaceScan(sphere.vertices, sphere.faces, source="ball")
    few = FaceScan(np.eye(3) * 100, np.array([[0, 1, 2]]), source="three vertices")
    answers = recognizer.predict([missing, scans[0], empty, ball, scans[1], few])
    assert [answer.error is None for answer in answers] == [False, True, False, False, True, False]
    for answer, alone in zip([answers[1], answers[4]], recognizer.predict(scans[:2]), strict=True):
        assert (answer.path, answer.label) == (alone.path, alone.label)
        np.testing.assert_allclose(values(answer), values(alone), atol=1e-6)
    for answer, path in zip(answers, [missing, None, empty, "ball", None, "three vertices"], strict=True):
        if answer.error is not None:
            assert answer.path == str(path)
            assert answer.error.startswith(f"{path}: ")
            assert "\n" not in answer.error
            assert (answer.label, answer.probabilities) == (None, {})


def test_nothing_to_do_is_done(recognizer):
    told = []
    answers = recognizer.predict([], on_progress=told.append)
    assert isinstance(answers, Predictions)
    assert (answers, told) == ([], [])


def test_nothing_gives_no_rows(recognizer, tiny_model):
    none = recognizer.embed([])
    assert (none.shape, none.dtype) == ((0, tiny_model.towers.embedding_dim), np.float32)
    assert recognizer.predict_proba([]).shape == (0, len(EMOTIONS))
    assert recognizer.predict_proba([], ["calm", "loud", "in pain"]).shape == (0, 3)


def test_scans_may_come_one_after_the_other(recognizer, scans, monkeypatch):
    monkeypatch.setattr(recognizing, "BATCH", 3)
    told = []
    assert recognizer.predict(iter(scans), on_progress=told.append) == recognizer.predict(scans)
    assert told == [3, len(scans)]
    np.testing.assert_array_equal(recognizer.embed(iter(scans)), recognizer.embed(scans))


def test_a_sequence_is_no_single_scan(recognizer, scans):
    take = ScanSequence(tuple(scans), source="take")
    for ask in (recognizer.embed, recognizer.predict_proba):
        for given in (take, [scans[0], take]):
            with pytest.raises(ScanError, match=r"^take: expected a single scan, found a sequence; ask `predict`"):
                ask(given)


def test_an_answer_in_json_has_either_a_label_or_an_error():
    good = Prediction("a.ply", "fear", {"anger": 0.25, "fear": 0.75})
    assert json.loads(json.dumps(good.to_dict())) == {
        "path": "a.ply",
        "label": "fear",
        "probabilities": {"anger": 0.25, "fear": 0.75},
    }
    assert Prediction("b.ply", error="no such file").to_dict() == {"path": "b.ply", "error": "no such file"}


def test_labels_in_the_words_of_the_classes_get_the_classes_probabilities(tiny_model, scans, monkeypatch):
    monkeypatch.setattr(Grammar, "ensemble", lambda self, emotion: [f"a person who looks {emotion}"])
    recognizer = Recognizer(TorchEncoder(tiny_model))
    labels = [f"a person who looks {name}" for name in EMOTIONS]
    assert recognizer.encoder.class_prompts == tuple(labels)
    described = recognizer.predict_proba(scans[0], labels=labels)
    np.testing.assert_allclose(described, recognizer.predict_proba(scans[0]), atol=1e-6)


def test_labels_share_one_whole_in_the_order_given(recognizer, scans):
    views = recognizer.views(scans[0])
    texts = ["a person who looks angry", "a happy face", "eine müde Frau 😀"]
    shares = recognizer.predict_proba(views, texts)
    assert shares.shape == (3,)
    assert shares.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(recognizer.predict_proba(views, texts[::-1]), shares[::-1], atol=1e-6)
    answer = recognizer.predict(views, texts)
    assert (answer.path, answer.label) == ("views", texts[int(shares.argmax())])
    assert list(answer.probabilities) == texts
    np.testing.assert_allclose(values(answer), shares, atol=1e-12)


@pytest.mark.parametrize(
    "changed",
    [
        "a person with a sad face without any fear",
        "a face with a happy face without any fear",
        "a person with a happy face without any shame",
        "a person with a happy face without any fear at all",
    ],
)
def test_every_word_of_a_label_counts(recognizer, changed):
    one, other = recognizer.encoder.encode_text(["a person with a happy face without any fear", changed])
    assert abs(one - other).max() > 1e-3


@pytest.mark.parametrize("labels", [(), ("one",), ("twice", "twice"), ("", "one"), ("a happy face", "  ")])
def test_labels_that_are_no_choice_are_refused(recognizer, scans, labels):
    line = "expected two labels or more, all of them different and none empty; found"
    for ask in (recognizer.predict, recognizer.predict_proba):
        with pytest.raises(ModelError, match=line):
            ask(scans[0], labels)


@pytest.mark.parametrize("rig", [Rig(size_px=24), Rig(size_px=16, pitch_deg=5), Rig(size_px=16, maps=("depth",))])
def test_views_of_another_rig_are_refused(recognizer, scans, rig):
    for ask in (recognizer.predict, recognizer.predict_proba, recognizer.embed):
        with pytest.raises(ModelError, match="of another rig than the model's"):
            ask(render(scans[0], rig))


def test_kept_views_get_the_answer_of_fresh_ones(recognizer, scans, tiny_rig):
    views = recognizer.views(scans[0])
    np.testing.assert_array_equal(
        recognizer.predict_proba(decode(encode(views), tiny_rig)), recognizer.predict_proba(views)
    )


def test_a_prepared_sample_is_judged_as_its_scan_is(recognizer, embedded_samples, tiny_rig, tmp_path):
    sample = replace(embedded_samples[0], normalized=False)
    prepared = prepare([sample], tiny_rig, tmp_path / "set", "synthetic")
    (from_scan,) = recognizer.predict([sample.load()])
    np.testing.assert_array_equal(recognizer.predict_proba(prepared.views(0)), values(from_scan))


def test_a_saved_model_gives_the_same_answers(recognizer, model_folder, scans):
    assert Recognizer.from_pretrained(str(model_folder)).predict(scans) == recognizer.predict(scans)


def test_a_model_in_training_mode_is_put_into_evaluation(tiny_model):
    assert not TorchEncoder(copy.deepcopy(tiny_model).train()).model.training


def test_a_folder_without_a_model_says_what_to_do(tmp_path):
    with pytest.raises(ModelError, match=r"found no config\.json; train one with `affectvlm demo`"):
        Recognizer.from_pretrained(tmp_path)


def changed_config(folder, **changes):
    config = folder / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), **changes}), "utf-8")


def refused(folder, message):
    with pytest.raises(ModelError, match=message) as raised:
        Recognizer.from_pretrained(folder)
    assert "\n" not in str(raised.value)


@pytest.fixture
def own_folder(model_folder, tmp_path):
    return shutil.copytree(model_folder, tmp_path / "model")


OTHER_WORDS = Vocabulary.packaged().model_copy(update={"people": ("driver",)})


@pytest.mark.parametrize("changes", [{"sha256": {}}, {"sha256": {"../../../etc/passwd": "0"}}])
def test_hashes_that_are_not_there_are_refused(own_folder, changes):
    changed_config(own_folder, **changes)
    refused(own_folder, r"model\.safetensors: expected the file that was saved with config\.json")


def test_settings_of_the_tokenizer_that_were_changed_are_refused(own_folder):
    settings = own_folder / "tokenizer_config.json"
    settings.write_text(json.dumps({**json.loads(settings.read_text()), "model_max_length": 2}))
    refused(own_folder, r"tokenizer_config\.json: expected the file that was saved with config\.json")


def test_a_backend_that_is_not_known_is_refused(model_folder):
    with pytest.raises(ConfigError, match=r"^expected one of the backends torch, onnx, found 'ONNX'$"):
        Recognizer.from_pretrained(model_folder, backend="ONNX")


@pytest.mark.parametrize(("name", "words"), [("model.safetensors", None), ("tokenizer.json", OTHER_WORDS)])
def test_a_file_of_another_model_is_refused(tiny_rig, own_folder, tmp_path, name, words):
    torch.manual_seed(1)
    AffectVLM.build(TINY_MODEL, EMOTIONS, tiny_rig, words).save(tmp_path / "other")
    assert (own_folder / name).read_bytes() != (tmp_path / "other" / name).read_bytes()
    shutil.copy(tmp_path / "other" / name, own_folder / name)
    refused(own_folder, rf"{name}: expected the file that was saved with config\.json, found another \(its SHA-256")


def test_classes_in_another_order_than_the_weights_were_made_for_are_refused(own_folder):
    changed_config(own_folder, classes=list(EMOTIONS[::-1]))
    refused(own_folder, r"config\.json: expected the classes and the rig that model\.safetensors was made for")


def test_a_changed_rig_is_refused_with_its_old_fingerprint_and_with_its_own(own_folder, tiny_rig):
    other = tiny_rig.model_copy(update={"field_mm": 200.0})
    changed_config(own_folder, rig=other.model_dump(mode="json"))
    refused(own_folder, r"config\.json: the rig was changed after training")
    changed_config(own_folder, rig_fingerprint=other.fingerprint)
    refused(own_folder, r"config\.json: expected the classes and the rig that model\.safetensors was made for")


def test_a_model_of_another_format_is_refused(own_folder):
    changed_config(own_folder, format=2)
    refused(own_folder, r"config\.json: expected format 5, found 2")
