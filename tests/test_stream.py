"""Streams: smoothing in time, what is dropped, and how late an answer is, all without waiting for a clock."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from affectvlm.errors import ModelError, ScanError
from affectvlm.recognizer import Prediction, Recognizer, StreamAnswer
from affectvlm.recognizer.stream import Box, Smoothing, answer_stream, every_one_of, newest_of
from affectvlm.scan import ScanSequence
from affectvlm.views import Rig, Views

LONG_S = 60
"""For what happens at once, unless the test fails."""

RIG = Rig(size_px=8, maps=("depth",))


class Clock:
    """Goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        self.now_s += 1
        return self.now_s


def call(probabilities: np.ndarray) -> Prediction:
    names = ("fear", "neutral")
    return Prediction("", names[int(probabilities.argmax())], dict(zip(names, probabilities.tolist(), strict=True)))


def judge(frame: float) -> np.ndarray:
    """A frame is the probability of fear."""
    if frame < 0:
        raise ScanError("no face")
    return np.array([frame, 1 - frame])


def test_a_box_gives_the_newest_frame_and_counts_those_that_it_replaced():
    box = Box()
    assert all(box.put(number, f"frame {number}", 10.0 + number) for number in range(4))
    first = box.take()
    assert (first.number, first.frame, first.at_s, first.dropped) == (3, "frame 3", 13.0, 3)
    box.put(4, "frame 4", 14.0)
    assert (box.take().dropped) == 0
    box.put(5, "frame 5", 15.0)
    box.put(6, "frame 6", 16.0)
    box.end()
    last = box.take()
    assert (last.number, last.dropped) == (6, 1)  # what was there at the end is still given
    assert box.take() is None
    assert not box.put(7, "frame 7", 17.0)


def test_smoothing_by_hand():
    """After one time constant the share of the new is 1 - 1 / e; logarithms are mixed, and made to sum to 1."""
    smoothing = Smoothing(0.5)
    first, second = np.array([0.9, 0.1]), np.array([0.2, 0.8])
    np.testing.assert_allclose(smoothing.add(first, 3.0), first, atol=1e-12)
    mixed = np.log(first) / np.e + np.log(second) * (1 - 1 / np.e)
    np.testing.assert_allclose(smoothing.add(second, 3.5), softmax(mixed), atol=1e-12)


def test_smoothing_depends_on_time_and_not_on_the_number_of_frames():
    """One frame after 0.4 s, or the same one four times every 0.1 s."""
    start, then = np.array([0.9, 0.1]), np.array([0.3, 0.7])
    once, often = Smoothing(0.3), Smoothing(0.3)
    once.add(start, 0.0)
    often.add(start, 0.0)
    for at_s in (0.1, 0.2, 0.3):
        often.add(then, at_s)
    np.testing.assert_allclose(often.add(then, 0.4), once.add(then, 0.4), atol=1e-12)


def test_no_smoothing_gives_each_frame_alone_and_certainty_is_no_infinity():
    smoothing = Smoothing(0)
    for shares in ([1.0, 0.0], [0.0, 1.0], [0.5, 0.5]):
        np.testing.assert_allclose(smoothing.add(np.array(shares), 0.0), shares, atol=1e-12)
    lasting = Smoothing(1.0)
    lasting.add(np.array([1.0, 0.0]), 0.0)
    np.testing.assert_allclose(lasting.add(np.array([0.0, 1.0]), np.log(2)), [0.5, 0.5], atol=1e-12)


def test_one_bad_frame_does_not_turn_an_answer():
    frames = [0.9] * 10 + [0.2] + [0.9] * 10
    labels = [a.label for a in answer_stream(every_one_of(frames), judge, call, Smoothing(0.2), 25)]
    assert labels == ["fear"] * 21


def test_a_list_is_answered_frame_by_frame_and_nothing_is_dropped():
    """The clock is read when a frame comes and when its answer is given: a second."""
    clock = Clock()
    frames = [0.9, -1.0, 0.1]
    answers = list(answer_stream(every_one_of(frames, clock), judge, call, Smoothing(0), 25, clock))
    assert [answer.frame for answer in answers] == [0, 1, 2]
    assert [answer.label for answer in answers] == ["fear", None, "neutral"]
    assert [answer.error for answer in answers] == [None, "no face", None]
    assert {answer.latency_ms for answer in answers} == {1000.0}
    assert {answer.dropped for answer in answers} == {0}
    assert answers[1].to_dict() == {
        "frame": 1, "label": None, "probabilities": {}, "error": "no face", "dropped": 0, "latency_ms": 1000.0
    }  # fmt: skip


