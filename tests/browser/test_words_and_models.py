"""A visitor asks in words of his own, and compares two models."""

import pytest
from playwright.sync_api import expect

from browser.conftest import PARTS, Visit, go_to, until_at_rest


def test_words_are_compared_while_they_are_typed(enter):
    page = enter("words")
    lines = page.get_by_role("textbox", name="Descriptions of set A")
    expect(page.get_by_text("Fits best:").first).to_be_visible()
    lines.fill("an angry person")
    lines.press("End")
    lines.press_sequentially("\na happy person")
    # The field still has the keyboard: nothing was confirmed or left.
    expect(lines).to_be_focused()
    bars = page.get_by_test_id("stPlotlyChart").nth(1)
    expect(bars.get_by_text("a happy person", exact=True)).to_be_visible()
    expect(bars.get_by_text("a sad person", exact=True)).to_have_count(0)
    expect(page.get_by_text("Fits best: a happy person")).to_be_visible()
    # The other set is as it was.
    expect(page.get_by_role("textbox", name="Descriptions of set B")).not_to_have_value("")


def test_the_face_is_the_same_in_every_part(enter):
    page = enter()
    page.get_by_role("radio", name="anger").click()
    expect(page.get_by_text("sample person 3, made to show full anger")).to_be_visible()
    go_to(page, "Ask in words")
    expect(page.get_by_text("sample person 3, made to show full anger")).to_be_visible()
    go_to(page, "Compare models")
    expect(page.get_by_role("radio", name="anger")).to_be_checked()


def test_two_models_side_by_side(enter):
    page = enter("compare")
    until_at_rest(page)
    expect(page.get_by_role("combobox", name="Left model")).to_be_visible()
    expect(page.get_by_role("combobox", name="Right model")).to_be_visible()
    expect(page.get_by_text("Apparent expression:")).to_have_count(2)
    expect(page.get_by_text("only the left one knows neutral")).to_be_visible()
    expect(page.get_by_role("row", name="Trained on").first).to_be_visible()


# High enough for the whole part: a list closes when the page is scrolled, as a click does that is out of sight.
@pytest.mark.parametrize("visit", [Visit({"width": 1280, "height": 1600})], ids=["high"], indirect=True)
def test_a_report_runs_no_script_and_loads_nothing(enter):
    page = enter("compare")
    expect(PARTS["Compare models"](page)).to_be_visible()
    until_at_rest(page)
    page.get_by_role("combobox", name="Run").click()
    page.get_by_role("option", name="reported").click()
    report = page.frame_locator("iframe").frame_locator("iframe")
    # The one in conftest.py would rewrite its heading and fetch a picture; `page` fails if it is asked for.
    expect(report.get_by_role("heading")).to_have_text("UAR of the reported run")
