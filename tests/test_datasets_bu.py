"""BU-3DFE and BU-4DFE: every file found and labelled by its name, whatever stands around it."""

import os
import pickle
from collections import Counter
from pathlib import Path

import pytest

from affectvlm.datasets import open_dataset
from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ConfigError, DataError
from affectvlm.synthesis import tree
from affectvlm.synthesis.generate import Study
from affectvlm.synthesis.library import FaceSource
from affectvlm.synthesis.tree import write_tree
from dataset_fixtures import bu3dfe_names, sheet, touch, write_bu3dfe, write_bu4dfe


@pytest.fixture(scope="module")
def whole_bu3dfe(tmp_path_factory) -> Path:
    """All 2,500 scans of it, as names."""
    root = tmp_path_factory.mktemp("whole") / "BU_3DFE"
    for subject in [f"F{n:04d}" for n in range(1, 57)] + [f"M{n:04d}" for n in range(1, 45)]:
        (root / subject).mkdir(parents=True)
        for stem in bu3dfe_names(subject):
            (root / f"{stem}_F3D.wrl").touch()
    return root


@pytest.mark.parametrize(("protocol", "count"), [("subset-1", 1200), ("subset-2", 2400), ("with-neutral", 2500)])
def test_protocols_of_a_whole_bu3dfe(whole_bu3dfe: Path, protocol: str, count: int) -> None:
    samples = open_dataset("bu3dfe", whole_bu3dfe, protocol).samples()
    assert len(samples) == len({sample.key for sample in samples}) == count
    per_subject = Counter(sample.subject for sample in samples)
    assert len(per_subject) == 100
    assert set(per_subject.values()) == {count // 100}
    levels = {sample.intensity for sample in samples if sample.emotion != "neutral"}
    assert levels == ({3, 4} if protocol == "subset-1" else {1, 2, 3, 4})
    assert [s.intensity for s in samples if s.emotion == "neutral"] == [None] * (count - 2400 if count > 2400 else 0)


def test_the_default_protocol_of_bu3dfe_is_subset_2(whole_bu3dfe: Path) -> None:
    assert open_dataset("bu3dfe", whole_bu3dfe).protocol == "subset-2"
    with pytest.raises(ConfigError, match=r"no protocol 'apex'; choose one of subset-2, subset-1, with-neutral"):
        open_dataset("bu3dfe", whole_bu3dfe, "apex")


def test_counts_of_a_whole_bu3dfe_are_as_published(whole_bu3dfe: Path) -> None:
    found = open_dataset("bu3dfe", whole_bu3dfe).inspect()
    assert {name: found.counts[name] for name in found.expected} == found.expected
    assert len(found.rows()) == 100


def test_a_bu3dfe_sample_tells_all_that_its_name_does(tmp_path: Path) -> None:
    touch(tmp_path, "F0001/F0001_DI03LA_F3D.wrl", "M0001/M0001_SU01BL_F3D.wrl", "M0002/M0002_SU01XX_F3D.wrl")
    woman, man, other = open_dataset("bu3dfe", tmp_path).samples()
    assert (woman.key, woman.subject, woman.emotion, woman.intensity) == (
        "F0001/F0001_DI03LA",
        "F0001",
        "disgust",
        3,
    )
    assert woman.attributes == {"sex": "female", "ancestry": "latino"}
    assert (man.subject, man.attributes) == ("M0001", {"sex": "male", "ancestry": "african"})
    assert other.attributes == {"sex": "male"}
    assert woman.sequence is None
    status = (tmp_path / "F0001/F0001_DI03LA_F3D.wrl").stat()
    assert woman.stamp == f"{status.st_size}-{status.st_mtime_ns}"


def test_bu3dfe_takes_the_cut_face_and_never_the_raw_mesh(tmp_path: Path) -> None:
    write_bu3dfe(tmp_path, 1, 1)
    dataset = open_dataset("bu3dfe", tmp_path, "with-neutral")
    assert len(dataset.samples()) == 50
    assert all("_F3D.wrl" in sample.load.args[0] for sample in dataset.samples())
    found = dataset.inspect()
    assert found.counts["raw meshes (not used)"] == 50
    assert found.counts["scans without landmarks"] == found.counts["scans without a picture beside them"] == 0
    assert not found.problems


def test_a_stamp_changes_with_the_scan_and_with_each_picture_of_its_name(tmp_path: Path) -> None:
    names = ["F001/Angry/000.wrl", "F001/Angry/000.JPG", "F001/Angry/000.png", "F001/Angry/001.jpg"]
    touch(tmp_path, *names)
    stamps = [open_dataset("bu4dfe", tmp_path).samples()[0].stamp]
    for name in names:
        touch(tmp_path, name, content="longer")
        stamps.append(open_dataset("bu4dfe", tmp_path).samples()[0].stamp)
    os.utime(tmp_path / names[1], ns=(0, 1))
    stamps.append(open_dataset("bu4dfe", tmp_path).samples()[0].stamp)
    assert stamps[3] == stamps[4]  # another scan's picture
    assert len(set(stamps)) == 5


def test_landmarks_of_bu3dfe_are_those_of_the_cut_face(tmp_path: Path) -> None:
    touch(tmp_path, "F0001/F0001_AN01WH_F3D.wrl", "F0001/F0001_AN01WH_F3D.BND", "F0001/F0001_AN01WH_RAW.bnd")
    touch(tmp_path, "F0001/F0001_AN02WH_F3D.wrl", "F0001/F0001_AN02WH_RAW.bnd")
    with_own, without = open_dataset("bu3dfe", tmp_path).samples()
    assert with_own.landmarks == tmp_path / "F0001/F0001_AN01WH_F3D.BND"
    assert without.landmarks is None


@pytest.mark.parametrize("ending", [".wrl", ".WRL", ".wrl.gz", ".obj", ".Ply", ".bnt"])
def test_the_case_and_kind_of_the_ending_do_not_matter(tmp_path: Path, ending: str) -> None:
    touch(tmp_path, f"F0001/f0001_an02wh_f3d{ending}", f"F001/angry/7{ending}")
    assert [s.key for s in open_dataset("bu3dfe", tmp_path).samples()] == ["F0001/F0001_AN02WH"]
    assert [s.key for s in open_dataset("bu4dfe", tmp_path, "all").samples()] == ["F001/Angry/007"]


@pytest.mark.parametrize("given", [".", "data", "data/BU4DFE", "data/BU4DFE/part1", "data/BU4DFE/part1/F001"])
def test_bu4dfe_is_found_from_a_folder_too_high_or_too_low(tmp_path: Path, given: str) -> None:
    touch(tmp_path, "data/BU4DFE/part1/F001/Angry/000.wrl", "data/BU4DFE/part1/F001/Sad/000.wrl")
    samples = open_dataset("bu4dfe", tmp_path / given).samples()
    assert [(s.key, s.subject, s.sequence) for s in samples] == [
        ("F001/Angry/000", "F001", "F001/Angry"),
        ("F001/Sad/000", "F001", "F001/Sad"),
    ]


@pytest.mark.parametrize("given", [".", "..", "../../M007", "../Happy"])
def test_the_folder_may_be_given_from_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    touch(tmp_path, "M007/Happy/000.wrl")
    monkeypatch.chdir(tmp_path / "M007" / "Happy")
    (sample,) = open_dataset("bu4dfe", given).samples()
    assert (sample.key, sample.subject, sample.emotion) == ("M007/Happy/000", "M007", "happiness")


def test_strays_of_bu4dfe_are_passed_over(tmp_path: Path) -> None:
    write_bu4dfe(tmp_path, ["F001", "M001"], range(10))
    touch(tmp_path, "BU_WrlViewer_V2/F001/Angry/000.wrl", "__MACOSX/F001/Angry/000.wrl", "F001/Angry/._000.wrl")
    touch(tmp_path, "F001/.DS_Store", "F001/Angry/Thumbs.db", "readme.txt", "viewer/sample.wrl")
    dataset = open_dataset("bu4dfe", tmp_path, "all")
    samples = dataset.samples()
    assert len(samples) == 2 * 6 * 10
    assert {s.subject: s.attributes["sex"] for s in samples} == {"F001": "female", "M001": "male"}
    assert dataset.inspect().counts["other meshes"] == 1


def test_frames_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    touch(tmp_path, *(f"F001/Fear/{frame}.wrl" for frame in (10, 9, 100, 2)))
    samples = open_dataset("bu4dfe", tmp_path, "all").samples()
    assert [s.frame for s in samples] == [2, 9, 10, 100]
    assert [s.key for s in samples][:2] == ["F001/Fear/002", "F001/Fear/009"]


def test_apex_is_the_middle_two_fifths_of_the_numbers(tmp_path: Path) -> None:
    write_bu4dfe(tmp_path, ["F001"], range(100), ["Angry"])
    write_bu4dfe(tmp_path, ["F001"], range(20, 30), ["Sad"])  # starts late
    write_bu4dfe(tmp_path, ["F001"], [0, 1, 2, 7, 9], ["Happy"])  # misses frames
    write_bu4dfe(tmp_path, ["F001"], [5], ["Fear"])
    frames: dict[str, list[int]] = {}
    for sample in open_dataset("bu4dfe", tmp_path).samples():
        frames.setdefault(sample.emotion, []).append(sample.frame)
    assert frames == {"anger": [*range(30, 70)], "sadness": [23, 24, 25, 26], "fear": [5]}


def test_whole_bu4dfe_sequences_are_all_chosen_from(tmp_path: Path) -> None:
    subjects = [f"F{n:03d}" for n in range(1, 59)] + [f"M{n:03d}" for n in range(1, 44)]
    write_bu4dfe(tmp_path, subjects, range(2))
    found = open_dataset("bu4dfe", tmp_path).inspect()
    assert {name: found.counts[name] for name in found.expected if name != "scans"} == {
        "subjects": 101,
        "female": 58,
        "male": 43,
        "with all six emotions": 101,
        "sequences": 606,
    }
    assert found.expected["scans"] == 60_600


def test_an_unknown_sequence_is_told_and_left_out(tmp_path: Path) -> None:
    write_bu4dfe(tmp_path, ["F001"], range(3))
    touch(tmp_path, "F001/Bored/000.wrl", "F001/Angry/last.wrl", f"F001/Angry/{10**20}.wrl")
    dataset = open_dataset("bu4dfe", tmp_path, "all")
    with pytest.warns(UserWarning, match=r"odd things \(3\), the first: .*`affectvlm inspect bu4dfe "):
        assert len(dataset.samples()) == 18
    problems = {Path(p.path).name: p.what for p in dataset.inspect().problems}
    assert problems["Bored"].startswith(
        "expected a folder named Angry, Disgust, Fear, Happy, Sad, Surprise; the meshes in it (1)"
    )
    assert "no frame's number" in problems["last.wrl"]
    assert "no frame's number" in problems[f"{10**20}.wrl"]  # which no table can hold


def test_a_scan_in_two_formats_is_taken_once(tmp_path: Path) -> None:
    touch(tmp_path, "F001/Angry/000.wrl", "F001/Angry/000.obj", "F001/Angry/000.wrl.gz")
    dataset = open_dataset("bu4dfe", tmp_path, "all")
    with pytest.warns(UserWarning, match=r"is there as 000\.wrl\.gz, 000\.obj too"):
        (sample,) = dataset.samples()
    assert sample.load.args[0].endswith("000.wrl")


@pytest.mark.parametrize(("name", "file"), [("bu4dfe", "F001/Angry/000.wrl"), ("bu3dfe", "F0001_AN01WH_F3D.wrl")])
def test_two_copies_are_refused_but_inspected(tmp_path: Path, name: str, file: str) -> None:
    touch(tmp_path, f"copy/{file}", f"old/{file}")
    dataset = open_dataset(name, tmp_path)
    with pytest.raises(
        DataError, match=r"old/.* again, which is .*copy/.* already; name the folder of the copy to use"
    ):
        dataset.samples()
    assert "again" in dataset.inspect().problems[0].what


def test_a_level_that_does_not_exist_is_told_and_left_out(tmp_path: Path) -> None:
    touch(tmp_path, *(f"F0001_{what}WH_F3D.wrl" for what in ("AN05", "NE01", "SA00", "SA01")))
    dataset = open_dataset("bu3dfe", tmp_path, "with-neutral")
    with pytest.warns(UserWarning, match=r"odd things \(3\)"):
        assert [s.key for s in dataset.samples()] == ["F0001/F0001_SA01WH"]


@pytest.mark.parametrize(("name", "example"), [("bu3dfe", "F0001/F0001_AN01WH_F3D.wrl"), ("bu4dfe", "F001/Angry/000")])
def test_nothing_found_says_what_was_expected_and_what_is_there(tmp_path: Path, name: str, example: str) -> None:
    touch(tmp_path, "F001.zip", "F002.zip", "readme.txt")
    with pytest.raises(DataError) as raised:
        open_dataset(name, tmp_path).samples()
    message = str(raised.value)
    assert message.startswith(f"{tmp_path}: expected BU-")
    assert f"files such as {example}" in message
    assert "found 3 files (2 .zip, 1 .txt), such as F001.zip" in message
    assert "unpack archives first" in message
    assert "\n" not in message
    with pytest.raises(DataError, match="expected a folder with BU-"):
        open_dataset(name, tmp_path / "absent").inspect()
    with pytest.raises(DataError, match="found a file"):
        open_dataset(name, tmp_path / "readme.txt").samples()


def test_a_protocol_that_leaves_nothing_says_so(tmp_path: Path) -> None:
    touch(tmp_path, "F0001_NE00WH_F3D.wrl")
    with pytest.raises(DataError, match=r"protocol subset-2 .* found none among 1, 1 of them with an emotion"):
        open_dataset("bu3dfe", tmp_path).samples()


def test_samples_travel_to_workers_and_read_there(tmp_path: Path) -> None:
    touch(tmp_path, "F001/Angry/000.obj", content=sheet())
    (sample,) = pickle.loads(pickle.dumps(open_dataset("bu4dfe", tmp_path).samples()))
    assert sample.load().vertices.shape == (196, 3)


@pytest.mark.parametrize("protocol", ["bu3dfe", "bu4dfe"])
def test_a_generated_tree_is_found_as_it_was_made(tmp_path: Path, protocol: str) -> None:
    study = Study(FaceSource(), protocol, subjects=1, seed=1, fps=1.0)
    if protocol == "bu4dfe":
        write_tree(study, tmp_path, "ply")
    else:  # its faces take a while to make, and only their names matter
        files = [tree._mesh_file(study, take, tmp_path, "ply") for take in study.takes()]
        touch(
            tmp_path, *(str(file.with_suffix(end).relative_to(tmp_path)) for file in files for end in (".ply", ".bnd"))
        )
    everything = {"bu3dfe": "with-neutral", "bu4dfe": "all"}[protocol]
    samples = open_dataset(protocol, tmp_path, everything).samples()
    made = {take.key: take for take in study.takes()}
    assert {sample.key for sample in samples} == set(made)
    for sample in samples:
        take = made[sample.key]
        assert (sample.subject, sample.emotion, sample.intensity, sample.frame) == (
            take.subject.name,
            take.emotion,
            take.intensity,
            take.frame,
        )
        assert sample.sequence == (None if take.frame is None else take.key.rsplit("/", 1)[0])
        assert sample.attributes["sex"] == take.subject.attributes["sex"]
        assert sample.attributes.get("ancestry", "") in ("", take.subject.attributes["ancestry"])
    found = open_dataset(protocol, tmp_path).inspect()
    assert found.counts["scans without landmarks"] == 0
    assert not found.problems
    assert {emotion for emotion in EMOTIONS if found.rows()[0][emotion]} == set(EMOTIONS)


def test_generated_neutral_sequences_are_neutral(tmp_path: Path) -> None:
    touch(tmp_path, "F001/Rest/000.ply", "F001/Speech/000.ply")
    samples = open_dataset("bu4dfe", tmp_path, "all").samples()
    assert {(s.sequence, s.emotion) for s in samples} == {("F001/Rest", "neutral"), ("F001/Speech", "neutral")}
