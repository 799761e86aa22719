"""A made-up study: the same for the same seed in any order, and the same person in all of his scans."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ConfigError
from affectvlm.prepared import prepare
from affectvlm.scan import FACE_RADIUS_MM, FaceScan, normalize
from affectvlm.synthesis import generate as module
from affectvlm.synthesis.action_units import ACTION_UNITS, UNIT_INDEX
from affectvlm.synthesis.expressions import INTENSITIES
from affectvlm.synthesis.generate import Study
from affectvlm.synthesis.library import FaceSource, load_face_model
from affectvlm.synthesis.live_link import SHAPES
from affectvlm.views import Rig

SOURCE = FaceSource()
MODEL = load_face_model(SOURCE)


def study(subjects: int = 2, **settings) -> Study:
    return Study(SOURCE, subjects=subjects, **{"seed": 4, **settings})


def pose_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(3, 3) the rotation that brings points a (n, 3) onto b, about their means."""
    u, _, vt = np.linalg.svd((a - a.mean(axis=0)).T.astype(float) @ (b - b.mean(axis=0)))
    return (u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt).T


def degrees(rotation: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))


def test_bu3dfe_is_a_neutral_scan_and_six_emotions_at_four_intensities():
    takes = study(3).takes()
    expected = [("neutral", None)] + [(emotion, i) for emotion in EMOTIONS for i in INTENSITIES]
    for number in range(3):
        mine = takes[25 * number : 25 * number + 25]
        assert [(take.emotion, take.intensity) for take in mine] == expected
        assert {take.subject.number for take in mine} == {number}
    assert len({take.key for take in takes}) == 75


def test_files_are_named_as_in_bu3dfe_after_sex_emotion_intensity_and_ancestry():
    codes = {"african": "BL", "asian": "AE", "european": "WH"}
    seen = {"F": 0, "M": 0}
    for person in study(12).people:
        letter = {"female": "F", "male": "M"}[person.attributes["sex"]]
        seen[letter] += 1
        assert person.name == f"{letter}{seen[letter]:04d}"
    assert min(seen.values()) > 0
    for take in study(3).takes():
        name = take.subject.name
        if (take.emotion, take.intensity) == ("anger", 3):
            assert take.key == f"{name}/{name}_AN03{codes[take.subject.attributes['ancestry']]}"
        if take.emotion == "neutral":
            assert take.key == f"{name}/{name}_NE00{codes[take.subject.attributes['ancestry']]}"


def test_bu4dfe_is_six_sequences_of_some_four_seconds_that_begin_and_end_at_rest():
    made = study(1, protocol="bu4dfe")
    takes = made.takes()
    assert list(dict.fromkeys(take.key.split("/")[1] for take in takes)) == [
        "Angry",
        "Disgust",
        "Fear",
        "Happy",
        "Sad",
        "Surprise",
    ]
    for emotion in EMOTIONS:
        frames = [take for take in takes if take.emotion == emotion]
        assert [take.frame for take in frames] == list(range(len(frames)))
        assert frames[7].key == f"{frames[7].subject.name}/{frames[7].key.split('/')[1]}/007"
        assert 3 * 25 <= len(frames) <= 5 * 25
        # Without the lids, which may blink at any time.
        moved = np.array([made.strengths(take)[: UNIT_INDEX["AU43"]].max() for take in frames])
        assert max(moved[0], moved[-1]) < 0.25 < 0.4 < moved[len(moved) // 4 : -len(moved) // 4].max()


def test_neutral_sequences_are_at_rest_and_speaking():
    made = study(1, protocol="neutral", fps=30.0)
    takes = made.takes()
    moved = {}
    for name in ("Rest", "Speech"):
        frames = [take for take in takes if take.key.split("/")[1] == name]
        assert len(frames) == 8 * 30
        assert {take.emotion for take in frames} == {"neutral"}
        moved[name] = np.array([made.strengths(take)[UNIT_INDEX["AU26"]].mean() for take in frames])
    assert moved["Rest"].max() < 0.15
    assert moved["Speech"].max() > 0.2
    assert len(made.samples()) == len(takes)


def test_only_frames_near_the_apex_are_samples_of_the_emotion():
    made = study(1, protocol="bu4dfe")
    samples = {sample.key for sample in made.samples()}
    takes = made.takes()
    for emotion in EMOTIONS:
        frames = [take for take in takes if take.emotion == emotion]
        apex = made.person(0).style.apexes[emotion]
        level = np.array([(made.strengths(take) * apex).sum() for take in frames]) / (apex * apex).sum()
        kept = np.array([take.key in samples for take in frames])
        np.testing.assert_array_equal(kept, level >= 0.5)
        assert 0.2 < kept.mean() < 0.9
        assert not kept[[0, -1]].any()


def test_a_sequence_is_recorded_in_one_scene():
    made = study(1, protocol="bu4dfe", sensor="phone")
    frames = [take for take in made.takes() if take.emotion == "sadness"][:4]
    counts = [np.isfinite(made.record(take).grid.points[..., 2]).sum() for take in frames]
    assert max(counts) < 1.05 * min(counts)  # the same crop and place; another scene differs by a third
    mixed = study(1, protocol="bu4dfe", sensor="mixed")
    assert len({mixed.record(take).grid is None for take in frames}) == 1


def test_two_face_models_share_no_draw():
    other = Study(FaceSource("ict-facekit", Path("none")), subjects=1, seed=4)
    for what in ((module._SUBJECT,), (module._TAKE, 1, 2), (module._RESIDUAL, 1, 2)):
        assert study()._rng(0, *what).random() != other._rng(0, *what).random()


def test_a_capture_whose_name_is_no_folders_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="its name becomes a folder's"):
        study(1, capture=tmp_path / "...csv")


