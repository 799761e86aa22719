"""Captured curves: files written by hand with known answers, damaged ones, and the real takes where they are there."""

import os
from pathlib import Path

import numpy as np
import pytest

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import DataError
from affectvlm.synthesis import ict_facekit
from affectvlm.synthesis.action_units import ACTION_UNITS, UNIT_INDEX
from affectvlm.synthesis.live_link import HEAD, MEASURED_APEXES, SHAPES, measured_apex, read_live_link, strengths_of

ALL_SHAPES = (*SHAPES, "mouthLeft", "mouthRight", "mouthShrugUpper", "tongueOut", "eyeLookInLeft")
COLUMNS = ("Timecode", "BlendShapeCount", *(name[0].upper() + name[1:] for name in (*ALL_SHAPES, *HEAD)))
CODES = ("10:00:00:00.000", "10:00:00:02.000", "10:00:00:04.000")
"""Three frames of a take of 30 frames a second."""


def take(frames=({}, {}, {}), codes=CODES) -> list[list[str]]:
    """Rows of cells, the header first; a frame is what is not 0 in it."""
    rows = [list(COLUMNS)]
    for code, frame in zip(codes, frames, strict=True):
        named = {name[0].upper() + name[1:]: value for name, value in frame.items()}
        assert named.keys() <= set(COLUMNS)
        rows.append([code, "61", *(f"{named.get(name, 0.0):.10f}" for name in COLUMNS[2:])])
    return rows


def write(path: Path, rows: list[list[str]], end: str = "\n", start: str = "") -> Path:
    path.write_bytes((start + end.join(",".join(row) for row in rows) + end).encode())
    return path


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "take.csv"


def shown(strengths: np.ndarray) -> dict[str, tuple[float, float]]:
    """What is not 0, by name."""
    return {unit: tuple(strengths[i].tolist()) for unit, i in UNIT_INDEX.items() if strengths[i].any()}


def of(**weights: float) -> dict[str, tuple[float, float]]:
    return shown(strengths_of({shape: np.array(weights.get(shape, 0.0)) for shape in SHAPES}))


def test_a_take_is_read_frame_by_frame(file):
    frames = [{}, {"mouthSmileLeft": 0.5, "browInnerUp": 0.25, "headPitch": 0.1}, {"jawOpen": 0.3}]
    performance = read_live_link(write(file, take(frames)))
    assert (performance.fps, len(performance)) == (30.0, 3)
    assert performance.strengths.dtype == performance.head_deg.dtype == np.float32
    assert [shown(frame) for frame in performance.strengths] == [
        {},
        {"AU1": (0.25, 0.25), "AU12": (0.5, 0.0)},
        {"AU26": (0.5, 0.5)},
    ]
    np.testing.assert_allclose(performance.head_deg[1], [0, np.degrees(0.1), 0], rtol=1e-6)


def test_the_heads_angles_are_radians_of_a_mirrored_frame(file):
    frame = {"headYaw": 0.1, "headPitch": 0.2, "headRoll": 0.3}
    performance = read_live_link(write(file, take([frame] * 3)))
    np.testing.assert_allclose(performance.head_deg, [np.degrees([-0.1, 0.2, -0.3])] * 3, rtol=1e-6)


@pytest.mark.parametrize("unit", sorted(ict_facekit.ACTION_UNITS))
def test_a_face_of_arkits_shapes_shows_what_was_captured(unit):
    # AU11 and AU23 are made of other units' shapes; all others come back as themselves.
    weights = {}
    for shape, weight in ict_facekit.ACTION_UNITS[unit].items():
        for name in [shape.replace("@", side) for side in ("Left", "Right")] if "@" in shape else [shape]:
            weights["browInnerUp" if name.startswith("browInnerUp") else name] = weight
            if name.startswith("cheekPuff"):
                weights["cheekPuff"] = weight
    if unit == "AU11":
        expected = {"AU9": (0.3, 0.3), "AU10": (0.3, 0.3)}
    elif unit == "AU23":
        expected = {"AU24": (0.5, 0.5), "AU28": (0.25, 0.25)}
    elif unit == "AU25":
        expected = {"AU25": (0.5, 0.5), "AU16": (0.25, 0.25), "AU10": (0.15, 0.15)}
    elif unit in ("AU30_L", "AU30_R"):
        expected = {"AU30": (1.0, 0.0) if unit == "AU30_L" else (0.0, 1.0)}
    else:
        expected = {unit: (1.0, 1.0)}
    found = of(**{name: weight for name, weight in weights.items() if name in SHAPES})
    assert found.keys() == expected.keys()
    for name, both in expected.items():
        assert found[name] == pytest.approx(both, abs=1e-6)


