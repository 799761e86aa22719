"""Sequences on the page: hostile zips refused, the library's answers, films that keep time, work that really stops."""

import base64
import io
import json
import stat
import sys
import tempfile
import threading
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import trimesh
from PIL import Image, ImageColor

pytest.importorskip("streamlit", reason="the app's extra is not installed")
from streamlit.testing.v1 import AppTest

from affectvlm.app.made_face import MadeFace, face_models
from affectvlm.app.own_warnings import own_warnings
from affectvlm.app.sequence import archive, frames_upload
from affectvlm.app.sequence import page as sequence_page
from affectvlm.app.sequence.archive import unpack
from affectvlm.app.sequence.chooser import CHOSEN
from affectvlm.app.sequence.frame_pictures import RADIUS_MM, SIZE_PX, draw_frames
from affectvlm.app.sequence.frames_upload import lay_out
from affectvlm.app.sequence.gif import COURSE, FASTEST_CS, MOST_PICTURES, REST_CS, schedule, sequence_gif
from affectvlm.app.sequence.player import player_data
from affectvlm.app.sequence.reading import SequenceReading, read_sequence
from affectvlm.app.sequence.sources import (
    CapturedSequence,
    DroppedSequence,
    GeneratedSequence,
)
from affectvlm.app.settings import AppSettings, capture_files
from affectvlm.app.work import StoppedError, Work
from affectvlm.errors import DataError, ScanError
from affectvlm.recognizer import Recognizer
from affectvlm.recognizer.class_colours import class_colours
from affectvlm.scan import FaceScan
from affectvlm.scan.pose import Pose
from affectvlm.scan.write import write_scan
from affectvlm.synthesis.live_link import SHAPES

SCRIPT = """
from affectvlm.app.sequence import page as sequence_page
from affectvlm.app.settings import settings_of_this_page
sequence_page.show(settings_of_this_page())
"""

SURPRISE = GeneratedSequence(MadeFace(person=3), "surprise", 5.0)


@pytest.fixture(scope="module")
def recognizer(model_folder) -> Recognizer:
    return Recognizer.from_pretrained(model_folder)


@pytest.fixture(scope="module")
def settings(model_folder) -> AppSettings:
    return AppSettings(model=model_folder)


@pytest.fixture(scope="module")
def frames(settings, tmp_path_factory) -> tuple[FaceScan, ...]:
    return SURPRISE.open(settings, tmp_path_factory.mktemp("frames"), lambda share: None).frames


@pytest.fixture(scope="module")
def files(frames, tmp_path_factory) -> list[tuple[str, bytes]]:
    """Five frames as files, which sort by number and not by letter; the third shows no face."""
    folder = tmp_path_factory.mktemp("files")
    files = []
    for number, frame in enumerate(frames[:10:2], 8):
        scan = frame if number != 10 else FaceScan(*_box())
        write_scan(folder / f"{number}.ply", scan)
        files.append((f"{number}.ply", (folder / f"{number}.ply").read_bytes()))
    return files


@pytest.fixture(scope="module")
def reading(recognizer, settings, files) -> SequenceReading:
    return read_sequence(recognizer, DroppedSequence(tuple(files), 12.5), settings, lambda doing, share: None)


@pytest.fixture(scope="module")
def capture(tmp_path_factory) -> Path:
    """Three seconds of which the mouth opens steadily in the last."""
    rows = ["Timecode,BlendShapeCount," + ",".join((*SHAPES, "headYaw", "headPitch", "headRoll"))]
    for frame in range(181):
        values = ["0"] * (len(SHAPES) + 3)
        values[SHAPES.index("jawOpen")] = str(max(frame - 120, 0) / 60)
        rows.append(f"00:00:{frame // 60:02d}:{frame % 60:02d}.000,61," + ",".join(values))
    file = tmp_path_factory.mktemp("captures") / "take.csv"
    file.write_text("\n".join(rows))
    return file


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The folder in which temporary ones are made, so that a left one is seen."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _box() -> tuple[np.ndarray, np.ndarray]:
    box = trimesh.creation.box((100, 100, 100)).subdivide().subdivide().subdivide()
    return np.asarray(box.vertices, np.float32), np.asarray(box.faces, np.int32)


