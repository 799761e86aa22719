"""The recognizer with a tiny untrained model: what it promises does not depend on the weights."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ModelError
from affectvlm.language import Grammar
from affectvlm.prepared import prepare
from affectvlm.recognizer import Prediction, Recognizer
from affectvlm.scan import FaceScan
from affectvlm.views import Rig, decode, encode, render


@pytest.fixture
def recognizer(tiny_model) -> Recognizer:
    return Recognizer(tiny_model)


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


def test_probabilities_are_the_cosines_to_the_class_prompts(recognizer, scans):
    views = recognizer.views(scans[0])
    model = recognizer.model
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
    assert together == [recognizer.predict([scan])[0] for scan in scans]
    assert together[::-1] == recognizer.predict(scans[::-1])
    assert len({prediction.probabilities["anger"] for prediction in together}) == len(scans)


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
    assert difference < 0.02
    assert difference < min(abs(other - values(straight)).max() for other in others)


def test_what_cannot_be_used_gets_its_error_and_the_others_are_still_done(recognizer, scans, tmp_path):
    missing, empty = tmp_path / "missing.ply", tmp_path / "empty.obj"
    empty.write_bytes(b"")
    sphere = trimesh.creation.icosphere(subdivisions=4, radius=90)
    ball = FaceScan(sphere.vertices, sphere.faces, source="ball")
    few = FaceScan(np.eye(3) * 100, np.array([[0, 1, 2]]), source="three vertices")
    answers = recognizer.predict([missing, scans[0], empty, ball, scans[1], few])
    assert [answer.error is None for answer in answers] == [False, True, False, False, True, False]
    assert [answers[1], answers[4]] == recognizer.predict(scans[:2])
    for answer, path in zip(answers, [missing, None, empty, "ball", None, "three vertices"], strict=True):
        if answer.error is not None:
            assert answer.path == str(path)
            assert answer.error.startswith(f"{path}: ")
            assert "\n" not in answer.error
            assert (answer.label, answer.probabilities) == (None, {})


def test_nothing_to_do_is_done(recognizer):
    assert recognizer.predict([]) == []


def test_an_answer_in_json_has_either_a_label_or_an_error():
    good = Prediction("a.ply", "fear", {"anger": 0.25, "fear": 0.75})
    assert json.loads(json.dumps(good.to_dict())) == {
        "path": "a.ply",
        "label": "fear",
        "probabilities": {"anger": 0.25, "fear": 0.75},
    }
    assert Prediction("b.ply", error="no such file").to_dict() == {"path": "b.ply", "error": "no such file"}


def test_described_in_the_words_of_the_classes_a_face_gets_the_classes_probabilities(tiny_model, scans, monkeypatch):
    monkeypatch.setattr(Grammar, "ensemble", lambda self, emotion: [f"a person who looks {emotion}"])
    recognizer = Recognizer(tiny_model)
    views = recognizer.views(scans[0])
    described = recognizer.describe(views, [f"a person who looks {name}" for name in EMOTIONS])
    np.testing.assert_allclose(described, recognizer.predict_proba(views), atol=1e-6)


def test_descriptions_share_one_whole_in_the_order_given(recognizer, scans):
    views = recognizer.views(scans[0])
    texts = ["a person who looks angry", "a happy face", "eine müde Frau 😀"]
    shares = recognizer.describe(views, texts)
    assert shares.shape == (3,)
    assert shares.sum() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(recognizer.describe(views, texts[::-1]), shares[::-1], atol=1e-6)
    np.testing.assert_array_equal(recognizer.describe(views, texts[:1]), [1])


@pytest.mark.parametrize(
    "changed",
    [
        "a person with a sad face without any fear",
        "a face with a happy face without any fear",
        "a person with a happy face without any shame",
        "a person with a happy face without any fear at all",
    ],
)
def test_every_word_of_a_description_counts(recognizer, changed):
    with torch.inference_mode():
        one, other = recognizer.model.encode_text(["a person with a happy face without any fear", changed])
    assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize("texts", [[], [""], ["a happy face", "  "]])
def test_a_description_that_says_nothing_is_refused(recognizer, scans, texts):
    with pytest.raises(ModelError, match="expected at least one description, none of them empty"):
        recognizer.describe(recognizer.views(scans[0]), texts)


@pytest.mark.parametrize("rig", [Rig(size_px=24), Rig(size_px=16, pitch_deg=5), Rig(size_px=16, maps=("depth",))])
def test_views_of_another_rig_are_refused(recognizer, scans, rig):
    with pytest.raises(ModelError, match="of another rig than the model's"):
        recognizer.predict_proba(render(scans[0], rig))


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
    assert not Recognizer(copy.deepcopy(tiny_model).train()).model.training


def test_a_folder_without_a_model_says_what_to_do(tmp_path):
    with pytest.raises(ModelError, match=r"found no config\.json; train one with `affectvlm demo`"):
        Recognizer.from_pretrained(tmp_path)
