"""Bringing a scan to the camera: millimetres, nose tip at the origin, facing +z with +y up, cropped to the face."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numba
import numpy as np

from affectvlm.errors import ScanError
from affectvlm.scan.around import look_around
from affectvlm.scan.body import reach_below
from affectvlm.scan.clean import clean
from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.other_face import other_face
from affectvlm.scan.pose import UNITS, Pose, locate, turned_out
from affectvlm.scan.quality import REFUSED_BELOW, Quality, judge

FACE_RADIUS_MM = 100.0
"""Around the nose tip: the face to the ears, the chin and half the forehead."""

SMALLEST_PIECE = 0.02
"""Of the vertices that triangles use near the nose tip; what is connected and holds less is a loose piece."""


@dataclass(frozen=True)
class NormalizedScan:
    """A scan in the canonical form, and what was learned of it on the way.

    Parameters
    ----------
    face : FaceScan
        Millimetres; nose tip at the origin; facing +z, +y up; cropped and cleaned.
    pose : Pose
        Where the face was in the scan.
    quality : Quality
    """

    face: FaceScan
    pose: Pose
    quality: Quality


def normalize(scan: FaceScan, radius_mm: float = FACE_RADIUS_MM, near: Pose | None = None) -> NormalizedScan:
    """Bring a scan of a face or head, at whatever place, pose and unit, to the canonical form.

    The scan should be roughly upright and show the face; shoulders and hair may be there. Its size is not changed
    beyond its unit. Warns when the unit is not the millimetre.

    Parameters
    ----------
    scan : FaceScan
    radius_mm : float
        What is farther from the nose tip is cut away, and so are small loose pieces.
    near : Pose, optional
        Of the same face a moment ago, which makes it faster to find; where the face is not there, it is looked for as
        without.

    Returns
    -------
    NormalizedScan

    Raises
    ------
    ScanError
        No face is found, or its quality is below :data:`~affectvlm.scan.quality.REFUSED_BELOW`.
    """
    pose, surface = locate(scan, near)
    factor = UNITS[pose.unit]
    if factor != 1:
        warnings.warn(f"{scan.source}: taken to be in {pose.unit}, and brought to millimetres", stacklevel=2)
    if pose.inside_out:
        scan = turned_out(scan)
    inside = face_mask(scan, pose.nose / factor, radius_mm / factor)
    corners = inside[scan.triangles]
    if not (corners[:, 0] & corners[:, 1] & corners[:, 2]).any():
        raise ScanError(
            f"{scan.source}: expected a face of connected triangles, found it in pieces that each hold less than "
            f"{SMALLEST_PIECE:.0%} of it; join the vertices that are at the same place"
        )
    face = scan.kept(inside)
    face = face.moved(pose.rotation.T, -pose.rotation.T @ pose.nose, factor)
    face, cleaning = clean(face, radius_mm)
    around = look_around(scan, pose)
    quality = judge(face, cleaning, pose.misfit, other_face(surface, pose, around), reach_below(around))
    if quality.score < REFUSED_BELOW:
        raise ScanError(
            f"{scan.source}: expected a scan of a face, found one that cannot be used: {'; '.join(quality.reasons)}"
        )
    return NormalizedScan(face, pose, quality)


def face_mask(scan: FaceScan, nose: np.ndarray, radius: float) -> np.ndarray:
    """Tell which vertices are the face's: near the nose tip, and part of a piece that is not small.

    Parameters
    ----------
    scan : FaceScan
    nose : (3,) float
        In the scan's own frame and unit, as the radius.
    radius : float

    Returns
    -------
    (V,) bool
    """
    middle = np.asarray(nose, np.float32)
    return _near_in_large_pieces(scan.vertices, scan.triangles, middle, float(radius), SMALLEST_PIECE)


@numba.njit(cache=True, nogil=True)
def _near_in_large_pieces(
    vertices: np.ndarray, triangles: np.ndarray, centre: np.ndarray, radius: float, smallest: float
) -> np.ndarray:
    """(V,) bool: near the centre, and in a piece of at least this share of all that are: union and find (Tarjan, 1975).

    What no triangle uses is nothing.
    """
    count = vertices.shape[0]
    near = np.zeros(count, np.bool_)
    parent = np.full(count, -1, np.int32)
    for v in range(count):
        x, y, z = vertices[v, 0] - centre[0], vertices[v, 1] - centre[1], vertices[v, 2] - centre[2]
        near[v] = x * x + y * y + z * z < radius * radius
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        for v in (a, b, c):
            if parent[v] < 0:
                parent[v] = v
        if near[a] and near[b] and near[c]:
            root = _root(parent, a)
            parent[_root(parent, b)] = root
            parent[_root(parent, c)] = root
    size, total = np.zeros(count, np.int32), 0
    for v in range(count):
        near[v] &= parent[v] >= 0
        if near[v]:
            size[_root(parent, v)] += 1
            total += 1
    for v in range(count):
        near[v] = near[v] and size[_root(parent, v)] >= smallest * total
    return near


@numba.njit(cache=True, nogil=True)
def _root(parent: np.ndarray, vertex: int) -> int:
    while parent[vertex] != vertex:
        parent[vertex] = parent[parent[vertex]]
        vertex = parent[vertex]
    return vertex
