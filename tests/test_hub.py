"""Models that are handed on: into a folder, to the hub, and back. A folder stands for the hub; nothing is sent."""

import shutil
import socket
from fnmatch import fnmatch
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants

from affectvlm.errors import ModelError
from affectvlm.model import AffectVLM
from affectvlm.recognizer import Recognizer, source
from affectvlm.recognizer.model_card import MARK
from affectvlm.recognizer.training_record import Result, TrainingRecord

WEIGHTS_AND_ALL = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}
RECORD = TrainingRecord(results=(Result(source="faces", condition="subjects", subjects=7, scans=70, uar_all=0.6543),))
PROMPTS = ["a happy face", "a person with a look of fear"]


@pytest.fixture
def recognizer(model_folder) -> Recognizer:
    return Recognizer.from_pretrained(model_folder)


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def answers(recognizer: Recognizer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the encoder makes of any views, of words and of its classes."""
    rig = recognizer.rig
    views = np.random.default_rng(0).normal(size=(2, 1, len(rig.names), rig.channels, rig.size_px, rig.size_px))
    seen = np.ones((2, 1, len(rig.names)), bool)
    encoder = recognizer.encoder
    return encoder.encode_faces(views.astype(np.float32), seen), encoder.encode_text(PROMPTS), encoder.class_embeddings


def assert_same(one: Recognizer, other: Recognizer) -> None:
    assert (one.classes, one.rig) == (other.classes, other.rig)
    for found, expected in zip(answers(one), answers(other), strict=True):
        np.testing.assert_array_equal(found, expected)


class Hub:
    """A folder that takes what is uploaded and gives it back."""

    def __init__(self, root: Path) -> None:
        self.root, self.reached = root, True
        self.private: dict[str, bool | None] = {}
        self.tokens: list[str | None] = []

    def api(self, token: str | None = None) -> "Hub":
        self.tokens.append(token)
        return self

    def create_repo(self, repo_id: str, *, private: bool | None, exist_ok: bool) -> huggingface_hub.RepoUrl:
        assert exist_ok
        self.private.setdefault(repo_id, private)
        return huggingface_hub.RepoUrl(f"https://huggingface.co/{repo_id}")

    def file_exists(self, repo_id: str, name: str) -> bool:
        return (self.root / repo_id / name).exists()

    def hf_hub_download(self, repo_id: str, name: str) -> str:
        return str(self.root / repo_id / name)

    def upload_folder(
        self,
        *,
        repo_id: str,
        folder_path: Path,
        allow_patterns: list[str],
        delete_patterns: list[str],
        commit_message: str,
    ) -> None:
        for name in names(self.root / repo_id):
            if any(fnmatch(name, pattern) for pattern in delete_patterns):
                (self.root / repo_id / name).unlink()
        for name in names(folder_path):
            if any(fnmatch(name, pattern) for pattern in allow_patterns):
                (self.root / repo_id).mkdir(parents=True, exist_ok=True)
                shutil.copy(folder_path / name, self.root / repo_id / name)

    def model_info(self, repo_id: str, *, timeout: float) -> None:
        assert timeout <= 5  # seconds, which a machine without network costs
        if not self.reached or not (self.root / repo_id).is_dir():
            raise ConnectionError("[Errno -2] Name or service not known\nand more")

    def download(self, repo_id: str, *, allow_patterns: list[str] | None = None, local_files_only: bool = False) -> str:
        fetched = self.root / "fetched" / repo_id
        if local_files_only and not fetched.is_dir():
            raise ValueError("not there")
        if local_files_only:
            return str(fetched)
        assert self.reached
        assert allow_patterns is not None
        fetched.mkdir(parents=True)
        for name in names(self.root / repo_id):
            if any(fnmatch(name, pattern) for pattern in allow_patterns):
                shutil.copy(self.root / repo_id / name, fetched / name)
        return str(fetched)


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Hub:
    hub = Hub(tmp_path / "hub")
    monkeypatch.setattr(huggingface_hub, "HfApi", hub.api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub.download)
    return hub


def test_a_saved_model_is_the_same_with_a_card_and_nothing_else(recognizer, tmp_path):
    recognizer.save_pretrained(tmp_path / "new" / "mine")
    assert names(tmp_path) == {f"new/mine/{name}" for name in (*WEIGHTS_AND_ALL, "README.md")}
    assert_same(Recognizer.from_pretrained(tmp_path / "new" / "mine"), recognizer)
    assert "# mine\n" in (tmp_path / "new" / "mine" / "README.md").read_text("utf-8")


def test_the_record_of_the_training_goes_along(model_folder, tmp_path):
    first = shutil.copytree(model_folder, tmp_path / "first")
    RECORD.write(first / "training.json")
    Recognizer.from_pretrained(first).save_pretrained(str(tmp_path / "second"))
    Recognizer.from_pretrained(tmp_path / "second").save_pretrained(tmp_path / "third")
    assert names(tmp_path / "third") == {*WEIGHTS_AND_ALL, "README.md", "training.json"}
    assert TrainingRecord.read(tmp_path / "third" / "training.json") == RECORD
    assert "65.4" in (tmp_path / "third" / "README.md").read_text("utf-8")


def test_in_a_folder_of_ones_own_nothing_is_lost(recognizer, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "README.md").write_text("my own card")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "config.json").write_text("{}")
    recognizer.save_pretrained(tmp_path)
    assert names(tmp_path) == {*WEIGHTS_AND_ALL, "README.md", "notes.txt", "sub/config.json"}
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "README.md").read_text() == "my own card"
    assert_same(Recognizer.from_pretrained(tmp_path), recognizer)


def test_files_of_something_else_are_not_written_over(recognizer, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(ModelError, match=r"expected no files but a model's, found config\.json of something else"):
        recognizer.save_pretrained(tmp_path)
    assert names(tmp_path) == {"config.json"}
    assert (tmp_path / "config.json").read_text() == '{"model_type": "clip"}'
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_an_older_model_gives_way_with_its_card_and_its_record(tiny_model, recognizer, model_folder, tmp_path):
    tiny_model.save(tmp_path)
    RECORD.write(tmp_path / "training.json")
    (tmp_path / "README.md").write_text(f"{MARK}\nan old card")
    recognizer.save_pretrained(tmp_path)
    assert names(tmp_path) == {*WEIGHTS_AND_ALL, "README.md"}
    assert "an old card" not in (tmp_path / "README.md").read_text("utf-8")


def test_of_an_older_model_neither_form_stays_to_answer_otherwise(recognizer, model_folder, tmp_path):
    folder = shutil.copytree(model_folder, tmp_path / "model")
    for name in ("onnx.json", "faces.onnx", "words.onnx", "words.json", "notes.onnx"):
        (folder / name).write_text("of the older one")
    recognizer.save_pretrained(folder)
    assert names(folder) == {*WEIGHTS_AND_ALL, "README.md", "notes.onnx"}


def test_a_model_can_be_saved_where_it_lies(model_folder, tmp_path):
    folder = shutil.copytree(model_folder, tmp_path / "model")
    RECORD.write(folder / "training.json")
    opened = Recognizer.from_pretrained(folder)
    before = answers(opened)
    opened.save_pretrained(folder)
    assert names(folder) == {*WEIGHTS_AND_ALL, "README.md", "training.json"}
    for found, expected in zip(answers(Recognizer.from_pretrained(folder)), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_place_that_cannot_be_written_to_is_one_line(recognizer, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ModelError, match=r"cannot write the model .*; choose another folder") as raised:
        recognizer.save_pretrained(tmp_path / "file" / "model")
    assert "\n" not in str(raised.value)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_costs_no_model(recognizer, model_folder, tmp_path, monkeypatch):
    folder = shutil.copytree(model_folder, tmp_path / "model")
    before = {name: (folder / name).read_bytes() for name in names(folder)}

    def save(model, to):
        (to / "config.json").write_text("half a configur")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(AffectVLM, "save", save)
    with pytest.raises(ModelError, match=r"cannot write the model \(No space left on device\)"):
        recognizer.save_pretrained(folder)
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before


def test_what_is_pushed_comes_back_the_same_and_nothing_else_goes(model_folder, hub, tmp_path):
    folder = shutil.copytree(model_folder, tmp_path / "model")
    RECORD.write(folder / "training.json")
    for stray in ("notes.txt", "optimizer.pt", "secret.json", "other.safetensors", ".env"):
        (folder / stray).write_text("not for the hub")
    recognizer = Recognizer.from_pretrained(folder)
    address = recognizer.push_to_hub("somebody/small-model", private=True, token="hf_secret")
    assert address == "https://huggingface.co/somebody/small-model"
    assert hub.private == {"somebody/small-model": True}
    assert hub.tokens == ["hf_secret"]
    assert names(hub.root) == {f"somebody/small-model/{n}" for n in (*WEIGHTS_AND_ALL, "README.md", "training.json")}
    card = huggingface_hub.ModelCard.load(hub.root / "somebody" / "small-model" / "README.md")
    assert card.data.license == "apache-2.0"
    assert "# small-model\n" in card.text
    assert 'from_pretrained("somebody/small-model")' in card.text
    assert all("hf_secret" not in path.read_text("latin-1") for path in hub.root.rglob("*") if path.is_file())
    assert_same(Recognizer.from_pretrained("somebody/small-model"), recognizer)


def test_a_repository_keeps_nothing_of_an_older_model_and_all_of_ones_own(recognizer, hub):
    recognizer.push_to_hub("somebody/model")
    there = hub.root / "somebody" / "model"
    for name in ("faces.onnx", "onnx.json", "training.json", "picture.png", ".gitattributes"):
        (there / name).write_text("there before")
    (there / "README.md").write_text(f"{MARK}\nan old card")
    recognizer.push_to_hub("somebody/model")
    assert names(there) == {*WEIGHTS_AND_ALL, "README.md", "picture.png", ".gitattributes"}
    assert "an old card" not in (there / "README.md").read_text("utf-8")
    (there / "README.md").write_text("my own card")
    recognizer.push_to_hub("somebody/model")
    assert (there / "README.md").read_text("utf-8") == "my own card"
    assert_same(Recognizer.from_pretrained("somebody/model"), recognizer)


def test_of_a_repository_only_a_models_files_are_fetched(recognizer, hub):
    recognizer.push_to_hub("somebody/model")
    for stray in ("pytorch_model.bin", "model.pkl", "code.py", "weights.h5"):
        (hub.root / "somebody" / "model" / stray).write_bytes(b"stray")
    assert_same(Recognizer.from_pretrained("somebody/model"), recognizer)
    assert names(hub.root / "fetched" / "somebody" / "model") == {*WEIGHTS_AND_ALL, "README.md"}


def test_without_network_what_was_fetched_before_serves(recognizer, hub):
    recognizer.push_to_hub("somebody/model")
    Recognizer.from_pretrained("somebody/model")
    hub.reached = False
    assert_same(Recognizer.from_pretrained("somebody/model"), recognizer)


def test_a_folder_goes_before_a_repository_of_its_name(recognizer, hub, tmp_path, monkeypatch):
    hub.reached = False
    monkeypatch.chdir(tmp_path)
    recognizer.save_pretrained("somebody/model")
    assert_same(Recognizer.from_pretrained("somebody/model"), recognizer)


def test_a_path_is_never_asked_of_the_hub(hub, monkeypatch):
    monkeypatch.setattr(hub, "model_info", lambda *arguments, **options: pytest.fail("asked"))
    with pytest.raises(ModelError, match=r"runs/modle: expected a trained model, found no config\.json"):
        Recognizer.from_pretrained(Path("runs/modle"))


def test_a_refusal_of_the_hub_is_one_line(recognizer, hub, monkeypatch):
    def refuse(*arguments, **options):
        raise huggingface_hub.errors.HFValidationError("Repo id must be in the form 'repo_name'\nand so on")

    monkeypatch.setattr(hub, "create_repo", refuse)
    with pytest.raises(ModelError, match=r"^a/b: the hub did not take the model \(Repo id must .*'\); check") as raised:
        recognizer.push_to_hub("a/b")
    assert "\n" not in str(raised.value)


def test_a_model_that_the_hub_does_not_give_is_one_line(hub):
    with pytest.raises(ModelError, match=r"^nobody/nothing: found no folder of that name, and the hub .*") as raised:
        Recognizer.from_pretrained("nobody/nothing")
    assert "Name or service not known" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_hub_that_never_answers_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "ANSWER_WITHIN_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
        with pytest.raises(ModelError, match="nobody/nothing: found no folder of that name, and the hub gives nothing"):
            Recognizer.from_pretrained("nobody/nothing")


def test_of_an_exported_model_only_its_own_files_are_copied(tmp_path):
    exported = {"onnx.json", "faces.onnx", "words.onnx", "words.json"}
    (folder := tmp_path / "from").mkdir()
    (to := tmp_path / "to").mkdir()
    for name in (*exported, "README.md", "training.json", "other.onnx", "notes.json", "model.pt"):
        (folder / name).write_text(name)
    source.copy_model(folder, to)
    assert {name: (to / name).read_text() for name in names(to)} == {name: name for name in exported}
