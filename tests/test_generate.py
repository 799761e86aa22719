"""A made-up study: the same for the same seed in any order, and the same person in all of his scans."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ConfigError
from affectvlm.synthesis import FaceModel, FaceSource, generate, load_face_model
from affectvlm.synthesis.expressions import INTENSITIES, Style, draw_expression
from affectvlm.synthesis.generate import make_scan

SOURCE = FaceSource()
MODULE = sys.modules[make_scan.__module__]  # its name in the package is the function's


def test_every_subject_shows_every_emotion_at_every_intensity_once():
    samples = generate(SOURCE, 3, seed=0)
    found = [(s.subject, s.emotion, s.intensity) for s in samples]
    assert found == [(f"S00{n}", e, i) for n in (1, 2, 3) for e in EMOTIONS for i in INTENSITIES]
    assert [s.key for s in samples] == [f"{subject}/{emotion}/{i}" for subject, emotion, i in found]
    assert len({s.key for s in samples}) == 3 * 24


def test_the_same_seed_gives_the_same_bytes_in_any_order():
    forwards = {s.key: s.load().vertices.tobytes() for s in generate(SOURCE, 2, seed=4)}
    backwards = {s.key: s.load().vertices.tobytes() for s in reversed(generate(SOURCE, 2, seed=4))}
    assert forwards == backwards
    assert len(set(forwards.values())) == len(forwards)


def test_another_seed_gives_other_faces():
    one, other = (generate(SOURCE, 1, seed)[0].load().vertices for seed in (4, 5))
    assert not np.array_equal(one, other)


def test_more_subjects_leave_the_first_ones_as_they_are():
    few, many = generate(SOURCE, 2, seed=4), generate(SOURCE, 5, seed=4)
    assert [(s.key, s.attributes) for s in few] == [(s.key, s.attributes) for s in many[:48]]
    np.testing.assert_array_equal(few[47].load().vertices, many[47].load().vertices)


def test_a_sample_travels_to_another_process():
    sample = generate(SOURCE, 1, seed=4)[7]
    copy = pickle.loads(pickle.dumps(sample))
    assert (copy.key, copy.attributes) == (sample.key, sample.attributes)
    np.testing.assert_array_equal(copy.load().vertices, sample.load().vertices)


def recorded_draws(monkeypatch, number: int) -> tuple[list[Style], list[tuple[float, ...]]]:
    """Make the 24 scans of a subject; return the style and the identity of each."""
    styles, identities = [], []
    real_face = FaceModel.face

    def recording_draw(style, *rest):
        styles.append(style)
        return draw_expression(style, *rest)

    def recording_face(self, identity, *rest):
        identities.append(tuple(identity))
        return real_face(self, identity, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(MODULE, "draw_expression", recording_draw)
        patch.setattr(FaceModel, "face", recording_face)
        for emotion in EMOTIONS:
            for intensity in INTENSITIES:
                make_scan(SOURCE, 9, number, emotion, intensity)
    return styles, identities


def test_a_subject_keeps_his_face_in_all_scans_and_his_style_in_all_of_an_emotion(monkeypatch):
    (styles, identities), (other_styles, other_identities) = (recorded_draws(monkeypatch, number) for number in (0, 1))
    assert len(set(identities)) == len(set(other_identities)) == 1
    assert identities[0] != other_identities[0]
    for start in range(0, 24, 4):
        assert all(style == styles[start] for style in styles[start : start + 4])
        assert styles[start] != other_styles[start]


def test_attributes_are_those_of_the_subjects_own_axes(monkeypatch):
    model = load_face_model(SOURCE)
    samples = generate(SOURCE, 12, seed=9)
    for number in range(12):
        mine = samples[24 * number : 24 * number + 24]
        assert all(s.attributes == mine[0].attributes for s in mine)
        if number < 2:
            _, identities = recorded_draws(monkeypatch, number)
            assert mine[0].attributes == model.attributes(np.array(identities[0]))
    assert {s.attributes["sex"] for s in samples} == {"female", "male"}


def test_the_head_is_turned_about_the_nose_tip_by_a_few_degrees(monkeypatch):
    turned = [s.load().vertices for s in generate(SOURCE, 1, seed=2)]
    monkeypatch.setattr(MODULE, "POSE_SPREAD_DEG", 0.0)
    frontal = [s.load().vertices for s in generate(SOURCE, 1, seed=2)]
    angles = []
    for a, b in zip(frontal, turned, strict=True):
        u, _, vt = np.linalg.svd(a.T.astype(float) @ b)
        rotation = (u @ vt).T
        np.testing.assert_allclose(b, a @ rotation.T, atol=1e-3)
        angles.append(np.degrees(np.arccos((np.trace(rotation) - 1) / 2)))
    # Three angles of 4 degrees deviation each: 6.4 on average, above 20 once in 100,000.
    assert 3 < np.mean(angles) < 10
    assert max(angles) < 20


def test_face_style_and_scan_are_drawn_from_streams_of_their_own(monkeypatch):
    states = set()
    real = np.random.default_rng

    def recording(seed):
        rng = real(seed)
        states.add(str(rng.bit_generator.state["state"]))
        return rng

    monkeypatch.setattr("numpy.random.default_rng", recording)
    for sample in generate(SOURCE, 2, seed=0):
        sample.load()
    # A subject: one for the face, one for each emotion's style, one for each scan.
    assert len(states) == 2 * (1 + 6 + 24)


def test_a_face_model_is_made_once():
    assert load_face_model(SOURCE) is load_face_model(FaceSource("embedded"))


def test_the_embedded_face_takes_no_folder():
    with pytest.raises(ConfigError, match="needs no folder, but /kit was given"):
        FaceSource("embedded", Path("/kit"))


@pytest.mark.parametrize(("folder", "cache"), [(None, None), (None, Path("c")), (Path("/kit"), None)])
def test_ict_facekit_needs_its_folder_and_a_cache(folder, cache):
    with pytest.raises(ConfigError, match="ict-facekit is read from its own folder: name it with --from DIR"):
        FaceSource("ict-facekit", folder, cache)