@pytest.mark.parametrize(
    ("jaw", "close", "dropped", "stretched"),
    [(0.3, 0, 0.5, 0), (0.6, 0, 1, 0), (0.8, 0, 0.5, 0.5), (1, 0, 0, 1), (0.9, 0.5, 0.5, 0), (0.5, 0.5, 0, 0)],
)
def test_the_jaw_drops_and_then_stretches_and_closed_lips_take_from_it(jaw, close, dropped, stretched):
    found = of(jawOpen=jaw, mouthClose=close)
    assert found.get("AU26", (0, 0)) == pytest.approx((dropped, dropped), abs=1e-6)
    assert found.get("AU27", (0, 0)) == pytest.approx((stretched, stretched), abs=1e-6)
    opening = max(jaw - 1.2 * close, 0)
    assert 0.6 * found.get("AU26", (0,))[0] + found.get("AU27", (0,))[0] == pytest.approx(opening, abs=1e-6)


def test_the_lips_displacement_is_shared_without_loss():
    rng = np.random.default_rng(0)
    weights = {shape: rng.uniform(0, 1, 100) for shape in SHAPES}
    strengths = strengths_of(weights)
    unit = {name: strengths[:, i] for name, i in UNIT_INDEX.items()}
    for column, side in enumerate(("Left", "Right")):
        lower = unit["AU16"][:, column] + 0.5 * unit["AU25"][:, column]
        upper = unit["AU10"][:, column] + 0.3 * unit["AU25"][:, column]
        np.testing.assert_allclose(lower, weights["mouthLowerDown" + side], atol=1e-6)
        np.testing.assert_allclose(upper, weights["mouthUpperUp" + side], atol=1e-6)
    assert strengths.min() >= 0
    assert strengths.max() <= 1


def test_a_cheek_squint_brings_its_own_eye_squint():
    assert of(cheekSquintLeft=0.5, eyeSquintLeft=0.15) == {"AU6": (0.5, 0)}
    found = of(cheekSquintLeft=0.5, eyeSquintLeft=0.5)
    assert found["AU7"] == pytest.approx((0.35, 0))


def test_values_beyond_0_and_1_are_clipped(file):
    performance = read_live_link(write(file, take([{"eyeBlinkLeft": 1.05, "mouthSmileLeft": -0.01}] * 3)))
    assert shown(performance.strengths[0]) == {"AU43": (1.0, 0.0)}


