"""Sequences: onset, apex and offset of curves that are known, and the answer for the whole of them."""

import itertools
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ScanError
from affectvlm.prepared.clips import Clips
from affectvlm.recognizer import Prediction, Recognizer, Timeline
from affectvlm.recognizer.frames import BATCH, _around, embed_frames, evenly_chosen
from affectvlm.recognizer.timeline import phases, smooth, strengths
from affectvlm.scan import FaceScan, ScanSequence
from affectvlm.views import Rig, Views

RIG = Rig(size_px=8, maps=("depth",))


class FakeEncoder:
    """Knows a face by one number, the depth in its middle: it lies on a quarter circle from neutral to fear."""

    classes = ("fear", "neutral")
    class_prompts = ("a frightened face", "a calm face")
    rig = RIG
    logit_scale = 4.0
    unsure_below = 0.6
    class_embeddings = np.eye(2, dtype=np.float32)

    def __init__(self, time: str = "mean", frames: int | None = None) -> None:
        self.time, self.frames = time, frames
        self.clips: list[np.ndarray] = []

    def encode_faces(self, views, seen):
        assert seen.all()
        shown = views[:, :, 0, 0, 4, 4]  # (B, T), in parts of 100 mm
        self.clips += list(shown)
        angle = shown.mean(axis=1) * np.pi / 2
        return np.stack([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)

    def encode_text(self, prompts):
        return np.eye(2, dtype=np.float32)[: len(prompts)]


def face(share: float) -> Views:
    """Views of a face that shows so much fear, from 0 to 1."""
    return Views(RIG, np.full((3, 8, 8), 100 * share, np.float32))


class Seeing(Recognizer):
    """A recognizer whose frames are numbers, or words for what is wrong with them."""

    def _seen(self, scan, near):
        if isinstance(scan.source, str) and scan.source.startswith("bad"):
            raise ScanError(f"{scan.source}: no face")
        return face(float(scan.source)), None


def sequence(values, fps=None) -> ScanSequence:
    """Scans of no importance, each named by what it shows."""
    corner = FaceScan(np.eye(3), np.array([[0, 1, 2]]))
    return ScanSequence(tuple(replace(corner, source=str(value)) for value in values), fps, "take")


def fear(shares) -> np.ndarray:
    """Probability of fear, by hand: the softmax of four times sine and cosine of the angle."""
    angle = np.asarray(shares, np.float64) * np.pi / 2
    return softmax(4 * np.stack([np.sin(angle), np.cos(angle)]), axis=0)[0]


TRAPEZE = np.interp(np.arange(40), [10, 14, 26, 35], [0, 1, 1, 0]).round(4)  # views keep depth in steps of 0.01 mm
"""At rest to frame 10, the whole expression from 14 to 26, gone at 35."""


def test_the_phases_of_a_trapeze():
    """A quarter of the rise is there at frame 11, and 2 of 9 parts of it are still at 33: more than a fifth."""
    assert phases(TRAPEZE) == (10, 20, 34)


def test_a_face_that_was_never_quite_at_rest_rises_from_where_it_was():
    """0.6 at rest: a fifth of the way to 1 is 0.68."""
    assert phases(0.6 + 0.4 * TRAPEZE) == (10, 20, 34)


def test_before_and_after_an_apex_are_each_measured_from_their_own_rest():
    """It comes back half of the way: a fifth of the fall, 0.6, is left between frames 33 and 34."""
    assert phases(np.where(np.arange(40) > 20, 0.5 + 0.5 * TRAPEZE, TRAPEZE)) == (10, 20, 34)


def test_an_expression_that_lasts_has_no_offset_and_one_that_was_there_has_no_onset():
    rising = np.linspace(0, 1, 11)
    assert phases(rising) == (1, 10, None)
    assert phases(rising[::-1]) == (None, 0, 9)
    assert phases(np.full(9, 0.9)) == (None, 4, None)


def test_the_apex_of_two_peaks_is_the_higher_one_and_the_phases_go_round_both():
    two = np.interp(np.arange(50), [5, 15, 20, 30, 44], [0, 0.9, 0.6, 1, 0])
    assert phases(two) == (7, 30, 42)


@pytest.mark.parametrize("strength", [np.zeros(30), np.full(30, 0.49), 0.49 * TRAPEZE, np.array([0.2])])
def test_no_expression_has_no_phases(strength):
    assert phases(strength) == (None, None, None)


def test_one_frame_is_its_own_apex():
    assert phases(np.array([0.8])) == (None, 0, None)


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_scans_gone_wrong_move_the_phases_by_no_more_than_a_few_frames(seed):
    """At rest for 30 frames, a smooth rise of 15, 40 at the apex, a fall of 20; single frames shown as the opposite."""
    rng = np.random.default_rng(seed)
    clean = np.interp(np.arange(140), [30, 45, 85, 105], [0, 1, 1, 0])
    noisy = np.clip(clean + rng.normal(0, 0.05, 140), 0, 1)
    for wrong in (12, 55, 70, 125):
        noisy[wrong : wrong + 2] = 1 - clean[wrong]
    onset, apex, offset = phases(smooth(noisy, np.arange(140), 25))
    assert abs(onset - 32) <= 2
    assert 45 <= apex <= 85
    assert abs(offset - 102) <= 3


def test_smoothing_leaves_a_constant_and_a_line_alone_and_keeps_a_step_in_its_place():
    frames = np.arange(60)
    np.testing.assert_allclose(smooth(np.full(60, 0.3), frames, 25), 0.3, atol=1e-12)
    np.testing.assert_allclose(smooth(frames / 60, frames, 25)[10:-10], (frames / 60)[10:-10], atol=1e-12)
    step = smooth((frames >= 30).astype(float), frames, 25)
    assert step[29] < 0.5 < step[30]
    np.testing.assert_allclose(step[:30], 1 - step[:29:-1], atol=1e-12)


def test_frames_that_are_missing_are_bridged():
    """Every second frame of a line, and none for a while: it is the same line."""
    kept = np.array([*range(0, 20, 2), *range(35, 60)])
    np.testing.assert_allclose(smooth(kept / 60, kept, 25)[8:-8], (kept / 60)[8:-8], atol=1e-12)


def test_where_a_model_knows_neutral_strength_is_the_rest():
    probabilities = np.array([[0.25, 0.75], [1.0, 0.0]])
    np.testing.assert_array_equal(strengths(FakeEncoder(), np.eye(2), probabilities), [0.25, 1.0])


def test_where_it_does_not_strength_is_the_way_from_the_beginning():
    """The two classes are at right angles, 1 apart: so is an embedding at 90 degrees; at 60 it is half of that."""
    encoder = FakeEncoder()
    encoder.classes = ("fear", "anger")
    angles = np.radians([0, 0, 0, 60, 90])
    embeddings = np.stack([np.sin(angles), np.cos(angles)], axis=1)
    np.testing.assert_allclose(strengths(encoder, embeddings, np.full((5, 2), 0.5)), [0, 0, 0, 0.5, 1], atol=1e-12)


def test_the_answer_for_a_sequence_is_the_mean_of_the_frames_near_its_apex():
    """Within 0.2 s of it: five frames on either side; two, at ten frames a second."""
    rising = np.interp(np.arange(40), [5, 20, 35], [0, 1, 0]).round(4)
    for fps, near in ((25, slice(15, 26)), (None, slice(15, 26)), (10, slice(18, 23))):
        answer = Seeing(FakeEncoder()).predict(sequence(rising, fps))
        assert answer.timeline.apex == 20
        assert answer.probabilities["fear"] == pytest.approx(fear(rising)[near].mean(), abs=1e-6)


def test_the_timeline_has_what_was_measured_and_the_phases_of_it_smoothed():
    answer = Seeing(FakeEncoder()).predict(sequence(TRAPEZE, fps=25))
    timeline = answer.timeline
    p = fear(TRAPEZE)  # neutral is the other class: this is the strength, before it is smoothed
    strength = smooth(p, np.arange(40), 25)
    onset, apex, offset = phases(strength)
    assert (timeline.onset, timeline.apex, timeline.offset) == (onset, apex, offset) == (10, 20, 33)
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-12)
    assert (answer.path, answer.label) == ("take", "fear")
    np.testing.assert_allclose(timeline.probabilities[:, 0], p, atol=1e-6)
    np.testing.assert_allclose(timeline.strength, strength, atol=1e-6)


