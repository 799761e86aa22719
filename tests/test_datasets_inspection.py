"""What an inspection finds, and how it tells it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from affectvlm.datasets import open_dataset
from dataset_fixtures import sheet, touch, write_bosphorus, write_bu3dfe, write_bu4dfe


def problems_of(dataset: str, root: Path, read: bool = False) -> dict[str, str]:
    """Path from the root, or the subject's or sequence's name -> what."""
    found = open_dataset(dataset, root).inspect(read=read)
    assert len({problem.path for problem in found.problems}) == len(found.problems)
    return {p.path.removeprefix(f"{root}/"): p.what for p in found.problems}


def test_a_whole_subject_has_nothing_odd(tmp_path: Path) -> None:
    write_bu3dfe(tmp_path, 1, 0)
    found = open_dataset("bu3dfe", tmp_path).inspect()
    assert found.problems == found.unreadable == ()
    assert found.rows() == [
        {
            "subject": "F0001",
            "sex": "female",
            "scans": 25,
            **dict.fromkeys(("anger", "disgust", "fear", "happiness", "sadness", "surprise"), 4),
            "neutral": 1,
            "problems": 0,
        }
    ]


def test_missing_expressions_are_named(tmp_path: Path) -> None:
    write_bu3dfe(tmp_path, 2, 0)
    for name in ("AN04WH", "SU01WH", "NE00WH"):
        (tmp_path / f"F0002/F0002_{name}_F3D.wrl").unlink()
    assert problems_of("bu3dfe", tmp_path) == {"F0002": "misses 3 of 25: neutral, anger 4, surprise 1"}
    rows = open_dataset("bu3dfe", tmp_path).inspect().rows()
    assert [(row["subject"], row["scans"], row["anger"], row["neutral"], row["problems"]) for row in rows] == [
        ("F0001", 25, 4, 1, 0),
        ("F0002", 22, 3, 0, 1),
    ]


def test_missing_sequences_late_starts_and_gaps_are_named(tmp_path: Path) -> None:
    write_bu4dfe(tmp_path, ["F001"], range(4), ["Angry", "Disgust", "Fear"])
    write_bu4dfe(tmp_path, ["F001"], [3, 4, 8, 11, 12], ["Happy"])
    write_bu4dfe(tmp_path, ["F001"], range(0, 40, 2), ["Sad"])
    assert problems_of("bu4dfe", tmp_path) == {
        "F001": "misses 1 of 6: surprise",
        "F001/Happy": "starts late: its first frame is 3; misses 5 of 10 frames: 5-7, 9-10",
        "F001/Sad": "misses 19 of 39 frames: 1, 3, 5, 7, 9, 11, 13, 15, ...",
    }


@pytest.mark.parametrize(("first", "late"), [(0, False), (1, False), (2, True)])
def test_counting_may_begin_at_0_or_1(tmp_path: Path, first: int, late: bool) -> None:
    write_bu4dfe(tmp_path, ["F001"], range(first, 9))
    assert (len(problems_of("bu4dfe", tmp_path)) == 6) == late


def test_empty_files_and_lonely_scans_are_named(tmp_path: Path) -> None:
    write_bosphorus(tmp_path, "bs000")
    (tmp_path / "bs000/bs000_N_N_0.bnt").write_bytes(b"")
    (tmp_path / "bs000/bs000_E_FEAR_0.png").unlink()
    (tmp_path / "bs000/bs000_O_EYE_0.lm2").unlink()
    (tmp_path / "bs000/bs000_E_SADNESS_0.lm2").unlink()
    (tmp_path / "bs000/bs000_E_SADNESS_0.lm3").unlink()
    assert problems_of("bosphorus", tmp_path) == {
        "bs000/bs000_N_N_0.bnt": "is empty; copy it again",
        "bs000/bs000_E_FEAR_0.bnt": "has no picture beside it",
        "bs000/bs000_E_SADNESS_0.bnt": "has no file of landmarks",
    }
    found = open_dataset("bosphorus", tmp_path).inspect()
    assert [Path(problem.path).name for problem in found.unreadable] == ["bs000_N_N_0.bnt"]
    assert found.counts["empty scans"] == found.counts["scans without a picture beside them"] == 1
    assert "unreadable scans" not in found.counts  # none was read


def test_what_all_scans_lack_is_a_count_and_no_list(tmp_path: Path) -> None:
    touch(tmp_path, *(f"s1/fear/{n}.obj" for n in range(9)))
    found = open_dataset("folder", tmp_path).inspect()
    assert not found.problems
    assert found.counts["scans without a picture beside them"] == 9
    assert "female" not in found.counts
    assert "sequences" not in found.counts
    assert found.rows() == [{"subject": "s1", "scans": 9, "fear": 9, "problems": 0}]


def test_landmarks_of_bu4dfe_are_found_in_their_own_tree(tmp_path: Path) -> None:
    write_bu4dfe(tmp_path / "BU4DFE", ["F001"], range(3))
    touch(tmp_path, *(f"BU4DFE_BND_V1.1/F001/{shown}/{n:03d}.bnd" for shown in ("Angry", "Sad") for n in range(3)))
    own = {sample.key: sample.landmarks for sample in open_dataset("bu4dfe", tmp_path, "all").samples()}
    assert own["F001/Sad/001"] == tmp_path / "BU4DFE_BND_V1.1/F001/Sad/001.bnd"
    assert own["F001/Fear/001"] is None
    found = open_dataset("bu4dfe", tmp_path).inspect()
    assert found.counts["scans without landmarks"] == 12
    assert sum("landmarks" in problem.what for problem in found.problems) == 12


def test_reading_finds_what_is_damaged(tmp_path: Path) -> None:
    touch(tmp_path, *(f"F001/Angry/{n:03d}.obj" for n in (0, 2)), content=sheet())
    touch(tmp_path, "F001/Angry/001.obj", content="v 1 2\nno mesh\n")
    (tmp_path / "F001/Angry/003.obj").write_bytes(b"")
    done: list[int] = []
    found = open_dataset("bu4dfe", tmp_path).inspect(read=True, on_progress=done.append)
    assert done == [1, 2, 3, 4]
    assert found.read
    assert found.counts["unreadable scans"] == 2
    assert "empty scans" not in found.counts
    assert {Path(problem.path).name for problem in found.unreadable} == {"001.obj", "003.obj"}
    (reason,) = (problem.what for problem in found.unreadable if problem.path.endswith("001.obj"))
    assert reason.startswith("expected a")
    assert "\n" not in reason
    assert found.rows()[0]["problems"] == 3  # the two and the missing sequences
    assert not open_dataset("bu4dfe", tmp_path).inspect().read
    done.clear()
    assert open_dataset("bu4dfe", tmp_path).inspect(read=True, jobs=2, on_progress=done.append) == found
    assert done == [1, 2, 3, 4]


def test_reading_looks_at_the_pictures_too(tmp_path: Path) -> None:
    mesh = "mtllib 0.mtl\nusemtl a\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"
    for n in (0, 1):
        touch(tmp_path, f"s1/fear/{n}.obj", content=mesh.replace("0.mtl", f"{n}.mtl"))
        touch(tmp_path, f"s1/fear/{n}.mtl", content=f"newmtl a\nmap_Kd {n}.png\n")
        Image.fromarray(np.random.default_rng(n).integers(0, 255, (64, 64, 3), np.uint8)).save(
            tmp_path / f"s1/fear/{n}.png"
        )
    picture = tmp_path / "s1/fear/1.png"
    picture.write_bytes(picture.read_bytes()[:3000])
    found = open_dataset("folder", tmp_path).inspect(read=True)
    assert not found.unreadable  # the shape can be used
    assert [Path(problem.path).name for problem in found.problems] == ["1.obj"]
    assert "picture" in found.problems[0].what


def test_an_inspection_is_plain_data(tmp_path: Path) -> None:
    write_bu4dfe(tmp_path, ["F001", "M001"], range(3), ["Angry"])
    found = open_dataset("bu4dfe", tmp_path).inspect()
    told = json.loads(json.dumps(found.to_dict()))
    assert told["dataset"] == "bu4dfe"
    assert told["root"] == str(tmp_path)
    assert told["counts"]["scans"] == 6
    assert told["expected"]["sequences"] == 606
    assert told["subjects"] == found.rows()
    assert [problem["path"] for problem in told["problems"]] == ["F001", "M001"]
    summary = {row["what"]: (row["found"], row["expected"]) for row in found.summary()}
    assert summary["sequences"] == (2, 606)
    assert summary["labelled scans"] == (6, None)
