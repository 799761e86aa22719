"""How an expression unfolds: onset, apex and offset, with the blinks and small movements of a living face.

What is known, and from whom:

- Onset and offset are smooth, and the greatest speed of a smile's onset grows in proportion to its amplitude while its
  duration does not depend on it (Schmidt, Cohn and Tian 2003, Biological Psychology 65). A movement of minimum jerk
  (Flash and Hogan 1985, Journal of Neuroscience 5) of a given duration has just that: 1.875 amplitudes a duration.
- A smile's onset takes about 0.5 to 0.75 s (Schmidt, Ambadar, Cohn and Reed 2006, Journal of Nonverbal Behavior 30).
  Surprise is fast; sadness is best recognised when it comes slowly and disgust when it comes fast to moderately
  (Recio, Schacht and Sommer 2013, Cognition and Emotion 27). The other durations, and how much slower an offset is
  than its onset, are ours.
- Raised upper lids and a wrinkled nose come early in an expression (Jack, Garrod and Schyns 2014, Current Biology 24).
- A sequence of BU-4DFE takes about 4 s, from a neutral face to the apex and back; ours take 3 to 5 s.
- People blink 17 times a minute at rest and 26 in conversation (Bentivoglio et al. 1997, Movement Disorders 12); lids
  close 40 to 47 % faster than they open, and often not fully (Sforza et al. 2008, Ophthalmic and Physiological Optics
  28).

Head movement is drawn without regard to the emotion, so that it gives nothing away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.signal import lfilter

from affectvlm.synthesis.action_units import ACTION_UNITS, UNIT_INDEX, action_strengths
from affectvlm.synthesis.expressions import MAX_STRENGTH
from affectvlm.synthesis.performance import Performance

ONSET_S: dict[str, float] = {
    "anger": 0.65,
    "disgust": 0.55,
    "fear": 0.45,
    "happiness": 0.60,
    "sadness": 1.00,
    "surprise": 0.35,
}
"""Median time from rest to apex."""
ONSET_SPREAD = 0.25
"""Of the logarithm of the onset, cut at twice this."""
OFFSET_RATIO = (1.2, 2.0)
"""The offset's duration in onsets."""

TAKE_S = (3.0, 5.0)
LEAD_S, TAIL_S = (0.2, 0.6), (0.25, 0.6)
"""How long the face rests before and after."""
HOLD_S = 0.3
"""The apex lasts at least so long; onset and offset share the rest of a short take."""
LAST_S = 0.08
"""Before the end of a take everything has come back."""

DRIFT = (0.0, 0.12)
"""What an apex loses while it is held."""
SECOND_PEAK_SHARE, SECOND_PEAK_HOLD_S = 0.2, 0.9
SECOND_PEAK, DIP = (0.8, 0.95), (0.75, 0.9)
"""How often a second, smaller peak follows; how long the apex must last for it; its height; the dip as a part of it."""
UNRELAXED_SHARE, UNRELAXED = 0.25, (0.03, 0.1)
"""How often a face does not come back to rest, and what is left."""

DELAY_SPREAD_S, DELAY_MOST_S = 0.04, 0.1
TEMPO_SPREAD = 0.1
UNIT_TEMPO: dict[str, float] = {"AU1": 0.9, "AU2": 0.9, "AU5": 0.8, "AU9": 0.85, "AU26": 1.15, "AU27": 1.15}
"""An action unit's duration in parts of the others': lids and nose lead, the jaw is heavy. The size is our choice."""

BLINKS_A_MINUTE, BLINKS_A_MINUTE_SPEAKING = 17.0, 26.0
CLOSING_S, OPENING_RATIO = (0.07, 0.11), (1.4, 1.8)
BLINK_DEPTH = (0.7, 1.2)
"""Cut at 1, a closed eye: two blinks in five are full."""
LONGEST_BLINK_S = CLOSING_S[1] * (1 + OPENING_RATIO[1])
BLINK_GAP_S = 0.5
"""The least time from blink to blink; beyond it, they come at random."""
BLINK_AT_TURN, TURN_S = 0.25, 0.1
"""Chance of a further blink as an expression comes, and as it goes, within so long of it; our choice."""

