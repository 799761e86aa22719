"""A person's own face at rest, taken out of the person's other scans."""

import json

import numpy as np
import pytest
import torch
from scipy.special import softmax
from typer.testing import CliRunner

from affectvlm.cli import app
from affectvlm.emotions import EMOTIONS, NEUTRAL
from affectvlm.errors import ModelError, ScanError
from affectvlm.model import AffectVLM
from affectvlm.recognizer import Recognizer
from affectvlm.recognizer.export import export_onnx
from affectvlm.recognizer.own_rest import MOMENT, OwnRest
from affectvlm.recognizer.torch_encoder import TorchEncoder
from affectvlm.scan import ScanSequence, write_scan
from conftest import TINY_MODEL


def unit(*vectors) -> np.ndarray:
    array = np.array(vectors, np.float32)
    return array / np.linalg.norm(array, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def model(tiny_rig) -> AffectVLM:
    torch.manual_seed(0)
    model = AffectVLM.build(TINY_MODEL, (*EMOTIONS, NEUTRAL), tiny_rig).eval()
    model.typical_rest.copy_(torch.randn_like(model.typical_rest) / 10)
    return model


@pytest.fixture(scope="module")
def recognizer(model) -> Recognizer:
    return Recognizer(TorchEncoder(model))


@pytest.fixture(scope="module")
def scans(embedded_samples):
    return [sample.load() for sample in embedded_samples[:25:6]]  # the first person, the first scan at rest


def test_one_scan_at_rest_counts_for_three_quarters_and_many_for_nearly_all():
    at_rest, typical = unit([3.0, 4.0, 0.0]), np.array([0.2, 0.4, 0.1], np.float32)
    once, often = OwnRest(at_rest, typical), OwnRest(at_rest.repeat(100, axis=0), typical)
    np.testing.assert_allclose(once.shift, 0.75 * np.array([0.4, 0.4, -0.1]), atol=1e-6)
    np.testing.assert_allclose(often.shift, 100 / (100 + MOMENT) * np.array([0.4, 0.4, -0.1]), atol=1e-6)
    # All of it taken out, the person's face at rest points where everybody's does.
    np.testing.assert_allclose(often.taken_out(at_rest)[0], unit(typical)[0], atol=0.01)


def test_what_is_left_has_unit_length_and_nothing_changes_for_a_typical_person():
    at_rest = unit([1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    typical = at_rest.mean(axis=0)
    faces = unit([1.0, 2.0, 3.0], [0.0, -1.0, 0.5])
    np.testing.assert_allclose(OwnRest(at_rest, typical).taken_out(faces), faces, atol=1e-6)
    left = OwnRest(at_rest, np.array([0.1, 0.2, 0.3], np.float32)).taken_out(faces)
    np.testing.assert_allclose(np.linalg.norm(left, axis=1), 1, atol=1e-6)


def test_probabilities_are_the_cosines_of_what_is_left(recognizer, model, scans):
    neutral, *others = scans
    embeddings, rest = recognizer.embed(others), recognizer.embed(neutral)
    left = embeddings - 0.75 * (rest - model.typical_rest.numpy())
    left /= np.linalg.norm(left, axis=1, keepdims=True)
    with torch.inference_mode():
        expected = softmax(float(model.logit_scale) * left @ model.encode_classes().numpy().T, axis=1)
    np.testing.assert_allclose(recognizer.predict_proba(others, at_rest=neutral), expected, atol=1e-6)
    for answer, row in zip(recognizer.predict(others, at_rest=[neutral]), expected, strict=True):
        np.testing.assert_allclose(list(answer.probabilities.values()), row, atol=1e-6)
    assert np.abs(recognizer.predict_proba(others) - expected).max() > 1e-3


def test_labels_in_ones_own_words_sequences_and_streams_take_it_too(recognizer, scans):
    neutral, first, second = scans[:3]
    words = ["a person in pain", "a person laughing"]
    assert not np.allclose(
        recognizer.predict_proba(first, words, at_rest=neutral), recognizer.predict_proba(first, words), atol=1e-4
    )
    alone = recognizer.predict_proba([first, second], at_rest=neutral)
    sequence = recognizer.predict(ScanSequence((first,), source="one frame"), at_rest=neutral)
    np.testing.assert_allclose(list(sequence.probabilities.values()), alone[0], atol=1e-6)
    shown = [recognizer.views(scan) for scan in (first, second)]
    for answer, row in zip(recognizer.stream(shown, smoothing_s=0, at_rest=neutral), alone, strict=True):
        np.testing.assert_allclose(list(answer.probabilities.values()), row, atol=1e-6)


def test_the_export_knows_the_typical_face_at_rest_too(recognizer, model, scans, tmp_path):
    pytest.importorskip("onnxruntime")
    model.save(tmp_path)
    export_onnx(model, tmp_path)
    neutral, *others = scans
    expected = recognizer.predict_proba(others, at_rest=neutral)
    for backend in ("onnx", "torch"):
        again = Recognizer.from_pretrained(tmp_path, backend=backend)
        np.testing.assert_allclose(again.predict_proba(others, at_rest=neutral), expected, atol=1e-4)


def test_the_command_line_takes_scans_at_rest(recognizer, model, scans, tmp_path):
    model.save(tmp_path / "model")
    for name, scan in zip(("rest", "again", "shown"), scans, strict=False):
        write_scan(tmp_path / f"{name}.ply", scan)
    files = {name: str(tmp_path / f"{name}.ply") for name in ("rest", "again", "shown")}
    arguments = ["predict", files["shown"], "--at-rest", files["rest"], "--at-rest", files["again"]]
    result = CliRunner().invoke(app, [*arguments, "--model", str(tmp_path / "model"), "--format", "json"])
    assert result.exit_code == 0, result.output
    (answer,) = json.loads(result.stdout)
    expected = recognizer.predict_proba(files["shown"], at_rest=[files["rest"], files["again"]])
    np.testing.assert_allclose(list(answer["probabilities"].values()), expected, atol=1e-6)


def test_a_face_at_rest_that_cannot_be_used_is_an_error_and_no_other_answer(recognizer, tiny_model, scans, tmp_path):
    with pytest.raises(ScanError, match=r"missing\.ply: no such file"):
        recognizer.predict(scans[1], at_rest=tmp_path / "missing.ply")
    with pytest.raises(ModelError, match="expected one scan or more of the person at rest, found none"):
        recognizer.predict(scans[1], at_rest=[])
    with pytest.raises(ModelError, match="trained without neutral faces"):
        Recognizer(TorchEncoder(tiny_model)).predict(scans[1], at_rest=scans[0])
