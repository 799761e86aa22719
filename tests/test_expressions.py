"""How people show emotions: the table's shares, what everybody shows, strength by intensity, and asymmetry."""

import numpy as np
import pytest
from scipy.stats import binom

from affectvlm.emotions import EMOTIONS
from affectvlm.synthesis import expressions
from affectvlm.synthesis.action_units import ACTION_UNITS, UNIT_INDEX, action_strengths
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.expressions import (
    CO_ACTIVATED,
    CO_ACTIVATION_MOST,
    INTENSITIES,
    MAX_STRENGTH,
    NEIGHBOURS,
    PROTOTYPES,
    SECONDARIES,
    STRENGTH,
    VARIANTS,
    Style,
    draw_expression,
    draw_style,
)
from affectvlm.synthesis.ict_facekit import ACTION_UNITS as ICT_UNITS
from affectvlm.synthesis.live_link import measured_apex

PLAIN = {
    "VARIANT_SHARE": 0.0,
    "GAIN_RANGE": (1.0, 1.0),
    "LEAN_SPREAD": 0.0,
    "BLEND_SHARE": 0.0,
    "HABITS": 0,
    "CO_ACTIVATED": 0,
    "SYNKINESIS_SPREAD": 0.0,
}
"""People who are all alike, but for the units that they use and how near they are to the measured apexes."""


def only(style_of: dict[str, float]) -> Style:
    """Somebody who shows the same for each emotion, without habits."""
    apex = action_strengths(style_of)
    return Style(dict.fromkeys(EMOTIONS, apex), np.zeros_like(apex))


def test_the_table_covers_the_six_emotions_and_names_no_unit_twice():
    assert tuple(PROTOTYPES) == tuple(SECONDARIES) == EMOTIONS
    for emotion in EMOTIONS:
        assert not set(PROTOTYPES[emotion]) & set(SECONDARIES[emotion])


EMBEDDED_UNITS = {name.partition("_")[0] for name in embedded_face().shape_names}


@pytest.mark.parametrize("units", [EMBEDDED_UNITS, set(ICT_UNITS)], ids=["embedded", "ict-facekit"])
def test_face_models_can_show_every_unit_of_the_table(units):
    assert {unit for emotion in EMOTIONS for unit in (*PROTOTYPES[emotion], *SECONDARIES[emotion])} <= units
    assert {f"AU{n}" for emotion in EMOTIONS for variant in VARIANTS[emotion] for n in variant.split()} <= units


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_plain_apex_lies_between_the_table_and_the_measured_one(emotion, monkeypatch):
    for name, value in PLAIN.items():
        monkeypatch.setattr(expressions, name, value)
    rng = np.random.default_rng(1)
    measured = measured_apex(emotion)
    for _ in range(50):
        apex = draw_style(rng).apexes[emotion]
        table = {UNIT_INDEX[unit] for unit in (*PROTOTYPES[emotion], *SECONDARIES[emotion])}
        outside = [row for row in range(len(ACTION_UNITS)) if row not in table]
        shares = apex[outside][measured[outside] > 0.1] / measured[outside][measured[outside] > 0.1]
        if len(shares):
            # What only the measured apex has shows in one proportion, which is its share.
            np.testing.assert_allclose(shares, shares[0], rtol=1e-5)
            share = float(shares[0])
            assert 0 <= share <= 1
            for unit in PROTOTYPES[emotion]:
                row = UNIT_INDEX[unit]
                np.testing.assert_allclose(apex[row], 1 - share + share * measured[row], rtol=1e-5)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_the_tables_share_of_people_adds_each_further_unit(emotion, monkeypatch):
    for name, value in PLAIN.items():
        monkeypatch.setattr(expressions, name, value)
    monkeypatch.setattr(expressions, "measured_apex", lambda emotion: np.zeros((len(ACTION_UNITS), 2), np.float32))
    people = 1500
    rng = np.random.default_rng(1)
    apexes = np.array([draw_style(rng).apexes[emotion] for _ in range(people)])
    for unit, share in SECONDARIES[emotion].items():
        low, high = binom.interval(1 - 1e-4, people, share)
        assert low <= (apexes[:, UNIT_INDEX[unit], 0] > 0).sum() <= high, unit
    for unit in PROTOTYPES[emotion]:
        assert (apexes[:, UNIT_INDEX[unit]] > 0).all()
    unused = set(ACTION_UNITS) - set(PROTOTYPES[emotion]) - set(SECONDARIES[emotion])
    assert not apexes[:, [UNIT_INDEX[unit] for unit in unused]].any()


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_share_of_people_shows_one_of_the_variants_each_as_often(emotion, monkeypatch):
    for name, value in PLAIN.items():
        monkeypatch.setattr(expressions, name, value)
    monkeypatch.setattr(expressions, "VARIANT_SHARE", 1.0)
    monkeypatch.setattr(expressions, "MEASURED_MOST", 0.0)
    people = 800
    rng = np.random.default_rng(1)
    apexes = np.array([draw_style(rng).apexes[emotion] for _ in range(people)])
    variants = [action_strengths({f"AU{n}": 1.0 for n in variant.split()}) for variant in VARIANTS[emotion]]
    counts = [int((apexes == variant).all(axis=(1, 2)).sum()) for variant in variants]
    assert sum(counts) == people  # everybody shows one, whole, and no two are the same
    low, high = binom.interval(1 - 1e-4, people, 1 / len(variants))
    assert low <= min(counts) <= max(counts) <= high


