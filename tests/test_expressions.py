"""How people show emotions: the table's shares, what everybody shows, strength by intensity, and asymmetry."""

import numpy as np
import pytest
from scipy.stats import binom

from affectvlm.emotions import EMOTIONS
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.expressions import (
    CO_ACTIVATED,
    INTENSITIES,
    PROTOTYPES,
    SECONDARIES,
    STRENGTH,
    Style,
    draw_expression,
    draw_style,
)
from affectvlm.synthesis.ict_facekit import ACTION_UNITS

UNITS = [f"AU{number}" for number in (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 15, 17, 20, 23, 24, 25, 26)]
SHAPES = (*(unit + side for unit in UNITS[:-1] for side in ("_L", "_R")), "AU26")


def test_the_table_covers_the_six_emotions_and_names_no_unit_twice():
    assert tuple(PROTOTYPES) == tuple(SECONDARIES) == EMOTIONS
    for emotion in EMOTIONS:
        assert not set(PROTOTYPES[emotion]) & set(SECONDARIES[emotion])


@pytest.mark.parametrize("units", [embedded_face().action_units, tuple(ACTION_UNITS)], ids=["embedded", "ict-facekit"])
def test_both_face_models_can_show_every_unit_of_the_table(units):
    needed = {unit for emotion in EMOTIONS for unit in (*PROTOTYPES[emotion], *SECONDARIES[emotion])}
    assert needed <= set(units)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_everybody_shows_the_prototype_and_the_tables_share_adds_each_further_unit(emotion):
    people = 4000
    rng = np.random.default_rng(1)
    styles = [draw_style(emotion, rng) for _ in range(people)]
    for style in styles:
        assert set(PROTOTYPES[emotion]) <= set(style.gains) <= {*PROTOTYPES[emotion], *SECONDARIES[emotion]}
    for unit, share in SECONDARIES[emotion].items():
        low, high = binom.interval(1 - 1e-4, people, share)
        assert low <= sum(unit in style.gains for style in styles) <= high, unit


def test_a_style_depends_on_its_generator_alone():
    assert draw_style("fear", np.random.default_rng(5)) == draw_style("fear", np.random.default_rng(5))
    assert draw_style("fear", np.random.default_rng(5)) != draw_style("fear", np.random.default_rng(6))


def test_gains_and_leans_stay_in_their_ranges_and_lean_to_either_side_alike():
    rng = np.random.default_rng(2)
    styles = [draw_style("sadness", rng) for _ in range(2000)]
    gains = np.array([gain for style in styles for gain in style.gains.values()])
    leans = np.array([lean for style in styles for lean in style.lean.values()])
    assert all(style.gains.keys() == style.lean.keys() for style in styles)
    assert gains.min() >= 0.6
    assert gains.max() <= 1.15
    assert abs(leans).max() <= 0.4
    low, high = binom.interval(1 - 1e-4, len(leans), 0.5)
    assert low <= (leans > 0).sum() <= high


@pytest.mark.parametrize("emotion", EMOTIONS)
@pytest.mark.parametrize("intensity", INTENSITIES)
def test_weights_are_in_range_and_name_only_shapes_of_the_model(emotion, intensity):
    rng = np.random.default_rng(3)
    for _ in range(200):
        weights = draw_expression(draw_style(emotion, rng), intensity, SHAPES, rng)
        assert set(weights) <= set(SHAPES)
        assert all(0 <= weight <= 1.3 for weight in weights.values())


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_the_whole_style_shows_and_at_most_three_other_units_a_little(emotion):
    rng = np.random.default_rng(4)
    for _ in range(200):
        style = draw_style(emotion, rng)
        weights = draw_expression(style, 4, SHAPES, rng)
        shown = {name.partition("_")[0] for name in weights}
        others = shown - set(style.gains)
        assert set(style.gains) <= shown
        assert len(others) <= CO_ACTIVATED
        assert all(weight <= 0.25 for name, weight in weights.items() if name.partition("_")[0] in others)


@pytest.mark.parametrize("intensity", INTENSITIES)
def test_a_units_strength_is_the_persons_gain_at_the_intensitys_strength_within_a_fifth(intensity):
    style = Style({"AU26": 0.9}, {"AU26": 0.0})
    rng = np.random.default_rng(5)
    weights = [draw_expression(style, intensity, SHAPES, rng)["AU26"] for _ in range(500)]
    expected = 0.9 * STRENGTH[intensity]
    assert min(weights) >= 0.8 * expected
    assert max(weights) <= 1.2 * expected
    assert np.mean(weights) == pytest.approx(expected, rel=0.02)


def test_expressions_grow_with_the_intensity_on_average():
    rng = np.random.default_rng(6)
    styles = [draw_style(emotion, rng) for emotion in EMOTIONS for _ in range(100)]
    means = [np.mean([sum(draw_expression(s, i, SHAPES, rng).values()) for s in styles]) for i in INTENSITIES]
    assert np.all(np.diff(means) > 0.5)


@pytest.mark.parametrize("lean", [-0.4, -0.1, 0.0, 0.25])
def test_a_lean_strengthens_one_half_by_what_it_takes_from_the_other(lean):
    style = Style({"AU12": 0.8}, {"AU12": lean})
    weights = draw_expression(style, 3, SHAPES, np.random.default_rng(7))
    left, right = weights["AU12_L"], weights["AU12_R"]
    assert (left - right) / (left + right) == pytest.approx(lean)
    mirrored = draw_expression(Style({"AU12": 0.8}, {"AU12": -lean}), 3, SHAPES, np.random.default_rng(7))
    assert (mirrored["AU12_L"], mirrored["AU12_R"]) == (right, left)


def test_a_unit_without_sides_has_no_lean():
    leaning, even = (
        draw_expression(Style({"AU26": 0.8}, {"AU26": lean}), 3, SHAPES, np.random.default_rng(8)) for lean in (0.4, 0)
    )
    assert leaning["AU26"] == even["AU26"]


def test_units_that_a_model_lacks_are_left_out():
    style = Style({"AU12": 1.0, "AU99": 1.0}, {"AU12": 0.0, "AU99": 0.0})
    shapes = ("AU1_L", "AU1_R", "AU4_L", "AU4_R", "AU26")
    for seed in range(50):
        assert set(draw_expression(style, 4, shapes, np.random.default_rng(seed))) <= set(shapes)
