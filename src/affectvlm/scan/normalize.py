"""Bringing a scan to the camera: millimetres, nose tip at the origin, facing +z with +y up, cropped to the face."""

from __future__ import annotations

import warnings

import numba
import numpy as np

from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.pose import UNITS, find_pose, turned_out, within

FACE_RADIUS_MM = 100.0
"""Around the nose tip: the face to the ears, the chin and half the forehead."""


def normalize(scan: FaceScan, radius_mm: float = FACE_RADIUS_MM) -> FaceScan:
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
    FaceScan
        Millimetres; nose tip at the origin; facing +z, +y up.

    Raises
    ------
    ScanError
        No face is found.
    """
    pose = find_pose(scan)
    factor = UNITS[pose.unit]
    if factor != 1:
        warnings.warn(f"{scan.source}: taken to be in {pose.unit}, and brought to millimetres", stacklevel=2)
    if pose.inside_out:
        scan = turned_out(scan)
    face = scan.kept(face_mask(scan, pose.nose / factor, radius_mm / factor))
    return face.moved(pose.rotation.T, -pose.rotation.T @ pose.nose, factor)


def face_mask(scan: FaceScan, nose: np.ndarray, radius: float) -> np.ndarray:
    """Tell which vertices are the face's: near the nose tip, and part of a piece that holds at least 2 % of those.

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
    near = within(scan.vertices, nose, radius)
    piece = _pieces(scan.triangles, near)
    size = np.bincount(piece[near], minlength=len(piece))
    return near & (size[piece] >= 0.02 * near.sum())


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
