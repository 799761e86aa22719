"""Draw the picture of docs/views.md: every map of one generated face.

    python tools/draw_views.py

writes ``docs/images/views-maps.jpg``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from affectvlm.synthesis.generate import Study
from affectvlm.synthesis.library import FaceSource
from affectvlm.views import Rig, render
from affectvlm.views.picture import contact_sheet

PICTURE = Path(__file__).parents[1] / "docs/images/views-maps.jpg"


def main() -> None:
    """Draw it."""
    study = Study(FaceSource.find("embedded", None), subjects=1, seed=4, textured=True)
    made = study.record([take for take in study.takes() if take.emotion == "happiness"][-1])
    head = made.scan.moved(made.rotation.T, np.zeros(3))
    rig = Rig(size_px=448, field_mm=210, maps=("texture", "depth", "normals", "mean_curvature", "shape_index"))
    sheet = contact_sheet(render(head, rig), scale=1)
    sheet.reduce(2).save(PICTURE, quality=80, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
