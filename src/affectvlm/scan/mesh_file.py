"""OBJ, STL, OFF and glTF through trimesh.

A file is not trusted: whatever is wrong with it becomes a :class:`~affectvlm.errors.ScanError`, a file that it names
is opened only inside the scan's own folder, and nothing is fetched or unpickled.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np

from affectvlm.errors import ScanError, in_one_line
from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.gltf_size import check_gltf_size
from affectvlm.scan.mesh_text import checked_size
from affectvlm.scan.own_folder import OwnFolder
from affectvlm.scan.parts import MAX_TRIANGLES, Part, Picture, join
from affectvlm.scan.picture_file import MAX_PIXELS, PICTURE_FORMATS, rgb

MESH_SUFFIXES: tuple[str, ...] = (".obj", ".stl", ".off", ".glb", ".gltf")


def read_mesh(path: Path, folder: OwnFolder) -> FaceScan:
    """Read a mesh file of any of :data:`MESH_SUFFIXES`.

    Vertices that a format repeats (at texture seams, or at every corner as in STL) are merged, so that the surface
    and its normals are smooth there; polygons are cut into triangles; the meshes of a scene become one.

    Parameters
    ----------
    path : Path
    folder : OwnFolder
        Finds the materials and pictures.

    Raises
    ------
    ScanError
        The file is damaged, or holds no surface.
    """
    try:
        with _quiet():
            parts, points = _load_parts(path, folder)
    except ScanError:
        raise
    except Exception as error:
        # trimesh meets a damaged file with anything from IndexError to RecursionError.
        reason = in_one_line(f"{type(error).__name__}: {error}")
        raise ScanError(
            f"{path}: expected a {path.suffix[1:].upper()} mesh, found something that cannot be read ({reason}); "
            "export the scan again, as triangles"
        ) from error
    if not parts:
        found = f"{points} points without a surface" if points else "none"
        raise ScanError(f"{path}: expected a mesh with triangles, found {found}; export the scan as a mesh")
    return join(parts, str(path))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep trimesh's log and numpy's warnings of bad numbers to itself: what matters is said once, in our own words.

    In this thread alone, and nothing is switched for the process: others read scans, and are warned, at the same time.
    """
    reading = _reading.set(True)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        _reading.reset(reading)


def _of_others(record: logging.LogRecord) -> bool:
    """Pass what trimesh logs when it was not called from here."""
    return not _reading.get()


_reading: ContextVar[bool] = ContextVar("_reading", default=False)
for _logger in ("trimesh", "trimesh.util"):  # by trimesh's version; a filter does not see what loggers below it get
    logging.getLogger(_logger).addFilter(_of_others)


def _load_parts(path: Path, folder: OwnFolder) -> tuple[list[Part], int]:
    """Return the meshes of a file, and how many loose points it holds beside them."""
    import trimesh  # takes a third of a second, which a program that reads no mesh file should not pay

    checked_size(path)
    kind = path.suffix[1:].lower()
    if kind in ("glb", "gltf"):
        check_gltf_size(path, folder)
    # From memory: a file makes room for as many bytes as are asked of it, and damaged lengths ask for gigabytes.
    content = path.read_bytes()
    file = io.BytesIO(_tidy_off(content, path) if kind == "off" else content)
    # process=False: cleaning would silently drop the vertices that are not numbers.
    resolver: Any = folder
    scene: Any = trimesh.load_scene(file, file_type=kind, resolver=resolver, process=False)
    parts = []
    points = rows = 0
    for node in scene.graph.nodes_geometry:
        placement, name = scene.graph[node]
        geometry = scene.geometry[name]
        if len(getattr(geometry, "faces", ())) == 0:
            points += len(getattr(geometry, "vertices", ()))
            continue
        rows += max(len(geometry.faces), len(geometry.vertices))
        if rows > MAX_TRIANGLES:
            raise ScanError(f"{path}: more than {MAX_TRIANGLES} triangles; export the scan at a lower resolution")
        parts.append(_part(geometry, np.asarray(placement, np.float64), folder))
    return parts, points


def _tidy_off(content: bytes, path: Path) -> bytes:
    """Take the comments out of an OFF file, over which trimesh stumbles, and refuse one of which a part is missing."""
    lines = [kept for line in content.splitlines() if (kept := line.partition(b"#")[0].strip())]
    counts = b" ".join(lines[:2]).split()[1:3]
    if len(counts) == 2 and all(count.isdigit() for count in counts):
        announced = sum(map(int, counts))
        found = len(lines) - (1 if lines[0].split()[1:] else 2)
        if found < announced:
            raise ScanError(
                f"{path}: announces {announced} vertices and faces, found {found} lines of them; the file is cut short "
                "or damaged, export it again"
            )
    return b"\n".join(lines)


def _part(mesh: Any, placement: np.ndarray, folder: OwnFolder) -> Part:
    """Take what we keep of a trimesh mesh, moved by its (4, 4) ``placement`` in the scene."""
    vertices = np.asarray(mesh.vertices, np.float64)
    triangles = np.asarray(mesh.faces)
    if vertices.shape[1:] != (3,) or triangles.shape[1:] != (3,):
        raise ValueError(f"vertices of shape {vertices.shape}, faces of shape {triangles.shape}")
    if not np.array_equal(placement, np.eye(4)):
        vertices = vertices @ placement[:3, :3].T + placement[:3, 3]
        if np.linalg.det(placement[:3, :3]) < 0:
            triangles = triangles[:, ::-1]  # a mirror turns the surface inside out
    uv = getattr(mesh.visual, "uv", None)
    if uv is None or np.shape(uv)[:1] != (len(vertices),) or not np.isfinite(uv).all():
        return Part(vertices, triangles, colours=_colours(mesh))
    uv = np.asarray(uv, np.float64)[:, :2]
    return Part(vertices, triangles, uv, triangles, _picture(mesh.visual, folder), _colours(mesh))


def _colours(mesh: Any) -> np.ndarray | None:
    """(V, 3) uint8 colours of the vertices; None when the file gives none."""
    if getattr(mesh.visual, "kind", None) != "vertex":
        return None
    return np.asarray(mesh.visual.vertex_colors, np.uint8)[:, :3]


def _picture(visual: Any, folder: OwnFolder) -> Picture | None:
    """Return the picture of a trimesh visual; None when there is none or it is damaged."""
    material = getattr(visual, "material", None)
    image: Any = getattr(material, "image", None) or getattr(material, "baseColorTexture", None)
    if real := folder.real_picture(image):
        return real
    # trimesh makes up a grey picture, of no format, where the file names none. Others came inside the file.
    if getattr(image, "format", None) not in PICTURE_FORMATS or image.width * image.height > MAX_PIXELS:
        return None
    try:
        return rgb(image)
    except Exception:  # the pixels are decoded only now; damaged ones fail with anything
        return None
