"""Draws the pictures of the page in docs/images: starts it, does in Chromium what a visitor does, and looks.

Needs the extra ``dev``, Chromium, and a folder with a run of `affectvlm demo` to compare with::

    python tools/draw_app.py --runs runs [--ict ICT-FaceKit] [--makehuman mpfb2]
"""

from __future__ import annotations

import argparse
import io
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# Software WebGL: the same picture on every machine.
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]

WIDTH, HEIGHT = 1280, 800
PATIENCE_MS = 300_000
AT_REST_MS = 1500
"""A face is drawn, and a bar has grown, a moment after the page says that it is done."""

MOST_BYTES = 200_000


def main() -> None:
    """Draw all pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="folder with a run to compare with")
    parser.add_argument("--ict", type=Path, help="folder of ICT-FaceKit")
    parser.add_argument("--makehuman", type=Path, help="folder of MakeHuman")
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("--only", nargs="+", choices=list(PICTURES), default=list(PICTURES))
    asked = parser.parse_args()
    expect.set_options(timeout=PATIENCE_MS)
    folders = {"runs": asked.runs, "ict": asked.ict, "makehuman": asked.makehuman}
    with _served(folders) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_browser(), args=FLAGS)
        for name in asked.only:
            path, scheme, act = PICTURES[name]
            _draw(browser, f"{url}/{path}", scheme, act, asked.out / f"{name}.png")
        browser.close()


def read(page: Page) -> None:
    """The first face, as everybody sees it."""
    expect(page.get_by_role("heading", name="Apparent expression")).to_be_visible()


def words(page: Page) -> None:
    """A face that is surprised, and descriptions of it."""
    page.get_by_role("radio", name="surprise").click()
    expect(page.get_by_text("Fits best:")).to_have_count(2)


def sequence(page: Page) -> None:
    """The sequence that is recognised first, at its apex; the window is as high as all of it."""
    page.set_viewport_size({"width": WIDTH, "height": 960})
    expect(page.get_by_role("button", name="Apex")).to_be_visible()


def live(page: Page) -> None:
    """A performer who was asked for happiness."""
    page.get_by_text("happiness", exact=True).first.click()
    page.get_by_role("slider", name="intensity").fill("100")
    expect(page.locator(".label")).to_have_text("happiness")


def why(page: Page) -> None:
    """What the answer rests on."""
    read(page)
    page.get_by_text("Why this answer?").click()
    heading = page.get_by_text("Without one of the views")
    expect(heading).to_be_visible()
    page.get_by_text("Why this answer?").evaluate("e => e.scrollIntoView({ block: 'start' })")


def compare(page: Page) -> None:
    """The model that comes along and one of a run."""
    page.get_by_role("radio", name="fear").click()
    expect(page.get_by_role("row", name="Trained on").first).to_be_visible()


PICTURES: dict[str, tuple[str, str, Callable[[Page], None]]] = {
    "app-read": ("", "light", read),
    "app-read-dark": ("", "dark", read),
    "app-words": ("words", "light", words),
    "app-sequence": ("sequence", "light", sequence),
    "app-live": ("live", "light", live),
    "app-why": ("", "light", why),
    "app-compare": ("compare", "light", compare),
}
"""Name -> part of the page, theme, and what is done there."""


def _draw(browser: Browser, url: str, scheme: str, act: Callable[[Page], None], to: Path) -> None:
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=scheme)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(url)
    page.get_by_role("button", name="I have read this").click()
    act(page)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.mouse.move(WIDTH / 2, HEIGHT - 2)
    page.wait_for_timeout(AT_REST_MS)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    context.close()
    to.parent.mkdir(parents=True, exist_ok=True)
    picture.quantize(256, Image.Quantize.MEDIANCUT).save(to, optimize=True)
    size = to.stat().st_size
    print(f"{to}: {size / 1000:.0f} kB" + (", more than it should have" if size > MOST_BYTES else ""))


def _browser() -> str:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise SystemExit(f"expected a browser, found none of {', '.join(BROWSERS)}; install chromium")
    return found


@contextmanager
def _served(folders: dict[str, Path | None]) -> Iterator[str]:
    """Start the page on a free port, and end it afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = [sys.executable, "-m", "affectvlm", "app", "--no-browser", "--port", str(port)]
    line += [part for name, folder in folders.items() if folder for part in (f"--{name}", str(folder))]
    server = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        if not any("URL:" in said for said in server.stdout):
            raise SystemExit("the page did not start; see above")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()  # an interrupt is not heard where this runs in the background
        server.communicate()


if __name__ == "__main__":
    main()
