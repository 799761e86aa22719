"""The panel that tells why: on demand, once a face, in words and numbers that are the library's."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("streamlit", reason="the app's extra is not installed")
from streamlit.testing.v1 import AppTest

from affectvlm.app.face.display_mesh import display_mesh
from affectvlm.app.face.reading import Reading
from affectvlm.app.read.why import KEPT, painted_by_importance, strength_words
from affectvlm.recognizer import Explanation, Recognizer
from affectvlm.recognizer.painting import importance_colours, importance_of_vertices
from affectvlm.recognizer.torch_encoder import TorchEncoder


class Counting(Recognizer):
    """Counts what is worked out."""

    def __init__(self, encoder) -> None:
        super().__init__(encoder)
        self.explained: list[str | None] = []

    def explain(self, scan, label=None, on_progress=lambda share: None):
        self.explained.append(label)
        return super().explain(scan, label, on_progress)


@pytest.fixture
def recognizer(tiny_model) -> Counting:
    return Counting(TorchEncoder(tiny_model))


@pytest.fixture(scope="module")
def reading(embedded_samples, tiny_model) -> Reading:
    face, recognizer = embedded_samples[4].load(), Recognizer(TorchEncoder(tiny_model))
    views = recognizer.views(face)
    return Reading(face.source, display_mesh(face, most=4000), views, recognizer.predict(views))


def page(recognizer, reading):
    from affectvlm.app.read.why import show_why

    show_why(recognizer, reading, "read_why")


def opened(recognizer: Recognizer, reading: Reading) -> AppTest:
    test = AppTest.from_function(page, args=(recognizer, reading), default_timeout=300)
    test.session_state["read_why_open"] = True
    return test.run()


def rows(test: AppTest) -> list[list[str]]:
    """The cells of all tables, without the marks that keep text from being read as Markdown."""
    tables = [block.value.replace("\\", "") for block in test.markdown if block.value.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for table in tables for line in table.splitlines()]


def test_nothing_is_worked_out_before_it_is_opened(recognizer, reading):
    test = AppTest.from_function(page, args=(recognizer, reading), default_timeout=300).run()
    assert not test.exception
    assert [section.label for section in test.expander] == ["Why this answer?"]
    assert recognizer.explained == []


def test_it_says_what_the_library_says_and_works_it_out_once(recognizer, reading):
    test = opened(recognizer, reading)
    assert not test.exception
    assert recognizer.explained == [None]
    expected = Recognizer(recognizer.encoder).explain(reading.views)
    cells = rows(test)
    now = f"{expected.label} (now {100 * expected.probabilities.max():.0f} %)"
    assert ["Without", "which counts", "the answer would be", now] in cells
    names = ["front", "left cheek, +30°", "right cheek, -30°"]
    for view, weight, shares in zip(names, expected.weights, expected.left_out, strict=True):
        best = int(shares.argmax())
        then = shares[expected.classes.index(expected.label)]
        words = f"{expected.classes[best]}, {100 * shares[best]:.0f} %"
        assert [view, f"{100 * weight:.0f} %", words, f"{100 * then:.0f} %"] in cells
    for prompt in (*expected.prompts, *expected.prompts_of_classes):
        assert [f"“{prompt.text}”", prompt.label, f"{prompt.cosine:.3f}"] in cells
    assert [image.captions[0] for image in test.image] == names
    test.run()
    assert recognizer.explained == [None]
    test.selectbox(key="read_why_label").set_value("fear").run()
    assert not test.exception
    assert recognizer.explained == [None, "fear"]
    assert any("speaks for fear" in caption.value for caption in test.caption)
    assert len(test.session_state[KEPT]) == 2


def test_a_face_is_painted_by_its_explanation(recognizer, reading):
    explanation = recognizer.explain(reading.views)
    painted = painted_by_importance(reading.mesh, reading.views, explanation)
    importance = importance_of_vertices(reading.mesh.vertices, reading.views, explanation.importance)
    assert np.array_equal(painted.triangles, reading.mesh.triangles)
    expected = importance_colours(reading.mesh.vertices, reading.mesh.triangles, importance)
    assert np.array_equal(painted.colours, expected)


def test_how_much_it_matters_is_said_in_odds():
    none = Explanation("fear", ("fear", "anger"), np.ones(2), np.zeros((1, 2, 2)), np.ones(1), np.ones((1, 2)), (), ())
    assert strength_words(none).startswith("No single spot matters")
    some = replace(none, importance=np.log(np.array([[[2.0, 1.0], [1.0, 1.0]]])))
    assert strength_words(some) == (
        "The odds of fear would be: without the strongest orange spot, 2.0 times smaller. "
        "(Smoothed away in one view, with all else as it is.)"
    )
    both = replace(none, importance=np.log(np.array([[[2.0, 1 / 3], [1.0, 1.0]]])))
    assert "orange spot, 2.0 times smaller; without the strongest blue spot, 3.0 times larger." in strength_words(both)
    against = replace(none, importance=np.log(np.array([[[1.0, 1 / 3], [1.0, 1.0]]])))
    assert "would be: without the strongest blue spot, 3.0 times larger." in strength_words(against)
