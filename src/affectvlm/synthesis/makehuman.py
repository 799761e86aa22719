"""MakeHuman (assets in the public domain, CC0): a face model sculpted by hand, read from the folder of its add-on.

Source: https://github.com/makehumancommunity/mpfb2, ``src/mpfb/data``: a body of quadrilaterals (``base.obj``), and
targets, which are lists of moved vertices. Of the body the head is kept and subdivided once, so that it is as smooth
as its authors mean it to be; its texture coordinates are laid out anew, since the body's leave the face a corner.

MakeHuman sculpts each of sex x age x ancestry apart. Here they are main effects that add up, which leaves out how
they interact: 9 % of the heads' variance about their mean, once all have their nose tip in the same place (3 mm RMS).
"""

from __future__ import annotations

import gzip
import zlib
from itertools import product
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from affectvlm.errors import DataError
from affectvlm.synthesis import makehuman_units as tables
from affectvlm.synthesis.face_model import REGIONS, FaceModel
from affectvlm.synthesis.subdivision import Subdivision, subdivide, triangulate
from affectvlm.synthesis.texture.uv_atlas import unroll

PROJECT = "https://github.com/makehumancommunity/mpfb2"
MM_PER_UNIT = 100.0
GROUPS = {
    "body": "skin",
    "helper-l-eye": "eyes",
    "helper-r-eye": "eyes",
    "helper-upper-teeth": "teeth",
    "helper-lower-teeth": "teeth",
    "helper-tongue": "mouth",
}
"""Groups of ``base.obj`` that are used -> what they are."""
BELOW_NOSE_MM = 90.0
"""The body is cut off here, above the foot of the neck."""
MIDLINE_BLEND_MM = 10.0
"""Left and right halves of a target fade into each other over this distance on both sides of the midline."""
NOSE_TIP = tables.LANDMARKS[30]

SEXES, AGES = ("female", "male"), ("young", "old")


def makehuman_files(folder: Path) -> dict[str, Path]:
    """Find the files that are read: ``base.obj`` and, by folder and name, the targets.

    Parameters
    ----------
    folder : Path
        A checkout of mpfb2, its folder ``data``, or a folder that holds one checkout.

    Raises
    ------
    DataError
        One of them is missing.
    """
    outer = [folder, *sorted(child for child in folder.glob("*") if child.is_dir())]
    candidates = [folder, *(checkout / "src" / "mpfb" / "data" for checkout in outer)]
    data = next((inner for inner in candidates if (inner / "targets").is_dir()), candidates[1])
    files = {"base.obj": data / "3dobjs" / "base.obj"}
    files |= {name: data / "targets" / f"{name}.target.gz" for name in _target_names()}
    missing = [file for file in files.values() if not file.is_file()]
    if missing:
        raise DataError(
            f"{data}: expected MakeHuman's data with {len(files)} files, {len(missing)} are missing "
            f"({missing[0].relative_to(data)} first); get it from {PROJECT} and name its folder"
        )
    return files


def read_makehuman(folder: Path) -> FaceModel:
    """Read the face model, which takes a few seconds; the folder is never written to.

    Raises
    ------
    DataError
        A file is missing or is not what the project ships.
    """
    files = makehuman_files(folder)
    vertices, polygons = _read_base(files["base.obj"])
    vertices -= vertices[NOSE_TIP]
    near = vertices[:, 1] > -BELOW_NOSE_MM
    polygons = {group: quads[near[quads].all(axis=1)] for group, quads in polygons.items()}
    used, corners = np.unique(np.concatenate(list(polygons.values())), return_inverse=True)
    step = subdivide(corners.reshape(-1, 4), len(used))

    head = _Head(files, vertices, used, step)
    macro = head.macro()
    axes = head.main_effects(macro) | head.face_parts()
    units = {name: head.action_units(word) for name, word in tables.ANCESTRIES.items()}
    shared = np.mean(list(units.values()), axis=0)
    neutral = head.smooth(vertices) + macro.mean(axis=(0, 1, 2))
    triangles, regions = triangulate(step.quads), _regions(step, polygons, used)
    uv, uv_triangles = unroll(neutral, triangles, regions)
    return FaceModel(
        "makehuman",
        neutral=(neutral - neutral[head.nose_tip]).astype(np.float32),
        triangles=triangles,
        regions=regions,
        landmarks=np.searchsorted(used, tables.LANDMARKS).astype(np.int32),
        axes=np.stack(list(axes.values())).astype(np.float32),
        axis_names=tuple(axes),
        shapes=shared.astype(np.float32),
        shape_names=tuple(_sided_action_units()),
        shape_changes={name: (own - shared).astype(np.float32) for name, own in units.items()},
        uv=uv,
        uv_triangles=uv_triangles,
    )


