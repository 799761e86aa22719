import pickle
from pathlib import Path

import pytest

from affectvlm.datasets import FolderDataset
from affectvlm.emotions import EMOTIONS, FURTHER_EXPRESSIONS
from affectvlm.errors import DataError
from affectvlm.scan import FaceScan

TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(TRIANGLE)


def test_scans_are_listed_in_order_with_their_labels(tmp_path: Path) -> None:
    put(tmp_path, "s2/Sad/b.OBJ", "s1/HAPPY/2.obj", "s1/HAPPY/1.ply", "s1/angry/x.stl", "s1/neutral/n.glb")
    put(tmp_path, "s1/angry/x.jpg", "s1/angry/.hidden.obj", ".git/fear/a.obj", "readme.txt", "s1/notes.txt")
    samples = FolderDataset(tmp_path).samples()
    assert [(s.key, s.subject, s.emotion) for s in samples] == [
        ("s1/angry/x.stl", "s1", "anger"),
        ("s1/HAPPY/1.ply", "s1", "happiness"),
        ("s1/HAPPY/2.obj", "s1", "happiness"),
        ("s1/neutral/n.glb", "s1", "neutral"),
        ("s2/Sad/b.OBJ", "s2", "sadness"),
    ]
    assert all(s.intensity is None and not s.attributes for s in samples)


@pytest.mark.parametrize("emotion", EMOTIONS + FURTHER_EXPRESSIONS)
def test_every_expression_has_a_folder_of_its_name(tmp_path: Path, emotion: str) -> None:
    put(tmp_path, f"s1/{emotion}/a.obj")
    assert FolderDataset(str(tmp_path)).samples()[0].emotion == emotion


def test_a_sample_is_loaded_only_when_asked_and_by_any_worker(tmp_path: Path) -> None:
    put(tmp_path, "s1/joy/a.obj")
    (tmp_path / "s1/joy/damaged.obj").write_text("no mesh")
    sample, _ = pickle.loads(pickle.dumps(FolderDataset(tmp_path).samples()))
    scan = sample.load()
    assert isinstance(scan, FaceScan)
    assert scan.source == str(tmp_path / "s1/joy/a.obj")


def test_an_unknown_emotion_names_the_folder_and_the_known_ones(tmp_path: Path) -> None:
    put(tmp_path, "s1/joy/a.obj", "s1/boredom/a.obj")
    with pytest.raises(DataError, match=r"s1/boredom: .* anger, disgust, fear, happiness, sadness, surprise, neutral"):
        FolderDataset(tmp_path).samples()


def test_a_class_of_ones_own_is_known_where_it_is_named_and_typing_errors_still_are_not(tmp_path: Path) -> None:
    put(tmp_path, "s1/joy/a.obj", "s1/Frown/a.obj", "s2/smile/a.obj")
    with pytest.raises(DataError, match=r"found 'Frown'; rename it to one of anger, .*, or name a vocabulary"):
        FolderDataset(tmp_path).samples()
    own = FolderDataset(tmp_path, classes=("frown", "smile")).samples()
    # "smile" is a word for happiness, but where somebody has a class of this name.
    assert [sample.emotion for sample in own] == ["frown", "happiness", "smile"]
    put(tmp_path, "s2/frwon/b.obj")
    with pytest.raises(DataError, match=r"found 'frwon'; rename it to one of anger, .*, contempt, frown, smile, or"):
        FolderDataset(tmp_path, classes=("frown", "smile")).samples()


def test_a_folder_without_scans_is_said(tmp_path: Path) -> None:
    (tmp_path / "s1" / "fear").mkdir(parents=True)
    with pytest.raises(DataError, match="<subject>/<emotion>/<name>"):
        FolderDataset(tmp_path).samples()
    with pytest.raises(DataError, match="expected a folder"):
        FolderDataset(tmp_path / "absent").samples()
