"""Live: the performer does what the sliders say, frames are made in turn, threads end, nobody gets another's face."""

import io
import json
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

pytest.importorskip("streamlit", reason="the app's extra is not installed")
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.testing.v1 import AppTest

from affectvlm.app.face.samples import SampleFace
from affectvlm.app.live import route as live_route
from affectvlm.app.live import sources as live_sources
from affectvlm.app.live.live import OVER_S, PATIENCE_S, Crowd, Live, Made, Pace, Shown, Stopwatch
from affectvlm.app.live.page import VISIT, unit_names
from affectvlm.app.live.performer import (
    EASE_S,
    NATURE,
    Controls,
    Easing,
    Moment,
    Performer,
    Role,
    _Captured,
    strengths_of,
)
from affectvlm.app.live.picture import CENTRE_MM, FIELD_MM, GROUND, SIZE_PX, fitted, picture
from affectvlm.app.live.route import HEADER, LONGEST_BYTES, Visit, admit, prefix, route
from affectvlm.app.live.sources import MOST_FPS, Stage, files_of
from affectvlm.app.live.stage import UNIT_GROUPS, stage_data
from affectvlm.app.settings import AppSettings
from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ConfigError, ScanError
from affectvlm.recognizer import Recognizer, StreamAnswer
from affectvlm.recognizer.in_turn import InTurn
from affectvlm.scan import FaceScan, write_scan
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.action_units import ACTION_UNITS, UNIT_INDEX, action_strengths
from affectvlm.synthesis.expressions import MAX_STRENGTH
from affectvlm.synthesis.performance import Performance

LONG_S = 60
"""For what happens at once, unless the test fails."""

SMILE = Controls(emotion="happiness", intensity=0.5, units={"AU26": 0.4})


@pytest.fixture(scope="module")
def performer() -> Performer:
    return Performer(Role())


@pytest.fixture(scope="module")
def recognizer(model_folder) -> Recognizer:
    return Recognizer.from_pretrained(model_folder)


def triangle(size: float = 100.0) -> FaceScan:
    """Faces the camera; fills the lower right half of the square around the origin."""
    return FaceScan(np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0]], np.float32) * size / 2, np.array([[0, 1, 2]]))


def made(began_s: float = 0.0, **changes) -> Made:
    return replace(Made(began_s, triangle(), np.zeros(3), 100.0, "fear"), **changes)


# The performer


def test_a_frame_is_the_neutral_face_and_its_shapes(performer):
    """By hand: every shape by its weight, the person's own gain and turn of it, and the head turned by 20 degrees."""
    person, model = performer.person, performer.person.model
    strengths = np.clip(0.5 * person.style.apexes["happiness"] + action_strengths({"AU26": 0.4}), 0, MAX_STRENGTH)
    moved = np.zeros_like(person.neutral, np.float64)
    for shape, name in zip(person.shapes, model.shape_names, strict=True):
        unit, _, side = name.partition("_")
        left, right = strengths[UNIT_INDEX[unit]]
        moved += {"L": left, "R": right, "": (left + right) / 2}[side] * shape
    gain, turn = person.movement[:, :1], person.movement[:, 1:]
    upright = person.neutral + gain * (moved + np.cross(turn, moved))
    controls = SMILE.model_copy(update={"yaw_deg": 20.0})
    frame = performer.scan(performer.moment(0.0, controls), 0)
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    expected = upright @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
    np.testing.assert_allclose(frame.vertices, expected, rtol=0, atol=2e-4)
    np.testing.assert_array_equal(frame.triangles, model.triangles)


def test_a_frame_tells_nothing_but_its_surface(performer):
    """A frame has no field that is not a mesh's, and its name is the same whatever is shown."""
    frames = [performer.scan(performer.moment(0.0, Controls(emotion=e, yaw_deg=9)), 3) for e in ("fear", "anger")]
    assert {frame.source for frame in frames} == {"live face"}
    assert all(frame.texture is None and frame.colours is None for frame in frames)


