"""Two models side by side: the same answers as the library, differences in words, runs that stay in their folder."""

import base64
import html
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import TINY_MODEL

pytest.importorskip("streamlit", reason="the app's extra is not installed")
from streamlit.testing.v1 import AppTest

from affectvlm.app.compare import page as compare_page
from affectvlm.app.compare.comparison import apart, in_rows, verdict
from affectvlm.app.compare.model_summary import summary_of
from affectvlm.app.compare.run_folders import find_runs
from affectvlm.app.compare.sealed_report import POLICY, sealed
from affectvlm.app.face.chooser import CHOSEN
from affectvlm.app.face.samples import GALLERY, SampleFace
from affectvlm.app.markdown import literal
from affectvlm.app.settings import AppSettings
from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ModelError
from affectvlm.model import AffectVLM
from affectvlm.recognizer import UNSURE, Prediction, Recognizer
from affectvlm.recognizer.training_record import DataSource, Result, TrainingRecord
from affectvlm.views import Rig

SCRIPT = """
from affectvlm.app.compare import page as compare_page
from affectvlm.app.settings import settings_of_this_page
compare_page.show(settings_of_this_page())
"""

OTHER_CLASSES = ("anger", "happiness", "pain")
OTHER_RIG = Rig(yaw_deg={"front": 0, "up": 10, "left": 40, "right": -40}, size_px=16, maps=("normals",))


@pytest.fixture(scope="module")
def other_model() -> AffectVLM:
    """Other classes and other views than the tiny model's."""
    torch.manual_seed(5)
    return AffectVLM.build(TINY_MODEL, OTHER_CLASSES, OTHER_RIG).eval()


@pytest.fixture(scope="module")
def runs(tiny_model, other_model, tmp_path_factory) -> Path:
    """A run of training, and one of a study that has a report."""
    folder = tmp_path_factory.mktemp("compare") / "runs"
    tiny_model.save(folder / "plain" / "model")
    study = folder / "studies" / "pain"
    other_model.save(study / "model")
    (study / "config.yaml").write_text("source: our scanner\nsamples: 1500\n")
    (study / "metrics.json").write_text(json.dumps({"pooled": {"uar": 0.624}}))
    (study / "report.html").write_text("<h1>Ours & theirs</h1>")
    return folder


def open_page(monkeypatch, model: Path, runs: Path | None, face: SampleFace | None = None) -> AppTest:
    monkeypatch.setattr(sys, "argv", ["page.py", AppSettings(model=model, runs=runs).model_dump_json()])
    page = AppTest.from_string(SCRIPT, default_timeout=120)
    if face is not None:
        page.session_state[CHOSEN] = face
    return page.run()


def bars_of(page: AppTest, key: str) -> dict[str, float]:
    """The bars of one side, by the words above them."""
    (found,) = [element.proto for element in page.get("plotly_chart") if f"-{key}" in element.proto.id]
    figure = json.loads(found.spec)
    shares = figure["data"][-1]["x"]
    if isinstance(shares, dict):
        shares = np.frombuffer(base64.b64decode(shares["bdata"]), shares["dtype"]).tolist()
    words = [note["text"] for note in figure["layout"]["annotations"][::2]]
    return dict(zip(words, shares, strict=True))


# The page


def test_without_runs_the_page_says_how_it_is_started(model_folder, monkeypatch):
    page = open_page(monkeypatch, model_folder, None)
    assert not page.exception
    (line,) = page.info
    assert "`affectvlm app --runs runs`" in line.value
    assert not page.selectbox


def test_a_folder_without_models_is_said(model_folder, tmp_path, monkeypatch):
    page = open_page(monkeypatch, model_folder, tmp_path)
    assert not page.exception
    assert "no model to compare with" in page.info[0].value
    assert not page.selectbox