def zipped(entries, method=zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of (name or ZipInfo, content)."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as out:
        for name, content in entries:
            out.writestr(name, content)
    return packed.getvalue()


def patched(content: bytes, at: int, value: bytes) -> bytes:
    """A zip with other bytes at a place of its directory's first entry, and at the same of the file's own header."""
    start = content.rindex(b"PK\x01\x02") + at
    return content[:start] + value + content[start + len(value) :]


def of_kind(kind: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("1.ply")
    info.external_attr = (kind | 0o777) << 16
    return info


# Zips


def test_a_zip_is_unpacked_as_it_is_and_nothing_else_of_it(tmp_path, files):
    litter = [
        ("__MACOSX/Happy/._8.ply", b"x"),
        ("Happy/._8.ply", b"x"),
        ("Happy/readme.txt", b"x"),
        ("Happy/more.zip", zipped(files)),
        ("Happy/setup.exe", b"x"),
        ("Happy/deep/", b""),
    ]
    entries = [(f"Happy/{name}", content) for name, content in files] + [("Happy\\8.png", b"picture")]
    unpacked = unpack("x.zip", zipped(entries + litter), tmp_path, frames_upload._is_wanted)
    there = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert there == {name.replace("\\", "/"): content for name, content in entries}
    assert sorted(unpacked) == sorted(tmp_path / name for name in there)


@pytest.mark.parametrize(
    "name", ["../1.ply", "a/../../1.ply", "/tmp/1.ply", "..\\1.ply", "C:\\1.ply", "c:1.ply", "\\1.ply"]
)
def test_a_name_that_leads_out_of_the_zip_is_refused(name, tmp_path, files):
    inside = tmp_path / "inside"
    inside.mkdir()
    content = zipped([("0.ply", b"a scan"), (name, b"evil")])
    with pytest.raises(
        ScanError, match=r"^x\.zip: expected names inside the zip, found one that leads out of it: "
    ) as raised:
        unpack("x.zip", content, inside, lambda name: True)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.rglob("*")) == [inside]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_are_refused(kind, tmp_path):
    with pytest.raises(ScanError, match=r"^x\.zip: expected files and folders only, found a link or device: '1\.ply'"):
        unpack("x.zip", zipped([(of_kind(kind), b"/etc/passwd")]), tmp_path, lambda name: True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wanted", [True, False])
def test_a_bomb_is_refused_if_it_would_be_unpacked(wanted, tmp_path):
    bomb = zipped([("1.ply", bytes(5_000_000))])
    assert len(bomb) < 6_000
    if wanted:
        with pytest.raises(ScanError, match=r"1\.ply would unpack from 4,\d+ to 5,000,000 bytes, as no scan does"):
            unpack("x.zip", bomb, tmp_path, lambda name: True)
    else:
        assert unpack("x.zip", bomb, tmp_path, lambda name: False) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("limit", "value", "words"),
    [
        ("MAX_MEMBERS", 2, "expected at most 2 files in a zip, found 3"),
        ("MAX_DIRECTORY_BYTES", 100, "found a list of many more"),
        ("MAX_FILE_BYTES", 999, r"expected files of at most 0 MB, found 1\.ply of 0 MB"),
        ("MAX_TOTAL_BYTES", 2_999, "expected at most 0 MB unpacked, found 0 MB"),
    ],
)
def test_limits_hold(limit, value, words, tmp_path, monkeypatch):
    content = zipped([(f"{number}.ply", bytes(range(250)) * 4) for number in (1, 2, 3)])
    assert len(unpack("x.zip", content, tmp_path / "fine", lambda name: True)) == 3
    monkeypatch.setattr(archive, limit, value)
    with pytest.raises(ScanError, match=words):
        unpack("x.zip", content, tmp_path / "refused", lambda name: True)
    assert not (tmp_path / "refused").exists()


def test_what_cannot_be_unpacked_is_said(tmp_path):
    plain = zipped([("1.ply", b"a scan")])
    with pytest.raises(ScanError, match=r"^x\.zip: 1\.ply is protected by a password; zip it without$"):
        unpack("x.zip", patched(plain, 8, b"\x01"), tmp_path, lambda name: True)
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with pytest.raises(ScanError, match=rf"1\.ply is packed by an unusual method \({method}\)"):
            unpack("x.zip", zipped([("1.ply", b"a scan")], method), tmp_path, lambda name: True)
    with pytest.raises(ScanError, match=r"expected a zip, found a damaged or other file"):
        unpack("x.zip", b"a letter", tmp_path, lambda name: True)
    with pytest.raises(ScanError, match=r"holds two files called a/1\.ply; zip one sequence alone"):
        unpack("x.zip", zipped([("a/1.ply", b"1"), ("a\\1.ply", b"2")]), tmp_path, lambda name: True)


def test_a_file_that_is_larger_than_announced_is_damaged(tmp_path):
    content = zipped([("1.ply", bytes(range(256)) * 100)])
    shorter = patched(content, 24, (1_000).to_bytes(4, "little"))
    with pytest.raises(ScanError, match="expected a zip, found a damaged or other file"):
        unpack("x.zip", shorter, tmp_path, lambda name: True)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 1_000


def test_a_damaged_zip_is_one_line_whatever_the_damage(tmp_path, files):
    whole = zipped([(f"Happy/{name}", content[:3_000]) for name, content in files])
    rng = np.random.default_rng(0)
    refused = []
    for trial in range(150):
        if trial % 3 == 0:
            damaged = whole[: rng.integers(len(whole))]
        else:
            # The directory lies at the end: damage there does the most.
            bent = bytearray(whole)
            for at in rng.integers(len(whole) - 600 if trial % 3 == 1 else 0, len(whole), 4):
                bent[at] = rng.integers(256)
            damaged = bytes(bent)
        folder = tmp_path / str(trial)
        folder.mkdir()
        try:
            unpack("x.zip", damaged, folder, frames_upload._is_wanted)
        except ScanError as error:
            refused.append(str(error))
    assert len(refused) > 100
    assert all(line.startswith("x.zip: ") and "\n" not in line and str(tmp_path) not in line for line in refused)


# Dropped frames


def test_dropped_frames_and_their_zip_are_the_same_sequence(tmp_path, files):
    for called, dropped in (
        ("5 dropped files", files[::-1]),
        ("Happy", [("Happy.zip", zipped(files[::-1]))]),
        ("take", [("C:\\x\\take.zip", zipped([(f"F001/Happy/{name}", content) for name, content in files]))]),
    ):
        folder = tmp_path / called
        folder.mkdir()
        sequence = lay_out(dropped, folder, 30.0)
        assert (sequence.source, sequence.fps) == (called, 30.0)
        assert [path.name for path in sequence.frames] == ["8.ply", "9.ply", "10.ply", "11.ply", "12.ply"]
        assert [path.read_bytes() for path in sequence.frames] == [content for _, content in files]


def test_what_is_no_sequence_is_said_in_one_line(tmp_path, files, monkeypatch):
    name, scan = files[0]
    cases = {
        "one": ([(name, scan)], "expected two frames or more, found one; for a single scan take “Read a scan”"),
        "none": ([("x.zip", zipped([("a.txt", b"")]))], "expected frames that end in .*, found nothing of use"),
        "nested": ([("x.zip", zipped([("y.zip", zipped(files))]))], "a zip inside another is not opened"),
        "picture": ([("x.zip", zipped([("a.jpg", b"")]))], r"found a\.jpg"),
        "two": (
            [("x.zip", zipped([(f"{folder}/{n}", c) for folder in ("a", "b") for n, c in files]))],
            r"x: expected the frames of one sequence, found scans in 2 folders \(a, b\); zip one of them",
        ),
        "mixed": ([(name, scan), ("x.zip", zipped(files))], r"either frames or one zip of them, found x\.zip among 2"),
        "twice": ([(name, scan), (f"other/{name}", b"")], rf"{name}: two files of this name were dropped"),
    }
    for case, (dropped, words) in cases.items():
        (tmp_path / case).mkdir()
        with pytest.raises(ScanError, match=words) as raised:
            lay_out(dropped, tmp_path / case, None)
        assert "\n" not in str(raised.value)
        assert str(tmp_path) not in str(raised.value)
    monkeypatch.setattr(frames_upload, "MAX_FRAMES", 4)
    (tmp_path / "many").mkdir()
    with pytest.raises(ScanError, match="expected at most 4 frames, found 5; take a part of them"):
        lay_out(files, tmp_path / "many", None)


# What is read of a sequence


def test_a_reading_is_the_library_s_answer_and_leaves_nothing_behind(recognizer, settings, files, tmp_path, temporary):
    reading = read_sequence(recognizer, DroppedSequence(tuple(files), 12.5), settings, lambda doing, share: None)
    folder = tmp_path / "own"
    folder.mkdir()
    expected = recognizer.predict(lay_out(files, folder, 12.5))
    assert reading.answer.label == expected.label
    assert reading.answer.probabilities == expected.probabilities
    ours, theirs = reading.timeline.to_dataframe(), expected.timeline.to_dataframe()
    assert ours["path"].tolist() == ["8.ply", "9.ply", "10.ply", "11.ply", "12.ply"]
    assert list(reading.errors) == [2]
    assert reading.errors[2].startswith("10.ply: ")
    pd.testing.assert_frame_equal(ours.drop(columns=["path", "error"]), theirs.drop(columns=["path", "error"]))
    assert len(reading.pictures) == 5
    assert list(temporary.iterdir()) == []


def test_a_reading_can_be_stopped_wherever_it_is(recognizer, settings, files, temporary):
    told: list[str] = []
    read_sequence(recognizer, DroppedSequence(tuple(files), None), settings, lambda doing, share: told.append(doing))
    assert list(dict.fromkeys(told)) == ["Opening the frames", "Recognising 5 frames", "Drawing 5 frames"]
    for last in range(len(told)):
        heard: list[str] = []

        def tell(doing, share, heard=heard, last=last):
            if len(heard) == last:
                raise StoppedError
            heard.append(doing)

        with pytest.raises(StoppedError):
            read_sequence(recognizer, DroppedSequence(tuple(files), None), settings, tell)
        assert heard == told[:last]
        assert list(temporary.iterdir()) == []


def test_shares_of_the_work_never_fall(recognizer, settings):
    told: list[float] = []
    read_sequence(recognizer, SURPRISE, settings, lambda doing, share: told.append(share))
    assert told == sorted(told)
    assert told[0] == 0
    assert 0.9 < told[-1] <= 1


def test_a_sequence_without_a_face_is_an_error(recognizer, settings, files, temporary):
    nothing = tuple((f"{number}.ply", files[2][1]) for number in (1, 2))
    with pytest.raises(ScanError, match="expected a sequence with a face in at least 1 of its frames") as raised:
        read_sequence(recognizer, DroppedSequence(nothing, None), settings, lambda doing, share: None)
    assert str(temporary) not in str(raised.value)
    assert list(temporary.iterdir()) == []


# Made-up and captured ones


def test_a_made_up_sequence_is_always_the_same(settings, frames, tmp_path):
    again = SURPRISE.open(settings, tmp_path, lambda share: None)
    assert again.fps == 5
    assert 15 <= len(again) == len(frames) <= 25
    for one, other in zip(again.frames, frames, strict=True):
        np.testing.assert_array_equal(one.vertices, other.vertices)
    assert [frame.source for frame in again.frames[:2]] == ["surprise/000", "surprise/001"]
    neutral = replace(SURPRISE, shown="neutral, speaking").open(settings, tmp_path, lambda share: None)
    assert len(neutral) == 8 * 5
    other = replace(SURPRISE, face=MadeFace(person=4)).open(settings, tmp_path, lambda share: None)
    assert not np.array_equal(other.frames[0].vertices, frames[0].vertices)


def test_a_part_of_a_capture_is_performed(model_folder, capture, tmp_path):
    settings = AppSettings(model=model_folder, captures=capture.parent)
    assert capture_files(settings) == [capture]
    source = CapturedSequence(MadeFace(), capture, 1.5, 3.0, 10.0)
    sequence = source.open(settings, tmp_path, lambda share: None)
    assert (len(sequence), sequence.fps, sequence.source) == (16, 10.0, "take")
    moved = [np.abs(frame.vertices - sequence.frames[0].vertices).max() for frame in sequence.frames]
    assert max(moved[:6]) < 1e-4
    assert (np.diff(moved[5:]) > 0.1).all()
    with pytest.raises(DataError):
        replace(source, file=tmp_path / "none.csv").open(settings, tmp_path, lambda share: None)


def test_only_what_the_page_was_started_with_can_be_chosen(model_folder, tmp_path):
    assert face_models(AppSettings(model=model_folder)) == ["embedded"]
    assert face_models(AppSettings(model=model_folder, makehuman=tmp_path)) == ["embedded", "makehuman"]
    assert capture_files(AppSettings(model=model_folder)) == []
    with pytest.raises(DataError):
        GeneratedSequence(MadeFace("ict-facekit")).open(
            AppSettings(model=model_folder, ict=tmp_path), tmp_path, lambda share: None
        )


# Pictures, player and film


def test_a_ball_is_drawn_as_a_disc_wherever_the_scanner_stood():
    ball = trimesh.creation.icosphere(subdivisions=5, radius=60)
    scan = FaceScan(np.asarray(ball.vertices), np.asarray(ball.faces))
    turn = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], np.float64)
    far = scan.moved(turn, np.array([0.3, 0.1, -2.0]), 0.001)
    poses = [Pose(np.eye(3), np.zeros(3)), Pose(turn, np.array([300.0, 100.0, -2000.0]), "metres")]
    for one, pose in zip((scan, far), poses, strict=True):
        (packed,) = draw_frames([one], pose, 1, lambda share: None)
        assert packed is not None
        picture = Image.open(io.BytesIO(packed))
        assert (picture.format, picture.size, picture.mode) == ("WEBP", (SIZE_PX, SIZE_PX), "RGBA")
        alpha = np.asarray(picture)[..., 3] / 255.0
        pixel_mm = 2 * RADIUS_MM / SIZE_PX
        assert alpha.sum() * pixel_mm**2 == pytest.approx(np.pi * 60**2, rel=0.005)
        middle = (np.indices(alpha.shape) * alpha).sum(axis=(1, 2)) / alpha.sum()
        np.testing.assert_allclose(middle, (SIZE_PX - 1) / 2, atol=0.1)
        # Clay, lit from above on the viewer's left.
        grey = np.asarray(picture.convert("L")).astype(int)
        assert grey[120, 120] > grey[200, 200] + 30