class _Head:
    """Targets as displacements of the subdivided head."""

    def __init__(self, files: dict[str, Path], vertices: np.ndarray, used: np.ndarray, step: Subdivision) -> None:
        self.files, self.vertices, self.used, self.step = files, vertices, used, step
        self.nose_tip = int(np.searchsorted(used, NOSE_TIP))
        ramp = np.clip(vertices[:, 0] / (2 * MIDLINE_BLEND_MM) + 0.5, 0, 1)
        self.left = ramp**2 * (3 - 2 * ramp)
        """(V,): how much of a displacement belongs to the left half."""

    def smooth(self, vectors: np.ndarray) -> np.ndarray:
        return self.step.smooth @ vectors[self.used]

    def target(self, name: str) -> np.ndarray:
        """(V, 3) float64, mm, of the whole body."""
        return read_target(self.files[name], len(self.vertices))

    def identity(self, target: np.ndarray) -> np.ndarray:
        """A target as identity: the head grows around the nose tip, however tall the body is."""
        moved = self.smooth(target)
        return moved - moved[self.nose_tip]

    def macro(self) -> np.ndarray:
        """(3 ancestries, 2 sexes, 2 ages, V, 3)."""
        names = product(tables.ANCESTRIES.values(), SEXES, AGES)
        heads = [self.identity(self.target("macrodetails/" + "-".join(name))) for name in names]
        return np.stack(heads).reshape(len(tables.ANCESTRIES), len(SEXES), len(AGES), -1, 3)

    def main_effects(self, macro: np.ndarray) -> dict[str, np.ndarray]:
        (female, male), (young, old) = macro.mean(axis=(0, 2)), macro.mean(axis=(0, 1))
        ancestry = macro.mean(axis=(1, 2)) - macro.mean(axis=(0, 1, 2))
        return {
            "sex": tables.SEX_SPREAD / 2 * (male - female),
            "age": tables.AGE_SPREAD / 2 * (old - young),
            **dict(zip(tables.ANCESTRIES, ancestry, strict=True)),
        }

    def face_parts(self) -> dict[str, np.ndarray]:
        axes = {}
        for folder, pairs in tables.FACE_PARTS.items():
            for pair in pairs:
                low, high = (np.sum([self.target(name) for name in end], axis=0) for end in _pair_files(folder, pair))
                axes[_axis_name(pair)] = tables.SPREADS[folder] / 2 * self.identity(high - low)
        return axes

    def action_units(self, ancestry: str) -> np.ndarray:
        """(S, V, 3): the shapes as this ancestry's expression units make them."""
        shapes = []
        for parts, side in _sided_action_units().values():
            share = {"": np.ones_like(self.left), "L": self.left, "R": 1 - self.left}[side]
            total = np.zeros_like(self.vertices)
            for part, weight in parts.items():
                moved = weight * self.target(_part_file(part, ancestry, side))
                total += moved if "@" in part else share[:, None] * moved
            shapes.append(self.smooth(total))
        return np.stack(shapes)


def _sided_action_units() -> dict[str, tuple[dict[str, float], str]]:
    """``AU12`` -> ``AU12_L`` and ``AU12_R``: parts and side (L, R or empty)."""
    sided = {}
    for unit, parts in tables.ACTION_UNITS.items():
        if unit in tables.WITHOUT_SIDES:
            sided[unit] = (parts, "")
        else:
            sided |= {f"{unit}_{side}": (parts, side) for side in "LR"}
    return sided


def _part_file(part: str, ancestry: str, side: str) -> str:
    if "/" in part:
        return part.replace("@", side.lower())
    return f"expression/units/{ancestry}/" + part.replace("@", {"L": "left", "R": "right", "": ""}[side])


def _pair_files(folder: str, pair: str) -> tuple[list[str], list[str]]:
    """The targets of both ends of an axis, each of both sides where it has sides."""
    stem, low, high = pair.split()
    sides = "lr" if "@" in stem else "l"
    low_end, high_end = ([f"{folder}/{stem.replace('@', side)}-{end}" for side in sides] for end in (low, high))
    return low_end, high_end


def _axis_name(pair: str) -> str:
    """``nose-hump decr incr`` -> ``nose_hump``; ``nose-base down up`` -> ``nose_base_up``."""
    stem, _, high = pair.split()
    name = stem.removeprefix("@-") if high == "incr" else f"{stem.removeprefix('@-')}-{high}"
    return name.replace("-", "_")


