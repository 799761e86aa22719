"""A visitor watches faces that move: a sequence that is played, a performer under sliders, files as they come."""

import csv
import io
import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from affectvlm.app.face.samples import SampleFace
from affectvlm.app.sequence.gif import schedule
from affectvlm.emotions import EMOTIONS
from affectvlm.scan.write import write_scan


@pytest.fixture
def sequences(enter):
    """The part with a sequence recognised, which everybody sees first."""
    page = enter("sequence")
    expect(page.get_by_role("group", name="The sequence, to be played")).to_be_visible()
    return page


def test_a_sequence_is_played(sequences):
    page = sequences
    slider = page.get_by_role("slider", name="Frame", exact=True)
    last, apex = slider.get_attribute("max"), slider.input_value()
    assert 0 < int(apex) < int(last)  # shown first
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Again")).to_be_visible()
    expect(slider).to_have_value(last)
    slider.fill("0")
    expect(page.get_by_text(f"frame 1 of {int(last) + 1}")).to_be_visible()
    page.get_by_role("button", name="Apex").click()
    expect(slider).to_have_value(apex)


def test_a_sequence_is_downloaded(sequences):
    page = sequences
    frames = int(page.get_by_role("slider", name="Frame", exact=True).get_attribute("max")) + 1
    with page.expect_download() as table:
        page.get_by_role("button", name="Timeline (CSV)").click()
    rows = list(csv.DictReader(io.StringIO(table.value.path().read_text("utf-8"))))
    assert len(rows) == frames
    assert set(EMOTIONS) <= set(rows[0])
    assert all(abs(sum(float(row[name]) for name in (*EMOTIONS, "neutral")) - 1) < 1e-6 for row in rows)
    with page.expect_download() as film:
        page.get_by_role("button", name="Film (GIF)").click()
    with Image.open(film.value.path()) as picture:
        assert picture.format == "GIF"
        assert picture.n_frames == len(schedule(frames, 25.0)[0])


def test_work_can_be_stopped(sequences):
    page = sequences
    page.get_by_role("spinbutton", name="Person").fill("77")
    page.get_by_role("spinbutton", name="Person").press("Enter")
    page.get_by_role("button", name="Recognise").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped.")).to_be_visible()


def test_a_performer_follows_the_sliders(enter):
    page = enter("live")
    label = page.locator(".label")
    page.get_by_text("happiness", exact=True).first.click()
    page.get_by_role("slider", name="intensity").fill("100")
    expect(page.get_by_text("The performer was asked to show: happiness")).to_be_visible()
    expect(label).to_have_text("happiness")
    for measured in ("recognised", "late by", "shown"):
        # A number, not the dash that stands there before the first answer.
        expect(page.locator("dl.pace div", has_text=measured).locator("b")).to_have_text(re.compile(r"^\d"))


def test_frames_that_a_scanner_drops_are_recognised(app, enter):
    page = enter("live")
    page.get_by_role("combobox", name="Moved by").click()
    page.get_by_role("option", name="files in the watched folder").click()
    expect(page.get_by_text("Waiting for the first file")).to_be_visible()
    write_scan(app.watch / "0001.ply", SampleFace("happiness", 4, 1).scan())
    expect(page.get_by_text("0001.ply")).to_be_visible()
    expect(page.locator(".label")).to_have_text("happiness")