def test_what_is_far_away_is_cut_and_what_cannot_be_read_has_no_picture(tmp_path, files):
    vertices, triangles = _box()
    pose = Pose(np.eye(3), np.zeros(3))
    away = FaceScan(vertices + 500, triangles)
    (tmp_path / "broken.ply").write_bytes(files[0][1][:200])
    near = FaceScan(vertices, triangles)
    drawn = draw_frames([near, away, tmp_path / "broken.ply", near], pose, 2, lambda share: None)
    assert [picture is None for picture in drawn] == [False, True, True, False]
    assert drawn[0] == drawn[3]


def test_the_player_gets_the_whole_timeline(reading):
    data = player_data(reading)
    assert json.loads(json.dumps(data)) == data
    timeline = reading.timeline
    names = [one["name"] for one in data["classes"]]
    assert sorted(names) == sorted(timeline.classes)
    assert {one["name"]: one["colour"] for one in data["classes"]} == class_colours(names)
    shown = np.array([shares or [np.nan] * len(names) for shares in data["shares"]])
    expected = timeline.probabilities[:, [timeline.classes.index(name) for name in names]]
    np.testing.assert_allclose(shown, expected, rtol=0, atol=5e-5)
    assert data["labels"] == [answer.label for answer in timeline.answers]
    assert data["errors"] == {"2": reading.errors[2]}
    assert (data["onset"], data["apex"], data["offset"]) == (timeline.onset, timeline.apex, timeline.offset)
    assert [base64.b64decode(packed) for packed in data["pictures"]] == list(reading.pictures)
    assert data["fps"] == 12.5
    assert player_data(reading)["key"] == data["key"]
    other = replace(reading, pictures=(None, *reading.pictures[1:]))
    assert player_data(other)["pictures"][0] is None
    assert player_data(other)["key"] != data["key"]


