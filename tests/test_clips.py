"""Samples of a prepared set: scans, or frames of sequences; missing views; training and testing on sequences."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from affectvlm.errors import DataError
from affectvlm.evaluation.cross_validation import cross_validate
from affectvlm.model import ModelConfig
from affectvlm.prepared import PreparedSet, prepare
from affectvlm.prepared.clips import Clips
from affectvlm.run_record import RunRecord
from affectvlm.scan import FaceScan
from affectvlm.training import TrainConfig
from affectvlm.training.data import ClipDataset, Draw
from affectvlm.training.fit import fit
from affectvlm.views import Rig, encode, render, to_channels
from affectvlm.views.coverage import LEAST_COVERED, seen_views
from affectvlm.views.jitter import Jitter

LENGTHS = {"anger": 7, "fear": 3, "happiness": 5}


@pytest.fixture(scope="module")
def samples():
    """Four subjects with a sequence of each of three emotions, their frames out of order, and one single scan each."""
    from affectvlm.synthesis import FaceSource
    from affectvlm.synthesis.generate import Study

    samples = []
    for subject in range(4):
        scans = Study(FaceSource(), subjects=4, seed=1).samples()[25 * subject : 25 * subject + 25]
        taken = iter(scans)
        for emotion, length in LENGTHS.items():
            frames = [
                replace(
                    next(taken), emotion=emotion, intensity=1 + i % 4, sequence=f"{subject}/{emotion}", frame=10 + i
                )
                for i in range(length)
            ]
            samples += frames[::-1]
        samples.append(replace(next(taken), emotion="fear", intensity=None, sequence=None, frame=None))
    return samples


@pytest.fixture(scope="module")
def sequences(samples, tmp_path_factory):
    """The sequences and the single scans."""
    folder = tmp_path_factory.mktemp("sequences") / "prepared"
    return prepare(samples, Rig(size_px=16), folder, "synthetic: embedded faces, for tests")


@pytest.fixture(scope="module")
def without_scans(samples, tmp_path_factory):
    """The sequences alone."""
    folder = tmp_path_factory.mktemp("without_scans") / "prepared"
    moving = [sample for sample in samples if sample.sequence]
    return prepare(moving, Rig(size_px=16), folder, "synthetic: embedded faces, for tests")


def test_without_a_number_of_frames_every_row_is_a_sample(sequences):
    clips = Clips(sequences)
    assert len(clips) == len(sequences) == 4 * 16
    views, seen = clips.load(np.array([5, 3]))
    np.testing.assert_array_equal(views[:, 0], sequences.channels(np.array([5, 3])))
    assert views.shape == (2, 1, 3, 4, 16, 16)
    assert seen.all()


def test_a_sequence_is_one_sample_with_its_frames_in_order(sequences):
    clips = Clips(sequences, frames=8)
    assert len(clips) == 4 * 4
    assert [len(rows) for rows in clips.rows[:4]] == [7, 3, 5, 1]
    assert clips.index["key"][:3].tolist() == ["0/anger", "0/fear", "0/happiness"]
    assert clips.index["key"][3] == sequences.index["key"][15]
    assert clips.index["intensity"].fillna(0)[:4].tolist() == [4, 3, 4, 0]
    assert [sequences.classes[label] for label in clips.labels[:4]] == ["anger", "fear", "happiness", "fear"]
    for rows in clips.rows:
        assert sequences.index["frame"].iloc[rows].fillna(0).is_monotonic_increasing
    np.testing.assert_array_equal(np.sort(np.concatenate(clips.rows)), np.arange(64))
    subject = clips.index["subject"][5]
    np.testing.assert_array_equal(clips.of([subject]), [4, 5, 6, 7])


def test_shorter_sequences_are_filled_up_with_frames_that_are_not_seen(sequences):
    clips = Clips(sequences, frames=8)
    views, seen = clips.load(np.array([1, 2, 3]))  # 3, 5 and 1 frames
    assert views.shape[:2] == (3, 5)
    there = np.arange(5) < np.array([[3], [5], [1]])
    np.testing.assert_array_equal(seen, np.repeat(there[:, :, None], 3, axis=2))
    assert (views[~seen] == 0).all()
    np.testing.assert_array_equal(views[0, :3], sequences.channels(clips.rows[1]))


def test_of_a_longer_sequence_one_frame_of_each_part_is_looked_at(sequences):
    clips = Clips(sequences, frames=3)
    seven = clips.rows[0]

    def looked_at(rngs):
        views, _ = clips.load(np.array([0]), rngs)
        known = sequences.channels(seven)
        return [next(i for i in range(7) if np.array_equal(known[i], view)) for view in views[0]]

    # Parts of 2, 2 and 3 frames.
    assert looked_at(None) == [1, 3, 5]
    drawn = np.array([looked_at([np.random.default_rng(seed)]) for seed in range(60)])
    assert [sorted(set(part)) for part in drawn.T.tolist()] == [[0, 1], [2, 3], [4, 5, 6]]


def test_no_frame_is_looked_at_twice_and_every_one_may_be(sequences):
    for frames in range(2, 9):
        clips = Clips(sequences, frames)
        for length in range(frames, 20):
            rows = np.arange(100, 100 + length)
            rng = np.random.default_rng(0)
            drawn = np.array([clips._pick(rows, rng) for _ in range(200)])
            assert drawn.shape == (200, frames)
            assert (np.diff(drawn, axis=1) > 0).all()
            np.testing.assert_array_equal(np.unique(drawn), rows)
            # In evaluation: half a part from either end, up to a frame.
            middle = clips._pick(rows, None) - 100 + 0.5
            assert np.abs(middle - (np.arange(frames) + 0.5) * length / frames).max() < 1.5


def test_frames_are_drawn_anew_each_turn_and_alike_in_any_batch(sequences):
    dataset = ClipDataset(Clips(sequences, frames=2), seed=3)
    samples = np.array([0, 4, 8, 12])
    turns = np.zeros(4, np.int64)
    first = dataset[Draw(samples, turns)].views
    assert (first == dataset[Draw(samples, turns)].views).all()
    assert (first[2:3] == dataset[Draw(samples[2:3], turns[2:3])].views).all()
    assert not (first == dataset[Draw(samples, turns + 1)].views).all()
    # Twice in one batch, each time with frames of its own.
    twice = dataset[Draw(samples[[0, 0]], np.array([0, 1]))].views
    assert (twice[0] == first[0]).all()
    assert not (twice[0] == twice[1]).all()
    middle = dataset[Draw(samples, None)].views
    assert (middle == ClipDataset(Clips(sequences, frames=2), seed=4)[Draw(samples, None)].views).all()


def test_training_takes_every_view_from_any_drawing_and_evaluation_from_the_exact_one(embedded_samples, tmp_path):
    frames = [replace(embedded_samples[i], emotion="fear", sequence="S", frame=i) for i in range(2)]
    prepared = prepare([*frames, embedded_samples[4]], Rig(size_px=16), tmp_path, "synthetic", jitter=Jitter())
    every = np.stack([prepared.channels(np.arange(3), np.full((3, 3), drawing)) for drawing in range(3)])
    clips = Clips(prepared, frames=2)
    assert [rows.tolist() for rows in clips.rows] == [[0, 1], [2]]

    exact, _ = clips.load(np.array([0, 1]))
    np.testing.assert_array_equal(np.concatenate([exact[0], exact[1, :1]]), every[0])
    taken = set()
    for seed in range(40):
        views, _ = clips.load(np.array([0, 1]), [np.random.default_rng([seed, sample]) for sample in range(2)])
        for sample, rows in enumerate(clips.rows):
            # For each view: which of the three drawings it is, in all frames at once.
            same = (views[sample, : len(rows)] == every[:, rows]).all(axis=(1, 3, 4, 5))  # (drawings, V)
            np.testing.assert_array_equal(same.sum(axis=0), 1)
            taken.add((sample, *same.argmax(axis=0).tolist()))
    for sample in range(2):
        for view in range(3):
            assert {chosen[1 + view] for chosen in taken if chosen[0] == sample} == {0, 1, 2}
    assert len(taken) > 20  # each view on its own: 27 ways for each sample


def test_a_sequence_of_two_emotions_is_refused(sequences):
    mixed = PreparedSet(sequences.folder)
    mixed.index.loc[2, "emotion"] = "fear"
    with pytest.raises(DataError, match=r"one emotion in all frames of a sequence, found several in '0/anger'"):
        Clips(mixed, frames=4)
    assert len(Clips(mixed)) == 64


def _tiny(time):
    model = ModelConfig(
        image_widths=(8, 8),
        text_width=16,
        text_layers=1,
        text_heads=2,
        embedding_dim=16,
        frames=4,
        time=time,
        fusion="attention",
    )
    return TrainConfig(epochs=1, batch_size=6, model=model, augmentation={"hide": 0.3})


@pytest.mark.parametrize("time", ["mean", "causal", "rank_pooling"])
def test_sequences_are_cross_validated_as_samples(sequences, without_scans, time, tmp_path):
    prepared = without_scans if time == "rank_pooling" else sequences
    metrics = cross_validate(prepared, _tiny(time), tmp_path, 2, 1, RunRecord(0))
    predictions = pd.read_parquet(tmp_path / "predictions.parquet")
    assert sorted(predictions["key"]) == sorted(Clips(prepared, frames=4).index["key"])
    said = predictions[[f"p_{name}" for name in prepared.classes]].to_numpy()
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-5)
    assert (np.ptp(said, axis=1) > 0).all()  # nobody is a face without an embedding, all classes alike
    assert [prepared.classes[i] for i in said.argmax(axis=1)] == predictions["predicted"].tolist()
    assert metrics["pooled"]["accuracy"] == np.mean(predictions["predicted"] == predictions["emotion"])


def test_a_model_of_movement_refuses_single_scans_before_anything_is_written(sequences, tmp_path):
    key = sequences.index["key"][15]
    expected = f"found 4 with fewer, first '{key}'; prepare a set without them"
    with pytest.raises(DataError, match=expected) as refused:
        cross_validate(sequences, _tiny("rank_pooling"), tmp_path / "run", 2, 1, RunRecord(0))
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()
    subjects = tuple(sequences.subjects)
    with pytest.raises(DataError, match=expected):
        fit(sequences, subjects[:3], subjects[3:], _tiny("rank_pooling"), tmp_path / "fit")
    assert not (tmp_path / "fit").exists()


def _half_disc(side):
    """A flat round face, or its left or right half, 120 mm across."""
    angles = np.linspace(0, 2 * np.pi, 73)
    rim = 60 * np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    vertices = np.concatenate([np.zeros((1, 3)), rim]).astype(np.float32)
    triangles = np.array([[0, i, i + 1] for i in range(1, 73)], np.int32)
    centre_x = vertices[triangles].mean(axis=1)[:, 0]
    return FaceScan(vertices, triangles[side * centre_x > -1e-3] if side else triangles)


def test_a_view_that_shows_little_is_missing_but_never_the_fullest():
    rig = Rig(size_px=64, yaw_deg={"front": 0, "steep": 75})

    def seen(scan):
        channels = to_channels(encode(render(scan, rig)), rig)
        covered = (channels[:, 0] > -1).mean(axis=(1, 2))
        return covered, seen_views(channels, rig)

    covered, both = seen(_half_disc(0))
    # A disc of 60 mm radius in a square of 180 mm; from 75 degrees it is narrower by its cosine.
    np.testing.assert_allclose(covered, np.pi * 60**2 / 180**2 * np.array([1, np.cos(np.radians(75))]), rtol=0.05)
    assert covered[0] > LEAST_COVERED > covered[1]
    np.testing.assert_array_equal(both, [True, False])
    covered, fullest = seen(_half_disc(1))
    assert covered[0] < LEAST_COVERED
    np.testing.assert_array_equal(fullest, [True, False])


@pytest.mark.parametrize("maps", [("depth",), ("normals",), ("texture",), ("normals", "shape_index")])
def test_whichever_maps_a_rig_has_an_empty_view_is_missing(maps):
    rig = Rig(size_px=16, maps=maps)
    face = _half_disc(0)
    face = replace(face, colours=np.full((len(face.vertices), 3), 200, np.uint8))
    kept = encode(render(face, rig))
    for values in kept.values():
        values[1] = 0 if values.dtype == np.uint16 or "texture" in kept or "shape_index" in kept else 128
    if "normals" in kept:
        kept["normals"][1] = 128
    np.testing.assert_array_equal(seen_views(to_channels(kept, rig), rig), [True, False, True])