def test_an_endless_source_is_read_no_further_than_it_is_answered():
    given = []

    def source():
        while True:
            given.append(0.5)
            yield 0.5

    answers = answer_stream(every_one_of(source()), judge, call, Smoothing(0.2), 25)
    assert [next(answers).frame for _ in range(3)] == [0, 1, 2]
    assert len(given) == 3


def test_frames_that_come_while_one_is_judged_are_dropped_but_for_the_newest():
    """Frames 1 to 4 come while frame 0 is judged, and frame 5 when frame 4 was answered."""
    judging, all_came, answered = threading.Event(), threading.Event(), threading.Event()

    def source():
        yield 0
        assert judging.wait(LONG_S)
        yield from (1, 2, 3, 4)
        all_came.set()  # frame 4 lies in the box: it was put there before the source was asked for the next
        assert answered.wait(LONG_S)
        yield 5

    def slowly(frame):
        judging.set()
        assert all_came.wait(LONG_S)
        return np.array([0.5, 0.5])

    answers = answer_stream(newest_of(source()), slowly, call, Smoothing(0), None)
    first, second = next(answers), next(answers)
    answered.set()
    rest = list(answers)
    assert [(a.frame, a.dropped) for a in (first, second, *rest)] == [(0, 0), (4, 3), (5, 0)]


def test_the_latency_of_a_live_frame_begins_when_it_comes():
    """It comes at 50 s, and the answer is there at 50.25 s."""
    answers = answer_stream(newest_of([0.5], lambda: 50.0), judge, call, Smoothing(0), None, lambda: 50.25)
    (answer,) = answers
    assert (answer.frame, answer.latency_ms) == (0, 250.0)


def test_a_live_source_is_smoothed_by_when_its_frames_came():
    """Twice the time constant passes between them."""
    first_answered = threading.Event()

    def source():
        yield 0.9
        assert first_answered.wait(LONG_S)
        yield 0.2

    times = iter([10.0, 11.0])
    answers = answer_stream(newest_of(source(), lambda: next(times)), judge, call, Smoothing(0.5), None)
    next(answers)
    first_answered.set()
    share = 1 - np.exp(-2)
    mixed = softmax(np.log([0.9, 0.1]) * (1 - share) + np.log([0.2, 0.8]) * share)
    assert next(answers).probabilities["fear"] == pytest.approx(mixed[0], abs=1e-12)


def test_what_a_live_source_fails_with_is_raised_where_its_answers_are_read():
    def source():
        yield 0.5
        raise OSError("the camera was unplugged")

    with pytest.raises(OSError, match="unplugged"):
        list(answer_stream(newest_of(source()), judge, call, Smoothing(0), None))


def test_a_source_is_left_when_its_answers_are_no_longer_read():
    closed, left = threading.Event(), threading.Event()

    def source():
        try:
            yield 0.5
            assert closed.wait(LONG_S)
            yield 0.5
        finally:
            left.set()

    arrivals = newest_of(source())
    next(arrivals)
    arrivals.close()
    closed.set()
    assert left.wait(LONG_S)


class FakeEncoder:
    """Two classes at right angles; a frame's depth, in parts of 100 mm, is its angle, and a clip's the mean."""

    classes = ("fear", "neutral")
    rig = RIG
    logit_scale = 4.0
    unsure_below = 0.0
    class_embeddings = np.eye(2, dtype=np.float32)
    clips: list

    def __init__(self, time="mean", frames=None):
        self.time, self.frames, self.clips = time, frames, []

    def encode_faces(self, views, seen):
        shown = views[:, :, 0, 0, 4, 4].astype(float).round(4)  # (B, T)
        self.clips += shown.tolist()
        angle = shown.mean(axis=1) * np.pi / 2
        return np.stack([np.sin(angle), np.cos(angle)], axis=1)

    def encode_text(self, prompts):
        return np.eye(2, dtype=np.float32)[: len(prompts)]


