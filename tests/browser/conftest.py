"""The page as a visitor has it: a server of its own process, Chromium, and no way out of this machine.

The tests skip where Playwright (`pip install playwright`; no `playwright install`) or a browser is missing.
"""

import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("streamlit", reason="the app's extra is not installed")
pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Request, Route, expect, sync_playwright

from affectvlm.app.face.bars import percent
from affectvlm.app.face.samples import GALLERY
from affectvlm.app.readiness import getting_ready
from affectvlm.recognizer import UNSURE, Recognizer
from affectvlm.recognizer.source import BUNDLED

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

# Software WebGL, so that a machine without a graphics card draws the faces; root has no sandbox.
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]

HERE = "127.0.0.1"

PATIENCE_MS = 120_000
"""Of every step: the machine may be busy."""

DESKTOP, TABLET = {"width": 1280, "height": 800}, {"width": 820, "height": 1180}


PARTS: dict[str, Callable[[Page], Locator]] = {
    "Read a scan": lambda page: page.get_by_role("heading", name="What the model sees"),
    "Ask in words": lambda page: page.get_by_role("heading", name="Set B"),
    "Sequences": lambda page: page.get_by_role("group", name="The sequence, to be played"),
    "Live": lambda page: page.get_by_text("The performer was asked to show"),
    "Compare models": lambda page: page.get_by_role("heading", name="The two models"),
}
"""Name in the bar -> what is there once a part is whole."""


@dataclass(frozen=True)
class AppServer:
    """A page that is being served, and the folders that it was told of."""

    url: str
    runs: Path
    watch: Path


@dataclass
class Visit:
    """How a visitor comes: his window and theme, and whom his browser asked."""

    viewport: dict[str, int] = field(default_factory=lambda: DESKTOP)
    colour_scheme: str = "light"
    asked_outside: list[str] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        """Let nothing out, and note what wants to go."""
        context.route("**/*", self._only_here)
        context.on("page", lambda page: page.on("websocket", lambda socket: self._note(socket.url)))
        context.on("weberror", lambda error: self.raised.append(str(error.error)))

    def _only_here(self, route: Route, request: Request) -> None:
        if self._note(request.url):
            route.continue_()
        else:
            route.abort()

    def _note(self, url: str) -> bool:
        here = urlsplit(url).hostname == HERE or url.startswith(("data:", "blob:", "about:"))
        if not here:
            self.asked_outside.append(url)
        return here


@pytest.fixture(scope="package")
def runs_folder(tiny_model, tmp_path_factory) -> Path:
    """Two runs: a tiny model, and one with a report that tries to run a script and to fetch a picture."""
    runs = tmp_path_factory.mktemp("browser") / "runs"
    tiny_model.save(runs / "tiny" / "model")
    tiny_model.save(runs / "reported" / "model")
    (runs / "reported" / "report.html").write_text(
        "<!doctype html><title>Report</title><h1>UAR of the reported run</h1>"
        "<script>document.querySelector('h1').textContent = 'a script ran'</script>"
        "<img src='https://example.org/picture.png' alt=''>",
        encoding="utf-8",
    )
    return runs


@pytest.fixture(scope="package")
def app(runs_folder, tmp_path_factory) -> Iterator[AppServer]:
    """`affectvlm app` with the model that comes along."""
    # Here nobody is impatient: kernels that have never been compiled on this machine are, for the server too.
    getting_ready(BUNDLED).wait()
    watch = tmp_path_factory.mktemp("browser") / "watched"
    watch.mkdir()
    port = free_port()
    log = tmp_path_factory.mktemp("browser") / "server.txt"
    line = [sys.executable, "-m", "affectvlm", "app", "--no-browser", "--port", str(port)]
    with log.open("w") as written:
        server = subprocess.Popen(
            [*line, "--runs", str(runs_folder), "--watch", str(watch)],
            stdout=subprocess.PIPE,
            stderr=written,
            text=True,
        )
    try:
        assert server.stdout is not None
        # It says so once it serves; end of file is the end of the server.
        assert any("URL:" in said for said in server.stdout), log.read_text()
        yield AppServer(f"http://{HERE}:{port}", runs_folder, watch)
    finally:
        server.terminate()  # an interrupt is not heard where the tests themselves run in the background
        server.communicate(timeout=30)


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """One browser for all tests; each has a context of its own."""
    if CHROMIUM is None:
        pytest.skip("no browser: expected chromium, chromium-browser or google-chrome on the PATH")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def first_answer() -> str:
    """What the page is to say of the face that everybody sees first: what the library says."""
    recognizer = Recognizer.from_pretrained()
    answer = recognizer.predict(GALLERY[0].scan())
    assert answer.label != UNSURE
    return f"Apparent expression: {answer.label}, {percent(answer.probabilities[answer.label])}"


@pytest.fixture
def visit(request) -> Visit:
    """A desktop in the light; `@pytest.mark.parametrize("visit", [Visit(TABLET, "dark")], indirect=True)` another."""
    return getattr(request, "param", None) or Visit()


@pytest.fixture
def page(chromium: Browser, visit: Visit) -> Iterator[Page]:
    """A tab that fails its test if anything of it asks for an address outside this machine, or an error escapes."""
    context = chromium.new_context(viewport=visit.viewport, color_scheme=visit.colour_scheme, accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    visit.watch(context)
    yield context.new_page()
    context.close()
    assert visit.asked_outside == []
    assert visit.raised == []


@pytest.fixture
def enter(app: AppServer, page: Page) -> Callable[[str], Page]:
    """Open a part of the page, by its path, and read the notice."""

    def open_part(path: str = "") -> Page:
        page.goto(f"{app.url}/{path}")
        page.get_by_role("button", name="I have read this").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        return page

    return open_part


def go_to(page: Page, part: str) -> None:
    """Go to another part by its name in the bar, and wait until it is whole."""
    page.get_by_role("link", name=part).click()
    expect(PARTS[part](page)).to_be_visible()
    until_at_rest(page)


def until_at_rest(page: Page) -> None:
    """Wait until Streamlit has nothing more to do."""
    # It says so itself, by an attribute of the page's outermost element.
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def free_port() -> int:
    """Ask the system for a port that nobody has."""
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])
