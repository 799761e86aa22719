"""Where the face is in a scan: its nose tip, its axes and its unit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numba
import numpy as np

from affectvlm.errors import ScanError
from affectvlm.scan.face_scan import FaceScan
from affectvlm.scan.find_face import MAX_MISFIT, find_face, follow_face
from affectvlm.scan.surfels import Surfels, surfels

MIN_VERTICES = 100
"""Fewer cannot show a face."""

UNITS: dict[str, float] = {"millimetres": 1.0, "centimetres": 10.0, "decimetres": 100.0, "metres": 1000.0}

SMALLEST_MM, BODY_MM = 75.0, 2500.0
"""Extent of the least of a face that is enough, and of the tallest body."""

DOWN_DEG = 3.5
"""The nose tip is what is foremost for who looks from so far below: between the face models' landmarks 31, of which
ICT-FaceKit's is above the foremost point and MakeHuman's below."""

NOSE_MM = 20.0
"""The nose tip is looked for this near to the mean face's."""

_COS, _SIN = math.cos(math.radians(DOWN_DEG)), math.sin(math.radians(DOWN_DEG))
_LOWERED = np.array([[1.0, 0.0, 0.0], [0.0, _COS, -_SIN], [0.0, _SIN, _COS]])


@dataclass(frozen=True)
class Pose:
    """Where a face is in its scan.

    Parameters
    ----------
    rotation : (3, 3) float
        Columns are the face's own axes (to its left, up, forward), in the scan's.
    nose : (3,) float
        The nose tip, in the scan's frame and in millimetres.
    unit : str
        The scan's unit.
    inside_out : bool
        Whether the scan's triangles face inwards.
    misfit : float
        How unlike a face it is: 0 (a face as expected) to 1 (no face).
    """

    rotation: np.ndarray
    nose: np.ndarray
    unit: str = "millimetres"
    inside_out: bool = False
    misfit: float = 0.0


def find_pose(scan: FaceScan) -> Pose:
    """Find the face in a scan of a face or head, at whatever place, pose and unit.

    Raises
    ------
    ScanError
        No face is found.
    """
    return locate(scan)[0]


