"""How the page behaves: told once, three visitors at once, by keyboard alone, on a tablet, in the dark."""

import pytest
from playwright.sync_api import expect

from browser.conftest import DESKTOP, PARTS, TABLET, Visit, go_to, until_at_rest

CUT = """() => {
    const name = (e) => `${e.tagName} ${e.getAttribute("aria-label") ?? e.textContent.trim().slice(0, 40)}`;
    // A slider's own field, say, is there for the keyboard alone: cut off by a box of one pixel.
    const tiny = (e) => e.clientWidth <= 1 && getComputedStyle(e).overflow !== "visible";
    const cut = (e) => e && (tiny(e) || cut(e.parentElement));
    const unseen = (e) => !e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const hidden = (e) => unseen(e) || cut(e.parentElement);
    const kinds = ["button", "a", "input", "textarea", "h3", "img", "canvas"];
    return [...document.querySelectorAll(kinds.join())].filter((e) => {
        const box = e.getBoundingClientRect();
        return box.width > 1 && box.height > 1 && !hidden(e) && !e.closest("[aria-hidden=true]")
            && (box.left < -1 || box.right > innerWidth + 1);
    }).map(name);
}"""
"""Names what a visitor would have to look for beside the window."""

LUMINANCE = "e => { const c = getComputedStyle(e).backgroundColor.match(/[\\d.]+/g).map(Number);"
LUMINANCE += " return (0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]) / 255; }"


FOCUSED = """() => {
    let e = document.activeElement;
    while (e.shadowRoot?.activeElement) e = e.shadowRoot.activeElement;
    const drop = e.closest("[data-testid=stFileUploader]");
    return drop?.textContent || e.getAttribute("aria-label") || e.textContent.trim() || e.tagName;
}"""
"""The name of what has the keyboard."""


def test_the_notice_comes_once_and_can_be_read_again(app, page):
    page.goto(app.url)
    notice = page.get_by_role("dialog")
    expect(notice).to_contain_text("Not for decisions about people")
    page.keyboard.press("Escape")
    expect(notice).to_be_visible()
    notice.get_by_role("button", name="I have read this").click()
    expect(notice).to_have_count(0)
    for part in ("Ask in words", "Read a scan"):
        go_to(page, part)
        expect(notice).to_have_count(0)
    page.get_by_role("button", name="About this tool").click()
    expect(notice).to_contain_text("Not for decisions about people")


def test_three_visitors_see_their_own_faces(app, chromium):
    people = {"surprise": 2, "anger": 3, "sadness": 4}
    contexts = {name: chromium.new_context(viewport=DESKTOP) for name in people}
    try:
        pages = {name: context.new_page() for name, context in contexts.items()}
        for page in pages.values():
            page.goto(app.url)
        for page in pages.values():
            page.get_by_role("button", name="I have read this").click()
        for name, page in pages.items():
            page.get_by_role("radio", name=name).click()
        for name, page in pages.items():
            expect(page.get_by_text(f"sample person {people[name]}, made to show full {name}")).to_be_visible()
            expect(page.get_by_text("sample person")).to_have_count(1)
    finally:
        for context in contexts.values():
            context.close()


def test_the_keyboard_alone_is_enough(enter):
    page = enter()
    until_at_rest(page)
    reached: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED))
        if "About this tool" in reached[-1]:
            break
    told = " | ".join(reached)
    for name in (*PARTS, "happiness", "drop a scan", "Another face", "Why this answer?", "About this tool"):
        assert name in told, f"{name!r} is not reached: {told}"
    page.get_by_role("radio", name="surprise").press("Space")
    expect(page.get_by_text("sample person 2, made to show full surprise")).to_be_visible()
    page.get_by_role("link", name="Compare models").press("Enter")
    expect(page.get_by_role("combobox", name="Left model")).to_be_visible()


@pytest.mark.parametrize(
    "visit",
    [
        Visit(DESKTOP, "light"),
        Visit(TABLET, "dark"),
        pytest.param(Visit(DESKTOP, "dark"), marks=pytest.mark.slow),
        pytest.param(Visit(TABLET, "light"), marks=pytest.mark.slow),
    ],
    ids=lambda visit: f"{visit.viewport['width']}-{visit.colour_scheme}",
    indirect=True,
)
def test_every_part_fits_the_window_and_the_theme(enter, visit):
    page = enter()
    for part in PARTS:
        go_to(page, part)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, part
        main = page.get_by_test_id("stMain")
        assert main.evaluate("e => e.scrollWidth - e.clientWidth") <= 0, part
        assert page.evaluate(CUT) == [], part
        dark = page.get_by_test_id("stApp").evaluate(LUMINANCE) < 0.5
        assert dark == (visit.colour_scheme == "dark"), part