VARIANTS = {
    "Windows": {"end": "\r\n"},
    "byte order mark": {"start": "\ufeff"},
    "both": {"end": "\r\n", "start": "\ufeff"},
    "blank lines at the end": {"end": "\n\n"},
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_line_ends_and_marks_make_no_difference(file, variant):
    rows = take([{}, {"browInnerUp": 0.25}, {}])
    plain = read_live_link(write(file, rows))
    other = read_live_link(write(file.with_name("take_cal.csv"), rows, **variant))
    np.testing.assert_array_equal(other.strengths, plain.strengths)


@pytest.mark.parametrize("name", ["BlendshapeCount", "BlendShapeCount", "blendShapeCount"])
def test_the_count_is_written_in_several_ways_and_columns_come_in_any_order(file, name):
    rows = take([{}, {"browInnerUp": 0.25}, {}])
    rows[0][1] = name
    performance = read_live_link(write(file, [row[:2] + row[:1:-1] for row in rows]))
    assert shown(performance.strengths[1]) == {"AU1": (0.25, 0.25)}


@pytest.mark.parametrize(
    ("step", "fps"),
    [("1.000", 60.0), ("2.000", 30.0), ("1.001", 59.94), ("2.002", 29.97), ("2.400", 25.0), ("2.500", 24.0)],
)
def test_the_rate_is_found_in_the_timecodes(file, step, fps):
    codes = [f"00:00:{int(i * float(step) // 60):02d}:{i * float(step) % 60:06.3f}" for i in range(500)]
    performance = read_live_link(write(file, take([{}] * 500, codes)))
    assert performance.fps == fps
    assert len(performance) == 500


def test_a_clock_that_is_not_quite_the_rate_keeps_every_row(file):
    # As in the real takes: some steps are 1.999 sixtieths. Over a long take that adds up to more than a frame.
    at = np.cumsum(np.r_[0, np.where(np.arange(2999) % 2, 2.0, 1.998)])
    codes = [f"01:{int(s // 3600):02d}:{int(s // 60 % 60):02d}:{s % 60:06.3f}" for s in at]
    rng = np.random.default_rng(0)
    smiles = rng.uniform(0, 1, 3000)
    performance = read_live_link(write(file, take([{"mouthSmileLeft": s} for s in smiles], codes)))
    assert len(performance) == 3000
    np.testing.assert_allclose(performance.strengths[:, UNIT_INDEX["AU12"], 0], smiles, atol=1e-7)


def test_dropped_frames_are_filled_in(file):
    codes = ["10:00:59:56.000", "10:00:59:58.000", "10:01:00:06.000", "10:01:00:08.000", "10:01:00:10.000"]
    frames = [{"browInnerUp": value} for value in (0, 0.2, 0.6, 0.7, 0)]
    performance = read_live_link(write(file, take(frames, codes)))
    assert performance.fps == 30.0
    inner = performance.strengths[:, UNIT_INDEX["AU1"], 0]
    np.testing.assert_allclose(inner, [0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0], atol=1e-6)


def test_a_frame_without_a_face_is_filled_in(file):
    values = (0.1, 0, 0.3, 0.2, 0.5)
    rows = take([{"browInnerUp": value} for value in values], (*CODES, "10:00:00:06.000", "10:00:00:08.000"))
    rows[2] = [rows[2][0], "0"]
    performance = read_live_link(write(file, rows))
    np.testing.assert_allclose(performance.strengths[:, UNIT_INDEX["AU1"], 0], [0.1, 0.2, 0.3, 0.2, 0.5], atol=1e-6)


def test_a_row_that_comes_twice_counts_once(file):
    frames = [{"browInnerUp": value} for value in (0.1, 0.2, 0.9, 0.3)]
    performance = read_live_link(write(file, take(frames, (CODES[0], CODES[1], CODES[1], CODES[2]))))
    np.testing.assert_allclose(performance.strengths[:, UNIT_INDEX["AU1"], 0], [0.1, 0.2, 0.3], atol=1e-6)


def test_a_take_goes_on_over_midnight(file):
    codes = ["23:59:59:56.000", "23:59:59:58.000", "00:00:00:00.000", "00:00:00:02.000"]
    frames = [{"browInnerUp": value} for value in (0.1, 0.2, 0.3, 0.4)]
    performance = read_live_link(write(file, take(frames, codes)))
    assert performance.fps == 30.0
    np.testing.assert_allclose(performance.strengths[:, UNIT_INDEX["AU1"], 0], [0.1, 0.2, 0.3, 0.4], atol=1e-6)


def refused(file: Path) -> str:
    with pytest.raises(DataError) as error:
        read_live_link(file)
    message = str(error.value)
    assert message.startswith(str(file))
    assert "\n" not in message
    return message


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(file, content):
    file.write_bytes(content)
    assert "empty" in refused(file)


def test_timecodes_too_close_together_are_refused(file):
    # The frames in between would be 10^11.
    codes = ("00:00:00:00.000000000", "00:00:00:00.000000005", "00:00:00:00.000000010", "00:00:09:00.000")
    assert "at most 240 frames a second" in refused(write(file, take([{}] * 4, codes)))


def test_a_take_that_is_mostly_gaps_is_refused(file):
    codes = [f"10:{i // 6:02d}:{i % 6 * 10:02d}:{k:02d}.000" for i in range(20) for k in (0, 1, 2)]
    assert "found 60" in refused(write(file, take([{}] * 60, codes)))


def test_a_timecode_of_thousands_of_digits_is_refused_and_not_repeated(file):
    message = refused(write(file, take(codes=("1" * 5000 + ":00:00:00.000", *CODES[1:]))))
    assert "line 2, column Timecode" in message
    assert len(message) < 300


@pytest.mark.parametrize("cell", ["1e308", "-1e6", "9" * 5000])
def test_a_number_that_would_overflow_is_refused(file, cell):
    rows = take()
    rows[2][COLUMNS.index("HeadYaw")] = cell
    message = refused(write(file, rows))
    assert f"line 3, column HeadYaw: expected a number, found {cell[:40]!r}" in message
    assert len(message) < 300


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "cannot be read" in refused(tmp_path / "none.csv")
    assert "cannot be read" in refused(tmp_path)


@pytest.mark.parametrize("content", [b"this is no capture\n1,2\n", bytes(range(256)) * 40])
def test_another_file_is_refused(file, content):
    file.write_bytes(content)
    refused(file)


def test_missing_columns_are_named(file):
    rows = take()
    for name in ("JawOpen", "HeadYaw"):
        rows[0][COLUMNS.index(name)] = "Other"
    message = refused(write(file, rows))
    assert "2 are missing: JawOpen, HeadYaw" in message


@pytest.mark.parametrize("cell", ["", "zero", "nan", "inf", "0.5.1"])
def test_a_cell_that_is_no_number_is_named(file, cell):
    rows = take()
    rows[2][COLUMNS.index("JawOpen")] = cell
    assert f"line 3, column JawOpen: expected a number, found {cell!r}" in refused(write(file, rows))


def test_a_cell_that_is_not_used_may_be_anything(file):
    rows = take()
    rows[2][COLUMNS.index("TongueOut")] = "?"
    assert len(read_live_link(write(file, rows))) == 3


def test_a_row_that_is_cut_off_is_named(file):
    rows = take()
    rows[3] = rows[3][:20]
    assert f"line 4: expected {len(COLUMNS)} cells, found 20" in refused(write(file, rows))


@pytest.mark.parametrize("code", ["", "10:00:00", "10:00:00:99.0", "10:61:00:00", "a:b:c:d", "10:00:00:02.0x"])
def test_a_timecode_that_is_none_is_named(file, code):
    message = refused(write(file, take(codes=(CODES[0], code, CODES[2]))))
    assert "line 3, column Timecode" in message
    assert repr(code) in message


def test_a_timecode_that_goes_back_is_named(file):
    message = refused(write(file, take(codes=(CODES[0], CODES[2], CODES[1]))))
    assert f"line 4: expected a later timecode than the line before, found {CODES[1]} after {CODES[2]}" in message


def test_two_takes_in_one_file_are_told_apart(file):
    message = refused(write(file, take(codes=(CODES[0], CODES[1], "21:00:00:04.000"))))
    assert "line 4: expected frames at most 10 s apart" in message


def test_a_short_row_is_named_also_where_a_column_comes_twice(file):
    rows = take()
    rows = [[*row, row[-1]] for row in rows]
    rows[2] = rows[2][:-1]
    assert f"line 3: expected {len(COLUMNS) + 1} cells, found {len(COLUMNS)}" in refused(write(file, rows))


def test_a_clock_that_stands_still_is_refused(file):
    assert "timecodes that advance" in refused(write(file, take(codes=[CODES[0]] * 3)))


@pytest.mark.parametrize("frames", [0, 1])
def test_a_take_needs_two_frames(file, frames):
    assert f"at least two frames with a face, found {frames}" in refused(write(file, take()[: 1 + frames]))


def test_every_emotion_has_a_measured_apex():
    assert tuple(MEASURED_APEXES) == EMOTIONS
    for emotion in EMOTIONS:
        apex = measured_apex(emotion)
        assert (apex.shape, apex.dtype) == ((len(ACTION_UNITS), 2), np.float32)
        np.testing.assert_array_equal(apex[:, 0], apex[:, 1])


def test_the_measured_apexes_are_those_of_the_table():
    surprise = {unit: both[0] for unit, both in shown(measured_apex("surprise")).items()}
    assert surprise == pytest.approx({"AU1": 0.35, "AU2": 0.36, "AU5": 0.78, "AU16": 0.3, "AU20": 0.27, "AU26": 0.9})
    # Of the lips' 0.72 down and 0.37 up, both share 1 x (0.5, 0.3), of which AU25 takes half.
    happiness = {unit: both[0] for unit, both in shown(measured_apex("happiness")).items()}
    lips = {"AU25": 0.5, "AU16": 0.72 - 0.25, "AU10": 0.37 - 0.15}
    others = {"AU4": 0.25, "AU6": 0.48, "AU7": 0.47 - 0.3 * 0.48, "AU9": 0.27, "AU12": 0.83}
    assert happiness == pytest.approx(lips | others)


@pytest.mark.parametrize(("name", "rows", "dropped"), [("alex_rom_3", 4030, 3), ("alex_rom_4", 3809, 2)])
def test_the_real_takes(name, rows, dropped):
    named = os.environ.get("AFFECTVLM_DATA")
    data = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    file = data / "livelink-captures" / "livelink_rom_alexdjulin" / f"{name}.csv"
    if not file.is_file():
        pytest.skip(f"no capture at {file}; unpack it and name the folder above livelink-captures in AFFECTVLM_DATA")
    assert len(file.read_text().splitlines()) == 1 + rows
    performance = read_live_link(file)
    assert performance.fps == 30.0
    assert len(performance) == rows + dropped
    assert np.isfinite(performance.strengths).all()
    assert np.isfinite(performance.head_deg).all()
    assert performance.strengths.min() == 0
    assert performance.strengths.max() <= 1
    # It is a take in which every part of the face is moved.
    most = dict(zip(ACTION_UNITS, performance.strengths.max(axis=(0, 2)), strict=True))
    assert min(most[unit] for unit in ("AU1", "AU2", "AU4", "AU5", "AU9", "AU12", "AU26", "AU43")) > 0.8
