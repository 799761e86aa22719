"""Draw the pictures of docs/views.md: every map of one generated face, and the same face from jittered cameras.

    python tools/draw_views.py

writes ``docs/images/views-maps.jpg`` and ``docs/images/views-jitter.jpg``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from affectvlm.scan import FaceScan
from affectvlm.synthesis.generate import Study
from affectvlm.synthesis.library import FaceSource
from affectvlm.views import Rig, render
from affectvlm.views.jitter import Jitter, render_jittered
from affectvlm.views.picture import contact_sheet, grid, pictures

IMAGES = Path(__file__).parents[1] / "docs/images"

SEED = 4
"""Of the face, and of the jitter."""


def main() -> None:
    """Draw them."""
    study = Study(FaceSource.find("embedded", None), subjects=1, seed=SEED, textured=True)
    made = study.record([take for take in study.takes() if take.emotion == "happiness"][-1])
    head = made.scan.moved(made.rotation.T, np.zeros(3))
    rig = Rig(size_px=448, field_mm=210, maps=("texture", "depth", "normals", "mean_curvature", "shape_index"))
    _save(contact_sheet(render(head, rig), scale=1), "views-maps.jpg")
    _save(_jittered(head), "views-jitter.jpg")


def _jittered(head: FaceScan) -> Image.Image:
    """The exact drawing and the further ones (rows), texture and surface of each view (columns)."""
    rig, jitter, rng = Rig(size_px=336, maps=("texture", "normals")), Jitter(), np.random.default_rng(SEED)
    drawings = [render(head, rig), *(render_jittered(head, rig, jitter, rng) for _ in range(jitter.drawings))]
    rows = [maps["texture"] + maps["surface"] for maps in (pictures(views, scale=1) for views in drawings)]
    captions = ["exact", *(f"jittered\ndrawing {number}" for number in range(1, len(drawings)))]
    return grid(rows, captions, [f"{view}\n{name}" for name in ("texture", "surface") for view in rig.names])


def _save(sheet: Image.Image, name: str) -> None:
    """Save at half the size that it was drawn at: captions and edges come out smooth."""
    sheet.reduce(2).save(IMAGES / name, quality=80, optimize=True)
    print(f"{IMAGES / name}: {(IMAGES / name).stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
