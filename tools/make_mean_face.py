"""Make the small mean face that scans are registered to, from the embedded generated face.

    python tools/make_mean_face.py

writes ``src/affectvlm/scan/mean_face.npz``. Run it whenever the embedded face's neutral shape changes; a test compares.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from affectvlm.scan import FaceScan
from affectvlm.scan.rasterizer import rasterize
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.face_model import FaceModel

OUTPUT = Path(__file__).parents[1] / "src/affectvlm/scan/mean_face.npz"

SPACING_MM = 5.0
"""Between neighbouring points, seen from the front."""


def mean_face_arrays(model: FaceModel) -> dict[str, np.ndarray]:
    """Sample what a camera in front sees of a model's neutral face, on a regular grid.

    Returns
    -------
    dict with ``points`` (M, 3) float32 mm, ``normals`` (M, 3) float32 and ``weights`` (M,) float32
    """
    size = int(180 / SPACING_MM)
    view = np.eye(3, dtype=np.float32)[None]
    field = size * SPACING_MM
    _, triangle, share = rasterize(model.neutral, model.triangles, view, np.zeros(3, np.float32), size, field)
    seen = triangle[0] >= 0
    corners = model.triangles[triangle[0][seen]]  # (M, 3)
    share = share[0][seen, :, None]  # (M, 3, 1)
    points = (model.neutral[corners] * share).sum(axis=1)
    normals = (FaceScan(model.neutral, model.triangles).vertex_normals[corners] * share).sum(axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    # Steep places at the rim are ears, neck or hair in another head; so is what lies far above the brows.
    kept = (normals[:, 2] > 0.4) & (np.hypot(points[:, 0] / 72, (points[:, 1] - 5) / 80) < 1)
    arrays = {"points": points[kept], "normals": normals[kept], "weights": _stability(points[kept])}
    return {name: values.astype(np.float32) for name, values in arrays.items()}


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
    arrays = mean_face_arrays(embedded_face())
    np.savez(OUTPUT, **arrays)
    print(f"{OUTPUT}: {len(arrays['points'])} points")


if __name__ == "__main__":
    main()