@pytest.mark.parametrize(
    ("frames", "fps", "numbers", "delays"),
    [
        (4, 25.0, [0, 1, 2, 3], [4, 4, 4, 4 + REST_CS]),
        (4, 12.5, [0, 1, 2, 3], [8, 8, 8, 8 + REST_CS]),
        (6, 30.0, [0, 2, 4], [7, 6, 7 + REST_CS]),
        (7, 60.0, [0, 3, 6], [5, 5, FASTEST_CS + REST_CS]),
        (2, 1.0, [0, 1], [100, 100 + REST_CS]),
    ],
)
def test_a_film_s_schedule(frames, fps, numbers, delays):
    assert schedule(frames, fps) == (numbers, delays)


@pytest.mark.parametrize("fps", [7.0, 24.0, 25.0, 29.97, 60.0, 240.0])
def test_a_long_film_keeps_time(fps):
    numbers, delays = schedule(600, fps)
    assert len(numbers) <= MOST_PICTURES
    assert min(delays) >= FASTEST_CS
    starts = np.concatenate([[0], np.cumsum(delays)[:-1]])
    np.testing.assert_allclose(starts, 100 * np.array(numbers) / fps, atol=0.5 + 1e-9)


def test_the_film_shows_each_frame_for_its_time_in_the_right_colours(reading):
    film = Image.open(io.BytesIO(sequence_gif(reading)))
    _, delays = schedule(5, 12.5)
    assert film.n_frames == 5
    assert film.info["loop"] == 0
    timeline = reading.timeline
    colours = class_colours(timeline.classes)
    left, top, right, _ = COURSE
    for number in range(5):
        film.seek(number)
        assert film.info["duration"] == 10 * delays[number]
        picture = film.convert("RGB")
        assert picture.getpixel((2, 2)) == (255, 255, 255)
        # The topmost class of the first frame, in full from the first picture on.
        column = left + (right - left) // 20
        last = timeline.classes[-1]
        assert picture.getpixel((column, top + 1)) == ImageColor.getrgb(colours[last])
        # The last frame's column is faint until it has come.
        ahead = picture.getpixel((right - 20, top + 1))
        assert (ahead == ImageColor.getrgb(colours[last])) == (number == 4)


