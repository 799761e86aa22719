"""The meshes of one file, joined to one scan: positions in a row, pictures side by side."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

from affectvlm.errors import ScanError
from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.picture_file import MAX_PIXELS, PictureFile

MAX_TRIANGLES = 20_000_000
"""A face scan has a hundredth of this; a file that claims more is damaged or hostile."""

GREY = 128
"""Colour of the parts that have no picture, or no coloured vertices, in a scan whose other parts have them."""

Picture = np.ndarray | PictureFile

_FACTOR = np.uint64(0xFF51AFD7ED558CCD)
"""Large and odd: it spreads rows that are nearly alike (the mixing step of MurmurHash3, Appleby, 2011)."""


@dataclass(frozen=True, eq=False)
class Part:
    """One mesh of a file, with rows of its own.

    Parameters
    ----------
    vertices : (V, 3) float
        Moved to where the scene has it.
    triangles : (T, 3) int
        Rows of ``vertices``.
    uv : (U, 2) float, optional
    uv_triangles : (T, 3) int, optional
        Rows of ``uv``.
    picture : (H, W, 3) uint8 or PictureFile, optional
    colours : (V, 3) uint8, optional
    """

    vertices: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray | None = None
    uv_triangles: np.ndarray | None = None
    picture: Picture | None = None
    colours: np.ndarray | None = None


def join(parts: Sequence[Part], source: str, merged: bool = True) -> FaceScan:
    """Make one scan of the parts.

    Triangles meet in one vertex where corners are at the same place, as formats need it that repeat vertices at
    seams. A triangle that is there again, either way round, is left out.

    Parameters
    ----------
    parts : sequence of Part
        At least one.
    source : str
        The file, for messages.
    merged : bool
        Whether vertices that no triangle uses, or no longer, are left out. Otherwise every vertex keeps its row.

    Raises
    ------
    ScanError
        The mesh is damaged.
    """
    vertices = _joined([part.vertices for part in parts])
    triangles = _shifted([part.triangles for part in parts], [len(part.vertices) for part in parts])
    colours = _colours(parts)
    # FaceScan refuses triangles of vertices that are not there.
    sound = len(triangles) > 0 and triangles.min() >= 0 and triangles.max() < len(vertices)
    once = None
    if sound:
        triangles = _first_of_each(vertices, triangles)
        once = _each_once(triangles)
        triangles = triangles if once is None else triangles[once]
    if sound and merged:
        rows, triangles = _without_unused(vertices, triangles)
        vertices = vertices[rows]
        colours = None if colours is None else colours[rows]
    bare = [part.uv is None for part in parts]
    if all(bare) or (any(bare) and all(part.picture is None for part in parts)):
        return FaceScan(vertices, triangles, source=source, colours=colours)
    uv, uv_triangles, texture = _side_by_side(parts, source)
    uv_triangles = uv_triangles if once is None else uv_triangles[once]
    if sound and merged:
        rows, uv_triangles = _without_unused(uv, _first_of_each(uv, uv_triangles))
        uv = uv[rows]
    return FaceScan(vertices, triangles, uv, uv_triangles, texture, source, colours)


def _joined(tables: Sequence[np.ndarray]) -> np.ndarray:
    whole = tables[0] if len(tables) == 1 else np.concatenate(tables)
    # What is too large for float32 becomes infinite, which FaceScan refuses; and there are NaN that complain of sums.
    with np.errstate(over="ignore", invalid="ignore"):
        return whole.astype(np.float32, copy=False) + np.float32(0)  # -0 becomes 0


def _shifted(triangles: Sequence[np.ndarray], lengths: Sequence[int]) -> np.ndarray:
    """Renumber the rows of each part for the table of all."""
    if len(triangles) == 1:
        return triangles[0]
    return np.concatenate([part + row for part, row in zip(triangles, np.cumsum([0, *lengths]), strict=False)])


def _colours(parts: Sequence[Part]) -> np.ndarray | None:
    if all(part.colours is None for part in parts):
        return None
    grey = [np.full((len(part.vertices), 3), GREY, np.uint8) for part in parts]
    return np.concatenate(
        [other if part.colours is None else part.colours for part, other in zip(parts, grey, strict=True)]
    )


def _first_of_each(table: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Renumber corners ((T, 3) int) to the first row of ``table`` ((N, k) float32) that is equal and in use."""
    used = _used(corners, len(table))
    first = _first_equal(table[used])
    if first is None:
        return corners
    number = np.empty(len(table), np.int32)
    number[used] = used[first]
    return number[corners]


