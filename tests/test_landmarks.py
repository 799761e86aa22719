"""Landmark files, from text written by hand as the data sets have it."""

import numpy as np
import pytest

from affectvlm.errors import ScanError
from affectvlm.scan.landmarks import BU_NAMES, read_landmarks
from affectvlm.scan.write_landmarks import write_bnd, write_lm3

LABELS = ["Outer left eyebrow", "Nose tip", "Chin middle"]
PLACES = [[-40.5, 30.25, -12.0], [0.0, -1.5, 2.75], [3.0, -70.125, -20.5]]
LM3 = "# a comment\n\n3 landmarks:\n" + "".join(
    f"{label}\n{x} {y} {z}\n" for label, (x, y, z) in zip(LABELS, PLACES, strict=True)
)
HEAD2 = "# 2D landmarks\n# of a picture\n\n3 landmarks:\n\n"
PIXELS = [[100.5, 200.25], [150.0, 260.0], [140.75, 390.0]]
LAYOUTS = {
    "labels first, with headings": HEAD2
    + "Labels:\n"
    + "\n".join(LABELS)
    + "\n\n2D Image coordinates:\n"
    + "".join(f"{x} {y}\n" for x, y in PIXELS),
    "labels first": HEAD2 + "\n".join(LABELS) + "\n" + "".join(f"{x}\t{y}\n" for x, y in PIXELS),
    "in turn": HEAD2 + "".join(f"{label}\n{x}, {y}\n" for label, (x, y) in zip(LABELS, PIXELS, strict=True)),
    "in turn, Windows": HEAD2.replace("\n", "\r\n")
    + "".join(f"{label}\r\n{x} {y}\r\n" for label, (x, y) in zip(LABELS, PIXELS, strict=True)),
}


def bnd() -> tuple[list[str], np.ndarray]:
    """83 rows with single and double tabs, and their numbers."""
    rows = np.array([[7 * i, i - 41.5, 0.25 * i, -94 + i / 8] for i in range(83)])
    return [f"{int(v)}\t\t{x}\t{y}\t\t{z}\n" for v, x, y, z in rows.tolist()], rows


@pytest.mark.parametrize("end", ["", "\n", "\t\t\n", "\r\n\r\n"])
@pytest.mark.filterwarnings("error")
def test_bnd_rows_are_vertices_and_places(tmp_path, end):
    lines, rows = bnd()
    (tmp_path / "a.bnd").write_text("".join(lines) + end, newline="")
    landmarks = read_landmarks(tmp_path / "a.bnd")
    np.testing.assert_array_equal(landmarks.vertices, rows[:, 0])
    np.testing.assert_array_equal(landmarks.points, rows[:, 1:])
    assert landmarks.vertices.dtype == np.int32
    assert landmarks.points.dtype == np.float32
    assert len(landmarks) == 83


def test_bnd_parts_are_where_the_data_set_has_them(tmp_path):
    (tmp_path / "a.bnd").write_text("".join(bnd()[0]))
    landmarks = read_landmarks(tmp_path / "a.bnd")
    firsts = {"left eye": 0, "right eye": 8, "left brow": 16, "right brow": 26, "nose": 36, "mouth": 48, "contour": 68}
    for part, row in firsts.items():
        assert landmarks[f"{part} 0"].tolist() == landmarks.points[row].tolist()
    assert landmarks.names[-1] == "contour 14"
    assert len(set(BU_NAMES)) == 83


def test_a_84th_row_of_bnd_is_passed_over(tmp_path):
    (tmp_path / "a.bnd").write_text("".join(bnd()[0]) + "0 0 0 0\n")
    with pytest.warns(UserWarning, match="1 rows after the 83 landmarks"):
        assert len(read_landmarks(tmp_path / "a.bnd")) == 83


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("12\t1.0\t2.0", r"line 41: expected 'vertex x y z', found '12\\t1.0\\t2.0'"),
        ("12 1 2 3 4", "line 41"),
        ("-1 1 2 3", "line 41"),
        ("1.5 1 2 3", "line 41"),
        ("4294967295 1 2 3", "line 41"),
        ("12 1 nan 3", "line 41"),
        ("12 1 1e300 3", "line 41"),
        ("12 1 x 3", "line 41"),
        ("", "expected 83 rows of 'vertex x y z', found 82"),
    ],
)
def test_a_damaged_row_of_bnd_is_named(tmp_path, row, words):
    lines = bnd()[0]
    lines[40] = row + "\n"
    (tmp_path / "a.bnd").write_text("".join(lines))
    with pytest.raises(ScanError, match=words) as caught:
        read_landmarks(tmp_path / "a.bnd")
    assert str(caught.value).startswith(f"{tmp_path}/a.bnd: ")


