"""Bringing a scan to the camera: millimetres, nose tip at the origin, facing +z with +y up, cropped to the face."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from affectvlm.errors import ScanError
from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.registration import Fit, Surface, find_face

MIN_VERTICES = 100
"""Fewer cannot show a face."""

MAX_MISFIT = 0.38
"""Above this the mean face lies on something else."""

UNITS: dict[str, float] = {"millimetres": 1.0, "centimetres": 10.0, "decimetres": 100.0, "metres": 1000.0}

NOSE_MM = 25.0
"""The nose tip is looked for this near to the mean face's."""

SPACING_MM = 4.0
"""Between the points at which the registration knows the scan."""


def normalize(scan: FaceScan, radius_mm: float = 100.0) -> FaceScan:
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
    if len(scan.vertices) < MIN_VERTICES:
        raise ScanError(
            f"{scan.source}: expected a face of at least {MIN_VERTICES} vertices, found {len(scan.vertices)}; "
            "give a finer scan"
        )
    unit, factor = _unit(scan)
    surface = _surface(scan, factor)
    fit = find_face(surface)
    if fit.misfit > MAX_MISFIT:
        raise ScanError(
            f"{scan.source}: expected a scan of a face, found none in it (misfit {fit.misfit:.2f}); "
            "crop the scan to the head and turn it upright"
        )
    if factor != 1:
        warnings.warn(f"{scan.source}: taken to be in {unit}, and brought to millimetres", stacklevel=2)
    return _cropped(_faced(scan, fit, factor), radius_mm)


def _unit(scan: FaceScan) -> tuple[str, float]:
    """Guess the unit from the scan's extent: a face with or without head and shoulders is 100 to 1000 mm."""
    vertices = scan.vertices[:: max(1, len(scan.vertices) // 2000)]
    low, high = np.percentile(vertices, [1, 99], axis=0)
    extent = float((high - low).max())
    for unit, factor in UNITS.items():
        if extent * factor >= 100:
            return unit, factor
    raise ScanError(f"{scan.source}: expected a face, found an extent of {extent:.3g}, too small in any unit")


def _surface(scan: FaceScan, factor: float) -> Surface:
    """Spread points over the whole scan, in millimetres."""
    corners = scan.vertices[scan.triangles]  # (T, 3, 3)
    points, normals = _spread(corners, (SPACING_MM / factor) ** 2, 12000)
    points = points * factor
    if ((points - points.mean(axis=0)) * normals).sum() < 0:
        normals = -normals  # a head bulges outwards, so this one is inside out
    return Surface(points, normals, cKDTree(points, balanced_tree=False, compact_nodes=False))


def _spread(corners: np.ndarray, area_each: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Spread points evenly over triangles: by area, so that it does not matter how finely which part is meshed.

    Parameters
    ----------
    corners : (T, 3, 3) float
    area_each : float
        Area that each point stands for.
    most : int
        No more points than this.

    Returns
    -------
    points, normals : (P, 3) float64
    """
    origin = corners[:, 0]
    first, second = corners[:, 1] - origin, corners[:, 2] - origin
    cross = np.cross(first, second)
    double_area = np.sqrt((cross * cross).sum(axis=1))
    upto = np.cumsum(double_area, dtype=np.float64)
    count = int(np.clip(upto[-1] / 2 / area_each, 100, most))
    number = np.arange(count)
    picked = np.searchsorted(upto, (number + 0.5) * (upto[-1] / count)).clip(max=len(upto) - 1)
    # Where in the triangle: the R2 sequence covers it evenly without chance (Roberts, 2018).
    u, v = (number * 0.7548776662466927) % 1, (number * 0.5698402909980532) % 1
    over = u + v > 1
    u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
    points = origin[picked] + u[:, None] * first[picked] + v[:, None] * second[picked]
    return points, cross[picked].astype(np.float64) / double_area[picked, None]


def _faced(scan: FaceScan, fit: Fit, factor: float) -> FaceScan:
    """Move the nose tip to the origin and turn the face to the camera."""
    turn = fit.rotation.T
    faced = scan.moved(turn, -turn @ fit.translation, factor)
    return replace(faced, vertices=faced.vertices - _nose_tip(faced))


def _nose_tip(scan: FaceScan) -> np.ndarray:
    """Find the point of the nose nearest to the camera, in a scan that is nearly in place ((3,) mm).

    A paraboloid is fitted to the surface around the guess, and its top is the next guess: this moves smoothly with
    the scan, where the foremost vertex would jump.
    """
    near = (np.abs(scan.vertices) < NOSE_MM).all(axis=1)
    triangles = scan.triangles[near[scan.triangles].all(axis=1)]
    if len(triangles) == 0:
        return np.zeros(3)
    points, normals = _spread(scan.vertices[triangles], 1.0, 4000)
    x, y, z = points[normals[:, 2] > 0.3].T
    tip = np.zeros(2)
    height = 0.0
    for _ in range(10):
        dx, dy = x - tip[0], y - tip[1]
        weight = np.exp(-(dx**2 + dy**2) / (2 * 5.0**2))
        terms = np.column_stack([np.ones_like(dx), dx, dy, dx**2, dx * dy, dy**2])
        weighted = terms * weight[:, None]
        c = np.linalg.solve(weighted.T @ terms + 1e-6 * np.eye(6), weighted.T @ z)
        height = c[0]
        slope, bend = c[1:3], np.array([[2 * c[3], c[4]], [c[4], 2 * c[5]]])
        step = np.linalg.solve(bend, -slope) if np.linalg.eigvalsh(bend)[1] < -1e-3 else 20 * slope
        length = float(np.linalg.norm(step))
        tip = tip + step * min(1.0, 3.0 / max(length, 1e-9))
        if length < 0.02:
            break
    return np.array([*tip, height])


def _cropped(scan: FaceScan, radius_mm: float) -> FaceScan:
    """Keep what is near the nose tip, and of that the pieces that hold at least 2 % of the vertices."""
    near = (scan.vertices**2).sum(axis=1) < radius_mm**2
    scan = scan.kept(near)
    count = len(scan.vertices)
    a, b, c = scan.triangles.T
    links = coo_array((np.ones(2 * len(a), bool), (np.r_[a, a], np.r_[b, c])), shape=(count, count))
    _, piece = connected_components(links, directed=False)
    size = np.bincount(piece)
    return scan if size.min() >= 0.02 * count else scan.kept(size[piece] >= 0.02 * count)