TREMOR, STIFF_TREMOR = 0.02, 0.005
STIFF = ("AU27", "AU28", "AU29", "AU30", "AU34", "AU43")
"""Spread of the movement of a face at rest, and of what stays almost still in it."""
TREMOR_S = 0.25
SWAY_DEG, SWAY_S = (1.0, 3.0), 0.8
NOD_DEG, NOD_S = (1.5, 4.0), 0.35
"""Spread and slowness of the head's movement: of a head held still, and of a speaker's."""

LOOK_YAW_DEG, LOOK_PITCH_DEG = (8.0, 25.0), 5.0
"""How far a head turns to look aside, and the spread of how far up or down."""
STILL_S, LOOKING_S = (0.8, 2.5), (0.5, 1.0)
"""How long it stays, and how long a turn takes. All of this is our choice."""

SYLLABLES_A_SECOND = (3.0, 6.0)
SYLLABLE_SPREAD = 0.2
PAUSE_SHARE, PAUSE_S = 0.12, (0.3, 0.8)
EFFORT = (0.5, 1.0)
"""How far a speaker moves the mouth, in parts of the tables below."""
VOWELS: tuple[dict[str, float], ...] = (
    {"AU25": 0.4, "AU26": 0.8},  # father
    {"AU25": 0.4, "AU26": 0.5, "AU20": 0.15},  # bed
    {"AU25": 0.45, "AU26": 0.2, "AU20": 0.4},  # see
    {"AU18": 0.3, "AU22": 0.5, "AU26": 0.5},  # law
    {"AU18": 0.7, "AU22": 0.35, "AU26": 0.2},  # do
    {"AU25": 0.3, "AU26": 0.3},  # about
)
CONSONANTS: tuple[dict[str, float], ...] = (
    {"AU24": 0.5},  # p, b, m: lips closed
    {"AU10": 0.25, "AU28": 0.25, "AU26": 0.1},  # f, v: lower lip at the teeth
    {"AU25": 0.35, "AU20": 0.2},  # s, z: teeth close
    {"AU18": 0.3, "AU22": 0.5, "AU25": 0.2},  # sh, ch
    {"AU25": 0.3, "AU26": 0.2, "AU16": 0.15},  # t, d, n, l, th
    {"AU25": 0.25, "AU26": 0.3},  # k, g, h
    {"AU18": 0.6, "AU22": 0.2},  # w
)
"""What the mouth does in speech: a coarse table of our own. A syllable is a consonant and a vowel."""

MOMENTS: dict[str, float] = {"blink": 17 / 60 * 0.234, "speech": 0.08, "press": 0.05}
"""What else than rest a neutral scan catches, and how often. Blinks: their rate and mean duration; the others: ours."""
PRESS: dict[str, tuple[float, float]] = {"AU24": (0.2, 0.6), "AU17": (0.1, 0.4), "AU14": (0.0, 0.2)}
"""Swallowing, or lips pressed."""


@dataclass(frozen=True, eq=False)
class Course:
    """How far an expression has unfolded, as points between which it glides.

    Parameters
    ----------
    seconds : float
        Of the whole take.
    knots : (K,) float
        Seconds: onset, apex, perhaps dip and second peak, end of the apex, end of the offset.
    levels : (K,) float
        0 is rest and 1 the apex.
    """

    seconds: float
    knots: np.ndarray
    levels: np.ndarray


