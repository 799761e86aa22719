"""Scans of whole bodies, whose face is a small part of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

import numpy as np
import trimesh
from face_parts import recorded
from non_faces import limb
from scipy.spatial.transform import Rotation

from affectvlm.scan import FaceScan
from affectvlm.synthesis import makehuman
from affectvlm.synthesis.makehuman_units import ANCESTRIES
from affectvlm.synthesis.person import Person
from affectvlm.synthesis.subdivision import triangulate

UNITS_MM = (1.0, 10.0, 100.0, 1000.0)


def bodies(
    people: list[Person], folder: Path | None, numbers: Iterable[int], seed: int
) -> Iterator[tuple[str, FaceScan]]:
    """Draw a body of capsules for each number, and one of MakeHuman's where its folder is given.

    Yields
    ------
    kind, scan
        In any pose, and in mm, cm, dm or m.
    """
    makers = {"body of capsules": _CapsuleBodies(people)}
    if folder is not None:
        makers["body, MakeHuman"] = _SculptedBodies(folder)
    for number, (kind, make) in product(numbers, makers.items()):
        rng = np.random.default_rng([seed, number, len(kind)])
        body = make(number, rng).moved(Rotation.random(rng=rng).as_matrix(), rng.uniform(-300, 300, 3))
        yield kind, body.moved(np.eye(3), np.zeros(3), 1 / rng.choice(UNITS_MM))


class _CapsuleBodies:
    """Heads as sensors see them, on a body of capsules 1.2 to 1.9 m tall."""

    def __init__(self, people: list[Person]) -> None:
        self.people = people

    def __call__(self, number: int, rng: np.random.Generator) -> FaceScan:
        head, _ = recorded(self.people[number % len(self.people)], rng)
        tall, back = rng.uniform(1200, 1900), -110.0
        shoulder, hip, foot = -220.0, -0.48 * tall, -0.92 * tall
        wide = 0.1 * tall
        parts = [limb([0, hip, back], [0, shoulder - 60, back], wide)]
        for x in (-1, 1):
            hand = [x * (wide + rng.uniform(60, 400)), hip + rng.uniform(0, 300), back + rng.uniform(-100, 300)]
            parts += [limb([x * wide, shoulder, back], hand, 45), limb([x * 80, hip, back], [x * wide, foot, back], 65)]
        body = trimesh.util.concatenate(parts)
        return FaceScan(
            np.concatenate([head.vertices, body.vertices]),
            np.concatenate([head.triangles, body.faces + len(head.vertices)]),
            source="body",
        )


class _SculptedBodies:
    """Sculpted bodies of young and old people, with their arms held out."""

    def __init__(self, folder: Path) -> None:
        self.files = makehuman.makehuman_files(folder)
        self.vertices, polygons = makehuman._read_base(self.files["base.obj"])
        self.used, corners = np.unique(np.concatenate(list(polygons.values())), return_inverse=True)
        self.triangles = triangulate(corners.reshape(-1, 4))

    def __call__(self, number: int, rng: np.random.Generator) -> FaceScan:
        words = rng.choice(list(ANCESTRIES.values())), rng.choice(makehuman.SEXES), rng.choice(makehuman.AGES)
        target = makehuman.read_target(self.files["macrodetails/" + "-".join(words)], len(self.vertices))
        return FaceScan((self.vertices + target)[self.used], self.triangles, source="body")