def test_where_there_is_no_expression_all_frames_count_alike():
    shares = np.linspace(0, 0.3, 12)
    answer = Seeing(FakeEncoder()).predict(sequence(shares))
    assert (answer.label, answer.timeline.apex) == ("neutral", None)
    assert answer.probabilities["fear"] == pytest.approx(fear(shares).mean(), abs=1e-6)


def test_own_classes_change_the_words_and_not_the_phases():
    recognizer, take = Seeing(FakeEncoder()), sequence(TRAPEZE)
    own, usual = recognizer.predict(take, labels=["alarmed", "calm"]), recognizer.predict(take)
    assert (own.timeline.onset, own.timeline.offset) == (usual.timeline.onset, usual.timeline.offset)
    assert own.label == "alarmed"
    assert own.timeline.classes == ("alarmed", "calm")
    assert list(own.probabilities.values()) == list(usual.probabilities.values())


def test_a_frame_that_cannot_be_used_stands_in_the_timeline_and_counts_nothing():
    values = [*TRAPEZE[:18], "bad 1", *TRAPEZE[19:30], "bad 2", *TRAPEZE[31:]]
    answer = Seeing(FakeEncoder()).predict(sequence(values, fps=25))
    timeline = answer.timeline
    assert [i for i, frame in enumerate(timeline.answers) if frame.error] == [18, 30]
    assert timeline.answers[18] == Prediction("bad 1", error="bad 1: no face")
    np.testing.assert_array_equal(np.isnan(timeline.probabilities).all(axis=1), np.isnan(timeline.strength))
    assert timeline.weights[[18, 30]].tolist() == [0, 0]
    assert timeline.weights.sum() == pytest.approx(1, abs=1e-12)
    assert (timeline.onset, timeline.offset) == (10, 33)
    used = np.isfinite(timeline.strength)
    expected = timeline.weights[used] @ fear(TRAPEZE[used])
    assert answer.probabilities["fear"] == pytest.approx(expected, abs=1e-6)


