"""Scans of what is no face: solids, sheets, furniture, bodies, hands; parts of faces are in ``face_parts``."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

import numpy as np
import trimesh
from face_parts import PARTS
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from affectvlm.scan import FaceScan
from affectvlm.scan.range_image import RangeImage
from affectvlm.synthesis.person import Person


def non_faces(people: list[Person], numbers: Iterable[int], seed: int) -> Iterator[tuple[str, FaceScan]]:
    """Draw scans of each kind.

    Parameters
    ----------
    people : list of Person
        Whose heads are cut up, and put side by side.
    numbers : iterable of int
        Of each kind, the scans with these numbers.

    Yields
    ------
    kind, scan
        The scan is mm, in any pose.
    """
    for number in numbers:
        for kind, make in _SOLIDS.items():
            rng = np.random.default_rng([seed, number, zlib.crc32(kind.encode())])
            yield kind, _turned(make(rng), rng)
        for kind, cut in PARTS.items():
            rng = np.random.default_rng([seed, number, zlib.crc32(kind.encode())])
            yield kind, _turned(cut(people, number, rng), rng)


def _turned(scan: FaceScan, rng: np.random.Generator) -> FaceScan:
    return scan.moved(Rotation.random(rng=rng).as_matrix(), rng.uniform(-300, 300, 3))


def _scan(mesh: trimesh.Trimesh) -> FaceScan:
    return FaceScan(mesh.vertices, mesh.faces, source="no face")


def _fine(mesh: trimesh.Trimesh, edge_mm: float = 8.0) -> FaceScan:
    return _scan(mesh.subdivide_to_size(edge_mm))


def _cube(rng: np.random.Generator) -> FaceScan:
    return _fine(trimesh.creation.box(rng.uniform(110, 250, 3)))


def _ball(rng: np.random.Generator) -> FaceScan:
    return _scan(trimesh.creation.icosphere(5, rng.uniform(60, 150)))


def _egg(rng: np.random.Generator) -> FaceScan:
    egg = trimesh.creation.icosphere(5, 90)
    egg.apply_scale(rng.uniform(0.7, 1.3, 3))
    return _scan(egg)


def _cylinder(rng: np.random.Generator) -> FaceScan:
    return _fine(trimesh.creation.cylinder(rng.uniform(40, 110), rng.uniform(120, 300)))


def _cone(rng: np.random.Generator) -> FaceScan:
    return _fine(trimesh.creation.cone(rng.uniform(50, 110), rng.uniform(100, 250)))


def _plane(rng: np.random.Generator) -> FaceScan:
    return _relief(rng, 0.6, 8.0)


def _waves(rng: np.random.Generator) -> FaceScan:
    return _relief(rng, rng.uniform(4, 12), rng.uniform(15, 40))


def _relief(rng: np.random.Generator, height_mm: float, length_mm: float) -> FaceScan:
    """A rough sheet, as a wall or a cloth."""
    x, y = np.meshgrid(np.arange(-110, 110, 2.0), np.arange(110, -110, -2.0))
    depth = np.zeros_like(x)
    for wave, phase in zip(rng.normal(0, 1 / length_mm, (40, 2)), rng.uniform(0, 2 * np.pi, 40), strict=True):
        depth += np.sin(wave[0] * x + wave[1] * y + phase)
    return RangeImage(
        np.stack([x, y, height_mm / np.sqrt(20) * depth], axis=-1).astype(np.float32), None, "sheet"
    ).mesh(50)


def _blob(rng: np.random.Generator) -> FaceScan:
    """A bumpy ball: a stone, a cabbage, a head of hair."""
    ball = trimesh.creation.icosphere(5, 1.0)
    bumps = np.zeros(len(ball.vertices))
    for wave, phase in zip(rng.normal(0, rng.uniform(2, 5), (40, 3)), rng.uniform(0, 2 * np.pi, 40), strict=True):
        bumps += np.sin(ball.vertices @ wave + phase)
    ball.vertices *= (rng.uniform(80, 110) + rng.uniform(3, 9) / np.sqrt(20) * bumps)[:, None]
    return _scan(ball)


def _torso(rng: np.random.Generator) -> FaceScan:
    """Shoulders, chest and the stump of a neck."""
    chest = trimesh.creation.icosphere(5, 1.0)
    chest.apply_scale([rng.uniform(180, 230), rng.uniform(220, 280), rng.uniform(100, 140)])
    neck = trimesh.creation.cylinder(rng.uniform(50, 65), 160).subdivide_to_size(8.0)
    neck.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    neck.apply_translation([0, 240, -10])
    return _scan(trimesh.util.concatenate([chest, neck]))


def _hand(rng: np.random.Generator) -> FaceScan:
    """A palm with five fingers."""
    palm = trimesh.creation.icosphere(4, 1.0)
    palm.apply_scale([45, 50, 16])
    parts = [palm]
    for finger in range(5):
        length = rng.uniform(55, 85)
        capsule = trimesh.creation.capsule(length, rng.uniform(8, 11), count=[16, 16]).subdivide_to_size(6.0)
        capsule.apply_transform(_bent(rng.normal(0, 0.4)))
        capsule.apply_translation([-40 + 20 * finger, 35 - 4 * (finger - 2) ** 2, 0])
        parts.append(capsule)
    return _scan(trimesh.util.concatenate(parts))


def _noise(rng: np.random.Generator) -> FaceScan:
    """Triangles between points near each other, without order: a scan that failed, leaves."""
    middles = rng.normal(0, rng.uniform(30, 70), (3000, 3))
    corners = middles[:, None] + rng.normal(0, rng.uniform(3, 20), (3000, 3, 3))
    _, triangles = cKDTree(middles).query(corners.reshape(-1, 3))
    rows = triangles.reshape(-1, 3)
    return FaceScan(middles, rows[(np.diff(np.sort(rows, axis=1), axis=1) > 0).all(axis=1)], source="noise")


def _chair(rng: np.random.Generator) -> FaceScan:
    """A seat, a back and four legs."""
    width, depth, seat, back = (
        rng.uniform(350, 500),
        rng.uniform(350, 500),
        rng.uniform(380, 480),
        rng.uniform(300, 500),
    )
    boxes = [((width, 25, depth), (0, seat, 0)), ((width, back, 25), (0, seat + back / 2, -depth / 2))]
    boxes += [((35, seat, 35), (x * width / 2, seat / 2, z * depth / 2)) for x in (-1, 1) for z in (-1, 1)]
    parts = [trimesh.creation.box(size).apply_translation(place) for size, place in boxes]
    return _fine(trimesh.util.concatenate(parts), 15.0)


def _branches(rng: np.random.Generator) -> FaceScan:
    """A stem from which branches go in all directions: a plant, a coral."""
    parts = [limb(np.zeros(3), np.array([0, 250.0, 0]), 22)]
    for _ in range(rng.integers(6, 14)):
        start = np.array([0, rng.uniform(40, 250), 0])
        parts.append(limb(start, start + rng.normal(0, 70, 3), rng.uniform(7, 14)))
    return _scan(trimesh.util.concatenate(parts))


def _doll(rng: np.random.Generator) -> FaceScan:
    """A whole body of capsules with a ball for a head, as the dummy in a shop window."""
    tall = rng.uniform(1500, 1900)
    shoulder, hip, side = 0.8 * tall, 0.5 * tall, 0.1 * tall
    head = trimesh.creation.icosphere(4, 0.065 * tall).apply_translation([0, 0.92 * tall, 0])
    head.apply_scale([0.8, 1, 1])
    parts = [head, limb([0, hip, 0], [0, shoulder, 0], 0.09 * tall), limb([0, shoulder, 0], [0, 0.9 * tall, 0], 55)]
    for x in (-1, 1):
        hand = [x * (side + rng.uniform(40, 400)), hip + rng.uniform(0, 300), rng.uniform(-100, 300)]
        parts += [limb([x * side, shoulder, 0], hand, 45), limb([0.6 * x * side, hip, 0], [x * side, 60, 0], 65)]
    return _scan(trimesh.util.concatenate(parts))


def limb(start: list[float] | np.ndarray, end: list[float] | np.ndarray, radius: float) -> trimesh.Trimesh:
    """A capsule from one point to another."""
    along = np.asarray(end, float) - start
    length = float(np.linalg.norm(along))
    capsule = trimesh.creation.capsule(length, radius, count=[16, 16]).subdivide_to_size(max(6.0, radius / 3))
    turn = np.eye(4)
    turn[:3, :3] = Rotation.align_vectors([along / length], [[0, 0, 1]])[0].as_matrix()
    return capsule.apply_transform(turn).apply_translation(start)


def _bent(bend: float) -> np.ndarray:
    """(4, 4): what points along +z points along +y, or nearly."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("x", -np.pi / 2 + bend).as_matrix()
    return matrix


_SOLIDS = {
    "cube": _cube,
    "ball": _ball,
    "egg": _egg,
    "cylinder": _cylinder,
    "cone": _cone,
    "rough plane": _plane,
    "waves": _waves,
    "bumpy ball": _blob,
    "torso": _torso,
    "hand": _hand,
    "noise": _noise,
    "chair": _chair,
    "branches": _branches,
    "body with a ball for a head": _doll,
}
