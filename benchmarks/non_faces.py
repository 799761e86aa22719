"""Scans of what is no face: solids, bodies, hands, the back of a head, half a face."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import numpy as np
import trimesh
from scipy.spatial.transform import Rotation

from affectvlm.scan import FaceScan
from affectvlm.scan.range_image import RangeImage
from affectvlm.synthesis.person import Person


def non_faces(people: list[Person], count: int, seed: int) -> Iterator[tuple[str, FaceScan]]:
    """Draw scans of each kind.

    Parameters
    ----------
    people : list of Person
        Whose heads are cut up.
    count : int
        Of each kind.

    Yields
    ------
    kind, scan
        The scan is mm, in any pose.
    """
    for number in range(count):
        for kind, make in _SOLIDS.items():
            rng = np.random.default_rng([seed, number, zlib.crc32(kind.encode())])
            yield kind, _turned(make(rng), rng)
        person = people[number % len(people)]
        for kind in _CUTS:
            rng = np.random.default_rng([seed, number, zlib.crc32(kind.encode())])
            yield kind, _turned(_part(person, kind), rng)


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
}


def _part(person: Person, kept: str) -> FaceScan:
    """What is left of a head at rest when a part is cut away."""
    scan = FaceScan(person.neutral, person.model.triangles, source=kept)
    x, y, z = scan.vertices.T
    marks = person.neutral[person.model.landmarks]
    masks = {
        "one half": x > 3,
        "below the nose": y < -8,
        "above the eyes": y > marks[36:48, 1].max() + 5,
        "the side": (np.abs(x) > 38) & (x > 0),
        "the back": z < -75,
    }
    return scan.kept(masks[kept])


_CUTS = ("one half", "below the nose", "above the eyes", "the side", "the back")
