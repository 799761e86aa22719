"""Bosphorus, BP4D, BP4D+, CoMA and FRGC: found and labelled by their names."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from affectvlm.datasets import DATASETS, open_dataset
from affectvlm.datasets.action_units import read_intensity, read_occurrence
from affectvlm.datasets.bp4d import Bp4d
from affectvlm.emotions import EMOTIONS, FURTHER_EXPRESSIONS
from affectvlm.errors import ConfigError, DataError
from dataset_fixtures import BOSPHORUS_EMOTIONS, touch, write_bosphorus, write_bp4d


def test_all_data_sets_are_opened_by_their_names(tmp_path: Path) -> None:
    assert list(DATASETS) == ["bu3dfe", "bu4dfe", "bosphorus", "bp4d", "bp4d-plus", "coma", "frgc", "folder"]
    for name in DATASETS:
        dataset = open_dataset(name, tmp_path)
        assert dataset.name == name
        assert dataset.protocol == next(iter(dataset.protocols))
        assert all(protocol.summary for protocol in dataset.protocols.values())
        with pytest.raises(DataError, match="found no files"):
            dataset.samples()
    with pytest.raises(ConfigError, match=r"no data set 'bu5dfe'; choose one of bu3dfe, bu4dfe"):
        open_dataset("bu5dfe", tmp_path)


def test_the_documentation_names_all_data_sets_and_protocols() -> None:
    text = (Path(__file__).parents[1] / "docs" / "datasets.md").read_text("utf-8")
    for name, kind in DATASETS.items():
        assert f"| `{name}` |" in text
        assert all(f"`{protocol}`" in text for protocol in kind.protocols)
        assert name == "folder" or kind.example in text


def test_bosphorus_labels_emotions_and_neutral_alone(tmp_path: Path) -> None:
    write_bosphorus(tmp_path, "bs000")
    samples = open_dataset("bosphorus", tmp_path, "with-neutral").samples()
    assert {sample.key: sample.emotion for sample in samples} == {
        "bs000/bs000_N_N_0": "neutral",
        "bs000/bs000_E_ANGER_0": "anger",
        "bs000/bs000_E_DISGUST_0": "disgust",
        "bs000/bs000_E_FEAR_0": "fear",
        "bs000/bs000_E_HAPPY_0": "happiness",
        "bs000/bs000_E_SADNESS_0": "sadness",
        "bs000/bs000_E_SURPRISE_0": "surprise",
    }
    assert all(sample.load.args[0].endswith(".bnt") for sample in samples)
    found = open_dataset("bosphorus", tmp_path).inspect()
    kinds = {name: count for name, count in found.counts.items() if name.split()[0].isupper()}
    assert kinds == {f"{kind} scans": 1 for kind in ("CAU", "CR", "LFAU", "N", "O", "PR", "UFAU", "YR")} | {
        "E scans": 6
    }
    assert found.counts["scans"] == 14
    assert not found.problems
    assert {sample.landmarks for sample in samples} == {tmp_path / f"{sample.key}.lm3" for sample in samples}
    (tmp_path / "bs000/bs000_N_N_0.lm3").unlink()
    (neutral,) = open_dataset("bosphorus", tmp_path, "neutral").samples()
    assert neutral.landmarks == tmp_path / "bs000/bs000_N_N_0.lm2"


@pytest.mark.parametrize(
    ("protocol", "count"), [("expressions", 65 * 6), ("all-emotions", 65 * 6 + 40 * 4), ("with-neutral", 65 * 7)]
)
def test_protocols_of_a_whole_bosphorus(tmp_path: Path, protocol: str, count: int) -> None:
    for number in range(105):
        shown = BOSPHORUS_EMOTIONS if number < 65 else BOSPHORUS_EMOTIONS[:4]
        names = ["N_N_0", *(f"E_{emotion}_0" for emotion in shown)]
        touch(tmp_path, *(f"bs{number:03d}/bs{number:03d}_{name}.bnt" for name in names))
    dataset = open_dataset("bosphorus", tmp_path, protocol)
    assert len(dataset.samples()) == count
    assert (
        dataset.inspect().counts["with all six emotions"] == dataset.inspect().expected["with all six emotions"] == 65
    )


def test_a_subject_without_all_six_is_left_out_of_bosphorus_expressions(tmp_path: Path) -> None:
    write_bosphorus(tmp_path, "bs000")
    write_bosphorus(tmp_path, "bs001", BOSPHORUS_EMOTIONS[1:])
    assert {sample.subject for sample in open_dataset("bosphorus", tmp_path).samples()} == {"bs000"}
    assert open_dataset("bosphorus", tmp_path).inspect().counts["with all six emotions"] == 1


def test_several_takes_and_unknown_emotions_of_bosphorus(tmp_path: Path) -> None:
    touch(tmp_path, "bs000_E_HAPPY_0.bnt", "bs000_E_HAPPY_1.bnt", "BS000_e_fear_0.BNT", "bs000_E_BORED_0.bnt", "x.bnt")
    touch(tmp_path, "bs000_IGN_x_0.bnt")
    dataset = open_dataset("bosphorus", tmp_path, "all-emotions")
    with pytest.warns(UserWarning, match="expected one of ANGER, DISGUST, FEAR, HAPPY, SADNESS, SURPRISE, found BORED"):
        keys = [sample.key for sample in dataset.samples()]
    assert keys == ["bs000/bs000_E_FEAR_0", "bs000/bs000_E_HAPPY_0", "bs000/bs000_E_HAPPY_1"]
    counts = dataset.inspect().counts
    assert (counts["scans"], counts["other meshes"], counts["IGN scans"]) == (5, 1, 1)


def test_bp4d_tasks_are_eight_classes(tmp_path: Path) -> None:
    write_bp4d(tmp_path / "Sequences(2D+3D)", ["F001", "M001"], range(1, 9), [0, 1])
    samples = open_dataset("bp4d", tmp_path).samples()
    assert len(samples) == 2 * 8 * 2
    assert {sample.sequence: sample.emotion for sample in samples if sample.subject == "M001"} == {
        "M001/T1": "happiness",
        "M001/T2": "sadness",
        "M001/T3": "surprise",
        "M001/T4": "embarrassment",
        "M001/T5": "fear",
        "M001/T6": "pain",
        "M001/T7": "anger",
        "M001/T8": "disgust",
    }
    assert {sample.attributes["sex"] for sample in samples if sample.subject == "F001"} == {"female"}
    found = open_dataset("bp4d", tmp_path).inspect()
    assert found.counts["sequences"] == 16
    assert found.counts["scans without a picture beside them"] == 0
    assert not found.problems


def test_bp4d_across_data_sets_is_happiness_and_disgust(tmp_path: Path) -> None:
    for name, count, tasks in (("bp4d", 8, {"T1", "T8"}), ("bp4d-plus", 10, {"T1", "T10"})):
        write_bp4d(tmp_path / name, ["F001"], range(1, count + 1), [1])
        samples = open_dataset(name, tmp_path / name, "happiness-disgust").samples()
        assert {sample.sequence.split("/")[1] for sample in samples} == tasks
        assert {sample.emotion for sample in samples} == {"happiness", "disgust"}


@pytest.mark.parametrize(
    ("name", "scan", "found"),
    [
        ("bp4d", "F001/T9/0001.obj", "expected tasks T1 to T8 of BP4D-Spontaneous, found T9"),
        ("bp4d", "F001/T10/0001.wrl", "expected tasks T1 to T8 of BP4D-Spontaneous, found T10"),
        ("bp4d", "2D+3D/F001/T1/0001.obj", "expected BP4D-Spontaneous, found a folder '2D+3D'"),
        ("bp4d", "2D+3D/F001.zip", "expected BP4D-Spontaneous, found a folder '2D+3D'"),
        ("bp4d-plus", "Sequences(2D+3D)/F001/T1/0001.obj", "expected BP4D+, found a folder 'Sequences(2D+3D)'"),
        ("bp4d-plus", "sequences (2d+3d)/F001/T1/0001.obj", "expected BP4D+, found a folder 'sequences (2d+3d)'"),
    ],
)
@pytest.mark.parametrize("below", [".", "2D+3D", "Sequences(2D+3D)"])
def test_bp4d_and_bp4d_plus_are_not_taken_for_one_another(
    tmp_path: Path, name: str, scan: str, found: str, below: str
) -> None:
    own = {"bp4d": "2D+3D", "bp4d-plus": "Sequences(2D+3D)"}[name]
    touch(tmp_path / ("." if below == own else below), scan, "F002/T1/0001.obj")
    other = "bp4d-plus" if name == "bp4d" else "bp4d"
    with pytest.raises(DataError, match=f"{re.escape(found)}.*`{other}`") as raised:
        open_dataset(name, tmp_path).samples()
    assert "\n" not in str(raised.value)
    assert sum(other in problem.what for problem in open_dataset(name, tmp_path).inspect().problems) == 1


def test_bp4d_plus_leaves_out_startle_and_scepticism(tmp_path: Path) -> None:
    write_bp4d(tmp_path / "2D+3D", ["F001"], range(1, 11), [1])
    samples = open_dataset("bp4d-plus", tmp_path).samples()
    assert Counter(sample.sequence.split("/")[1] for sample in samples).keys() == {
        f"T{n}" for n in (1, 2, 3, 6, 7, 8, 9, 10)
    }
    assert {sample.emotion for sample in samples} <= set(EMOTIONS + FURTHER_EXPRESSIONS)
    coded = open_dataset("bp4d-plus", tmp_path, "coded-tasks").samples()
    assert {sample.sequence for sample in coded} == {f"F001/T{n}" for n in (1, 6, 7, 8)}
    assert open_dataset("bp4d-plus", tmp_path).inspect().counts["labelled scans"] == 8


def test_bp4d_frames_of_every_name_and_kind(tmp_path: Path) -> None:
    touch(tmp_path, "F1/T1/1.obj", "F001/T1/0010.wrl", "f001/t1/F001_T1_0009.OBJ", "F001/T1/model.obj")
    dataset = open_dataset("bp4d", tmp_path)
    with pytest.warns(UserWarning, match=r"holds meshes \(1\) without a frame's number"):
        samples = dataset.samples()
    assert [(s.key, s.frame) for s in samples] == [("F001/T1/0001", 1), ("F001/T1/0009", 9), ("F001/T1/0010", 10)]


def test_packed_bp4d_plus_asks_to_be_unpacked(tmp_path: Path) -> None:
    touch(tmp_path, "2D+3D/F001.zip", "2D+3D/F002.zip")
    with pytest.raises(
        DataError, match=r"found 2 files \(2 \.zip\), such as 2D\+3D/F001\.zip; .*unpack archives first"
    ):
        open_dataset("bp4d-plus", tmp_path).samples()
    write_bp4d(tmp_path / "2D+3D", ["F001"], [1], [1])
    assert open_dataset("bp4d-plus", tmp_path).inspect().counts["archives (not unpacked)"] == 2


OCCURRENCE = "0,1,4,AU06,12\n20,0,1,9,1\n21,1,0,0,9\n"


def test_action_units_are_read_by_the_header_and_9_is_unknown(tmp_path: Path) -> None:
    write_bp4d(tmp_path / "Sequences(2D+3D)", ["F001"], [1, 2], [20, 21])
    touch(tmp_path, "AUCoding/AU_OCC/F001_T1.csv", content=OCCURRENCE)
    dataset = open_dataset("bp4d", tmp_path)
    assert isinstance(dataset, Bp4d)
    coded = dataset.action_units("F001/T1", frame_offset=-1)
    assert coded.units == ("AU1", "AU4", "AU6", "AU12")
    assert coded.frames.tolist() == [19, 20]
    np.testing.assert_array_equal(coded.values, np.float32([[0, 1, np.nan, 1], [1, 0, 0, np.nan]]))
    with pytest.raises(DataError, match=r"expected AU_OCC/F001_T2\.csv below it, found none"):
        dataset.action_units("F001/T2")
    with pytest.raises(DataError, match=r"expected a sequence such as F001/T1, found 'T1'"):
        dataset.action_units("T1")


def test_grades_of_one_action_unit(tmp_path: Path) -> None:
    touch(tmp_path, "F001_T1_AU06.csv", "grades.csv", content="1,0\r\n2,5\r\n\r\n3,9\r\n")
    coded = read_intensity(tmp_path / "F001_T1_AU06.csv")
    assert (coded.units, coded.frames.tolist()) == (("AU6",), [1, 2, 3])
    np.testing.assert_array_equal(coded.values, np.float32([[0], [5], [np.nan]]))
    with pytest.raises(DataError, match="expected a name that ends in the unit"):
        read_intensity(tmp_path / "grades.csv")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "found an empty file"),
        ("0,1,4\n1,0\n", "line 2: expected a frame's number and 2 of 0, 1, 9, found 1,0"),
        ("0,1,4\n1,0,2\n", "line 2: .*found 1,0,2"),
        ("0,1,4\n1,0,1\n\nx,0,1\n", "line 4: .*found x,0,1"),
        ("0,1,4\n-1,0,1\n", "line 2: "),
        ("0,1,4\n99999999999999999999,0,1\n", "line 2: "),
        ("frame\n1\n", "line 1: expected a header with action units"),
        ("frame,one\n1,0\n", "line 1: expected a header with action units"),
        ("frame,1,AU01\n1,0,0\n", "line 1: .*twice"),
    ],
)
def test_damaged_codes_are_told_by_their_line(tmp_path: Path, text: str, match: str) -> None:
    touch(tmp_path, "F001_T1.csv", content=text)
    with pytest.raises(DataError, match=match) as raised:
        read_occurrence(tmp_path / "F001_T1.csv")
    assert "\n" not in str(raised.value)


def test_coma_has_sequences_and_no_emotions(tmp_path: Path) -> None:
    for subject in ("FaceTalk_170725_00137_TA", "FaceTalk_170728_03272_TA"):
        touch(tmp_path, *(f"{subject}/bareteeth/bareteeth.{frame:06d}.ply" for frame in (1, 2, 10)))
    dataset = open_dataset("coma", tmp_path)
    found = dataset.inspect()
    assert (found.counts["subjects"], found.counts["sequences"], found.counts["scans"]) == (2, 2, 6)
    assert found.counts["labelled scans"] == 0
    assert "with all six emotions" not in found.counts
    assert any(p.what == "misses 7 of 10 frames: 3-9" for p in found.problems)
    with pytest.raises(DataError, match=r"CoMA has no emotion labels, found 6 scans; write labels\.csv there"):
        dataset.samples()


def test_coma_is_labelled_by_a_list(tmp_path: Path) -> None:
    touch(tmp_path, *(f"s1/high_smile/high_smile.{frame:06d}.ply" for frame in (1, 2)))
    touch(tmp_path, "labels.csv", content="path,emotion\ns1/high_smile/high_smile.000002.ply,happy\n")
    (sample,) = open_dataset("coma", tmp_path).samples()
    assert (sample.key, sample.subject, sample.sequence, sample.frame, sample.emotion) == (
        "s1/high_smile/000002",
        "s1",
        "s1/high_smile",
        2,
        "happiness",
    )
    touch(tmp_path, "labels.csv", content="path,emotion\ns1/high_smile/high_smile.000002.ply,bared teeth\n")
    (sample,) = open_dataset("coma", tmp_path, classes=("bared teeth",)).samples()
    assert sample.emotion == "bared teeth"
    touch(tmp_path, "labels.csv", content="path,emotion\ns1/high_smile.ply,happy\ns2/x.ply,happy\n")
    with pytest.raises(DataError, match=r"labels\.csv, line 2: s1/high_smile\.ply is no scan of CoMA .*and 1 more"):
        open_dataset("coma", tmp_path).samples()


def test_frgc_is_found_by_its_names_and_labelled_by_a_list(tmp_path: Path) -> None:
    touch(tmp_path, "Spring2003range/02463d452.abs.gz", "Spring2003range/04200d3.abs", "notes.abs")
    dataset = open_dataset("frgc", tmp_path)
    with pytest.raises(DataError, match=r"FRGC has no emotion labels, found 2 scans"):
        dataset.samples()
    assert dataset.inspect().counts["other meshes"] == 1
    lines = "path,emotion,sex\nSpring2003range/02463d452.abs.gz,surprised,F\n"
    touch(tmp_path, "labels.csv", content=lines)
    (sample,) = open_dataset("frgc", tmp_path).samples()
    assert (sample.key, sample.subject, sample.emotion) == ("02463/02463d452", "02463", "surprise")
    assert sample.attributes == {"sex": "female"}