def _without_unused(table: np.ndarray, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of ``table`` that a triangle uses ((M,) int), and the corners renumbered for them."""
    rows = _used(corners, len(table))
    number = np.empty(len(table), np.int32)
    number[rows] = np.arange(len(rows), dtype=np.int32)
    return rows, number[corners]


def _used(corners: np.ndarray, count: int) -> np.ndarray:
    is_used = np.zeros(count, bool)
    is_used[corners] = True
    return np.flatnonzero(is_used)


def _each_once(triangles: np.ndarray) -> np.ndarray | None:
    """Tell which triangles stay ((M,) int) when each stays once, whichever way round; None when all do.

    A surface with two sides has each triangle twice, of which the second is turned round: then no side is outside.
    """
    a, b, c = triangles.T
    low, high = np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c)
    ordered = np.stack([low, a + b + c - low - high, high], axis=1)  # which numpy's sort takes five times as long for
    first = _first_equal(ordered.astype(np.int32, copy=False))
    return None if first is None else np.flatnonzero(first == np.arange(len(first)))


def _first_equal(table: np.ndarray) -> np.ndarray | None:
    """(N,) int: for each row ((N, k) of 32 bits) the first that is equal; None when no two are."""
    first, repeated = _found_first(np.ascontiguousarray(table).view(np.uint32))
    return first if repeated else None


@numba.njit(cache=True, nogil=True)
def _found_first(rows: np.ndarray) -> tuple[np.ndarray, int]:
    """Look each row ((N, k) uint32) up in a hash table with open addressing; also count those that were there."""
    slots_needed = 1
    while slots_needed < 2 * rows.shape[0]:
        slots_needed *= 2
    slots = np.full(slots_needed, -1, np.int32)
    last = np.uint64(slots_needed - 1)
    first = np.empty(rows.shape[0], np.int64)
    repeated = 0
    for row in range(rows.shape[0]):
        mixed = np.uint64(0)
        for column in range(rows.shape[1]):
            mixed = (mixed ^ np.uint64(rows[row, column])) * _FACTOR
            mixed ^= mixed >> np.uint64(32)
        slot = mixed & last
        while True:
            other = slots[slot]
            if other < 0:
                slots[slot] = row
                first[row] = row
                break
            equal = True
            for column in range(rows.shape[1]):
                equal &= rows[row, column] == rows[other, column]
            if equal:
                first[row] = other
                repeated += 1
                break
            slot = (slot + np.uint64(1)) & last
    return first, repeated


def _side_by_side(parts: Sequence[Part], source: str) -> tuple[np.ndarray, np.ndarray, Picture | None]:
    """Lay the different pictures of the parts in a row; one picture stays as it is, and on disk.

    A row of more than :data:`~affectvlm.scan.picture_file.MAX_PIXELS` is not made.

    Returns
    -------
    uv : (U, 2) float32
    uv_triangles : (T, 3) int
    texture : (H, W, 3) uint8 or PictureFile; None when no part has a picture
    """
    # A part without places in a picture has all its corners in the middle of a grey one.
    uvs = [np.full((1, 2), 0.5, np.float32) if part.uv is None else _first_tile(part.uv) for part in parts]
    corners = [np.zeros_like(part.triangles) if part.uv_triangles is None else part.uv_triangles for part in parts]
    uv_triangles = _shifted(corners, [len(uv) for uv in uvs])
    blank = np.full((2, 2, 3), GREY, np.uint8)
    wanted = [blank if part.picture is None or part.uv is None else part.picture for part in parts]
    if all(picture is blank for picture in wanted):
        return _joined(uvs), uv_triangles, None
    different: list[Picture] = []
    for picture in wanted:
        if not any(_same(picture, other) for other in different):
            different.append(picture)
    if len(different) == 1:
        return _joined(uvs), uv_triangles, different[0]
    slots = [next(i for i, other in enumerate(different) if _same(picture, other)) for picture in wanted]
    pixels = max(picture.shape[0] for picture in different) * sum(picture.shape[1] for picture in different)
    if pixels > MAX_PIXELS:
        warnings.warn(
            f"{source}: expected pictures of at most {MAX_PIXELS} pixels side by side, found {pixels}; the shape is "
            "used without them",
            stacklevel=2,
        )
        return _joined(uvs), uv_triangles, None
    pictures = [_pixels(picture) for picture in different]
    height = max(len(picture) for picture in pictures)
    left = np.cumsum([0, *(picture.shape[1] for picture in pictures)])
    texture = np.zeros((height, left[-1], 3), np.uint8)
    for picture, column in zip(pictures, left, strict=False):
        texture[height - len(picture) :, column : column + picture.shape[1]] = picture
    for i, slot in enumerate(slots):
        scale = np.array([pictures[slot].shape[1] / left[-1], len(pictures[slot]) / height])
        uvs[i] = uvs[i] * scale + [left[slot] / left[-1], 0]
    return _joined(uvs), uv_triangles, texture


def _pixels(picture: Picture) -> np.ndarray:
    try:
        return np.asarray(picture)
    except ScanError as error:
        warnings.warn(f"{error}; the shape is used without it", stacklevel=2)
        return np.full((2, 2, 3), GREY, np.uint8)


def _same(a: Picture, b: Picture) -> bool:
    if isinstance(a, PictureFile) or isinstance(b, PictureFile):
        return a is b or (isinstance(a, PictureFile) and isinstance(b, PictureFile) and a.path == b.path)
    return np.array_equal(a, b)


def _first_tile(uv: np.ndarray) -> np.ndarray:
    """Pictures repeat beyond their borders, and some exporters use a tile other than the first."""
    if len(uv) == 0 or (uv.min() >= 0 and uv.max() <= 1):
        return uv
    return uv - np.floor(np.median(uv, axis=0))
