"""The exported model: what onnxruntime answers is what PyTorch answers, and nothing of it can be mixed up."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import trimesh
from torch import nn
from typer.testing import CliRunner

from affectvlm.cli.entry import app
from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ConfigError, DataError, ModelError
from affectvlm.files import file_hash
from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.model.towers import tokenize
from affectvlm.model_files import HASHED_EXPORT
from affectvlm.prepared import PreparedSet
from affectvlm.recognizer import Recognizer
from affectvlm.recognizer import quantize as quantizing
from affectvlm.recognizer.export import export_onnx, own_tokenizer
from affectvlm.recognizer.onnx_encoder import OnnxEncoder
from affectvlm.recognizer.quantize import quantize
from affectvlm.recognizer.torch_encoder import TorchEncoder
from affectvlm.views import Rig
from conftest import TINY_MODEL
from tower_fixtures import write_bert, write_clip

PROMPTS = ["a happy face", "", "a person who looks as if something very sad had happened " * 9]
CLOSE = 1e-5
"""Cosines and probabilities; what the project promises is 1e-4."""


@pytest.fixture(scope="module")
def exported(tiny_model, model_folder, tmp_path_factory) -> Path:
    """The tiny model's folder with its export beside it."""
    folder = tmp_path_factory.mktemp("onnx") / "model"
    shutil.copytree(model_folder, folder)
    export_onnx(tiny_model, folder)
    return folder


@pytest.fixture
def copied(exported, tmp_path) -> Path:
    """One to be damaged."""
    return Path(shutil.copytree(exported, tmp_path / "copied"))


