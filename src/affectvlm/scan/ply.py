"""PLY meshes: text or binary of either byte order, polygons of any number of corners, pictures as MeshLab names them.

MeshLab's ``comment TextureFile`` and its places in the picture, at each corner (``texcoord``) or vertex
(``texture_u``, ``texture_v``; others write ``s``, ``t`` or ``u``, ``v``), are conventions, not part of the format.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numba
import numpy as np

from affectvlm.errors import ScanError, in_one_line
from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.mesh_text import read_text
from affectvlm.scan.own_folder import OwnFolder
from affectvlm.scan.parts import MAX_TRIANGLES, Part, join
from affectvlm.scan.ply_table import Column, read_header, read_rows
from affectvlm.scan.polygons import fan

CORNER_NAMES = ("vertex_indices", "vertex_index")

PLACE_NAMES = (("texture_u", "texture_v"), ("s", "t"), ("u", "v"))

COLOUR_NAMES = (("red", "green", "blue"), ("diffuse_red", "diffuse_green", "diffuse_blue"), ("r", "g", "b"))


def read_ply(path: Path, folder: OwnFolder) -> FaceScan:
    """Read a PLY mesh. Vertices at the same place become one, since files repeat them at a picture's seams.

    Parameters
    ----------
    path : Path
    folder : OwnFolder
        Finds the picture.

    Raises
    ------
    ScanError
        The file is damaged or cut short, announces more than it holds, or has no faces.
    """
    content = read_text(path)
    header = read_header(content, path)
    table = read_rows(content, header, path)
    vertex, face = table.get("vertex", {}), table.get("face", {})
    vertices = _columns(vertex, ("x", "y", "z"))
    if vertices is None:
        raise ScanError(f"{path}: expected vertices with x, y and z, found {in_one_line(', '.join(vertex)) or 'none'}")
    named = next((face[name] for name in CORNER_NAMES if name in face), None)
    if not isinstance(named, tuple) or len(named[0]) == 0:
        raise ScanError(
            f"{path}: expected a mesh with triangles, found {len(vertices)} points without a surface; "
            "export the scan as a mesh"
        )
    rows, lengths = named
    if not (np.abs(rows) < 2**31).all() or rows.min() < 0 or rows.max() >= len(vertices):
        raise ScanError(
            f"{path}: expected faces of vertices 0 to {len(vertices) - 1}, found {rows.min():.0f} to {rows.max():.0f}; "
            "the file is damaged"
        )
    corners = _with_ends(rows.astype(np.int32), lengths)
    triangles, thin = fan(corners, corners)
    if thin:
        warnings.warn(f"{path}: {thin} faces of fewer than 3 corners are left out", stacklevel=3)
    if not 0 < len(triangles) <= MAX_TRIANGLES:
        raise ScanError(f"{path}: expected a mesh of 1 to {MAX_TRIANGLES} triangles, found {len(triangles)}")
    uv, uv_triangles = _places(vertex, face, corners, lengths, triangles)
    picture = folder.picture(header.pictures[0]) if header.pictures and uv is not None else None
    if len(set(header.pictures)) > 1:
        warnings.warn(f"{path}: of {len(header.pictures)} pictures only the first is used", stacklevel=3)
    part = Part(vertices, triangles, uv, uv_triangles, picture, _colours(vertex))
    return join([part], str(path))


def _columns(element: dict[str, Column], names: tuple[str, ...]) -> np.ndarray | None:
    """(N, k) of the properties with these names; None when one is missing, or a list."""
    columns = [column for name in names if not isinstance(column := element.get(name, ()), tuple)]
    return np.stack(columns, axis=1) if len(columns) == len(names) else None


def _places(
    vertex: dict[str, Column], face: dict[str, Column], corners: np.ndarray, lengths: np.ndarray, triangles: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Places in the picture ((U, 2)) and their rows at the triangles' corners; None where the file has none."""
    at_corners = face.get("texcoord")
    if isinstance(at_corners, tuple) and np.array_equal(at_corners[1], 2 * lengths):
        uv = at_corners[0].reshape(-1, 2)
        numbers = _with_ends(np.arange(len(uv), dtype=np.int32), lengths)
        return (uv, fan(numbers, corners)[0]) if np.isfinite(uv).all() else (None, None)
    for names in PLACE_NAMES:
        at_vertices = _columns(vertex, names)
        if at_vertices is not None and np.isfinite(at_vertices).all():
            return at_vertices, triangles
    return None, None


def _colours(vertex: dict[str, Column]) -> np.ndarray | None:
    """(V, 3) uint8; numbers with a fraction count from 0 to 1. None where the file has none."""
    for names in COLOUR_NAMES:
        found = _columns(vertex, names)
        if found is not None:
            scale = 255 if found.dtype.kind == "f" and np.all(found <= 1) and np.any(found % 1) else 1
            return np.clip(np.rint(np.nan_to_num(found.astype(np.float64)) * scale), 0, 255).astype(np.uint8)
    return None


@numba.njit(cache=True, nogil=True)
def _with_ends(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Put a -1 behind each list."""
    out = np.empty(values.shape[0] + lengths.shape[0], np.int32)
    at = taken = 0
    for row in range(lengths.shape[0]):
        for _ in range(lengths[row]):
            out[at] = values[taken]
            at += 1
            taken += 1
        out[at] = -1
        at += 1
    return out