# Work beside the page


def test_work_gives_its_result_its_error_or_its_end():
    def fail(tell):
        raise ScanError("no face")

    def break_down(tell):
        raise ZeroDivisionError

    done: Work[int] = Work(lambda tell: 7)
    failed: Work[int] = Work(fail)
    broken: Work[int] = Work(break_down)
    for work in (done, failed, broken):
        work.wait()
        assert not work.running
    assert (done.result, done.error, done.failure) == (7, None, None)
    assert failed.result is None
    assert str(failed.error) == "no face"
    assert isinstance(broken.failure, ZeroDivisionError)


def test_stopped_work_ends_where_it_next_tells():
    begun, go_on = threading.Event(), threading.Event()
    after: list[str] = []

    def do(tell):
        tell("First", 0.25)
        begun.set()
        go_on.wait()
        tell("Second", 0.5)
        after.append("went on")

    work: Work[None] = Work(do)
    begun.wait()
    assert (work.running, work.doing, work.share, work.stopped) == (True, "First", 0.25, False)
    work.stop()
    go_on.set()
    work.wait()
    assert (work.running, work.stopped, work.result, work.error, after) == (False, True, None, None, [])


def test_a_visitor_s_notes_are_of_his_own_scan():
    """Work beside the page warns while somebody else's scan is read."""
    with own_warnings() as caught:
        warnings.warn("mine", UserWarning, stacklevel=1)
        beside: Work[None] = Work(lambda tell: warnings.warn("somebody else's", UserWarning, stacklevel=1))
        beside.wait()
        assert beside.failure is None
        warnings.warn("mine too", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in caught] == ["mine", "mine too"]
    assert {warning.category for warning in caught} == {UserWarning}