@pytest.mark.parametrize("content", [LM3, LM3.replace("\n", "\r\n"), "\ufeff" + LM3, LM3.replace("\n", "\n\n")])
@pytest.mark.filterwarnings("error")
def test_lm3_is_read_by_label(tmp_path, content):
    (tmp_path / "a.lm3").write_text(content, "utf-8", newline="")
    landmarks = read_landmarks(tmp_path / "a.lm3")
    assert landmarks.names == tuple(LABELS)
    np.testing.assert_array_equal(landmarks.points, PLACES)
    assert landmarks["Nose tip"].tolist() == landmarks["nose  TIP "].tolist() == PLACES[1]
    assert "chin middle" in landmarks
    assert "Left ear" not in landmarks
    assert landmarks.vertices is None
    with pytest.raises(ScanError, match=r"a\.lm3: expected a landmark 'Left ear', found Outer left eyebrow, Nose tip"):
        landmarks["Left ear"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.filterwarnings("error")
def test_lm2_of_either_layout(tmp_path, layout):
    (tmp_path / "a.lm2").write_text(LAYOUTS[layout], newline="")
    landmarks = read_landmarks(tmp_path / "a.lm2")
    assert landmarks.names == tuple(LABELS)
    np.testing.assert_array_equal(landmarks.points, PIXELS)


def test_what_follows_the_last_landmark_is_passed_over(tmp_path):
    (tmp_path / "a.lm3").write_text(LM3 + "Left ear\n1 2 3\n")
    with pytest.warns(UserWarning, match="from line 10 on, after 3 landmarks"):
        assert read_landmarks(tmp_path / "a.lm3").names == tuple(LABELS)


def test_no_landmarks_are_no_mistake(tmp_path):
    (tmp_path / "a.lm3").write_text("# none was visible\n0 landmarks:\n")
    assert read_landmarks(tmp_path / "a.lm3").points.shape == (0, 3)


@pytest.mark.parametrize(
    ("suffix", "content", "words"),
    [
        ("lm3", "", "expected a line such as '22 landmarks:', found an empty file"),
        ("lm3", "# only\n\nNose tip\n1 2 3\n", r"'22 landmarks:', found 'Nose tip' \(line 3\)"),
        ("lm3", LM3.replace("3 landmarks", "4000000000 landmarks"), "expected a line such as"),
        ("lm3", LM3.replace("3 landmarks", "999999 landmarks"), "expected 999999 landmarks, found 3"),
        (
            "lm3",
            LM3.replace("0.0 -1.5 2.75\n", ""),
            "line 7: expected 3 coordinates of 'Nose tip', found 'Chin middle'",
        ),
        ("lm3", LM3.replace("Nose tip\n", ""), "line 6: expected a label, found '0.0 -1.5 2.75'"),
        ("lm3", LM3.replace("0.0 -1.5 2.75", "0.0 -1.5"), "line 7: expected 3 coordinates of 'Nose tip'"),
        ("lm3", LM3.replace("0.0 -1.5 2.75", "0.0 inf 2.75"), "line 7"),
        ("lm2", LAYOUTS["labels first"].replace("Nose tip\n", ""), "line 8: expected a label, found '100.5"),
        ("lm2", LAYOUTS["labels first"].replace("150.0\t260.0\n", ""), "expected 3 landmarks, found 2"),
        ("lm2", LAYOUTS["in turn"].replace("150.0, 260.0", "150.0"), "line 9: expected 2 coordinates of 'Nose tip'"),
    ],
)
def test_a_damaged_file_is_refused_by_line(tmp_path, suffix, content, words):
    path = tmp_path / f"a.{suffix}"
    path.write_text(content)
    with pytest.raises(ScanError, match=words) as caught:
        read_landmarks(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("part", range(20))
@pytest.mark.parametrize("suffix", ["bnd", "lm2", "lm3"])
def test_a_file_cut_short_is_refused(tmp_path, suffix, part):
    whole = {"bnd": "".join(bnd()[0]), "lm2": LAYOUTS["labels first"], "lm3": LM3}[suffix]
    path = tmp_path / f"a.{suffix}"
    path.write_text(whole[: len(whole) * part // 20])
    with pytest.raises(ScanError) as caught:
        read_landmarks(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_what_is_written_comes_back(tmp_path):
    rng = np.random.default_rng(2)
    vertices, points = rng.integers(0, 35000, 83), rng.normal(0, 60, (83, 3))
    write_bnd(tmp_path / "a.bnd", vertices, points)
    back = read_landmarks(tmp_path / "a.bnd")
    np.testing.assert_array_equal(back.vertices, vertices)
    np.testing.assert_allclose(back.points, points, rtol=0, atol=6e-5)
    write_lm3(tmp_path / "a.lm3", LABELS, np.array(PLACES))
    back = read_landmarks(tmp_path / "a.lm3")
    assert back.names == tuple(LABELS)
    np.testing.assert_array_equal(back.points, PLACES)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(ScanError, match=r"ends in \.bnd, \.lm2, \.lm3, found '\.txt'"):
        read_landmarks(tmp_path / "a.txt")
    with pytest.raises(ScanError, match="expected a file of landmarks, found none"):
        read_landmarks(tmp_path / "a.bnd")
    (tmp_path / "b.lm3").write_bytes(b"#" * (2 << 20))
    with pytest.raises(ScanError, match="found 2097152 bytes"):
        read_landmarks(tmp_path / "b.lm3")
