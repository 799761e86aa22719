"""How long a browser takes to turn the face: from a move of the mouse until the turned face is drawn.

Needs Playwright and Chromium, and the page under way::

    affectvlm app --no-browser --port 8501
    python benchmarks/turning.py http://127.0.0.1:8501

Software WebGL, as on a machine without a graphics card, unless ``--gpu`` is given.
"""

from __future__ import annotations

import argparse
import shutil

import numpy as np
from playwright.sync_api import sync_playwright

SOFTWARE = ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]

MOVES = 60

# The plot draws once a frame of the browser. In the frame after that one, reading a pixel waits until the drawing is
# done: what is measured is at most a frame (17 ms) too long, never too short.
WATCH = """() => {
    window.turns = [];
    const plot = [...document.querySelectorAll(".js-plotly-plot")].find((p) => p._fullLayout.scene);
    const gl = plot._fullLayout.scene._scene.glplot.gl;
    const pixel = new Uint8Array(4);
    addEventListener("mousemove", () => {
        const moved = performance.now();
        requestAnimationFrame(() => requestAnimationFrame(() => {
            gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
            window.turns.push(performance.now() - moved);
        }));
    }, true);
    const box = plot.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2, plot._fullData[0].i.length];
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--gpu", action="store_true", help="draw with the machine's graphics card")
    asked = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox", *([] if asked.gpu else SOFTWARE)],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(300_000)
        page.goto(asked.url)
        page.get_by_role("button", name="I have read this").click()
        page.locator("canvas").first.wait_for()
        x, y, triangles = page.evaluate(WATCH)
        page.mouse.move(x, y)
        page.mouse.down()
        for step in range(MOVES):
            page.mouse.move(x + 100 * np.sin(step / 8), y + 30 * np.cos(step / 8))
            page.wait_for_function(f"window.turns.length >= {step + 2}")
        page.mouse.up()
        turns = np.array(page.evaluate("window.turns"))[1:]
        browser.close()
    median, p95 = np.percentile(turns, [50, 95])
    print(f"{triangles} triangles, {len(turns)} moves: median {median:.0f} ms, 95 % within {p95:.0f} ms")


if __name__ == "__main__":
    main()