def glide(times: np.ndarray, knots: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Go from level to level with minimum jerk, standing still at each.

    Parameters
    ----------
    times : (T,) float
    knots : (K,) float
        Never falling, in the same unit.
    levels : (K, ...) float

    Returns
    -------
    (T, ...) float
        Before the first knot its level, after the last that one's.
    """
    after = np.clip(np.searchsorted(knots, times, side="right"), 1, len(knots) - 1)
    start, end = knots[after - 1], knots[after]
    u = np.clip((times - start) / np.maximum(end - start, 1e-9), 0.0, 1.0)
    done = (u * u * u * (10.0 - 15.0 * u + 6.0 * u * u)).reshape(-1, *[1] * (levels.ndim - 1))
    return levels[after - 1] + done * (levels[after] - levels[after - 1])


def draw_course(emotion: str, rng: np.random.Generator) -> Course:
    """Draw how an emotion comes and goes in one take."""
    seconds, lead, tail = rng.uniform(*TAKE_S), rng.uniform(*LEAD_S), rng.uniform(*TAIL_S)
    onset = ONSET_S[emotion] * np.exp(ONSET_SPREAD * np.clip(rng.standard_normal(), -2, 2))
    offset = onset * rng.uniform(*OFFSET_RATIO)
    squeeze = min(1.0, (seconds - lead - tail - HOLD_S) / (onset + offset))
    apex, end = lead + squeeze * onset, seconds - tail
    fading = end - squeeze * offset
    left = rng.uniform(*UNRELAXED) if rng.random() < UNRELAXED_SHARE else 0.0
    drifted = 1.0 - rng.uniform(*DRIFT)
    second, dip = rng.uniform(*SECOND_PEAK), rng.uniform(*DIP)
    if rng.random() < SECOND_PEAK_SHARE and fading - apex > SECOND_PEAK_HOLD_S:
        middle = 0.5 * (apex + fading)
        return Course(
            seconds, np.array([lead, apex, middle, fading, end]), np.array([0, 1, second * dip, second, left])
        )
    return Course(seconds, np.array([lead, apex, fading, end]), np.array([0, 1, drifted, left]))


def perform(apex: np.ndarray, emotion: str, fps: float, rng: np.random.Generator) -> Performance:
    """Let an expression come and go, as in a sequence of BU-4DFE.

    Parameters
    ----------
    apex : (A, 2) float
        Strengths of action units at their fullest.
    emotion : str
        One of the six: what sets the pace.
    fps : float

    Returns
    -------
    Performance
        Strengths within [0, MAX_STRENGTH]; the first and the last frame are near rest.
    """
    course = draw_course(emotion, rng)
    times = _times(course.seconds, fps)
    strengths = unfold(apex, course, times, rng)
    blinks = _draw_blinks(course.seconds, BLINKS_A_MINUTE, rng)
    for turn in (course.knots[0], course.knots[-2]):
        start = turn + rng.uniform(-TURN_S, TURN_S)
        if rng.random() < BLINK_AT_TURN and (np.abs(blinks - start) > BLINK_GAP_S).all():
            blinks = np.append(blinks, start)
    return Performance(fps, _enliven(strengths, blinks, times, fps, rng), _sway(len(times), fps, SWAY_DEG, SWAY_S, rng))


def unfold(apex: np.ndarray, course: Course, times: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(T, A, 2): each action unit of an expression, with a small delay and a tempo of its own."""
    strengths = np.zeros((len(times), *apex.shape))
    for index, unit in enumerate(ACTION_UNITS):
        coming, going = np.clip(rng.normal(0, DELAY_SPREAD_S, 2), -DELAY_MOST_S, DELAY_MOST_S)
        tempo = UNIT_TEMPO.get(unit, 1.0) * np.exp(TEMPO_SPREAD * np.clip(rng.standard_normal(), -2, 2))
        if not apex[index].any():
            continue
        knots = course.knots.copy()
        onset, offset = knots[1] - knots[0], knots[-1] - knots[-2]
        knots[0] += coming
        knots[1] = min(knots[0] + tempo * onset, knots[2])
        knots[-2] = max(knots[-2] + going, knots[-3])
        knots[-1] = min(knots[-2] + tempo * offset, course.seconds - LAST_S)
        strengths[:, index] = glide(times, knots, course.levels)[:, None] * apex[index]
    return strengths


def rest(seconds: float, fps: float, rng: np.random.Generator) -> Performance:
    """Let a neutral face be: it blinks, and nothing in it is quite still."""
    times = _times(seconds, fps)
    still = np.zeros((len(times), len(ACTION_UNITS), 2))
    blinks = _draw_blinks(seconds, BLINKS_A_MINUTE, rng)
    return Performance(fps, _enliven(still, blinks, times, fps, rng), _sway(len(times), fps, SWAY_DEG, SWAY_S, rng))


def look_around(performance: Performance, rng: np.random.Generator) -> Performance:
    """Let the head turn aside now and then, and back; the face does as before."""
    knots, levels = [0.0], [np.zeros(3)]
    while True:
        leaving = knots[-1] + rng.uniform(*STILL_S)
        there = leaving + rng.uniform(*LOOKING_S)
        yaw, pitch = rng.choice([-1, 1]) * rng.uniform(*LOOK_YAW_DEG), rng.normal(0, LOOK_PITCH_DEG)
        if there > performance.seconds:
            break
        knots += [leaving, there]
        levels += [levels[-1], np.zeros(3) if levels[-1].any() else np.array([yaw, pitch, 0.0])]
    times = np.arange(len(performance)) / performance.fps
    turned = performance.head_deg + glide(times, np.array(knots), np.array(levels))
    return replace(performance, head_deg=turned.astype(np.float32))


def speak(seconds: float, fps: float, rng: np.random.Generator) -> Performance:
    """Let a neutral face speak: syllables, pauses, and a head that moves along."""
    times = _times(seconds, fps)
    syllable_s, effort = 1.0 / rng.uniform(*SYLLABLES_A_SECOND), rng.uniform(*EFFORT)
    silence = np.zeros((len(ACTION_UNITS), 2))
    knots, levels = [0.0], [silence]
    while (left := seconds - knots[-1]) > 0:
        length = syllable_s * np.exp(rng.normal(0, SYLLABLE_SPREAD))
        if left < 2 * length:
            knots.append(seconds)
            levels.append(silence)
        elif rng.random() < PAUSE_SHARE:
            knots += [knots[-1] + 0.5 * length, knots[-1] + 0.5 * length + rng.uniform(*PAUSE_S)]
            levels += 2 * [silence]
        else:
            knots += [knots[-1] + 0.4 * length, knots[-1] + length]
            levels += [effort * _draw_sound(sounds, rng) for sounds in (CONSONANTS, VOWELS)]
    moved = glide(times, np.array(knots), np.stack(levels))
    blinks = _draw_blinks(seconds, BLINKS_A_MINUTE_SPEAKING, rng)
    return Performance(fps, _enliven(moved, blinks, times, fps, rng), _sway(len(times), fps, NOD_DEG, NOD_S, rng))


def neutral_moment(rng: np.random.Generator) -> np.ndarray:
    """Draw what a scan of a neutral face catches: (A, 2) float32, mostly near rest, at times one of :data:`MOMENTS`."""
    strengths = rng.normal(0, _TREMORS, (len(ACTION_UNITS), 2))
    moment = rng.choice([*MOMENTS, "rest"], p=[*MOMENTS.values(), 1.0 - sum(MOMENTS.values())])
    if moment == "blink":
        closing, opening, depth = _draw_lid(rng)
        strengths[UNIT_INDEX["AU43"]] = _closure(rng.uniform(0, closing + opening), closing, opening, depth)
    elif moment == "speech":
        sound = _draw_sound(VOWELS if rng.random() < 0.5 else CONSONANTS, rng)
        strengths += rng.uniform(*EFFORT) * rng.uniform(0, 1) * sound
    elif moment == "press":
        strengths += action_strengths({unit: rng.uniform(*strength) for unit, strength in PRESS.items()})
    return np.clip(strengths, 0, MAX_STRENGTH).astype(np.float32)


_TREMORS = np.where(np.isin(list(ACTION_UNITS), STIFF), STIFF_TREMOR, TREMOR)[:, None]  # (A, 1)


def _times(seconds: float, fps: float) -> np.ndarray:
    return np.arange(round(seconds * fps)) / fps


def _draw_sound(sounds: tuple[dict[str, float], ...], rng: np.random.Generator) -> np.ndarray:
    """(A, 2): one of a table's, a little more or less of it."""
    return rng.uniform(0.7, 1.0) * action_strengths(sounds[rng.integers(len(sounds))])


def _draw_blinks(seconds: float, a_minute: float, rng: np.random.Generator) -> np.ndarray:
    """Seconds at which blinks begin: never two at once, and all over before the end."""
    mean_gap_s = 60 / a_minute - BLINK_GAP_S
    # Enough for twice as many as are expected, begun early enough to have forgotten the beginning.
    count = 20 + round(2 * a_minute * seconds / 60)
    starts = np.cumsum(BLINK_GAP_S + rng.exponential(mean_gap_s, count)) - 5 * 60 / a_minute
    return starts[(starts >= 0) & (starts < seconds - LONGEST_BLINK_S)]


def _draw_lid(rng: np.random.Generator) -> tuple[float, float, float]:
    """A blink's time of closing and of opening, in seconds, and its depth."""
    closing = rng.uniform(*CLOSING_S)
    return closing, closing * rng.uniform(*OPENING_RATIO), min(rng.uniform(*BLINK_DEPTH), 1.0)


def _closure(since: float | np.ndarray, closing: float, opening: float, depth: float) -> np.ndarray:
    """How far the lids are closed so long after a blink began."""
    return glide(np.atleast_1d(since), np.array([0, closing, closing + opening]), np.array([0, depth, 0]))


def _enliven(
    strengths: np.ndarray, blinks: np.ndarray, times: np.ndarray, fps: float, rng: np.random.Generator
) -> np.ndarray:
    """(T, A, 2) float32: a smooth movement with tremor and blinks, within what a face can show."""
    lively = strengths + _TREMORS * _drift(strengths.shape, fps, TREMOR_S, rng)
    closed, raised = UNIT_INDEX["AU43"], UNIT_INDEX["AU5"]
    for start in blinks:
        closing, opening, depth = _draw_lid(rng)
        during = slice(*np.searchsorted(times, [start, start + closing + opening]))
        closure = _closure(times[during] - start, closing, opening, depth)[:, None]
        lively[during, closed] = np.maximum(lively[during, closed], closure)
        # The muscle that raises the lid lets go while it closes.
        lively[during, raised] *= 1 - closure
    return np.clip(lively, 0, MAX_STRENGTH).astype(np.float32)


def _sway(
    frames: int, fps: float, spread_deg: tuple[float, float], slowness_s: float, rng: np.random.Generator
) -> np.ndarray:
    """(T, 3) float32: the head's yaw, pitch and roll in degrees."""
    return (rng.uniform(*spread_deg) * _drift((frames, 3), fps, slowness_s, rng)).astype(np.float32)


def _drift(shape: tuple[int, ...], fps: float, slowness_s: float, rng: np.random.Generator) -> np.ndarray:
    """Draw what wanders about 0 with a spread of 1, along the first axis.

    It is an Ornstein-Uhlenbeck process that is smoothed once more by the same time constant, so that it has a speed.
    """
    a = np.exp(-1.0 / (slowness_s * fps))
    before = int(np.ceil(8 * slowness_s * fps))  # until it has forgotten that it began at 0
    noise = rng.standard_normal((before + shape[0], *shape[1:]))
    spread = np.sqrt((1 + a * a) / (1 - a * a) ** 3)
    return lfilter([1.0], [1.0, -2 * a, a * a], noise, axis=0)[before:] / spread