@pytest.mark.parametrize("face", [GALLERY[0], SampleFace("anger", 2, 31)])
def test_both_sides_give_the_library_s_answers(runs, model_folder, monkeypatch, face):
    page = open_page(monkeypatch, model_folder, runs, face)
    assert not page.exception
    assert not page.error
    left, right = (page.selectbox(key=f"compare_{side}") for side in ("left", "right"))
    assert left.options[1:] == right.options[1:] == ["plain", "studies/pain"]
    right.set_value(right.options[2]).run()
    assert not page.exception
    expected = {}
    for side, folder in (("left", model_folder), ("right", runs / "studies" / "pain" / "model")):
        recognizer = Recognizer.from_pretrained(folder)
        answer = recognizer.predict(recognizer.views(face.scan()))
        expected[side] = answer
        shown = bars_of(page, f"compare_{side}_bars")
        assert shown == pytest.approx(answer.probabilities, abs=1e-7)
    assert list(bars_of(page, "compare_right_bars")) == ["anger", "happiness", "pain"]
    assert list(bars_of(page, "compare_left_bars"))[:2] == ["anger", "happiness"]
    assert literal(verdict(*expected.values())) in [heading.value for heading in page.subheader]
    assert any("only the right one knows pain" in caption.value for caption in page.caption)
    table = page.markdown[-1].value
    assert re.search(r"\*\*Trained on\*\* \| not recorded \| our scanner, 1,500 scans", table)
    assert "62 %" in table


def test_a_model_is_compared_with_itself_only_when_chosen(runs, monkeypatch):
    """A page that was started with a run's model lists it once, first."""
    page = open_page(monkeypatch, runs / "studies" / "pain" / "model", runs)
    assert page.selectbox(key="compare_left").options == ["studies/pain", "plain"]
    assert page.selectbox(key="compare_left").value.run == Path(os.path.realpath(runs / "studies" / "pain"))
    page.selectbox(key="compare_right").set_value(page.selectbox(key="compare_left").value).run()
    assert bars_of(page, "compare_left_bars") == bars_of(page, "compare_right_bars")
    assert "Their probabilities are within ten points of each other." in [c.value for c in page.caption]


def test_a_damaged_model_is_one_line_on_its_side(runs, model_folder, tiny_model, tmp_path, monkeypatch):
    tiny_model.save(tmp_path / "broken" / "model")
    weights = tmp_path / "broken" / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    page = open_page(monkeypatch, model_folder, tmp_path)
    assert not page.exception
    (error,) = page.error
    said = error.value.replace("\\", "")
    assert said.startswith("broken/model")
    assert str(tmp_path) not in said
    assert "\n" not in said
    # The other side is answered all the same.
    assert set(bars_of(page, "compare_only_bars")) == set(EMOTIONS)


def test_a_report_is_shown_sealed(runs, model_folder, monkeypatch):
    page = open_page(monkeypatch, model_folder, runs)
    assert not page.get("iframe")
    chooser = page.selectbox(key="compare_report")
    assert chooser.options == ["studies/pain"]
    chooser.set_value(chooser.options[0]).run()
    assert not page.exception
    (frame,) = page.get("iframe")
    assert frame.proto.srcdoc == sealed("<h1>Ours & theirs</h1>")


def test_a_report_of_unreasonable_size_is_refused(runs, model_folder, monkeypatch):
    monkeypatch.setattr(compare_page, "MAX_REPORT_MB", 1e-6)
    page = open_page(monkeypatch, model_folder, runs)
    page.selectbox(key="compare_report").set_value(page.selectbox(key="compare_report").options[0]).run()
    assert not page.get("iframe")
    assert "studies/pain: expected a report of at most" in page.exception[0].message  # page.py makes a line of it


# Runs


def test_runs_are_found_by_what_they_hold(runs):
    found = find_runs(runs)
    assert [(run.name, run.report is not None) for run in found] == [("plain", False), ("studies/pain", True)]
    assert [run.model for run in found] == [run.folder / "model" for run in found]
    (itself,) = find_runs(runs / "plain")
    assert itself.name == "plain"


def test_a_run_with_a_report_alone_has_no_model(tmp_path):
    (tmp_path / "a" / "model").mkdir(parents=True)
    (tmp_path / "a" / "report.html").write_text("")
    (run,) = find_runs(tmp_path)
    assert run.model is None


@pytest.mark.parametrize(
    "linked", ["model", "model/model.safetensors", "model/training.json", "report.html", "config.yaml", "metrics.json"]
)
def test_a_link_that_leads_outside_is_not_followed(linked, tiny_model, tmp_path):
    outside, inside = tmp_path / "outside", tmp_path / "runs" / "mine"
    for run in (outside, inside):
        tiny_model.save(run / "model")
        for name in ("model/training.json", "report.html", "config.yaml", "metrics.json"):
            (run / name).write_text("{}")
    assert len(find_runs(tmp_path / "runs")) == 1
    moved = inside.parent / "moved"
    (inside / linked).rename(moved)
    (inside / linked).symlink_to(outside / linked)
    assert find_runs(tmp_path / "runs") == []
    # Within the folder of all runs a file may be linked, and what a link to a folder leads to is found by itself.
    (inside / linked).unlink()
    (inside / linked).symlink_to(moved)
    assert [run.name for run in find_runs(tmp_path / "runs")] == ["mine"]