def _target_names() -> list[str]:
    macro = ["macrodetails/" + "-".join(name) for name in product(tables.ANCESTRIES.values(), SEXES, AGES)]
    parts = [
        name
        for folder, pairs in tables.FACE_PARTS.items()
        for pair in pairs
        for end in _pair_files(folder, pair)
        for name in end
    ]
    units = [
        _part_file(part, ancestry, side)
        for ancestry in tables.ANCESTRIES.values()
        for parts_of_unit, side in _sided_action_units().values()
        for part in parts_of_unit
    ]
    return list(dict.fromkeys(macro + parts + units))


def _regions(step: Subdivision, polygons: dict[str, np.ndarray], used: np.ndarray) -> np.ndarray:
    """(V,) uint8: by group, and by what the ring of the lips' contact parts from the skin."""
    part = np.empty(len(used), np.uint8)
    for group, quads in polygons.items():
        part[np.searchsorted(used, np.unique(quads))] = REGIONS.index(GROUPS[group])
    body = np.searchsorted(used, polygons["body"])
    edges = np.stack([body, np.roll(body, -1, axis=1)], axis=-1).reshape(-1, 2)
    ring = np.searchsorted(used, tables.LIP_CONTACT)
    edges = edges[~np.isin(edges, ring).any(axis=1)]
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (len(used), len(used)))
    _, piece = connected_components(graph, directed=False)
    part[piece == piece[np.searchsorted(used, tables.MOUTH_INSIDE)]] = REGIONS.index("mouth")
    # A new vertex is of the first region that any of the old ones around it is of, so that the mouth ends at the ring.
    return np.minimum.reduceat(part[step.straight.indices], step.straight.indptr[:-1])


def read_target(path: Path, count: int) -> np.ndarray:
    """Read a target: (count, 3) float64 displacements, mm.

    Raises
    ------
    DataError
        It is not a gzipped list of vertex numbers below ``count`` and displacements.
    """
    try:
        with gzip.open(path, "rt", encoding="ascii", errors="replace") as packed:
            text = packed.read()
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, "a gzipped text", str(error)) from error
    lines = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not text:
        raise _damaged(path, "a list of moved vertices", "nothing")
    try:
        rows = np.array(lines, np.float64).reshape(-1, 4)
    except ValueError as error:
        raise _damaged(path, "lines of a vertex number and three displacements", "other lines") from error
    index = rows[:, 0].astype(np.int64) if np.isfinite(rows).all() else np.array([-1])
    if not ((index >= 0) & (index < count)).all() or (index != rows[:, 0]).any():
        raise _damaged(path, f"vertex numbers below {count} and finite displacements", "others")
    displacement = np.zeros((count, 3))
    displacement[index] = rows[:, 1:] * MM_PER_UNIT
    return displacement


def _read_base(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Vertices (V, 3) in mm, and group -> (Q, 4) quads of vertex numbers."""
    vertices: list[list[float]] = []
    polygons: dict[str, list[list[int]]] = {group: [] for group in GROUPS}
    group = ""
    try:
        for line in path.read_text("ascii", "replace").splitlines():
            kind, *words = line.split() or [""]
            if kind == "v":
                vertices.append([float(word) for word in words[:3]])
            elif kind == "g":
                group = words[0]
            elif kind == "f" and group in polygons:
                polygons[group].append([int(word.partition("/")[0]) - 1 for word in words])
        quads = {group: np.array(corners, np.int64).reshape(-1, 4) for group, corners in polygons.items()}
        points = np.array(vertices).reshape(-1, 3)
    except (ValueError, IndexError) as error:
        raise _damaged(path, "vertices, and quads of them", repr(line[:60])) from error
    empty = [group for group, corners in quads.items() if not len(corners)]
    if empty:
        raise _damaged(path, f"polygons of the groups {', '.join(GROUPS)}", f"none of {', '.join(empty)}")
    corners = np.concatenate(list(quads.values()))
    if corners.min() < 0 or corners.max() >= len(points) or len(points) <= max(tables.LANDMARKS):
        raise _damaged(path, "polygons of its own vertices", "numbers beyond them")
    if not np.isfinite(points).all():
        raise _damaged(path, "finite coordinates", "others")
    return points * MM_PER_UNIT, quads


def _damaged(path: Path, expected: str, found: str) -> DataError:
    return DataError(f"{path}: expected {expected}, found {found}; the file is damaged, get it again from {PROJECT}")
