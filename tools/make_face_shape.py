"""Make the small statistical face that scans are registered to, from the embedded generated face.

    python tools/make_face_shape.py

writes ``src/affectvlm/scan/face_shape.npz``: what a camera in front sees of many drawn people with many expressions,
each turned upright by his 68 landmarks at rest, as a mean and its principal modes (Cootes et al., 1995). Smooth random
fields are added to every person, so that faces unlike any that the embedded face can make are likely too (a Gaussian
process; Luethi et al., IEEE TPAMI 2018). No measured face goes into it. Run it whenever the embedded face changes; a
test compares.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from affectvlm.emotions import EMOTIONS
from affectvlm.files import written_whole
from affectvlm.scan import FaceScan
from affectvlm.scan.rasterizer import rasterize
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.expressions import INTENSITIES, draw_expression
from affectvlm.synthesis.face_model import FaceModel
from affectvlm.synthesis.person import draw_person
from affectvlm.synthesis.upright import upright_turn

OUTPUT = Path(__file__).parents[1] / "src/affectvlm/scan/face_shape.npz"

SPACING_MM = 5.0
"""Between neighbouring points, seen from the front."""

PEOPLE, EXPRESSIONS = 750, 3
"""How many are drawn, and how many expressions each shows besides none."""

IDENTITY_GAIN = 1.3
"""The axes of identity are drawn out: one model's people differ less than people."""

FIELDS = ((30.0, 1.2), (60.0, 2.0), (110.0, 3.0))
"""The random fields: how far each is about the same (the kernel's length scale, mm), and its spread (mm)."""

WAVES = 256
"""Random Fourier features that each field is made of (Rahimi and Recht, 2007)."""

ASYMMETRY = 0.15
"""Share of a field that differs between left and right."""

MODES = 40

SEED = 7


def face_shape_arrays(model: FaceModel) -> dict[str, np.ndarray]:
    """Sample the statistical face.

    Returns
    -------
    dict
        ``points`` (M, 3) float32 mm, ``normals`` (M, 3) float32 and ``modes`` (M, 3, MODES) float16 mm, each of unit
        variance among the drawn faces.
    """
    corners, share, normals = _sites(model)
    used, rows = np.unique(np.concatenate([corners.ravel(), model.landmarks]), return_inverse=True)
    corners, landmarks = rows[: corners.size].reshape(corners.shape), rows[corners.size :]
    small = replace(
        model,
        neutral=model.neutral[used],
        axes=np.float32(IDENTITY_GAIN) * model.axes[:, used],
        shapes=model.shapes[:, used],
        landmarks=landmarks,
    )
    # The rest of the model refers to vertices that are left out, and is not needed.
    at_rest = np.einsum("mcx,mc->mx", small.neutral[corners], share)
    fields = _fields(np.concatenate([at_rest, small.neutral[landmarks]]))
    faces = []
    for number in range(PEOPLE):
        rng = np.random.default_rng([SEED, number])
        person = draw_person(small, rng)
        for shown in range(1 + EXPRESSIONS):
            strengths = np.zeros_like(person.style.habits)
            if shown:
                emotion, intensity = EMOTIONS[rng.integers(len(EMOTIONS))], int(rng.choice(INTENSITIES))
                strengths = draw_expression(person.style, emotion, intensity, rng)
            field = fields[len(faces)]
            points = np.einsum("mcx,mc->mx", person.vertices(strengths)[corners], share) + field[: len(share)]
            marks = person.neutral[landmarks] + field[len(share) :]
            turn, shift = upright_turn(marks, small.neutral[landmarks])
            faces.append(points @ turn.T + shift)
    drawn = np.stack(faces)  # (N, M, 3)
    mean = drawn.mean(axis=0)
    _, spread, modes = np.linalg.svd((drawn - mean).reshape(len(drawn), -1), full_matrices=False)
    modes = modes[:MODES] * (spread[:MODES, None] / np.sqrt(len(drawn)))
    return {
        "points": mean.astype(np.float32),
        "normals": normals.astype(np.float32),
        "modes": modes.reshape(MODES, -1, 3).transpose(1, 2, 0).astype(np.float16),
    }


def _sites(model: FaceModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose the places on the face, on a regular grid in front.

    Returns
    -------
    corners : (M, 3) int
        Of the triangle that each is in.
    share : (M, 3) float32
        Where in it.
    normals : (M, 3) float
    """
    size = int(190 / SPACING_MM)
    view = np.eye(3, dtype=np.float32)[None]
    _, triangle, share = rasterize(
        model.neutral, model.triangles, view, np.zeros(3, np.float32), size, size * SPACING_MM
    )
    seen = triangle[0] >= 0
    corners, share = model.triangles[triangle[0][seen]], share[0][seen]
    points = np.einsum("mcx,mc->mx", model.neutral[corners], share)
    normals = np.einsum("mcx,mc->mx", FaceScan(model.neutral, model.triangles).vertex_normals[corners], share)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    # Steep places at the rim are ears, neck or hair in another head; so is what lies far above the brows.
    kept = (normals[:, 2] > 0.25) & (np.hypot(points[:, 0] / 78, (points[:, 1] - 3) / 84) < 1)
    return corners[kept], share[kept], normals[kept]


def _fields(places: np.ndarray) -> np.ndarray:
    """(N, P, 3) float32, mm: a smooth random displacement for every drawn face."""
    rng = np.random.default_rng(SEED)
    mirror = np.array([-1.0, 1.0, 1.0])
    even, odd = (1 - ASYMMETRY) / np.sqrt(2), ASYMMETRY / np.sqrt(2)
    total = np.zeros((PEOPLE * (1 + EXPRESSIONS), len(places), 3), np.float32)
    for length, spread in FIELDS:
        waves, phases = rng.normal(0, 1 / length, (WAVES, 3)), rng.uniform(0, 2 * np.pi, WAVES)
        here, there = (np.sin(at @ waves.T + phases).astype(np.float32) for at in (places, places * mirror))
        heights = rng.normal(0, spread * np.sqrt(2 / WAVES), (len(total), WAVES, 3)).astype(np.float32)
        for axis in range(3):
            basis = (even + odd) * here + mirror[axis] * (even - odd) * there
            total[..., axis] += heights[..., axis] @ basis.T.astype(np.float32)
    return total


def main() -> None:
    """Write the file."""
    arrays = face_shape_arrays(embedded_face())
    with written_whole(OUTPUT) as unfinished:
        np.savez_compressed(unfinished, **arrays)  # type: ignore[arg-type]
    print(f"{OUTPUT}: {len(arrays['points'])} points, {MODES} modes, {OUTPUT.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