def test_a_sequence_without_a_frame_that_can_be_used_has_an_error_and_the_others_are_done():
    first, second, empty = Seeing(FakeEncoder()).predict([sequence(["bad a", "bad b"]), sequence([1.0]), sequence([])])
    assert first == Prediction(
        "take",
        error="take: expected a sequence with a face in at least 1 of its frames, found 0 such among 2; the first of "
        "the others: bad a: no face",
    )
    assert (second.label, second.timeline.apex, len(second.timeline)) == ("fear", 0, 1)
    assert empty.error == "take: expected a sequence with a face in at least 1 of its frames, found 0 such among 0"


def test_a_model_that_looks_at_sequences_sees_the_frames_of_an_evaluation_together():
    encoder = FakeEncoder("attention", frames=4)
    values = np.arange(22) / 25
    answer = Seeing(encoder).predict(sequence(["bad", *values]))
    (clip,) = (clip for clip in encoder.clips if len(clip) > 1)
    np.testing.assert_allclose(clip, values[[2, 8, 13, 19]], atol=1e-6)  # of parts [0, 5), [5, 11), [11, 16), [16, 22)
    assert answer.probabilities["fear"] == pytest.approx(fear(values[[2, 8, 13, 19]].mean()), abs=1e-6)
    assert [len(clip) for clip in encoder.clips[:-1]] == [1] * 22


@pytest.mark.parametrize(("length", "count"), list(itertools.product([1, 3, 7, 8, 50], [2, 3, 8])))
def test_the_frames_are_those_that_evaluation_takes(length, count):
    clips = Clips.__new__(Clips)
    clips.frames = count
    np.testing.assert_array_equal(evenly_chosen(length, count), clips._pick(np.arange(length), None))