def test_a_person_has_the_same_face_as_in_the_samples(performer):
    sample = SampleFace("neutral", 4, 1).scan()
    np.testing.assert_array_equal(sample.triangles, performer.person.model.triangles)
    # A sample at rest is turned a little, and moves a little: no edge of the mesh differs by much.
    edges = sample.triangles[:, :2]
    lengths = [
        np.linalg.norm(np.diff(v[edges], axis=1)[:, 0], axis=1) for v in (sample.vertices, performer.person.neutral)
    ]
    assert np.abs(lengths[0] - lengths[1]).max() < 0.6


def test_a_sensor_s_errors_differ_from_frame_to_frame_and_its_place_does_not():
    performer = Performer(Role(sensor="depth-camera"))
    moment = performer.moment(0.0, SMILE)
    first, again, second = (performer.scan(moment, number) for number in (0, 0, 1))
    np.testing.assert_array_equal(first.vertices, again.vertices)
    assert first.vertices.shape != second.vertices.shape or not np.array_equal(first.vertices, second.vertices)
    one, other = (np.median(scan.vertices, axis=0) for scan in (first, second))
    np.testing.assert_allclose(one, other, atol=1.5)


@pytest.mark.parametrize(
    "wrong",
    [
        {"emotion": "joy"},
        {"intensity": 1.1},
        {"intensity": float("nan")},
        {"units": {"AU3": 0.5}},
        {"units": {"AU4": -0.1}},
        {"units": {"AU4": float("nan")}},
        {"yaw_deg": 90},
        {"pose": [1, 2, 3]},
    ],
)
def test_sliders_stand_within_what_a_face_can_do(wrong):
    with pytest.raises(ValidationError):
        Controls(**wrong)


def test_strengths_are_the_person_s_own_and_no_more_than_a_face_can_show(performer):
    style = performer.person.style
    assert not strengths_of(style, Controls(intensity=1.0)).any()
    full = strengths_of(style, Controls(emotion="surprise", units=dict.fromkeys(ACTION_UNITS, 1.0)))
    np.testing.assert_array_equal(full, np.minimum(1 + style.apexes["surprise"], MAX_STRENGTH))


def test_a_face_follows_within_its_time_constant():
    at_rest, there = (Moment(np.full((3, 2), v), np.full(3, 10 * v), w) for v, w in ((0.0, "rest"), (1.0, "there")))
    easing = Easing()
    assert not easing.follow(at_rest, 5.0).strengths.any()
    after = easing.follow(there, 5.0 + EASE_S)
    np.testing.assert_allclose(after.strengths, 1 - 1 / np.e, rtol=1e-6)
    np.testing.assert_allclose(after.head_deg, 10 * (1 - 1 / np.e), rtol=1e-6)
    assert after.asked == "there"
    np.testing.assert_allclose(easing.follow(there, 5.0 + 2 * EASE_S).strengths, 1 - np.e**-2, rtol=1e-6)


def test_a_natural_performance_shows_each_emotion_once_in_six():
    one, other = (Performer(Role(movement=NATURE)) for _ in range(2))
    asked: list[str] = []
    for seconds in np.arange(0, 60, 0.25):
        moment = one.moment(seconds, Controls())
        np.testing.assert_array_equal(moment.strengths, other.moment(seconds, SMILE).strengths)
        assert moment.strengths.min() >= 0
        assert moment.strengths.max() <= MAX_STRENGTH
        if not asked or asked[-1] != moment.asked:
            asked.append(moment.asked)
    # The same one may be the last of a round and the first of the next.
    assert sorted(asked[:6]) == sorted(EMOTIONS)
    assert len(asked) >= 10


def test_captured_movement_begins_anew_at_its_end():
    strengths = np.arange(5, dtype=np.float32)[:, None, None] * np.ones((1, len(ACTION_UNITS), 2), np.float32) / 10
    captured = _Captured(Performance(10.0, strengths, np.zeros((5, 3), np.float32)))
    shown = [captured(seconds, SMILE).strengths[0, 0] for seconds in (0.0, 0.1, 0.31, 0.39, 0.4, 0.61)]
    np.testing.assert_allclose(shown, [0.0, 0.1, 0.3, 0.4, 0.0, 0.2], atol=1e-6)


# The stage