def test_only_fear_and_surprise_share_a_variant():
    shown = {name: {frozenset(variant.split()) for variant in VARIANTS[name]} for name in EMOTIONS}
    shared = {(a, b): shown[a] & shown[b] for a in EMOTIONS for b in EMOTIONS if a < b and shown[a] & shown[b]}
    assert shared == {("fear", "surprise"): {frozenset({"1", "2", "5", "25", "26"})}}


def test_without_variety_people_differ_by_units_gains_and_asymmetry_alone():
    rng = np.random.default_rng(7)
    for _ in range(50):
        style = draw_style(rng, variety=0.0)
        assert not style.habits.any()
        for emotion in EMOTIONS:
            shown = {unit for unit, row in UNIT_INDEX.items() if style.apexes[emotion][row].any()}
            assert set(PROTOTYPES[emotion]) <= shown <= {*PROTOTYPES[emotion], *SECONDARIES[emotion]}
            means = style.apexes[emotion].mean(axis=1)[sorted(UNIT_INDEX[unit] for unit in shown)]
            assert means.min() >= expressions.GAIN_RANGE[0] - 1e-6
            assert means.max() <= expressions.GAIN_RANGE[1] + 1e-6


def test_a_style_depends_on_its_generator_alone():
    one, same, other = (draw_style(np.random.default_rng(seed)) for seed in (5, 5, 6))
    for emotion in EMOTIONS:
        np.testing.assert_array_equal(one.apexes[emotion], same.apexes[emotion])
        assert not np.array_equal(one.apexes[emotion], other.apexes[emotion])
    np.testing.assert_array_equal(one.habits, same.habits)


def test_people_lean_to_either_side_alike():
    rng = np.random.default_rng(2)
    apexes = np.array([draw_style(rng).apexes["happiness"][UNIT_INDEX["AU12"]] for _ in range(1000)])
    low, high = binom.interval(1 - 1e-4, len(apexes), 0.5)
    assert low <= (apexes[:, 0] > apexes[:, 1]).sum() <= high
    lean = (apexes[:, 0] - apexes[:, 1]) / apexes.sum(axis=1)
    assert abs(lean).max() <= 0.4 + 1e-6


def test_only_neighbours_come_along():
    rng = np.random.default_rng(3)
    allowed = {(leader, follower) for leader, *followers in NEIGHBOURS for follower in followers}
    found = set()
    units = list(ACTION_UNITS)
    for _ in range(50):
        along = expressions._draw_synkinesis(rng, 1.0)
        np.testing.assert_array_equal(np.diag(along), 1)
        assert along.min() >= 0
        found |= {(units[leader], units[follower]) for follower, leader in np.argwhere(along - np.eye(len(units)))}
    assert found == allowed


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("intensity", INTENSITIES)
def test_strengths_are_in_range(emotion, intensity):
    rng = np.random.default_rng(3)
    for _ in range(50):
        strengths = draw_expression(draw_style(rng), emotion, intensity, rng)
        assert strengths.shape == (len(ACTION_UNITS), 2)
        assert strengths.dtype == np.float32
        assert strengths.min() >= 0
        assert strengths.max() <= MAX_STRENGTH


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_at_most_three_units_that_are_not_the_persons_own_show_a_little(emotion):
    rng = np.random.default_rng(4)
    for _ in range(100):
        style = draw_style(rng)
        strengths = draw_expression(style, emotion, 4, rng)
        foreign = (style.apexes[emotion] + style.habits == 0).all(axis=1) & strengths.any(axis=1)
        assert foreign.sum() <= CO_ACTIVATED
        assert strengths[foreign].max(initial=0) <= CO_ACTIVATION_MOST


@pytest.mark.parametrize("intensity", INTENSITIES)
def test_a_units_strength_is_the_persons_own_at_the_intensitys_strength_within_a_fifth(intensity):
    rng = np.random.default_rng(5)
    row = UNIT_INDEX["AU26"]
    drawn = np.array([draw_expression(only({"AU26": 0.9}), "fear", intensity, rng)[row] for _ in range(500)])
    expected = 0.9 * STRENGTH[intensity]
    assert drawn.min() >= 0.8 * expected * (1 - 1e-6)
    assert drawn.max() <= 1.2 * expected * (1 + 1e-6)
    assert drawn.mean() == pytest.approx(expected, rel=0.02)


def test_a_lean_is_kept_in_every_scan():
    style = only({"AU12": (0.9, 0.5)})
    for seed in range(20):
        left, right = draw_expression(style, "happiness", 3, np.random.default_rng(seed))[UNIT_INDEX["AU12"]]
        assert left / right == pytest.approx(0.9 / 0.5)


def test_habits_show_in_every_expression():
    habits = action_strengths({"AU14": 0.2})
    style = Style(only({"AU12": 1.0}).apexes, habits)
    for seed, emotion in enumerate(EMOTIONS):
        assert draw_expression(style, emotion, 1, np.random.default_rng(seed))[UNIT_INDEX["AU14"]].min() >= 0.2
