"""How expressions unfold: analytic curves, what every draw must keep, rates of blinks, and resampling."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from scipy.stats import poisson

from affectvlm.emotions import EMOTIONS
from affectvlm.synthesis.action_units import ACTION_UNITS, UNIT_INDEX
from affectvlm.synthesis.dynamics import (
    BLINKS_A_MINUTE,
    BLINKS_A_MINUTE_SPEAKING,
    DELAY_MOST_S,
    MOMENTS,
    ONSET_S,
    STIFF,
    TREMOR,
    Course,
    draw_course,
    glide,
    look_around,
    neutral_moment,
    perform,
    rest,
    speak,
    unfold,
)
from affectvlm.synthesis.expressions import MAX_STRENGTH
from affectvlm.synthesis.live_link import measured_apex
from affectvlm.synthesis.performance import Performance

LIDS, UPPER_LID, SMILE = UNIT_INDEX["AU43"], UNIT_INDEX["AU5"], UNIT_INDEX["AU12"]


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def blinks_in(performance: Performance) -> int:
    """Lids that come down past a third."""
    closed = performance.strengths[:, LIDS, 0] > 0.33
    return int(np.sum(closed[1:] & ~closed[:-1]) + closed[0])


# --- the curve itself


def test_a_movement_of_minimum_jerk_has_its_known_values():
    at = glide(np.array([-1, 0, 0.25, 0.5, 0.75, 1, 2]), np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    np.testing.assert_allclose(at, [0, 0, 0.103515625, 0.5, 0.896484375, 1, 1], atol=1e-15)


def test_its_greatest_speed_is_in_proportion_to_its_amplitude():
    times = np.linspace(0, 0.6, 6001)
    for amplitude in (0.2, 1.0):
        speed = np.diff(glide(times, np.array([0, 0.6]), np.array([0, amplitude]))) / np.diff(times)
        assert speed.max() == pytest.approx(1.875 * amplitude / 0.6, rel=1e-6)


def test_levels_are_met_at_their_knots_and_left_with_no_speed():
    knots, levels = np.array([0.2, 0.5, 1.0, 1.7]), np.array([0.0, 1.0, 0.4, 0.9])
    np.testing.assert_allclose(glide(knots, knots, levels), levels, atol=1e-12)
    beside = np.concatenate([knots - 1e-4, knots + 1e-4])
    np.testing.assert_allclose(glide(beside, knots, levels), np.tile(levels, 2), atol=1e-9)


def test_knots_may_coincide_and_levels_may_be_arrays():
    levels = np.arange(6.0).reshape(3, 2)
    found = glide(np.array([0.0, 0.5, 1.0, 1.001]), np.array([0.0, 1.0, 1.0]), levels)
    np.testing.assert_allclose(found, [[0, 1], [1, 2], [2, 3], [4, 5]], atol=1e-12)


# --- the course of an expression


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_course_goes_from_rest_to_the_apex_and_back(emotion):
    seen = set()
    for seed in range(200):
        course = draw_course(emotion, rng(seed))
        seen.add(len(course.knots))
        assert 3 <= course.seconds <= 5
        assert (np.diff(course.knots) > 0).all()
        assert course.knots[0] > DELAY_MOST_S
        assert course.knots[-1] < course.seconds
        assert course.levels[0] == 0
        assert course.levels[1] == 1
        assert (course.levels[2:] < 1).all() or course.levels[2] <= 1
        assert 0 <= course.levels[-1] <= 0.1
        onset = course.knots[1] - course.knots[0]
        assert onset <= ONSET_S[emotion] * np.exp(0.5) + 1e-9
        assert course.knots[-1] - course.knots[-2] >= 1.2 * onset - 1e-9
    assert seen == {4, 5}


def test_surprise_comes_fastest_and_sadness_slowest():
    def median_onset(emotion: str) -> float:
        return float(np.median([np.diff(draw_course(emotion, rng(seed)).knots)[0] for seed in range(300)]))

    onset = {emotion: median_onset(emotion) for emotion in EMOTIONS}
    assert min(onset, key=onset.__getitem__) == "surprise"
    assert max(onset, key=onset.__getitem__) == "sadness"
    assert onset["happiness"] == pytest.approx(0.6, rel=0.1)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_action_unit_rises_steadily_to_its_own_strength(emotion):
    apex = measured_apex(emotion)
    course = Course(4.0, np.array([0.3, 1.0, 2.5, 3.6]), np.array([0.0, 1.0, 1.0, 0.0]))
    times = np.linspace(0, 4, 4001)
    moved = unfold(apex, course, times, rng(5))
    assert moved.shape == (4001, len(ACTION_UNITS), 2)
    np.testing.assert_allclose(moved.max(axis=0), apex, atol=1e-6)
    held = slice(1400, 2390)
    np.testing.assert_allclose(moved[held], np.broadcast_to(apex, moved[held].shape), atol=1e-6)
    np.testing.assert_array_equal(moved[0], 0)
    np.testing.assert_allclose(moved[-1], 0, atol=1e-9)
    assert (np.diff(moved[:2000], axis=0) >= -1e-12).all()
    assert (np.diff(moved[2000:], axis=0) <= 1e-12).all()


def test_action_units_do_not_move_as_one():
    apex = np.ones((len(ACTION_UNITS), 2))
    course = Course(4.0, np.array([0.5, 1.1, 2.5, 3.4]), np.array([0.0, 1.0, 1.0, 0.0]))
    times = np.linspace(0, 4, 4001)
    halves = [(unfold(apex, course, times, rng(seed)) > 0.5).argmax(axis=0)[:, 0] / 1000 for seed in range(100)]
    assert np.std(halves[0]) > 0.01
    typical = np.median(halves, axis=0)
    assert typical[UNIT_INDEX["AU5"]] < typical[SMILE] < typical[UNIT_INDEX["AU26"]]
    # Half of the delay and half of the longer or shorter way: never far from the middle of the course's own onset.
    assert np.abs(np.array(halves) - 0.8).max() < DELAY_MOST_S + 0.2


# --- whole performances


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("fps", [25.0, 30.0])
def test_a_performance_goes_from_neutral_to_the_apex_and_back(emotion, fps):
    apex = measured_apex(emotion)
    for seed in range(20):
        performance = perform(apex, emotion, fps, rng(seed))
        strengths = performance.strengths
        assert strengths.dtype == performance.head_deg.dtype == np.float32
        assert performance.fps == fps
        assert 3 * fps <= len(performance) <= 5 * fps
        assert strengths.shape == (len(performance), len(ACTION_UNITS), 2)
        assert performance.head_deg.shape == (len(performance), 3)
        assert strengths.min() >= 0
        assert strengths.max() <= MAX_STRENGTH
        # Five spreads of the tremor, and what an incomplete return may leave.
        assert strengths[0].max() < 5 * TREMOR
        assert (strengths[-1] < 5 * TREMOR + 0.1 * apex).all()
        most = strengths.max(axis=0)
        others = np.arange(len(ACTION_UNITS)) != LIDS
        assert (np.abs(most - apex)[others] < 0.12).all()
        assert np.abs(performance.head_deg).max() < 15


def test_an_extreme_apex_is_held_to_what_a_face_can_show():
    assert perform(np.full((len(ACTION_UNITS), 2), 2.0), "anger", 25, rng(0)).strengths.max() == np.float32(
        MAX_STRENGTH
    )


def test_sides_keep_their_own_strengths():
    apex = np.zeros((len(ACTION_UNITS), 2))
    apex[SMILE] = 0.9, 0.3
    both = perform(apex, "happiness", 25, rng(1)).strengths[:, SMILE].max(axis=0)
    np.testing.assert_allclose(both, [0.9, 0.3], atol=0.1)


@pytest.mark.parametrize(
    "draw",
    [
        lambda r: perform(measured_apex("fear"), "fear", 25, r),
        lambda r: rest(4, 25, r),
        lambda r: speak(4, 25, r),
    ],
    ids=["perform", "rest", "speak"],
)
def test_the_same_seed_gives_the_same_bytes(draw):
    one, same, other = draw(rng(7)), draw(rng(7)), draw(rng(8))
    assert one.strengths.tobytes() == same.strengths.tobytes()
    assert one.head_deg.tobytes() == same.head_deg.tobytes()
    assert one.strengths.tobytes() != other.strengths.tobytes()


def test_the_head_moves_without_regard_to_the_emotion():
    def spread(emotion: str) -> float:
        heads = (perform(measured_apex(emotion), emotion, 25, rng(seed)).head_deg for seed in range(300))
        return float(np.sqrt(np.mean([np.mean(np.square(head)) for head in heads])))

    # The spread is drawn from 1 to 3 degrees: its mean square is 13/3.
    for emotion in ("surprise", "sadness"):
        assert spread(emotion) == pytest.approx(np.sqrt(13 / 3), rel=0.1)


# --- blinks and rest


@pytest.mark.parametrize(("draw", "a_minute"), [(rest, BLINKS_A_MINUTE), (speak, BLINKS_A_MINUTE_SPEAKING)])
def test_blinks_come_at_their_published_rate(draw, a_minute):
    seconds = 10_000 if draw is rest else 2_000
    low, high = poisson.interval(0.999, a_minute * seconds / 60)
    assert low <= blinks_in(draw(seconds, 30, rng(0))) <= high


def test_a_blink_closes_faster_than_it_opens_and_lasts_150_to_320_ms():
    lids = rest(600, 400, rng(1)).strengths[:, LIDS, 0]
    edges = np.flatnonzero(np.diff((lids > 0.05).astype(int)))
    starts, ends = edges[::2], edges[1::2]
    assert len(starts) > 100
    for start, end in zip(starts, ends, strict=True):
        peak = start + lids[start:end].argmax()
        assert 0.12 <= (end - start) / 400 <= 0.32
        assert end - peak > 1.2 * (peak - start)
        assert 0.69 <= lids[peak] <= 1
    peaks = np.array([lids[s:e].max() for s, e in zip(starts, ends, strict=True)])
    assert np.mean(peaks > 0.99) == pytest.approx(0.4, abs=0.15)


def test_a_closing_lid_is_not_raised():
    apex = measured_apex("surprise")
    for seed in range(30):
        strengths = perform(apex, "surprise", 25, rng(seed)).strengths
        shut = strengths[:, LIDS, 0] > 0.99
        assert (strengths[shut, UPPER_LID] < 0.02).all()


def test_a_face_at_rest_is_near_rest_but_not_still():
    strengths = rest(60, 25, rng(2)).strengths
    others = np.arange(len(ACTION_UNITS)) != LIDS
    assert strengths[:, others].max() < 6 * TREMOR
    stiff = [UNIT_INDEX[unit] for unit in STIFF if unit != "AU43"]
    assert strengths[:, stiff].max() < 0.05
    assert strengths[:, SMILE].std() > 0.005
    # Half of a normal distribution about 0 remains: its mean is spread / sqrt(2 pi).
    assert strengths[:, others].mean() == pytest.approx(
        (TREMOR * (26 - len(stiff)) + 0.005 * len(stiff)) / 26 / np.sqrt(2 * np.pi), rel=0.1
    )


def test_the_drift_has_the_spread_that_it_was_given_whatever_the_rate():
    for fps in (10.0, 60.0):
        heads = np.concatenate([rest(8, fps, rng(seed, 9)).head_deg for seed in range(400)])
        # The spread is drawn from 1 to 3 degrees: its mean square is 13/3.
        assert np.mean(np.square(heads)) == pytest.approx(13 / 3, rel=0.12)


def test_speech_moves_the_mouth_at_the_pace_of_syllables_and_nothing_else():
    spoken = speak(120, 60, rng(4)).strengths
    still = [UNIT_INDEX[unit] for unit in ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU15")]
    assert spoken[:, still].max() < 6 * TREMOR
    jaw = spoken[:, UNIT_INDEX["AU26"], 0]
    assert jaw.max() > 0.2
    spectrum = np.abs(np.fft.rfft(jaw - jaw.mean())) ** 2
    hertz = np.fft.rfftfreq(len(jaw), 1 / 60)
    assert spectrum[hertz < 8].sum() > 0.95 * spectrum.sum()
    assert spectrum[(hertz > 1) & (hertz < 8)].sum() > 0.5 * spectrum.sum()
    assert spoken[0].max() < 5 * TREMOR


def test_a_head_that_looks_around_turns_aside_and_comes_back():
    for seed in range(20):
        still = rest(8, 25, rng(seed))
        turned = look_around(still, rng(seed, 1))
        np.testing.assert_array_equal(turned.strengths, still.strengths)
        turn = turned.head_deg - still.head_deg
        assert np.abs(turn[:20]).max() < 1e-5  # it stays for 0.8 s at least
        assert 8 - 1e-4 <= np.abs(turn[:, 0]).max() <= 25 + 1e-4
        assert (np.abs(turn[:, 0]) < 1e-4).mean() > 0.1
        assert not turn[:, 2].any()
        # Minimum jerk: 25 degrees in half a second, at most 1.875 times the mean speed.
        assert np.abs(np.diff(turn[:, 0])).max() <= 1.875 * 25 / 0.5 / 25 + 1e-3
    assert look_around(still, rng(3)).head_deg.tobytes() == look_around(still, rng(3)).head_deg.tobytes()


def test_a_neutral_moment_is_mostly_rest():
    moments = np.stack([neutral_moment(rng(seed, 1)) for seed in range(4000)])
    assert (moments.dtype, moments.shape) == (np.float32, (4000, len(ACTION_UNITS), 2))
    assert moments.min() >= 0
    assert moments.max() <= 1
    moving = (moments.max(axis=2) > 5 * TREMOR).any(axis=1)
    # Not every moment of a blink or a sound stands out from the tremor.
    total = sum(MOMENTS.values())
    assert 0.6 * total < moving.mean() < 1.1 * total
    blinking = moments[:, LIDS, 0] > 5 * TREMOR
    assert 0.6 * MOMENTS["blink"] < blinking.mean() < 1.1 * MOMENTS["blink"]
    emotional = [UNIT_INDEX[unit] for unit in ("AU1", "AU2", "AU4", "AU5", "AU6", "AU9", "AU12", "AU15")]
    assert moments[:, emotional].max() < 6 * TREMOR


# --- the container


def ramp(fps: float, frames: int) -> Performance:
    at = np.arange(frames) / fps
    strengths = np.broadcast_to((0.2 * at)[:, None, None], (frames, len(ACTION_UNITS), 2)).astype(np.float32)
    return Performance(fps, strengths, np.stack([at, 2 * at, -at], axis=1).astype(np.float32))


@pytest.mark.parametrize("fps", [10, 24, 25, 29.97, 60, 100])
def test_a_linear_movement_is_resampled_exactly(fps):
    found = ramp(30, 61).resampled(fps)
    assert found.fps == fps
    assert len(found) == int(2 * fps) + 1
    at = np.arange(len(found)) / fps
    np.testing.assert_allclose(found.strengths[:, 3, 1], 0.2 * at, atol=1e-6)
    np.testing.assert_allclose(found.head_deg, np.stack([at, 2 * at, -at], axis=1), atol=1e-6)
    assert found.strengths.dtype == found.head_deg.dtype == np.float32


@pytest.mark.parametrize("over", [60, 90, 30])
def test_shared_instants_keep_their_bytes(over):
    there = speak(10, 30, rng(6))
    back = there.resampled(over).resampled(30)
    assert len(back) == len(there)
    assert back.strengths.tobytes() == there.strengths.tobytes()
    assert back.head_deg.tobytes() == there.head_deg.tobytes()


def test_a_single_frame_stays_one():
    assert len(ramp(30, 1).resampled(25)) == 1


def test_the_heads_angles_turn_as_they_are_documented():
    left, up, front = np.eye(3)

    def turned(yaw: float, pitch: float, roll: float, vector: np.ndarray) -> np.ndarray:
        return Rotation.from_euler("yxz", [yaw, pitch, roll], degrees=True).apply(vector)

    assert turned(10, 0, 0, front) @ left > 0.1  # the face looks to the subject's left
    assert turned(0, 10, 0, front) @ up < -0.1  # down
    assert turned(0, 0, 10, up) @ left < -0.1  # the crown goes to the subject's right
    # First yaw, then pitch, then roll, about axes that stay: roll turns the whole, and does not move its own axis.
    np.testing.assert_allclose(turned(0, 0, 40, front), front, atol=1e-12)
    both = turned(90, 30, 0, front)
    np.testing.assert_allclose(both, left, atol=1e-12)  # looking sideways along +x, pitch about +x leaves it there
