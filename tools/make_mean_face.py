"""Make the small mean face that scans are registered to, from the embedded generated face.

    python tools/make_mean_face.py

writes ``src/affectvlm/scan/mean_face.npz``. Run it whenever the embedded face's neutral shape changes; a test compares.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from affectvlm.scan import FaceScan
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.views import Rig, render

OUTPUT = Path(__file__).parents[1] / "src/affectvlm/scan/mean_face.npz"

SPACING_MM = 5.0
"""Between neighbouring points, seen from the front."""


def mean_face_arrays(neutral: FaceScan) -> dict[str, np.ndarray]:
    """Sample what a camera in front sees of a neutral face, on a regular grid.

    Parameters
    ----------
    neutral : FaceScan
        In canonical pose: millimetres, nose tip at the origin, facing +z.

    Returns
    -------
    dict with ``points`` (M, 3) float32 mm, ``normals`` (M, 3) float32 and ``weights`` (M,) float32
    """
    size = int(180 / SPACING_MM)
    rig = Rig(yaw_deg={"front": 0.0}, size_px=size, field_mm=size * SPACING_MM, centre_mm=(0.0, 0.0, 0.0))
    views = render(neutral, rig)
    assert views.normals is not None
    middle = (np.arange(size) + 0.5 - size / 2) * SPACING_MM
    x, y = np.meshgrid(middle, -middle)
    points = np.stack([x, y, views.depth[0]], axis=-1).reshape(-1, 3)
    normals = views.normals[0].reshape(-1, 3)
    # Steep places at the rim are ears, neck or hair in another head; so is what lies far above the brows.
    kept = (normals[:, 2] > 0.4) & (np.hypot(points[:, 0] / 72, (points[:, 1] - 5) / 80) < 1)
    points, normals = points[kept], normals[kept]
    return {
        "points": points.astype(np.float32),
        "normals": normals.astype(np.float32),
        "weights": _stability(points).astype(np.float32),
    }


def _stability(points: np.ndarray) -> np.ndarray:
    """Weigh each of the points ((M, 3) mm) by how much it says about the pose.

    Nose, inner eyes and the middle of the brow are alike in all people and hardly move; mouth, jaw and lower cheeks,
    which lie below the nose tip, move with every expression.
    """
    x, y, _ = points.T
    still = 0.1 + 0.9 / (1 + np.exp(-(y + 10) / 3))
    telling = 0.1 + np.exp(-((x / 20) ** 2) - ((y - 15) / 30) ** 2)
    return still * telling


def main() -> None:
    """Write the file."""
    model = embedded_face()
    arrays = mean_face_arrays(FaceScan(model.neutral, model.triangles))
    np.savez(OUTPUT, **arrays)
    print(f"{OUTPUT}: {len(arrays['points'])} points")


if __name__ == "__main__":
    main()