# The page


def open_page(settings: AppSettings, monkeypatch, chosen=SURPRISE) -> AppTest:
    monkeypatch.setattr(sys, "argv", ["page.py", settings.model_dump_json()])
    page = AppTest.from_string(SCRIPT, default_timeout=60)
    page.session_state[CHOSEN] = chosen
    return page.run()


def waited(page: AppTest) -> AppTest:
    """The page after its work."""
    page.session_state[sequence_page.WORK].wait()
    page.run()
    assert not page.exception
    return page


def played(page: AppTest) -> dict:
    """What the player on the page was given."""
    (player,) = page.get("bidi_component")
    return json.loads(player.proto.json)


def test_the_page_plays_a_made_up_sequence_and_keeps_it(settings, recognizer, frames, monkeypatch):
    page = open_page(settings, monkeypatch)
    assert not page.exception
    assert page.button(key="sequence_stop").label == "Stop"
    data = played(waited(page))
    expected = recognizer.predict(SURPRISE.open(settings, Path(), lambda share: None))
    assert data["labels"] == [answer.label for answer in expected.timeline.answers]
    assert data["fps"] == 5
    assert len(data["pictures"]) == len(frames)
    best = max(expected.probabilities, key=expected.probabilities.get)
    called = best if expected.label == best else "unsure"
    assert page.main.subheader[0].value.startswith(f"Apparent expression: {called}")
    assert [button.proto.label for button in page.get("download_button")] == ["Timeline (CSV)", "Film (GIF)"]
    # Another sequence, and the first again, which is there at once.
    page.selectbox(key="sequence_shown_by").set_value("anger")
    page.button(key="sequence_recognise").click().run()
    assert played(waited(page))["key"] != data["key"]
    page.selectbox(key="sequence_shown_by").set_value("surprise")
    page.button(key="sequence_recognise").click().run()
    assert sequence_page.WORK not in page.session_state
    assert played(page) == data
    # A choice alone changes nothing.
    page.selectbox(key="sequence_shown_by").set_value("fear").run()
    assert played(page) == data