class Clock:
    """Stands still until it is moved on."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Audience:
    """A :class:`Live` as a source knows it: its clock goes on by a frame whenever it waits."""

    def __init__(self) -> None:
        self.clock = Clock()

    def wait(self, seconds: float) -> bool:
        assert 0 <= seconds <= 1 / MOST_FPS + 1e-9
        self.clock.now_s += 10.0
        return False


def test_a_slider_moves_the_next_frame_and_builds_nothing_anew(monkeypatch):
    built = []

    class Counted(Performer):
        def __init__(self, role, textured=False):
            built.append(role)
            super().__init__(role, textured)

    monkeypatch.setattr(live_sources, "Performer", Counted)
    stage = Stage(Role())
    frames = stage.frames(Audience())
    performer = Performer(Role())
    for controls in (Controls(), SMILE, Controls(units={"AU4": 1.0}, pitch_deg=10)):
        stage.controls = controls
        scan, note = next(frames)
        expected = performer.scan(performer.moment(0.0, controls), 0)
        np.testing.assert_allclose(scan.vertices, expected.vertices, atol=1e-3)
        assert note.scan is scan
        np.testing.assert_allclose(note.strengths, strengths_of(performer.person.style, controls).mean(1), atol=1e-4)
    assert built == [Role()]
    stage.role = Role(person=2)
    assert next(frames)[0].vertices.shape == scan.vertices.shape
    next(frames)
    assert built == [Role(), Role(person=2)]


def test_files_of_a_folder_are_frames_and_an_unreadable_one_is_an_answer(tmp_path, recognizer):
    face = Performer(Role()).scan(Performer(Role()).moment(0.0, SMILE), 0)
    steps = [
        lambda: write_scan(tmp_path / "1.ply", face),
        lambda: None,
        lambda: (tmp_path / "2.ply").write_bytes(b"no scan"),
        lambda: None,
    ]
    answered = threading.Semaphore(0)

    class Folder(Audience):
        def wait(self, seconds):
            if not steps:
                return True
            if len(steps) == 2:  # the first file has its answer before the second one comes
                assert answered.acquire(timeout=LONG_S)
            steps.pop(0)()
            return False

    frames = InTurn(files_of(tmp_path)(Folder()))
    answers, notes = [], []
    for answer in recognizer.stream(frames, live=True):
        answers.append(answer)
        notes.append(frames.answered(answer.frame))
        answered.release()
    assert [note.asked for note in notes] == ["1.ply", "2.ply"]
    assert answers[0].probabilities == pytest.approx(
        dict(zip(recognizer.classes, recognizer.predict_proba(tmp_path / "1.ply"), strict=True)), abs=1e-6
    )
    assert (answers[1].label, notes[1].picture()) == (None, b"")
    assert "2.ply" in answers[1].error
    assert "\n" not in answers[1].error


# Frames in turn


def test_a_frame_is_made_ahead_and_the_next_one_when_there_is_an_answer():
    log = []

    def source():
        for number in range(4):
            log.append(f"made {number}")
            yield f"frame {number}", f"note {number}"

    turns = InTurn(source())
    frames = iter(turns)
    assert [next(frames), next(frames)] == ["frame 0", "frame 1"]
    ahead = threading.Thread(target=lambda: log.append(next(frames)))
    ahead.start()
    log.append("answered 0")
    assert turns.answered(0) == "note 0"
    ahead.join(LONG_S)
    assert log == ["made 0", "made 1", "answered 0", "made 2", "frame 2"]
    assert turns.answered(2) == "note 2"  # number 1 was dropped for the newer one
    assert next(frames) == "frame 3"
    with pytest.raises(KeyError):
        turns.answered(1)
    assert turns.answered(3) == "note 3"
    assert list(frames) == []


def test_closing_ends_who_waits_for_his_turn():
    turns = InTurn((number, None) for number in range(9))
    frames = iter(turns)
    rest: list[int] = []
    reader = threading.Thread(target=lambda: rest.extend(frames))
    reader.start()
    turns.close()
    reader.join(LONG_S)
    assert not reader.is_alive()
    assert rest == list(range(len(rest)))
    assert len(rest) <= 2


# The live face


class Reading:
    """A recognizer that is sure of everything."""

    classes = ("fear", "neutral")

    def stream(self, frames, live):
        assert live
        for number, _ in enumerate(frames):
            yield StreamAnswer(number, "fear", {"fear": 0.75, "neutral": 0.25})


def endless(live):
    """Frames without end, each begun a quarter of a second ago."""
    while True:
        yield triangle(), made(live.clock() - 0.25)
        if live.wait(0.0):
            return


def thread_of(live: Live) -> threading.Thread:
    assert live.running
    return live._thread


def test_a_face_moves_while_somebody_looks_and_stops_when_nobody_does():
    clock, crowd = Clock(), Crowd(most=1)
    live = Live(Reading(), endless, crowd, clock)
    assert not live.running
    first = live.newest(0, LONG_S)
    assert first.answer.label == "fear"
    assert first.pace.latency_ms == pytest.approx(250)
    later = live.newest(first.number, LONG_S)
    assert later.number > first.number
    thread = thread_of(live)
    clock.now_s += PATIENCE_S + 0.1
    thread.join(LONG_S)
    assert not thread.is_alive()
    assert not live.running
    # Who comes back sees it go on.
    assert live.newest(later.number, LONG_S).number > later.number
    thread = thread_of(live)
    live.stop()
    assert not thread.is_alive()


def test_the_page_is_told_clearly_when_there_are_too_many():
    crowd, clock = Crowd(most=2), Clock()
    visits = [Live(Reading(), endless, crowd, clock) for _ in range(3)]
    for live in visits[:2]:
        assert live.newest(0, LONG_S) is not None
    with pytest.raises(ConfigError, match="2 visitors look at a live face now, as many as this machine"):
        visits[2].newest(0, LONG_S)
    assert not visits[2].running
    visits[0].stop()
    assert visits[2].newest(0, LONG_S) is not None
    for live in visits:
        live.stop()


def test_what_ends_a_stream_is_told_once_and_it_may_begin_again():
    failing = [True]

    def source(live):
        if failing.pop() if failing else False:
            raise ScanError("watched: expected a folder")
        yield from endless(live)

    live = Live(Reading(), source, Crowd(), Clock())
    with pytest.raises(ScanError, match="expected a folder"):
        live.newest(0, LONG_S)
    assert live.newest(0, LONG_S) is not None
    live.stop()


def test_no_news_is_no_answer():
    live = Live(Reading(), lambda live: iter(()), Crowd(), Clock())
    assert live.newest(0, 0.0) is None


def test_the_pace_is_that_of_the_last_seconds():
    stopwatch = Stopwatch()
    assert stopwatch.add(9.95, 10.0) == Pace(0.0, pytest.approx(50))
    stopwatch.add(10.0, 10.1)
    pace = stopwatch.add(10.0, 10.2)
    assert pace.answers_a_second == pytest.approx(10)
    assert pace.latency_ms == pytest.approx(100)
    later = stopwatch.add(10.1 + OVER_S, 10.15 + OVER_S)
    assert later.answers_a_second == pytest.approx(1 / (OVER_S - 0.05))  # only the one at 10.2 is left beside it


# The way to the browser


@pytest.fixture
def client():
    return TestClient(Starlette(routes=[route("/faces/")]))


class Still:
    """A live face with one answer."""

    def __init__(self, shown=None, error=None):
        self.shown, self.error, self.after = shown, error, None

    def newest(self, after):
        self.after = after
        if self.error is not None:
            raise self.error
        return self.shown


def test_an_answer_is_a_picture_with_its_facts(client):
    strengths = np.linspace(0, 1, len(ACTION_UNITS))
    answer = StreamAnswer(7, "fear", {"fear": 0.75, "neutral": 0.25})
    live = Still(Shown(8, answer, made(strengths=strengths), Pace(21.34, 61.2), 5.0))
    visit = Visit(live, Stage(Role()))
    controls = SMILE.model_dump()
    reply = client.post(f"/faces/live-frames/{admit(visit)}", json={"after": 6, "controls": controls})
    assert reply.status_code == 200
    assert live.after == 6
    assert visit.stage.controls == SMILE
    assert Image.open(io.BytesIO(reply.content)).size == (SIZE_PX, SIZE_PX)
    facts = json.loads(reply.headers[HEADER])
    assert facts.pop("units") == dict(zip(ACTION_UNITS, strengths.round(2).tolist(), strict=True))
    assert facts == {
        "number": 8, "label": "fear", "shares": [0.75, 0.25], "error": None, "asked": "fear",
        "answers_a_second": 21.3, "latency_ms": 61,
    }  # fmt: skip
    assert reply.headers["cache-control"] == "no-store"


def test_what_is_wrong_is_told(client):
    error = ConfigError("4 visitors, ändern\nSie das")
    told = Visit(Still(error=error))
    reply = client.post(f"/faces/live-frames/{admit(told)}", json={})
    assert (reply.status_code, json.loads(reply.headers[HEADER])) == (409, {"error": str(error)})
    silent = Visit(Still())
    path = f"/faces/live-frames/{admit(silent)}"
    assert client.post(path, json={}).status_code == 204
    assert client.post(path, json={"controls": {"emotion": "joy"}}).status_code == 400
    assert client.post(path, content=b"{" * LONGEST_BYTES + b"{").status_code == 413
    assert client.get(path).status_code == 405
    assert client.post("/faces/live-frames/anything", json={}).status_code == 404


def test_a_visitor_is_not_told_where_the_files_lie(client, tmp_path):
    folder = tmp_path / "incoming"
    answer = StreamAnswer(0, error=f"{folder / 'bad.ply'}: expected a PLY mesh")
    visit = Visit(Still(Shown(1, answer, made(scan=None), Pace(), 5.0)), folder=folder)
    reply = client.post(f"/faces/live-frames/{admit(visit)}", json={})
    assert reply.content == b""
    assert json.loads(reply.headers[HEADER])["error"] == "bad.ply: expected a PLY mesh"
    visit.live.error = ScanError(f"{folder}: expected a folder to watch")
    reply = client.post(f"/faces/live-frames/{admit(visit)}", json={})
    assert json.loads(reply.headers[HEADER]) == {"error": "incoming: expected a folder to watch"}


def test_a_key_ends_with_its_visit(client):
    visit = Visit(Still())
    key, other = admit(visit), admit(Visit(Still()))
    assert key in live_route.VISITS
    assert other not in live_route.VISITS  # nobody held it
    assert len(key) >= 24
    del visit
    assert client.post(f"/faces/live-frames/{key}", json={}).status_code == 404


def test_a_base_path_is_written_as_addresses_begin():
    assert [prefix(base) for base in ("", "/", "faces", "/a/b/")] == ["", "", "/faces", "/a/b"]


# The picture


def test_a_picture_shows_the_surface_where_it_is():
    """The half of the picture below its diagonal, in one colour; the rest is ground."""
    image = np.asarray(Image.open(io.BytesIO(picture(triangle(), np.zeros(3), 100.0)))).astype(int)
    row, column = np.indices((SIZE_PX, SIZE_PX))
    inside, outside = row + column > SIZE_PX + 16, row + column < SIZE_PX - 16
    assert np.abs(image[outside] - GROUND).max() <= 3
    assert np.ptp(image[inside], axis=0).max() <= 6
    assert image[inside].mean() > 120


def test_a_scan_in_any_unit_fills_the_picture():
    face = Performer(Role()).person.face(action_strengths({}))
    pictures = []
    for factor in (1.0, 0.001):
        scan = replace(face, vertices=face.vertices * factor)
        centre, field = fitted(scan)
        pictures.append(np.asarray(Image.open(io.BytesIO(picture(scan, centre, field)))).astype(int))
    assert np.abs(pictures[0] - pictures[1]).mean() < 1.0
    shown = np.abs(pictures[0] - GROUND).sum(-1) > 60
    assert shown.any(axis=1).mean() > 0.8
    performer = np.asarray(Image.open(io.BytesIO(picture(face, np.array(CENTRE_MM), FIELD_MM)))).astype(int)
    assert 0.3 < (np.abs(performer - GROUND).sum(-1) > 60).mean() < 0.9


# The page


def test_every_action_unit_has_one_slider():
    members = [unit for group in UNIT_GROUPS.values() for unit in group]
    assert sorted(members) == sorted(ACTION_UNITS)
    data = stage_data("key", "hand", EMOTIONS, ["AU12", "AU26"], SMILE)
    assert data["units"] == [["Mouth", [["AU12", "lip corner puller"]]], ["Jaw and chin", [["AU26", "jaw drop"]]]]
    assert data["path"] == "/live-frames/key"
    # Where the sliders stand at first makes it no other stage.
    assert data["key"] == stage_data("key", "hand", EMOTIONS, ["AU12", "AU26"], Controls())["key"]
    assert data["key"] != stage_data("other", "hand", EMOTIONS, ["AU12", "AU26"], SMILE)["key"]
    assert set(unit_names(FaceSource())) <= set(ACTION_UNITS)


def _page(settings: str) -> None:
    from affectvlm.app.live import page as live_page
    from affectvlm.app.settings import AppSettings

    live_page.show(AppSettings.model_validate_json(settings))


def open_live(**settings) -> AppTest:
    argument = AppSettings(**settings).model_dump_json()
    return AppTest.from_function(_page, default_timeout=120, kwargs={"settings": argument}).run()


def shown_stage(page: AppTest) -> dict:
    (stage,) = page.get("bidi_component")
    return json.loads(stage.proto.json)


def test_the_page_offers_what_its_starter_named(model_folder, tmp_path):
    page = open_live(model=model_folder)
    assert not page.exception
    assert page.selectbox(key="live_leader").options == ["sliders", "a natural performance"]
    with pytest.raises(KeyError):
        page.selectbox(key="live_model")
    (tmp_path / "captures" / "inner").mkdir(parents=True)
    (tmp_path / "captures" / "inner" / "smile.csv").write_text("")
    page = open_live(model=model_folder, watch=tmp_path, captures=tmp_path / "captures")
    words = ["sliders", "a natural performance", "files in the watched folder", "capture: inner/smile"]
    assert page.selectbox(key="live_leader").options == words


def test_another_person_goes_on_the_same_stage_and_files_begin_another(model_folder, tmp_path):
    page = open_live(model=model_folder, watch=tmp_path)
    before = shown_stage(page)
    assert before["leader"] == "hand"
    assert before["classes"] == list(EMOTIONS)
    _, visit, _ = page.session_state[VISIT]
    page.number_input(key="live_person").set_value(3)
    page.selectbox(key="live_sensor").set_value("phone").run()
    assert not page.exception
    assert page.session_state[VISIT][1] is visit
    assert visit.stage.role == Role(person=3, sensor="phone")
    assert shown_stage(page)["path"] == before["path"]
    page.selectbox(key="live_leader").set_value("files").run()
    assert not page.exception
    assert shown_stage(page)["leader"] == "files"
    assert shown_stage(page)["path"] != before["path"]
    assert page.session_state[VISIT][1].stage is None
    assert not visit.live.running


def test_the_page_s_face_is_recognised_as_the_library_does(model_folder, recognizer):
    page = open_live(model=model_folder)
    _, visit, _ = page.session_state[VISIT]
    visit.stage.controls = SMILE
    shown = visit.live.newest(0, LONG_S)
    visit.live.stop()
    performer = Performer(Role())
    expected = recognizer.predict_proba(performer.scan(performer.moment(0.0, SMILE), 0))
    np.testing.assert_allclose(list(shown.answer.probabilities.values()), expected, atol=1e-4)


def test_two_visitors_have_a_face_each(model_folder):
    visits = [open_live(model=model_folder).session_state[VISIT] for _ in range(2)]
    assert visits[0][2] != visits[1][2]
    assert visits[0][1].stage is not visits[1][1].stage


def test_the_server_serves_the_page_and_its_frames():
    from affectvlm.app import server

    (frames,) = server.app._user_routes
    assert frames.path == "/live-frames/{key}"
    assert Path(server.app.script_path).name == "page.py"