def test_a_neutral_scan_is_mostly_near_rest():
    strengths = [study(40, seed=1).strengths(take) for take in study(40, seed=1).takes() if take.emotion == "neutral"]
    assert len(strengths) == 40
    assert np.mean([strength.max() < 0.15 for strength in strengths]) > 0.5


def test_the_same_seed_gives_the_same_bytes_in_any_order():
    forwards = {s.key: s.load().vertices.tobytes() for s in study().samples()}
    module._person.cache_clear()
    backwards = {s.key: s.load().vertices.tobytes() for s in reversed(study().samples())}
    assert forwards == backwards
    assert len(set(forwards.values())) == len(forwards) == 50


def test_another_seed_gives_other_faces():
    one, other = (study(1, seed=seed).samples()[0].load().vertices for seed in (4, 5))
    assert one.shape != other.shape or not np.array_equal(one, other)


def test_more_subjects_leave_the_first_ones_as_they_are():
    few, many = study(2).samples(), study(5).samples()
    assert [(s.key, s.attributes) for s in few] == [(s.key, s.attributes) for s in many[:50]]
    np.testing.assert_array_equal(few[49].load().vertices, many[49].load().vertices)


def test_a_sample_travels_to_another_process_and_knows_its_settings():
    sample = study(1).samples()[7]
    copy = pickle.loads(pickle.dumps(sample))
    assert (copy.key, copy.attributes, copy.stamp) == (sample.key, sample.attributes, sample.stamp)
    np.testing.assert_array_equal(copy.load().vertices, sample.load().vertices)
    stamps = {study(1, **other).samples()[7].stamp for other in ({}, {"seed": 5}, {"sensor": "phone"})}
    assert len(stamps) == 3


def test_a_subject_keeps_his_face_and_his_attributes():
    samples = study(12, seed=9).samples()
    for number in range(12):
        mine = samples[25 * number : 25 * number + 25]
        person = study(12, seed=9).person(number)
        assert all(s.attributes == mine[0].attributes == MODEL.attributes(person.identity) for s in mine)
    assert {s.attributes["sex"] for s in samples} == {"female", "male"}


def test_a_recording_is_the_persons_face_turned_about_the_nose_tip():
    made = study(3)
    angles = []
    for take in made.takes():
        recording = made.record(take)
        person = study(3).person(take.subject.number)
        upright = person.vertices(recording.strengths)
        np.testing.assert_allclose(recording.scan.vertices, upright @ recording.rotation.T, atol=1e-3)
        np.testing.assert_array_equal(recording.landmarks, recording.scan.vertices[MODEL.landmarks])
        np.testing.assert_array_equal(recording.strengths, made.strengths(take))
        angles.append(degrees(recording.rotation))
    # Three angles of 4 degrees deviation each: 6.4 on average, above 20 once in 100,000.
    assert 5 < np.mean(angles) < 8
    assert max(angles) < 20


def test_a_sample_comes_as_the_normalisation_leaves_it():
    made = study(4)
    for take, sample in list(zip(made.takes(), made.samples(), strict=True))[::7]:
        face, found = sample.load(), normalize(made.record(take).scan).face
        assert sample.normalized
        assert np.linalg.norm(face.vertices, axis=1).max() <= FACE_RADIUS_MM + 1e-3
        # Both are cropped a little differently: compare what both have, the triangles' order being kept.
        recording = made.record(take)
        known = recording.scan.vertices[MODEL.landmarks[17:]] @ recording.rotation
        for scan, limit_deg, limit_mm in ((face, 10, 5), (found, 8, 6)):
            near = [int(np.argmin(np.linalg.norm(scan.vertices - point, axis=1))) for point in known]
            np.testing.assert_allclose(scan.vertices[near], known, atol=14)
            assert degrees(pose_between(known, scan.vertices[near])) < limit_deg
            assert np.linalg.norm(scan.vertices[near].mean(axis=0) - known.mean(axis=0)) < limit_mm


