"""Mesh files: OBJ, PLY, STL, OFF and glTF, read through trimesh into a :class:`FaceScan`.

A file is not trusted: whatever is wrong with it becomes a :class:`~affectvlm.errors.ScanError`, a file that it names
(material, picture, buffer) is opened only inside the scan's own folder, and nothing is fetched or unpickled.
"""

from __future__ import annotations

import json
import logging
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from affectvlm.errors import ScanError
from affectvlm.scan.face_scan import FaceScan

MESH_SUFFIXES: tuple[str, ...] = (".obj", ".ply", ".stl", ".off", ".glb", ".gltf")
"""The endings that :func:`read_scan` knows."""

MAX_TRIANGLES = 20_000_000
"""A face scan has a hundredth of this; a file that claims more is damaged or hostile."""

GREY = 128
"""Colour of the parts that have no picture in a scan whose other parts have one."""


@dataclass(frozen=True)
class _Part:
    """One mesh of a file: its own rows, its own picture."""

    vertices: np.ndarray  # (V, 3) float64, moved to where the scene has it
    triangles: np.ndarray  # (T, 3) rows of vertices
    uv: np.ndarray | None  # (V, 2)
    picture: np.ndarray | None  # (H, W, 3) uint8


class _OwnFolder:
    """What trimesh asks for the files that a scan names: only those inside the scan's folder are opened."""

    def __init__(self, scan: Path) -> None:
        self.file_path = str(scan)
        self.file_name = scan.name
        self.folder = scan.parent.resolve()
        self.named: list[str] = []
        self.refused: dict[str, str] = {}

    def get(self, name: str) -> bytes:
        name = unquote(name.strip()).replace("\\", "/")
        self.named.append(name)
        # Exporters write where the picture stood on their own machine; it usually travels beside the mesh.
        for candidate in (name, name.rsplit("/", 1)[-1]):
            path = (self.folder / candidate).resolve()
            if path.is_relative_to(self.folder) and path.is_file():
                return path.read_bytes()
        outside = not path.is_relative_to(self.folder)
        self.refused[name] = "lies outside the scan's folder" if outside else "is not in the scan's folder"
        raise FileNotFoundError(name)

    __getitem__ = get


def read_scan(path: str | Path) -> FaceScan:
    """Read one face scan, in the unit and pose that the file has.

    Vertices that a format repeats (at texture seams, or at every corner as in STL) are merged, so that the surface
    and its normals are smooth there; polygons are cut into triangles; the meshes of a scene become one.

    Parameters
    ----------
    path : str or Path
        An OBJ, PLY, STL, OFF, GLB or glTF file. Its picture is read too, from the same folder.

    Raises
    ------
    ScanError
        The file is missing, of another kind, damaged, or holds no surface.
    """
    path = Path(path)
    _check_file(path)
    folder = _OwnFolder(path)
    try:
        with _quiet():
            parts, points = _load_parts(path, folder)
    except ScanError:
        raise
    except Exception as error:
        # trimesh meets a damaged file with anything from IndexError to RecursionError.
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise ScanError(
            f"{path}: expected a {path.suffix[1:].upper()} mesh, found something that cannot be read ({reason}); "
            "export the scan again, as triangles"
        ) from error
    if not parts:
        found = f"{points} points without a surface" if points else "none"
        raise ScanError(f"{path}: expected a mesh with triangles, found {found}; export the scan as a mesh")
    scan = _join(parts, str(path))
    _warn_of_pictures(path, folder, scan)
    return scan