def face(share: float) -> Views:
    return Views(RIG, np.full((3, 8, 8), 100 * share, np.float32))


def test_a_recognizer_streams_what_it_would_predict_smoothed():
    recognizer, frames = Recognizer(FakeEncoder()), [face(share) for share in (0.1, 0.9, 0.5)]
    alone = recognizer.predict_proba(frames)
    answers = list(recognizer.stream(frames, smoothing_s=0))
    np.testing.assert_allclose([list(a.probabilities.values()) for a in answers], alone, atol=1e-12)
    share = 1 - np.exp(-0.1 / 0.2)  # ten frames a second
    mean = np.log(alone[0]) * (1 - share) + np.log(alone[1]) * share
    smoothed = list(recognizer.stream(frames, fps=10, smoothing_s=0.2))
    np.testing.assert_allclose(list(smoothed[1].probabilities.values()), softmax(mean), atol=1e-12)
    assert next(recognizer.stream(frames, labels=["afraid", "calm"])).label == "calm"


def test_a_causal_model_sees_its_last_frames_and_no_others_are_kept():
    encoder = FakeEncoder("causal", frames=3)
    answers = Recognizer(encoder).stream((face(i / 10) for i in range(1, 6)), smoothing_s=0)
    assert [answer.frame for answer in answers] == [0, 1, 2, 3, 4]
    assert encoder.clips == [[0.1], [0.1, 0.2], [0.1, 0.2, 0.3], [0.2, 0.3, 0.4], [0.3, 0.4, 0.5]]


def test_a_model_that_reads_a_whole_movement_has_no_stream():
    with pytest.raises(ModelError, match=r"for streams train one with model\.time `causal` or `mean`"):
        Recognizer(FakeEncoder("rank_pooling", frames=3)).stream([])


def test_labels_are_checked_before_the_first_frame():
    with pytest.raises(ModelError, match="expected two labels or more"):
        Recognizer(FakeEncoder()).stream([], labels=["one"])


def test_files_that_cannot_be_read_are_told_and_the_stream_goes_on(tmp_path):
    recognizer = Recognizer(FakeEncoder())
    before, bad, after = recognizer.stream([face(0.2), tmp_path / "missing.ply", face(0.2)], live=False)
    assert bad.error.startswith(f"{tmp_path / 'missing.ply'}: ")
    assert replace(after, frame=0, latency_ms=0) == replace(before, latency_ms=0)
    assert isinstance(bad, StreamAnswer)


def test_a_folder_is_followed_frame_by_frame_and_a_sequence_by_its_own_rate(tmp_path):
    for number in (10, 2):
        (tmp_path / f"{number}.ply").write_text("no scan")
    recognizer = Recognizer(FakeEncoder())
    for frames in (tmp_path, str(tmp_path), ScanSequence.from_folder(tmp_path)):
        first, second = recognizer.stream(frames)
        assert first.error.startswith(f"{tmp_path / '2.ply'}: ")
        assert second.error.startswith(f"{tmp_path / '10.ply'}: ")
    faces = tuple(face(share) for share in (0.1, 0.9))
    *_, own = recognizer.stream(ScanSequence(faces, fps=10))
    *_, given = recognizer.stream(faces, fps=10)
    assert own.probabilities == given.probabilities


@pytest.mark.parametrize("frames", ["missing.ply", face(0.5)])
def test_one_scan_is_no_stream(frames):
    with pytest.raises(ScanError, match=r"expected a folder of frames, or several scans, found one; ask `predict`$"):
        Recognizer(FakeEncoder()).stream(frames)


@pytest.mark.parametrize("fps", [0, -3, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(fps):
    line = f"^expected a number of frames a second above 0, or None where it is not known; found {fps}$"
    recognizer = Recognizer(FakeEncoder())
    for ask in (recognizer.stream, recognizer.predict):
        with pytest.raises(ScanError, match=line):
            ask([], fps=fps)
    with pytest.raises(ScanError, match=line):
        ScanSequence((), fps)


def test_a_live_stream_of_a_recognizer_ends_with_its_source():
    answers = list(Recognizer(FakeEncoder()).stream([face(0.9)], live=True))
    assert [(answer.frame, answer.label, answer.dropped) for answer in answers] == [(0, "fear", 0)]