def test_the_page_s_work_can_be_stopped(settings, monkeypatch):
    ended = threading.Event()

    def endless(recognizer, source, settings, tell):
        pause = threading.Event()
        try:
            while True:
                tell("Recognising 100 frames", 0.5)
                pause.wait(0.001)
        finally:
            ended.set()

    monkeypatch.setattr(sequence_page, "read_sequence", endless)
    page = open_page(settings, monkeypatch)
    assert not page.get("bidi_component")
    assert not ended.is_set()
    page.button(key="sequence_stop").click().run()
    assert ended.wait(30)
    page.run()
    assert not page.exception
    assert page.info[0].value.startswith("Stopped.")
    # A new one takes the place of one that is under way.
    page.button(key="sequence_recognise").click().run()
    first = page.session_state[sequence_page.WORK]
    ended.clear()
    page.button(key="sequence_recognise").click().run()
    first.wait()
    assert first.stopped
    assert page.session_state[sequence_page.WORK] is not first
    page.session_state[sequence_page.WORK].stop()


def test_the_page_plays_a_part_of_a_capture(settings, capture, monkeypatch):
    started = settings.model_copy(update={"captures": capture.parent})
    page = open_page(started, monkeypatch, CapturedSequence(MadeFace(), capture, 0.5, 1.5, 5.0))
    assert page.info[0].value == "Choose a sequence and press “Recognise”."
    assert page.slider(key="sequence_start_take.csv").max == 3
    page.slider(key="sequence_start_take.csv").set_value(2.5).run()  # of a length of 1 s, 2 s is the last
    page.button(key="sequence_recognise").click().run()
    assert len(played(waited(page))["labels"]) == 6
    assert page.main.caption[0].value.endswith(r"moved as captured in take.csv, 2 to 3 s.")
    # Who comes back from another part finds his choice.
    again = page.session_state[CHOSEN]
    assert (again.start_s, again.end_s, again.fps) == (2, 3, 5)


def test_a_dropped_zip_is_played_and_a_hostile_one_is_one_line(settings, files, monkeypatch, temporary):
    page = open_page(settings, monkeypatch, DroppedSequence((), None))
    assert page.info[0].value == "Choose a sequence and press “Recognise”."
    assert page.button(key="sequence_recognise").disabled
    page.file_uploader(key="sequence_files").upload("Happy.zip", zipped(files)).run()
    page.button(key="sequence_recognise").click().run()
    data = played(waited(page))
    assert data["fps"] is None
    assert data["errors"].keys() == {"2"}
    assert page.expander[0].label == "1 of 5 frames could not be used"
    page.file_uploader(key="sequence_files").set_value([("*evil*.zip", zipped([("../8.ply", b"")]), "")]).run()
    page.button(key="sequence_recognise").click().run()
    waited(page)
    assert page.error[0].value.startswith(r"\*evil\*.zip\: expected names inside the zip")
    assert played(page) == data  # what was there before is still there
    assert list(temporary.iterdir()) == []