def _check_file(path: Path) -> None:
    if not path.exists():
        raise ScanError(f"{path}: no such file; check the path")
    if not path.is_file():
        raise ScanError(f"{path}: expected a file, found a directory or device; name one scan inside it")
    if path.suffix.lower() not in MESH_SUFFIXES:
        raise ScanError(
            f"{path}: expected a file that ends in {', '.join(MESH_SUFFIXES)}, found {path.suffix or 'no ending'!r}; "
            "convert it to one of them"
        )
    if path.stat().st_size == 0:
        raise ScanError(f"{path}: the file is empty; export or copy the scan again")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep trimesh from logging and warning: what matters is said once, in our own words."""
    logger = logging.getLogger("trimesh")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = was_disabled


def _load_parts(path: Path, folder: _OwnFolder) -> tuple[list[_Part], int]:
    """Return the meshes of a file, and how many loose points it holds beside them."""
    import trimesh  # takes a third of a second, which a program that reads no mesh file should not pay

    kind = path.suffix[1:].lower()
    if kind in ("glb", "gltf"):
        _check_gltf(path)
    with path.open("rb") as file:
        # process=False: cleaning would silently drop the vertices that are not numbers.
        resolver: Any = folder
        scene: Any = trimesh.load_scene(file, file_type=kind, resolver=resolver, process=False)
    parts = []
    points = triangles = 0
    for node in scene.graph.nodes_geometry:
        placement, name = scene.graph[node]
        geometry = scene.geometry[name]
        if len(getattr(geometry, "faces", ())) == 0:
            points += len(getattr(geometry, "vertices", ()))
            continue
        triangles += len(geometry.faces)
        if triangles > MAX_TRIANGLES:
            raise ScanError(f"{path}: more than {MAX_TRIANGLES} triangles; export the scan at a lower resolution")
        parts.append(_part(geometry, np.asarray(placement, np.float64)))
    return parts, points


def _check_gltf(path: Path) -> None:
    """Refuse an accessor without data that announces more rows than the file has bytes: it would be made of zeros."""
    content = path.read_bytes()
    if content[:4] == b"glTF":
        (length,) = struct.unpack_from("<I", content, 12)
        content = content[20 : 20 + length]
    for accessor in json.loads(content).get("accessors", []):
        if "bufferView" not in accessor and accessor["count"] > path.stat().st_size:
            raise ScanError(
                f"{path}: announces {accessor['count']} values that the file does not hold; export the scan again"
            )


def _part(mesh: Any, placement: np.ndarray) -> _Part:
    """Take what we keep of a trimesh mesh, moved by its (4, 4) ``placement`` in the scene."""
    vertices = np.asarray(mesh.vertices, np.float64)
    triangles = np.asarray(mesh.faces)
    if not np.array_equal(placement, np.eye(4)):
        vertices = vertices @ placement[:3, :3].T + placement[:3, 3]
        if np.linalg.det(placement[:3, :3]) < 0:
            triangles = triangles[:, ::-1]  # a mirror turns the surface inside out
    uv = getattr(mesh.visual, "uv", None)
    if uv is None or np.shape(uv)[:1] != (len(vertices),) or not np.isfinite(uv).all():
        return _Part(vertices, triangles, None, None)
    uv = np.asarray(uv, np.float64)[:, :2]
    # Pictures repeat beyond their borders, and some exporters use a tile other than the first.
    uv = uv - np.floor(np.median(uv, axis=0))
    return _Part(vertices, triangles, uv, _picture(mesh.visual))


def _picture(visual: Any) -> np.ndarray | None:
    """(H, W, 3) uint8 picture of a trimesh visual; None when there is none or it is damaged."""
    material = getattr(visual, "material", None)
    image: Any = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
    if getattr(image, "format", None) is None:  # trimesh makes up a grey picture where the file names none
        return None
    try:
        return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError):  # Pillow reads the pixels only now, and they may be cut short
        return None


def _join(parts: list[_Part], source: str) -> FaceScan:
    """Make one scan of the parts: positions merged, pictures side by side."""
    first_row = np.cumsum([0, *(len(part.vertices) for part in parts)])
    corners = np.concatenate([part.triangles + row for part, row in zip(parts, first_row, strict=False)])
    vertices, triangles = _merged(np.concatenate([part.vertices for part in parts]).astype(np.float32), corners)
    bare = [part.uv is None for part in parts]
    if all(bare) or (any(bare) and all(part.picture is None for part in parts)):
        return FaceScan(vertices, triangles, source=source)
    uv, texture = _side_by_side(parts)
    uv, uv_triangles = _merged(uv.astype(np.float32), corners)
    return FaceScan(vertices, triangles, uv, uv_triangles, texture, source)


def _merged(rows: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep each row ((N, k) float32) that a triangle uses once, however often it is repeated; renumber the corners."""
    used, corners = np.unique(corners, return_inverse=True)
    rows = rows[used] + np.float32(0)  # -0 becomes 0
    order = np.lexsort(rows.T)
    differs = np.any(rows[order[1:]] != rows[order[:-1]], axis=1)
    group = np.empty(len(rows), np.int64)
    group[order] = np.concatenate([[0], np.cumsum(differs)])
    # Number the groups by their first row, so that the file's order stays.
    _, first, numbered = np.unique(group, return_index=True, return_inverse=True)
    by_first = np.argsort(first)
    rank = np.empty(len(first), np.int64)
    rank[by_first] = np.arange(len(first))
    return rows[first[by_first]], rank[numbered][corners].reshape(-1, 3).astype(np.int32)


def _side_by_side(parts: list[_Part]) -> tuple[np.ndarray, np.ndarray | None]:
    """Lay the different pictures of the parts in a row.

    Returns
    -------
    uv : (sum of V, 2) float
    texture : (H, W, 3) uint8, or None when no part has a picture
    """
    blank = np.full((2, 2, 3), GREY, np.uint8)
    pictures: list[np.ndarray] = []
    slot = []
    for part in parts:
        picture = blank if part.picture is None or part.uv is None else part.picture
        known = [i for i, other in enumerate(pictures) if np.array_equal(picture, other)]
        slot.append(known[0] if known else len(pictures))
        if not known:
            pictures.append(picture)
    uvs = [np.full((len(part.vertices), 2), 0.5) if part.uv is None else part.uv for part in parts]
    if all(part.picture is None for part in parts):
        return np.concatenate(uvs), None
    height = max(len(picture) for picture in pictures)
    left = np.cumsum([0, *(picture.shape[1] for picture in pictures)])
    texture = np.zeros((height, left[-1], 3), np.uint8)
    for picture, column in zip(pictures, left, strict=False):
        texture[height - len(picture) :, column : column + picture.shape[1]] = picture
    for i, picture in enumerate(pictures[s] for s in slot):
        scale = np.array([picture.shape[1] / left[-1], len(picture) / height])
        uvs[i] = uvs[i] * scale + [left[slot[i]] / left[-1], 0]
    return np.concatenate(uvs), texture


def _warn_of_pictures(path: Path, folder: _OwnFolder, scan: FaceScan) -> None:
    """Say so when the file names a picture or material that could not be used."""
    if folder.refused:
        name, why = next(iter(folder.refused.items()))
        warnings.warn(f"{path}: {name} {why}; the shape is used without it", stacklevel=3)
    elif scan.texture is None and (pictures := [n for n in folder.named if not n.lower().endswith((".mtl", ".bin"))]):
        warnings.warn(f"{path}: {pictures[0]} is not a readable picture; the shape is used without it", stacklevel=3)
