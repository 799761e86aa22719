"""What is left of a face when a part is cut away, and what else is made of faces without being one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from affectvlm.emotions import EMOTIONS
from affectvlm.scan import FaceScan
from affectvlm.scan.range_image import RangeImage
from affectvlm.synthesis.expressions import draw_expression
from affectvlm.synthesis.face_model import REGIONS
from affectvlm.synthesis.person import Person
from affectvlm.synthesis.sensors import SENSORS, observe
from affectvlm.views import Rig, render

Part = Callable[[list[Person], int, np.random.Generator], FaceScan]


def recorded(person: Person, rng: np.random.Generator) -> tuple[FaceScan, np.ndarray]:
    """Draw an expression and a sensor: the scan, upright, nose tip at the origin, and its landmarks ((68, 3) mm)."""
    face = person.face(draw_expression(person.style, str(rng.choice(EMOTIONS)), int(rng.integers(1, 5)), rng), "cut")
    marks = face.vertices[person.model.landmarks]
    sensor = SENSORS[str(rng.choice(list(SENSORS)))]
    if sensor.distance_mm is None:
        return face, marks
    eyes = person.model.regions == REGIONS.index("eyes")
    grid = observe(sensor, face, marks, eyes, rng, person.neutral[person.model.landmarks])
    return grid.mesh(sensor.jump_mm), marks


def _cut(keeps: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Part:
    """A part by what it keeps: vertices (V, 3) and landmarks (68, 3) -> (V,) bool."""

    def cut(people: list[Person], number: int, rng: np.random.Generator) -> FaceScan:
        scan, marks = recorded(people[number % len(people)], rng)
        return scan.kept(keeps(scan.vertices, marks))

    return cut


def _whole(people: list[Person], number: int) -> FaceScan:
    """A whole head at rest, as no sensor sees it from one place."""
    person = people[number % len(people)]
    return FaceScan(person.neutral, person.model.triangles, source="head")


def _back(people: list[Person], number: int, rng: np.random.Generator) -> FaceScan:
    head = _whole(people, number)
    return head.kept(head.vertices[:, 2] < -75)


def _side(people: list[Person], number: int, rng: np.random.Generator) -> FaceScan:
    """From the ear to the cheek."""
    head, side = _whole(people, number), rng.choice([-1, 1])
    return head.kept(side * head.vertices[:, 0] > 38)


def _coarse(people: list[Person], number: int, rng: np.random.Generator) -> FaceScan:
    """A face of a few triangles: vertices in the same cell become one."""
    scan, _ = recorded(people[number % len(people)], rng)
    near = scan.kept(np.linalg.norm(scan.vertices, axis=1) < 110)
    cells = np.floor(near.vertices / rng.uniform(16, 28)).astype(int)
    _, row, count = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    vertices = np.zeros((len(count), 3))
    np.add.at(vertices, row, near.vertices)
    triangles = row[near.triangles]
    distinct = (np.sort(triangles, axis=1)[:, 1:] != np.sort(triangles, axis=1)[:, :-1]).all(axis=1)
    return FaceScan(vertices / count[:, None], np.unique(triangles[distinct], axis=0), source="coarse")


def _relief(people: list[Person], number: int, rng: np.random.Generator) -> FaceScan:
    """A photograph of a face made into a relief: what is bright stands out."""
    rig = Rig(yaw_deg={"front": 0.0}, size_px=110, field_mm=220.0)
    normals = render(_whole(people, number), rig).normals
    light = np.array([rng.uniform(-0.5, 0.5), rng.uniform(0, 0.7), 1.0])
    bright = np.clip(np.nan_to_num(normals[0]) @ (light / np.linalg.norm(light)), 0, 1)
    x, y = np.meshgrid(np.arange(-110, 110, 2.0), np.arange(110, -110, -2.0))
    return RangeImage(np.stack([x, y, rng.uniform(5, 20) * bright], axis=-1).astype(np.float32)).mesh(50)


def _coin(people: list[Person], number: int, rng: np.random.Generator) -> FaceScan:
    """A face pressed flat, as on a coin."""
    scan, _ = recorded(people[number % len(people)], rng)
    return FaceScan(scan.vertices * [1, 1, rng.uniform(0.05, 0.2)], scan.triangles, source="coin")


def _two(least: tuple[float, float, float], most: tuple[float, float, float]) -> Part:
    """Two people in one scan, the second one so far to the left or right, up or down and in front or behind (mm)."""

    def put(people: list[Person], number: int, rng: np.random.Generator) -> FaceScan:
        first, _ = recorded(people[number % len(people)], rng)
        second, _ = recorded(people[(number + 1) % len(people)], rng)
        moved = second.vertices + rng.uniform(least, most) * rng.choice([-1, 1], 3)
        return FaceScan(
            np.concatenate([first.vertices, moved]),
            np.concatenate([first.triangles, second.triangles + len(first.vertices)]),
            source="two",
        )

    return put


PARTS: dict[str, Part] = {
    "left half": _cut(lambda v, marks: v[:, 0] > 2),
    "right half": _cut(lambda v, marks: v[:, 0] < -2),
    "above the upper lip": _cut(lambda v, marks: v[:, 1] > marks[33, 1] - 5),
    "below the nose": _cut(lambda v, marks: v[:, 1] < marks[33, 1]),
    "below the eyes": _cut(lambda v, marks: v[:, 1] < marks[36:48, 1].min() - 3),
    "above the eyes": _cut(lambda v, marks: v[:, 1] > marks[36:48, 1].max() + 5),
    "without the nose": _cut(lambda v, marks: np.linalg.norm(v - marks[29], axis=1) > 30),
    "the side": _side,
    "the back": _back,
    "a few triangles": _coarse,
    "photograph as a relief": _relief,
    "coin": _coin,
    "two faces side by side": _two((150, 0, 0), (260, 40, 60)),
    "two faces apart": _two((260, 0, 0), (450, 150, 150)),
    "two faces, one above": _two((0, 250, 0), (120, 400, 150)),
}