@pytest.mark.parametrize(("length", "width"), list(itertools.product([1, 2, 3, 4, 9], [2, 3, 4, 5])))
def test_windows_are_around_their_frames_and_stay_inside_the_sequence(length, width):
    windows = list(_around(iter(range(length)), width))
    starts = [min(max(0, i - (width - 1) // 2), max(0, length - width)) for i in range(length)]
    assert windows == [list(range(start, min(start + width, length))) for start in starts]


def test_a_model_that_reads_movement_judges_each_frame_with_those_around_it():
    encoder = FakeEncoder("rank_pooling", frames=3)
    values = [0.0, 0.1, 0.4, 1.0]
    answer = Seeing(encoder).predict(sequence(values))
    np.testing.assert_allclose(
        encoder.clips[:4], [[0, 0.1, 0.4], [0, 0.1, 0.4], [0.1, 0.4, 1], [0.1, 0.4, 1]], atol=1e-6
    )
    assert len(answer.timeline) == 4
    still = Seeing(encoder).predict(sequence(["bad", 0.5]))
    assert still.error.startswith("take: expected a sequence with a face in at least 2 of its frames, found 1 such")


def test_no_more_than_two_batches_of_views_are_alive_however_long_the_sequence():
    alive, most, lock = 0, 0, threading.Lock()

    class Counted(Views):
        def __del__(self):
            nonlocal alive
            with lock:
                alive -= 1

    def look(frame, near):
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        return Counted(RIG, np.full((3, 8, 8), 50, np.float32)), None

    done = []
    with ThreadPoolExecutor(2) as pool:
        kept = embed_frames(FakeEncoder(), range(20 * BATCH), look, pool, done.append)
    assert kept.embeddings.shape == (20 * BATCH, 2)
    assert most <= 2 * BATCH
    assert done == [BATCH * (i + 1) for i in range(20)]


def test_progress_counts_a_sequence_by_its_frames():
    told = []
    Seeing(FakeEncoder()).predict([sequence([0.0] * 2 * BATCH), sequence([0.0])], on_progress=told.append)
    assert told == [0.5, 1, 2, 2]


def test_laid_out_for_json():
    timeline = Seeing(FakeEncoder()).predict(sequence([0.0, "bad 7", 1.0], fps=4)).timeline
    laid_out = json.loads(json.dumps(timeline.to_dict()))
    assert list(laid_out) == ["frames", "onset", "apex", "offset"]
    first, second, third = laid_out["frames"]
    assert list(first) == ["frame", "seconds", "path", "label", "probabilities"]
    assert (first["frame"], first["seconds"], first["path"], first["label"]) == (0, 0.0, "0.0", "neutral")
    assert first["probabilities"]["fear"] == pytest.approx(float(fear(0.0)), abs=1e-6)
    assert second == {"frame": 1, "seconds": 0.25, "path": "bad 7", "error": "bad 7: no face"}
    assert third["label"] == "fear"


def test_where_the_rate_is_unknown_no_time_is_told():
    timeline = Seeing(FakeEncoder()).predict(sequence([0.0, 1.0])).timeline
    assert "seconds" not in timeline.to_dict()["frames"][1]
    assert timeline.seconds(1) is None


def test_a_frame_that_is_not_sure_is_called_so():
    (frame,) = Seeing(FakeEncoder()).predict(sequence([0.5])).timeline.answers
    assert (frame.label, frame.probabilities["fear"]) == ("unsure", pytest.approx(0.5, abs=1e-6))


def test_laid_out_as_a_table():
    timeline = Seeing(FakeEncoder()).predict(sequence([*TRAPEZE, "bad"], fps=25)).timeline
    table = timeline.to_dataframe()
    assert list(table) == ["frame", "seconds", "path", "label", "strength", "phase", "error", "fear", "neutral"]
    assert table["phase"].dropna().to_dict() == {10: "onset", 20: "apex", 33: "offset"}
    np.testing.assert_array_equal(table[["fear", "neutral"]].to_numpy(), timeline.probabilities)
    assert table["error"].iloc[-1] == "bad: no face"
    assert pd.isna(table["label"].iloc[-1])


def test_a_folder_of_files_is_a_sequence_and_a_real_model_reads_it(tiny_model, embedded_samples, tmp_path):
    from affectvlm.recognizer.torch_encoder import TorchEncoder
    from affectvlm.scan import write_scan

    recognizer = Recognizer(TorchEncoder(tiny_model))
    scans = [sample.load() for sample in embedded_samples[1:4]]
    for number, scan in zip((2, 10, 1), scans, strict=True):
        write_scan(tmp_path / f"{number}.ply", scan)
    answer = recognizer.predict(tmp_path)
    assert [frame.path for frame in answer.timeline.answers] == [str(tmp_path / f"{n}.ply") for n in (1, 2, 10)]
    each = recognizer.predict([frame.path for frame in answer.timeline.answers])
    assert list(answer.timeline.answers) == list(each)
    assert tuple(answer.probabilities) == EMOTIONS


def test_a_timeline_of_three_frames_by_hand():
    shares = ({"fear": 0.1, "neutral": 0.9}, {}, {"fear": 0.8, "neutral": 0.2})
    answers = tuple(
        Prediction(str(i), probabilities=share, error=None if share else "bad") for i, share in enumerate(shares)
    )
    timeline = Timeline.of(answers, np.array([0.0, 0.9]), np.array([0, 2]), fps=5)
    assert timeline.answers == answers
    assert len(timeline) == 3
    np.testing.assert_array_equal(timeline.strength, [0, np.nan, 0.9])
    assert (timeline.onset, timeline.apex, timeline.offset) == (
        0,
        2,
        None,
    )  # frames, not numbers of those that are used
    assert timeline.classes == ("fear", "neutral")
    np.testing.assert_array_equal(timeline.probabilities, [[0.1, 0.9], [np.nan, np.nan], [0.8, 0.2]])
    assert timeline.weights.tolist() == [0, 0, 1]  # 0.2 s at 5 frames a second: one frame to either side
    assert replace(timeline, fps=10).weights.tolist() == [0.5, 0, 0.5]
    assert [timeline.seconds(i) for i in range(3)] == [0, 0.2, 0.4]


def test_hidden_files_are_no_frames(tmp_path):
    (tmp_path / "1.ply").write_text("x")
    (tmp_path / "._1.ply").write_text("what macOS puts beside it")
    assert ScanSequence.from_folder(tmp_path).frames == (tmp_path / "1.ply",)


def test_a_folder_that_nobody_may_look_into_does_not_stop_the_others(tmp_path, monkeypatch):
    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    shut, seen = Seeing(FakeEncoder()).predict([tmp_path, sequence([1.0])])
    assert shut.error == f"{tmp_path}: expected a folder of frames that can be read, found Permission denied"
    assert seen.label == "fear"