def faces(rig: Rig, batch: int, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise in place of faces; views are missing here and there, and what is in their place is no number."""
    rng = np.random.default_rng([batch, frames])
    seen = rng.random((batch, frames, len(rig.names))) > 0.4
    seen[:, :2, 1] = True  # each face is seen from somewhere
    views = rng.normal(size=(*seen.shape, rig.channels, rig.size_px, rig.size_px)).astype(np.float32)
    views[~seen] = np.nan
    return views, seen


def assert_answers_alike(model: AffectVLM, folder: Path, frames: tuple[int, ...]) -> None:
    ours, theirs = Recognizer(OnnxEncoder(folder)), Recognizer(TorchEncoder(model))
    for batch in (1, 5):
        for count in frames:
            views, seen = faces(model.rig, batch, count)
            embedded, expected = (one.encoder.encode_faces(views, seen) for one in (ours, theirs))
            assert embedded.dtype == np.float32
            np.testing.assert_allclose(embedded, expected, atol=CLOSE, rtol=0)
            np.testing.assert_allclose(
                ours._probabilities(embedded, ours._choice(None)),
                theirs._probabilities(expected, theirs._choice(None)),
                atol=CLOSE,
                rtol=0,
            )
    for prompts in (PROMPTS, PROMPTS[:1]):
        np.testing.assert_allclose(
            ours.encoder.encode_text(prompts), theirs.encoder.encode_text(prompts), atol=CLOSE, rtol=0
        )


def test_onnxruntime_answers_as_pytorch_does(exported, tiny_model):
    assert_answers_alike(tiny_model, exported, (1, 4))


def test_the_encoder_knows_all_that_the_model_knows(exported, tiny_model):
    ours, theirs = OnnxEncoder(exported), TorchEncoder(tiny_model)
    for name in ("classes", "class_prompts", "rig", "time", "frames", "logit_scale", "unsure_below"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert np.array_equal(ours.class_embeddings, theirs.class_embeddings)


def test_nothing_tells_where_the_model_was_exported(exported):
    for name in ("faces.onnx", "words.onnx", "words.json", "onnx.json"):
        content = (exported / name).read_bytes()
        assert b".py" not in content, name
        assert str(Path.home()).encode() not in content, name


def test_nothing_of_pytorch_is_imported(exported, embedded_samples, tmp_path):
    scan = embedded_samples[4].load()
    trimesh.Trimesh(scan.vertices, scan.triangles, process=False).export(tmp_path / "face.ply")
    script = f"""
import json, sys
import affectvlm.recognizer
recognizer = affectvlm.recognizer.Recognizer.from_pretrained({str(exported)!r}, backend="onnx")
answers = [recognizer.predict({str(tmp_path / "face.ply")!r}, labels=labels) for labels in (None, ["calm", "loud"])]
strangers = {{"torch", "transformers", "pandas", "onnx", "onnxscript", "sklearn", "matplotlib"}} & set(sys.modules)
print(json.dumps([[answer.to_dict() for answer in answers], sorted(strangers)]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    answers, strangers = json.loads(done.stdout)
    assert strangers == []
    recognizer = Recognizer.from_pretrained(exported)
    for answer, labels in zip(answers, (None, ["calm", "loud"]), strict=True):
        expected = recognizer.predict(tmp_path / "face.ply", labels=labels)
        assert answer["label"] == expected.label
        assert answer["probabilities"] == pytest.approx(expected.probabilities, abs=CLOSE)


def test_a_model_that_was_not_exported_names_the_command(model_folder):
    with pytest.raises(ModelError, match=r"found no onnx\.json; make it with `affectvlm export onnx .* --out FOLDER`"):
        Recognizer.from_pretrained(model_folder, backend="onnx")


@pytest.mark.parametrize("name", ["faces.onnx", "words.onnx", "words.json"])
def test_another_file_is_refused(copied, name):
    with (copied / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(ModelError, match=rf"{name}: expected the file .* found another \(SHA-256 differs\)"):
        OnnxEncoder(copied)
    (copied / name).unlink()
    with pytest.raises(ModelError, match=rf"{name}: not found"):
        OnnxEncoder(copied)


def rewrite(folder: Path, **changes) -> None:
    file = folder / "onnx.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_hashes_that_are_not_there_are_refused(copied):
    kept = json.loads((copied / "onnx.json").read_text())["sha256"]
    for name in ("faces.onnx", "words.onnx", "words.json", "config.json"):
        rewrite(copied, sha256={**{other: kept[other] for other in kept if other != name}, "../../../etc/passwd": "0"})
        with pytest.raises(ModelError, match=rf"{name}: expected the file"):
            OnnxEncoder(copied)


def test_an_export_alone_leaves_nothing_of_a_model_that_was_there(exported, tiny_model, tmp_path):
    (alone := tmp_path / "alone").mkdir()
    for name in (*HASHED_EXPORT, "onnx.json"):
        shutil.copy(exported / name, alone)
    tiny_model.save(tmp_path / "there")
    Recognizer.from_pretrained(alone, backend="onnx").save_pretrained(tmp_path / "there")
    assert {file.name for file in (tmp_path / "there").iterdir()} == {*HASHED_EXPORT, "onnx.json", "README.md"}
    assert OnnxEncoder(tmp_path / "there").classes == EMOTIONS


def test_files_of_something_else_are_not_written_over(tiny_model, tmp_path):
    (tmp_path / "words.json").write_text("mine")
    with pytest.raises(ModelError, match=r"found words\.json of something else; choose another folder"):
        export_onnx(tiny_model, tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["words.json"]
    assert (tmp_path / "words.json").read_text() == "mine"


def test_classes_in_another_order_are_refused(copied):
    rewrite(copied, classes=EMOTIONS[::-1])
    with pytest.raises(ModelError, match=r"expected the classes and the rig that faces\.onnx was made for"):
        OnnxEncoder(copied)


def test_another_rig_is_refused(copied, tiny_rig):
    wider = tiny_rig.model_copy(update={"field_mm": 200.0})
    rewrite(copied, rig=wider.model_dump(mode="json"))
    with pytest.raises(ModelError, match="the rig was changed after the export"):
        OnnxEncoder(copied)
    rewrite(copied, rig_fingerprint=wider.fingerprint)
    with pytest.raises(ModelError, match=r"expected the classes and the rig that faces\.onnx was made for"):
        OnnxEncoder(copied)


def test_an_embedding_too_few_is_refused(copied):
    rewrite(copied, class_embeddings=[[1.0] * 16] * 5)
    with pytest.raises(ModelError, match="a prompt and an embedding for each of 6 classes, found 6 and 5"):
        OnnxEncoder(copied)


@pytest.mark.parametrize("change", [{"format": 1}, {"logit_scale": "high"}, {"surprise": 1}, {"rig": {}, "sha256": 3}])
def test_a_damaged_description_is_one_line(copied, change):
    rewrite(copied, **change)
    with pytest.raises(ModelError, match=r"onnx\.json: damaged") as caught:
        OnnxEncoder(copied)
    assert "\n" not in str(caught.value)
    (copied / "onnx.json").write_text("{")
    with pytest.raises(ModelError, match=r"onnx\.json: damaged"):
        OnnxEncoder(copied)


def test_what_is_no_onnx_is_refused_though_the_hashes_fit(copied):
    (copied / "faces.onnx").write_bytes(b"no graph")
    kept = json.loads((copied / "onnx.json").read_text())
    rewrite(copied, sha256={**kept["sha256"], "faces.onnx": file_hash(copied / "faces.onnx")})
    with pytest.raises(ModelError, match=r"faces\.onnx: onnxruntime cannot read it"):
        OnnxEncoder(copied)


def test_a_model_trained_anew_leaves_its_old_export_behind(copied, tiny_rig):
    torch.manual_seed(1)
    another = AffectVLM.build(TINY_MODEL, EMOTIONS, tiny_rig)
    with pytest.raises(ModelError, match="holds another model than the one to be exported"):
        export_onnx(another, copied)
    OnnxEncoder(copied)  # nothing was changed
    another.save(copied)
    with pytest.raises(ModelError, match=r"config\.json: expected the file .* export the model again"):
        OnnxEncoder(copied)


def test_the_export_stands_alone(exported, tmp_path):
    for name in ("onnx.json", "faces.onnx", "words.onnx", "words.json"):
        shutil.copy(exported / name, tmp_path)
    assert OnnxEncoder(tmp_path).encode_text(["happy"]).shape == (1, 16)


def test_the_tokenizer_cuts_and_pads_as_the_models_own(tiny_model):
    ids, mask = tokenize(tiny_model.tokenizer, PROMPTS)
    tokens = own_tokenizer(tiny_model.tokenizer).encode_batch(PROMPTS)
    assert [one.ids for one in tokens] == ids.tolist()
    assert [one.attention_mask for one in tokens] == mask.tolist()


def test_eight_bits_are_measured_on_samples_that_they_were_not_fitted_to(copied, tiny_set):
    prepared = PreparedSet(tiny_set)
    before = OnnxEncoder(copied)
    cost = quantize(copied, prepared)
    graph = onnx.load(copied / "faces.onnx")
    quantised = {init.name for init in graph.graph.initializer if init.data_type == onnx.TensorProto.INT8}
    convolutions = [node for node in graph.graph.node if node.op_type == "Conv"]
    sources = {output: node for node in graph.graph.node for output in node.output}
    assert convolutions
    assert all(sources[node.input[1]].input[0] in quantised for node in convolutions)
    assert json.loads((copied / "onnx.json").read_text())["int8"] == cost.model_dump()
    known = int(prepared.index["emotion"].isin(EMOTIONS).sum())
    assert (cost.calibrated_on, cost.measured_on) == (known // 4, known - known // 4)
    # The model is not trained, so its accuracy says nothing; but its embeddings hardly move.
    after = OnnxEncoder(copied)
    views = prepared.channels(np.arange(8))[:, None]
    seen = np.ones(views.shape[:3], bool)
    cosines = (before.encode_faces(views, seen) * after.encode_faces(views, seen)).sum(axis=1)
    assert cosines.min() > 0.98
    assert cosines.max() < 1 - 1e-7


def test_eight_bits_that_cannot_be_measured_leave_the_export_as_it_was(copied, tiny_set, monkeypatch):
    before = {file.name: file.read_bytes() for file in copied.iterdir()}
    measured = iter([quantizing._answers])
    monkeypatch.setattr(quantizing, "_answers", lambda *arguments: next(measured)(*arguments))  # once, and no more
    with pytest.raises(StopIteration):
        quantize(copied, PreparedSet(tiny_set))
    assert {file.name: file.read_bytes() for file in copied.iterdir()} == before


def test_eight_bits_need_samples_of_the_same_rig(exported, tiny_set, tmp_path):
    strange = PreparedSet(tiny_set)
    strange.rig = Rig(size_px=24)
    with pytest.raises(DataError, match="expected views of the model's rig"):
        quantize(exported, strange)
    few = PreparedSet(tiny_set)
    few.index = few.index.iloc[:20]
    with pytest.raises(DataError, match="expected at least 24 samples"):
        quantize(exported, few)


@pytest.mark.parametrize("words", [["--int8"], ["--samples", "prepared"], ["--out", "x", "--int8"]])
def test_eight_bits_without_samples_are_refused(words):
    done = CliRunner().invoke(app, ["export", "onnx", *words])
    assert isinstance(done.exception, ConfigError)
    assert "--int8 and --samples PREPARED go together" in str(done.exception)


def test_the_model_that_comes_along_is_not_written_beside():
    done = CliRunner().invoke(app, ["export", "onnx"])
    assert isinstance(done.exception, ConfigError)
    assert "--out" in str(done.exception)


@pytest.mark.slow
def test_the_command_line_exports_and_predicts(model_folder, tiny_set, embedded_samples, tmp_path):
    scan = embedded_samples[4].load()
    trimesh.Trimesh(scan.vertices, scan.triangles, process=False).export(tmp_path / "face.ply")
    folder = str(tmp_path / "exported")
    model = shutil.copytree(model_folder, tmp_path / "model")
    (model / "training.json").write_text("{}")
    done = CliRunner().invoke(
        app, ["export", "onnx", str(model), "--out", folder, "--int8", "--samples", str(tiny_set)]
    )
    assert done.exit_code == 0, done.output
    assert "in 32 bits" in done.output
    assert (tmp_path / "exported" / "training.json").read_text() == "{}"
    done = CliRunner().invoke(
        app, ["predict", str(tmp_path / "face.ply"), "--model", folder, "--backend", "onnx", "--format", "json"]
    )
    assert list(json.loads(done.output)[0]["probabilities"]) == list(EMOTIONS)


def scrambled(model: AffectVLM) -> AffectVLM:
    """Weights that matter: fusion and attention over time begin as if they were not there."""
    generator = torch.Generator().manual_seed(2)
    for parameter in [*model.fusion.parameters(), *model.time.parameters()]:
        nn.init.normal_(parameter, generator=generator)
    return model.eval()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fusion", "time"),
    [
        ("mean", "mean"),
        ("attention", "mean"),
        ("weights", "attention"),
        ("weights", "causal"),
        ("attention", "rank_pooling"),
    ],
)
def test_every_fusion_and_every_way_through_time_is_exported(fusion, time, tiny_rig, tmp_path):
    torch.manual_seed(0)
    config = TINY_MODEL.model_copy(update={"fusion": fusion, "time": time, "frames": 6})
    model = scrambled(AffectVLM.build(config, EMOTIONS, tiny_rig))
    export_onnx(model, tmp_path)
    assert_answers_alike(model, tmp_path, (2, 3, 6))


@pytest.mark.slow
def test_a_clip_with_a_bert_is_exported(tiny_rig, tmp_path):
    write_clip(tmp_path / "clip")
    write_bert(tmp_path / "bert")
    config = ModelConfig(pretrained=str(tmp_path / "clip"), text_encoder=str(tmp_path / "bert"))
    model = AffectVLM.build(config, EMOTIONS, tiny_rig).eval()
    export_onnx(model, tmp_path / "out")
    assert_answers_alike(model, tmp_path / "out", (1, 2))


@pytest.mark.slow
def test_the_same_model_is_exported_to_the_same_bytes(exported, tiny_model, tmp_path):
    export_onnx(tiny_model, tmp_path)
    for name in ("faces.onnx", "words.onnx", "words.json"):
        assert (tmp_path / name).read_bytes() == (exported / name).read_bytes(), name
