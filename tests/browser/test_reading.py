"""A visitor reads faces: a sample, another person, a scan of his own, and a file that is none."""

import io
import subprocess
import sys

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from affectvlm.app.face.samples import SampleFace
from affectvlm.scan.write import write_scan
from browser.conftest import until_at_rest


def pixels(page: Page) -> np.ndarray:
    """What the plot of the face shows, (H, W, 3), once two frames look the same."""
    plot = page.get_by_test_id("stPlotlyChart").first.locator("canvas").first
    expect(plot).to_be_visible()
    before = None
    for _ in range(50):
        now = np.asarray(Image.open(io.BytesIO(plot.screenshot())).convert("RGB")).astype(int)
        if before is not None and now.shape == before.shape and now.std() > 5 and (now == before).all():
            break
        before = now
    return now


def test_a_sample_face_is_drawn_answered_and_can_be_turned(enter):
    page = enter()
    expect(page.get_by_role("heading", name="Apparent expression")).to_be_visible()
    expect(page.get_by_text("sample person 1, made to show full happiness")).to_be_visible()
    face = pixels(page)
    ground = face[0, 0]
    covered = (np.abs(face - ground).sum(axis=2) > 30).mean()
    assert 0.2 < covered < 0.9  # a face, neither nothing nor all
    box = page.get_by_test_id("stPlotlyChart").first.locator("canvas").first.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 120, middle[1], steps=6)
    page.mouse.up()
    turned = pixels(page)
    assert (np.abs(turned - face).sum(axis=2) > 60).mean() > 0.05


def test_another_sample_is_another_answer(enter, first_answer):
    page = enter()
    answer = page.get_by_role("heading", name="Apparent expression")
    expect(answer).to_have_text(first_answer)
    page.get_by_role("radio", name="surprise").click()
    expect(page.get_by_text("sample person 2, made to show full surprise")).to_be_visible()
    expect(answer).not_to_have_text(first_answer)
    for name in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"):
        bar = page.get_by_test_id("stPlotlyChart").nth(1).get_by_text(name, exact=True)
        expect(bar).to_be_visible()


def test_a_textured_scan_is_read(enter, first_answer, tmp_path):
    files = write_scan(tmp_path / "mine.obj", SampleFace("happiness", 4, 1).scan())
    assert len(files) == 3  # mesh, material, picture
    page = enter()
    page.locator("input[type=file]").set_input_files(files)
    expect(page.get_by_text("mine.obj · drag to turn")).to_be_visible()
    until_at_rest(page)
    expect(page.get_by_role("heading", name="Apparent expression")).to_have_text(first_answer)
    face = pixels(page)
    ground = face[0, 0]
    skin = face[np.abs(face - ground).sum(axis=2) > 60].mean(axis=0)
    assert skin[0] > skin[2] + 20  # in the picture's colours: more red than blue


def test_a_bad_file_gets_the_words_of_the_command_line(enter, tmp_path):
    (tmp_path / "broken.obj").write_text("v 0 0 0\nv 1 0 0\n")
    line = [sys.executable, "-m", "affectvlm", "predict", "broken.obj"]
    told = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    page = enter()
    page.locator("input[type=file]").set_input_files(tmp_path / "broken.obj")
    (error,) = [said for said in told.stderr.splitlines() if said.startswith("error: ")]
    expect(page.get_by_role("alert")).to_contain_text(error.removeprefix("error: "))
    # The page goes on: another face is read.
    page.get_by_role("radio", name="surprise").click()
    expect(page.get_by_text("sample person 2, made to show full surprise")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_why_is_worked_out_when_it_is_asked_for(enter):
    page = enter()
    expect(page.get_by_text("speaks for")).to_have_count(0)
    page.get_by_text("Why this answer?").click()
    expect(page.get_by_text("speaks for happiness")).to_be_visible()
    expect(page.get_by_text("Without one of the views")).to_be_visible()
    expect(page.get_by_role("row", name="left cheek")).to_be_visible()