def locate(scan: FaceScan, near: Pose | None = None) -> tuple[Pose, Surfels]:
    """Find the face in a scan, and return the scan's surface, in millimetres, along with the pose.

    Parameters
    ----------
    scan : FaceScan
    near : Pose, optional
        Where the face was a moment ago: it is looked for there first, and everywhere only if it does not fit there.

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
    misfits = []
    for unit in _units(scan):
        surface = surfels(scan.vertices, scan.triangles, UNITS[unit])
        if surface is None:
            raise ScanError(f"{scan.source}: expected a surface, found triangles without area; export the scan again")
        fit = None
        if near is not None and near.unit == unit:
            fit = follow_face(surface, near.rotation, near.nose, near.misfit)
        fit = fit or find_face(surface)
        if fit.misfit <= MAX_MISFIT:
            facing = turned_out(scan) if surface.inside_out else scan
            tip = nose_tip(facing, fit.nose, fit.rotation, UNITS[unit])
            return Pose(fit.rotation, fit.nose + fit.rotation @ tip, unit, surface.inside_out, fit.misfit), surface
        misfits.append(fit.misfit)
    raise ScanError(
        f"{scan.source}: expected a scan of a face, found none in it, or not enough of one (misfit "
        f"{min(misfits):.2f}); show both halves, brows to chin, and crop the scan to the head"
    )


def _units(scan: FaceScan) -> list[str]:
    """Guess the unit from the scan's extent; more than one is possible, the likeliest comes first.

    A face with or without head and shoulders is 75 to 750 mm. What is taller is more of a body, up to 2.5 m, and could
    be a face in the unit below as well.
    """
    vertices = scan.vertices[:: max(1, len(scan.vertices) // 2000)]
    low, high = np.percentile(vertices, [1, 99], axis=0)
    extent = abs(float((high - low).max()))  # what is 0 may come out as -0
    large = [unit for unit, factor in UNITS.items() if extent * factor >= SMALLEST_MM]
    if not large:
        raise ScanError(f"{scan.source}: expected a face, found an extent of {extent:.3g}, too small in any unit")
    return large[:1] + [unit for unit in large[1:] if extent * UNITS[unit] <= BODY_MM]


def turned_out(scan: FaceScan) -> FaceScan:
    """Reverse every triangle."""
    uv_triangles = None if scan.uv_triangles is None else scan.uv_triangles[:, ::-1]
    return replace(scan, triangles=scan.triangles[:, ::-1], uv_triangles=uv_triangles)


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
    double_area = np.sqrt(np.einsum("ij,ij->i", cross, cross))
    upto = np.cumsum(double_area, dtype=np.float64)
    count = int(np.clip(upto[-1] / 2 / area_each, 100, most))  # at least enough for a fit to fail on
    number = np.arange(count)
    picked = np.searchsorted(upto, (number + 0.5) * (upto[-1] / count)).clip(max=len(upto) - 1)
    # Where in the triangle: the R2 sequence covers it evenly without chance (Roberts, 2018).
    u, v = (number * 0.7548776662466927) % 1, (number * 0.5698402909980532) % 1
    over = u + v > 1
    u, v = np.where(over, 1 - u, u), np.where(over, 1 - v, v)
    points = origin[picked] + u[:, None] * first[picked] + v[:, None] * second[picked]
    return points, cross[picked].astype(np.float64) / double_area[picked, None]


def nose_tip(scan: FaceScan, guess: np.ndarray, rotation: np.ndarray, factor: float = 1.0) -> np.ndarray:
    """Find the point of the nose nearest to the camera.

    A paraboloid is fitted to the surface around the guess, and its top is the next guess: this moves smoothly with
    the scan, where the foremost vertex would jump.

    Parameters
    ----------
    scan : FaceScan
    guess : (3,) float, mm
        In the scan's frame.
    rotation : (3, 3) float
        Columns are the face's own axes, in the scan's.
    factor : float
        Millimetres in the scan's unit.

    Returns
    -------
    (3,) float, mm, in the face's own axes, from the guess
    """
    middle = (guess / factor).astype(np.float32)
    corners = _triangles_within(scan.vertices, scan.triangles, middle, NOSE_MM / factor)
    if len(corners) == 0:
        return np.zeros(3)
    points, normals = _spread((factor * corners - guess) @ rotation @ _LOWERED, 1.0, 4000)
    points = _in_front(points[normals[:, 2] > 0.3])
    if len(points) == 0:
        return np.zeros(3)
    # Lips pushed forward can stand out as much as the nose, but not where the fit has the nose.
    aside = np.einsum("ij,ij->i", points[:, :2], points[:, :2])
    foremost = tip = points[np.argmax(points[:, 2] - aside / 30)]
    for _ in range(6):
        top = _top(points - tip)
        tip = tip + top
        if np.linalg.norm(tip - foremost) > 8:
            return _LOWERED @ foremost  # too few or too rough points there to say more
        if np.linalg.norm(top[:2]) < 0.02:
            break
    return _LOWERED @ tip


def _in_front(points: np.ndarray, cell: float = 3.0) -> np.ndarray:
    """Keep of the points around the nose ((P, 3) mm) those that a camera in front sees: not the nostrils' inside."""
    column, row = np.floor((points[:, :2] + NOSE_MM) / cell).astype(int).T
    width = int(2 * NOSE_MM / cell) + 1
    foremost = np.full(width * width, -np.inf)
    np.maximum.at(foremost, row * width + column, points[:, 2])
    return points[points[:, 2] > foremost[row * width + column] - cell]


def _top(points: np.ndarray) -> np.ndarray:
    """Fit a paraboloid to the points ((P, 3) mm) some 4 mm around the origin; return its top ((3,) mm)."""
    x, y, z = points.T
    weight = np.exp(-(x**2 + y**2) / (2 * 3.5**2))
    terms = np.column_stack([np.ones_like(x), x, y, x**2, x * y, y**2])
    weighted = terms * weight[:, None]
    c = np.linalg.solve(weighted.T @ terms + 1e-6 * np.eye(6), weighted.T @ z)
    bend = np.array([[2 * c[3], c[4]], [c[4], 2 * c[5]]])
    if np.linalg.eigvalsh(bend)[1] > -1e-3:
        return np.array([0, 0, c[0]])  # it has none
    step = np.linalg.solve(bend, -c[1:3])
    return np.append(step * min(1.0, 3.0 / max(float(np.linalg.norm(step)), 1e-9)), c[0])


@numba.njit(cache=True, nogil=True)
def _triangles_within(vertices: np.ndarray, triangles: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """(T, 3, 3) float64: corners of the triangles of which none is farther than the radius from the centre."""
    near = np.empty(vertices.shape[0], np.bool_)
    for v in range(vertices.shape[0]):
        x, y, z = vertices[v, 0] - centre[0], vertices[v, 1] - centre[1], vertices[v, 2] - centre[2]
        near[v] = x * x + y * y + z * z < radius * radius
    rows = np.empty(triangles.shape[0], np.int32)
    count = 0
    for t in range(triangles.shape[0]):
        if near[triangles[t, 0]] and near[triangles[t, 1]] and near[triangles[t, 2]]:
            rows[count] = t
            count += 1
    corners = np.empty((count, 3, 3))
    for number in range(count):
        for corner in range(3):
            corners[number, corner] = vertices[triangles[rows[number], corner]]
    return corners
