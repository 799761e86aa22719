"""Descriptions in one's own words: the library's cosines and shares, two sets, lines that come while they are typed."""

import numpy as np
import pytest

pytest.importorskip("streamlit", reason="the app's extra is not installed")
from affectvlm.app.face.samples import GALLERY
from affectvlm.app.settings import AppSettings
from affectvlm.app.words.live_text import MOST_LETTERS
from affectvlm.app.words.words import MOST_DESCRIPTIONS, OWN_PROMPTS, descriptions_in, fit, prompt_sets
from affectvlm.recognizer import Recognizer
from app_fixtures import chart, open_page


@pytest.fixture(scope="module")
def settings(model_folder) -> AppSettings:
    return AppSettings(model=model_folder)


@pytest.fixture(scope="module")
def recognizer(model_folder) -> Recognizer:
    return Recognizer.from_pretrained(model_folder)


def test_lines_that_say_something_are_descriptions():
    assert descriptions_in("a happy face\n\n  an angry face \r\na happy face\n \t\n") == (
        "a happy face",
        "an angry face",
    )
    assert descriptions_in(" \n") == ()
    assert len(descriptions_in("\n".join(str(number) for number in range(50)))) == MOST_DESCRIPTIONS


def test_a_fit_is_cosines_and_their_shares():
    face = np.array([0.6, 0.8])
    words = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    fitting = fit(("x", "y", "-x"), face, words, np.log(10) / 0.2)
    np.testing.assert_allclose(fitting.cosines, [0.6, 0.8, -0.6], atol=1e-15)
    weights = np.array([1.0, 10.0, 1e-6])  # ten times for each 0.2
    np.testing.assert_allclose(fitting.shares, weights / weights.sum(), rtol=1e-12)
    assert fitting.best == "y"
    alone = fit(("x",), face, words[:1], 20.0)
    assert alone.shares.tolist() == [1.0]


def test_sets_to_begin_with_describe_every_class(recognizer):
    sets = prompt_sets(recognizer.encoder)
    assert sets[OWN_PROMPTS] == recognizer.encoder.class_prompts
    for descriptions in sets.values():
        assert len(set(descriptions)) == len(recognizer.classes)


def test_both_sets_get_the_library_s_shares_as_they_are_typed(settings, recognizer, monkeypatch):
    page = open_page(settings, monkeypatch, "words")
    assert not page.exception
    views = recognizer.views(GALLERY[0].scan())
    own, doing, _ = prompt_sets(recognizer.encoder).values()
    for name, descriptions in (("A", own), ("B", doing)):
        expected = recognizer.predict_proba(views, descriptions)
        np.testing.assert_allclose(chart(page, f"words_{name}_bars")["x"], expected, rtol=0, atol=1e-6)
    page.session_state["words_B_lines_0"] = {"text": "a happy face\n\n  an angry face \na happy face"}
    page.run()
    assert not page.exception
    expected = recognizer.predict_proba(views, ["a happy face", "an angry face"])
    np.testing.assert_allclose(chart(page, "words_B_bars")["x"], expected, rtol=0, atol=1e-6)
    best = ["a happy face", "an angry face"][int(expected.argmax())]
    assert f"Fits best: **{best}**" in [text.value for text in page.markdown]
    assert len(chart(page, "words_A_bars")["x"]) == len(own)
    # One description has a cosine, though nothing to share with; none is asked for.
    page.session_state["words_B_lines_0"] = {"text": "a happy face"}
    assert chart(page.run(), "words_B_bars")["x"].tolist() == [1.0]
    page.session_state["words_B_lines_0"] = {"text": " \n"}
    assert "Describe the face" in page.run().info[0].value
    page.session_state["words_B_lines_0"] = {"text": "x" * (2 * MOST_LETTERS)}
    assert len(chart(page.run(), "words_B_bars")["x"]) == 1
    assert not page.exception


def test_a_set_can_begin_anew(settings, recognizer, monkeypatch):
    page = open_page(settings, monkeypatch, "words")
    page.menu_button(key="words_B_begin").set_value(OWN_PROMPTS).run()
    assert not page.exception
    assert np.array_equal(chart(page, "words_B_bars")["x"], chart(page, "words_A_bars")["x"])


def test_the_face_is_the_one_that_was_chosen(settings, recognizer, monkeypatch):
    page = open_page(settings, monkeypatch, "words")
    page.pills(key="words_gallery").set_value(GALLERY[3]).run()
    expected = recognizer.predict_proba(GALLERY[3].scan(), recognizer.encoder.class_prompts)
    np.testing.assert_allclose(chart(page, "words_A_bars")["x"], expected, rtol=0, atol=1e-6)
    assert GALLERY[3].caption in [caption.value.replace("\\", "") for caption in page.caption]
    assert not page.exception
