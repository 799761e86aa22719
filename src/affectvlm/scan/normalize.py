"""Bringing a scan to the camera: millimetres, nose tip at the origin, facing +z with +y up, cropped to the face."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numba
import numpy as np

from affectvlm.errors import ScanError
from affectvlm.scan.clean import clean
from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.pose import UNITS, Pose, find_pose, turned_out, whole, within
from affectvlm.scan.quality import REFUSED_BELOW, Quality, area_beside, judge

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


def normalize(scan: FaceScan, radius_mm: float = FACE_RADIUS_MM) -> NormalizedScan:
    """Bring a scan of a face or head, at whatever place, pose and unit, to the canonical form.

    The scan should be roughly upright and show the face; shoulders and hair may be there. Its size is not changed
    beyond its unit. Warns when the unit is not the millimetre.

    Parameters
    ----------
    scan : FaceScan
    radius_mm : float
        What is farther from the nose tip is cut away, and so are small loose pieces.

    Returns
    -------
    NormalizedScan

    Raises
    ------
    ScanError
        No face is found, or its quality is below :data:`~affectvlm.scan.quality.REFUSED_BELOW`.
    """
    pose = find_pose(scan)
    factor = UNITS[pose.unit]
    if factor != 1:
        warnings.warn(f"{scan.source}: taken to be in {pose.unit}, and brought to millimetres", stacklevel=2)
    if pose.inside_out:
        scan = turned_out(scan)
    inside = face_mask(scan, pose.nose / factor, radius_mm / factor)
    if not whole(scan.triangles, inside).any():
        raise ScanError(
            f"{scan.source}: expected a face of connected triangles, found it in pieces that each hold less than "
            f"{SMALLEST_PIECE:.0%} of it; join the vertices that are at the same place"
        )
    face = scan.kept(inside)
    face = face.moved(pose.rotation.T, -pose.rotation.T @ pose.nose, factor)
    face, cleaning = clean(face, radius_mm)
    quality = judge(face, cleaning, pose.misfit, _beside(scan, pose))
    if quality.score < REFUSED_BELOW:
        raise ScanError(
            f"{scan.source}: expected a scan of a face, found one that cannot be used: {'; '.join(quality.reasons)}"
        )
    return NormalizedScan(face, pose, quality)


def _beside(scan: FaceScan, pose: Pose) -> float:
    """Tell how much of the scan stands beside the face, by a sample of its triangles."""
    triangles = scan.triangles[:: max(1, len(scan.triangles) // 5000)]
    corners = scan.vertices[triangles].reshape(-1, 3) * UNITS[pose.unit] - pose.nose
    return area_beside(corners @ pose.rotation, np.arange(len(corners)).reshape(-1, 3))


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
    used = np.zeros(len(scan.vertices), bool)
    used[scan.triangles] = True
    near = used & within(scan.vertices, nose, radius)
    piece = _pieces(scan.triangles, near)
    size = np.bincount(piece[near], minlength=len(piece))
    return near & (size[piece] >= SMALLEST_PIECE * near.sum())


@numba.njit(cache=True, nogil=True)
def _pieces(triangles: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(V,) the same number for vertices that triangles inside connect: union and find (Tarjan, 1975)."""
    parent = np.arange(inside.shape[0])
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        if inside[a] and inside[b] and inside[c]:
            root = _root(parent, a)
            parent[_root(parent, b)] = root
            parent[_root(parent, c)] = root
    for v in range(parent.shape[0]):
        parent[v] = _root(parent, v)
    return parent


@numba.njit(cache=True, nogil=True)
def _root(parent: np.ndarray, vertex: int) -> int:
    while parent[vertex] != vertex:
        parent[vertex] = parent[parent[vertex]]
        vertex = parent[vertex]
    return vertex