def test_without_residual_a_sample_is_exactly_upright(monkeypatch):
    monkeypatch.setattr(module, "RESIDUAL_DEG", (0.0, 0.0, 0.0))
    monkeypatch.setattr(module, "RESIDUAL_MM", (0.0, 0.0, 0.0))
    made = study(1)
    take, sample = made.takes()[5], made.samples()[5]
    person = study(1).person(0)
    upright = person.vertices(made.strengths(take))
    upright = upright - upright[MODEL.landmarks[30]] - person.tip
    kept = FaceScan(upright, MODEL.triangles).kept(np.linalg.norm(upright, axis=1) < FACE_RADIUS_MM)
    np.testing.assert_allclose(sample.load().vertices, kept.vertices, atol=1e-3)


def test_a_sensor_records_a_range_image_of_the_same_face():
    made = study(1, sensor="structured-light")
    recording = made.record(made.takes()[3])
    assert recording.grid is not None
    seen = recording.grid.points[np.isfinite(recording.grid.points[..., 2])]
    # All but a few lone points are in the mesh, where they were measured.
    assert {tuple(point) for point in recording.scan.vertices} <= {tuple(point) for point in seen}
    assert 0.99 * len(seen) < len(recording.scan.vertices) <= len(seen)
    clean = study(1).record(study(1).takes()[3])
    np.testing.assert_array_equal(recording.landmarks, clean.landmarks)
    # What is measured lies on the face.
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(clean.scan.vertices).query(seen[::37])
    assert np.quantile(distance, 0.9) < 4
    assert np.linalg.norm(made.samples()[3].load().vertices, axis=1).max() <= FACE_RADIUS_MM + 1e-3


def test_mixed_sensors_are_each_used_and_kept():
    made = study(2, sensor="mixed")
    recordings = [made.record(take) for take in made.takes()[:25]]
    assert 1 <= sum(recording.grid is None for recording in recordings) <= 15  # a quarter by chance: clean
    again = made.record(made.takes()[7])
    assert again.scan.vertices.tobytes() == recordings[7].scan.vertices.tobytes()


def test_of_several_sensors_one_is_drawn_for_each_scan():
    both, alone = study(2, sensor="phone+clean"), {name: study(2, sensor=name) for name in ("phone", "clean")}
    made = []
    for take in both.takes()[:8]:
        vertices = both.record(take).scan.vertices.tobytes()
        made += [name for name, one in alone.items() if one.record(take).scan.vertices.tobytes() == vertices]
    assert len(made) == 8
    assert set(made) == {"phone", "clean"}


def test_painted_faces_carry_a_picture_and_the_same_shape():
    bare, painted = (study(1, textured=textured).samples()[2].load() for textured in (False, True))
    assert painted.textured
    assert not bare.textured
    np.testing.assert_array_equal(bare.vertices, painted.vertices)


def write_capture(path: Path, jaw: list[float]) -> Path:
    names = [shape[0].upper() + shape[1:] for shape in SHAPES] + ["HeadYaw", "HeadPitch", "HeadRoll"]
    lines = [",".join(["Timecode", "BlendShapeCount", *names])]
    for frame, opening in enumerate(jaw):
        values = [opening if name == "JawOpen" else 0.0 for name in names]
        lines.append(",".join([f"10:00:00:{2 * frame:02d}.000", "61", *(f"{value:.6f}" for value in values)]))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_everybody_performs_a_capture_frame_by_frame(tmp_path):
    made = study(2, fps=30.0, capture=write_capture(tmp_path / "take 1.csv", [0.0, 0.3, 0.6, 0.3, 0.0]))
    takes = made.takes()
    assert [take.key for take in takes[:2]] == [f"{takes[0].subject.name}/take 1/{frame:05d}" for frame in (0, 1)]
    assert len(takes) == 10
    jaw = [made.strengths(take)[UNIT_INDEX["AU26"]].mean() for take in takes]
    np.testing.assert_allclose(jaw, [0, 0.5, 1, 0.5, 0] * 2, atol=1e-5)
    assert made.samples() == []  # no emotion to learn
    assert made.strengths(takes[0]).shape == (len(ACTION_UNITS), 2)


@pytest.mark.slow
def test_any_number_of_workers_makes_the_same_bytes(tmp_path):
    sets = []
    for jobs in (1, 2):
        folder = tmp_path / str(jobs)
        prepare(study(6, sensor="phone").samples(), Rig(size_px=32), folder, "synthetic: test", jobs)
        files = sorted(path.relative_to(folder) for path in folder.rglob("*.npy"))
        sets.append({str(file): (folder / file).read_bytes() for file in files})
        assert json.loads((folder / "manifest.json").read_text())["samples"] > 140
    assert sets[0] == sets[1]