def test_a_link_to_a_folder_of_runs_is_not_followed(runs, tmp_path):
    (tmp_path / "elsewhere").symlink_to(runs)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert find_runs(tmp_path) == []


# A report


def test_a_report_cannot_leave_its_frame():
    report = """<p title='"'>&amp;</p></iframe><script>alert(1)</script>"""
    page = sealed(report)
    (srcdoc,) = re.findall(r'<iframe sandbox title="[^"]*" srcdoc="([^"]*)"></iframe>', page)
    assert html.unescape(srcdoc) == report
    outer = page.replace(srcdoc, "")
    assert "script" not in outer
    assert outer.index(html.escape(POLICY)) < outer.index("<iframe")  # it governs what follows
    assert "default-src 'none'" in POLICY
    assert "script-src" not in POLICY
    assert "http" not in POLICY


# What is known of a model


def test_a_record_goes_before_a_run(other_model, tmp_path):
    folder = tmp_path / "model"
    other_model.save(folder)
    plain = summary_of(folder)
    assert plain["Knows"] == "anger, happiness, pain"
    assert plain["Looks at"] == "4 views of 16 x 16 pixels (front, up, left, right): normals"
    assert (plain["Trained on"], plain["Reaches"], plain["Says unsure"]) == ("not recorded", "not measured", "never")
    (tmp_path / "config.yaml").write_text("source: our scanner\n")
    (tmp_path / "metrics.json").write_text("[1]")
    assert summary_of(folder, tmp_path)["Trained on"] == "our scanner"
    assert summary_of(folder, tmp_path)["Reaches"] == "not measured"
    TrainingRecord(
        data=(
            DataSource(name="a", licence="", people=2, scans=600),
            DataSource(name="b", licence="", people=1, scans=400),
        ),
        results=(
            Result(source="a", condition="subjects", subjects=1, scans=1, uar_all=0.5),
            Result(source="b", condition="subjects", subjects=1, scans=1, uar_all=0.71),
            Result(source="b", condition="the sensor", subjects=1, scans=1, uar_all=0.2),
        ),
    ).write(folder / "training.json")
    known = summary_of(folder, tmp_path)
    assert known["Trained on"] == "3 people, 1,000 scans: a, b"
    assert known["Reaches"].startswith("50 to 71 %")
    assert list(known) == list(plain)
    with pytest.raises(ModelError):
        summary_of(tmp_path / "nothing")


# Differences


def answer(label: str | None = None, **shares: float) -> Prediction:
    return Prediction("", label or max(shares, key=shares.__getitem__), shares)


def test_what_differs_is_said_in_words():
    left = answer(anger=0.10, fear=0.50, happiness=0.36, neutral=0.04)
    right = answer(anger=0.19, fear=0.05, happiness=0.70, pain=0.06)
    assert verdict(left, right) == "They differ: the left one reads fear, the right one reads happiness."
    assert apart(left, right) == [
        "fear: 50 % and 5 %",
        "happiness: 36 % and 70 %",
        "only the left one knows neutral",
        "only the right one knows pain",
    ]
    assert in_rows(left, right) == {"anger": 0.10, "fear": 0.50, "happiness": 0.36, "neutral": 0.04}
    unsure = answer(UNSURE, anger=0.5, fear=0.5)
    assert verdict(unsure, unsure) == "Both are unsure."
    assert verdict(left, left) == "Both read fear."
    assert verdict(left, unsure) == "They differ: the left one reads fear, the right one is unsure."
    assert apart(left, left) == []


def test_shared_classes_stand_in_the_same_rows():
    six, seven = answer(**dict.fromkeys(EMOTIONS, 1 / 6)), answer(neutral=0.3, **dict.fromkeys(EMOTIONS, 0.7 / 6))
    assert list(in_rows(seven, six)) == [*EMOTIONS, "neutral"]
    assert list(in_rows(six, seven)) == list(EMOTIONS)
