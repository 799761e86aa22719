"""Where on a face its parts are, told from the 68 landmarks: lips, brows, lids, cheeks, beard, hair, folds of age.

All that does not depend on the person, so that it is found once a model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from affectvlm.synthesis.face_model import REGIONS, FaceModel
from affectvlm.synthesis.texture.texel_map import TexelMap

SKIN, EYES, MOUTH, TEETH = range(len(REGIONS))

FAR = 99.0
"""Millimetres told of what is not near."""


@dataclass(frozen=True, eq=False)
class FaceZones:
    """For each of N texels, how far it is from, or how much it belongs to, the parts of a face.

    Parameters
    ----------
    lips : (N,) float32, mm
        Inside the lips' edge, negative outside.
    mouth_line : (N,) float32, mm
        From where the lips meet.
    lids : (N,) float32, mm
        From the edge of the upper lids.
    lower_lids : (N,) float32, mm
    brow : (N,) int8
        0 none, 1 right, 2 left brow near.
    brow_place : (N, 2) float32
        Along the brow from its inner end (0) to the outer one (1), and mm above its middle line.
    brow_mm : float
        Length of a brow.
    flush, forehead, sockets, freckled : (N,) float32
        0 to 1: what blood reddens, the yellower forehead, the darker surroundings of the eyes, nose and cheeks.
    beard : (N,) float32
        0 to 1.
    scalp : (N,) float32, mm
        Above the hairline; negative below it.
    folds : (N,) float32
        How deep wrinkles run in old age, 0 to 1.
    depth : (N,) float32, mm
        Behind the lips.
    iris : (N, 2) float32, mm
        Place in the eye's disk seen from its front, from the middle; FAR elsewhere.
    """

    lips: np.ndarray
    mouth_line: np.ndarray
    lids: np.ndarray
    lower_lids: np.ndarray
    brow: np.ndarray
    brow_place: np.ndarray
    brow_mm: float
    flush: np.ndarray
    forehead: np.ndarray
    sockets: np.ndarray
    freckled: np.ndarray
    beard: np.ndarray
    scalp: np.ndarray
    folds: np.ndarray
    depth: np.ndarray
    iris: np.ndarray


def find_zones(model: FaceModel, texels: TexelMap) -> FaceZones:
    """Find the parts of a face model's face among its texels."""
    marks = model.neutral[model.landmarks].astype(np.float64)
    places = texels.places
    surface = _Surface(model)
    brow, brow_place, brow_mm = _brows(marks, places)
    skin = texels.region == SKIN
    lips = np.where(skin | (texels.region == MOUTH), _lips(marks, places), -FAR).astype(np.float32)
    lids = np.concatenate([_curve(marks[36:40]), _curve(marks[42:46])])
    lower_lids = np.concatenate([_curve(marks[[39, 40, 41, 36]]), _curve(marks[[45, 46, 47, 42]])])
    inner_lips = ([48, 60, 61, 62, 63, 64, 54], [48, 60, 67, 66, 65, 64, 54])
    mouth_line = np.concatenate([_curve(marks[rows]) for rows in inner_lips])
    return FaceZones(
        lips=lips,
        mouth_line=_distance(mouth_line, places),
        lids=np.where(skin, _distance(lids, places), FAR).astype(np.float32),
        lower_lids=np.where(skin, _distance(lower_lids, places), FAR).astype(np.float32),
        brow=np.where(skin, brow, 0).astype(np.int8),
        brow_place=brow_place,
        brow_mm=brow_mm,
        flush=_flush(marks, places, surface),
        forehead=_around(places, surface.at(marks[27, :2] + _shift(0, 42)), 32),
        sockets=_sockets(marks, places),
        freckled=np.clip(
            _around(places, marks[30] + _shift(0, 12, -8), 20) + _cheeks(marks, places, surface, 24), 0, 1
        ),
        beard=np.where(skin, _beard(marks, places, lips), 0).astype(np.float32),
        scalp=np.where(skin, _above_hairline(model, marks, places), -FAR).astype(np.float32),
        folds=_folds(marks, places, surface),
        depth=(marks[[51, 57], 2].min() - places[:, 2]).astype(np.float32),
        iris=_iris(model, texels),
    )


class _Surface:
    """Looks the front of the skin up from the front."""

    def __init__(self, model: FaceModel) -> None:
        ears = model.neutral[model.landmarks[[0, 16]], 2].mean()
        front = (model.regions == SKIN) & (model.neutral[:, 2] > ears)
        self.vertices = model.neutral[front].astype(np.float64)
        self.tree = cKDTree(self.vertices[:, :2])

    def at(self, xy: np.ndarray) -> np.ndarray:
        """(..., 3) mm: the foremost skin near the places (..., 2)."""
        rows = self.tree.query(xy, k=6)[1]
        z = self.vertices[rows, 2].max(axis=-1)
        return np.concatenate([xy, z[..., None]], axis=-1)


def _shift(*mm: float) -> np.ndarray:
    return np.array(mm)


def _curve(points: np.ndarray, count: int = 120) -> np.ndarray:
    """(count, d) a smooth curve through points."""
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    return CubicSpline(length, points)(np.linspace(0, length[-1], count))


def _distance(curve: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(N,) mm from the nearest point of a dense curve, at most FAR."""
    near = cKDTree(curve).query(places, distance_upper_bound=15)[0]
    return np.minimum(near, FAR).astype(np.float32)


def _around(places: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """(N,) float32: 1 at the centre, falling off as a bell."""
    offset = (places - centre.astype(np.float32)) / np.float32(radius)
    return np.exp(-np.einsum("nx,nx->n", offset, offset))


def ramp(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Rise smoothly from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def _lips(marks: np.ndarray, places: np.ndarray) -> np.ndarray:
    upper, lower = _curve(marks[48:55, :2]), _curve(marks[[54, 55, 56, 57, 58, 59, 48], :2])
    edge = np.concatenate([upper, lower[1:-1]])
    near = (places[:, 2] > marks[[48, 54], 2].min() - 8) & (np.abs(places[:, 1] - marks[62, 1]) < 25)
    near &= np.abs(places[:, 0]) < marks[54, 0] + 12
    flat = places[near, :2]
    distance = cKDTree(edge).query(flat)[0]
    signed = np.full(len(places), -FAR)
    signed[near] = np.where(_inside(flat, edge), distance, -distance)
    return signed


def _inside(points: np.ndarray, outline: np.ndarray) -> np.ndarray:
    """(n,) bool: which points (n, 2) lie in a closed outline (m, 2), by the even-odd rule."""
    inside = np.zeros(len(points), bool)
    for a, b in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if a[1] != b[1]:
            crosses = (a[1] > points[:, 1]) != (b[1] > points[:, 1])
            at = a[0] + (points[:, 1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
            inside ^= crosses & (points[:, 0] < at)
    return inside


def _brows(marks: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    which = np.zeros(len(places), np.int8)
    place = np.full((len(places), 2), FAR, np.float32)
    length = 0.0
    for number, rows in ((1, [21, 20, 19, 18, 17]), (2, [22, 23, 24, 25, 26])):
        curve = _curve(marks[rows])
        along = np.gradient(curve, axis=0)
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        up = np.array([0, 1, 0]) - along[:, 1:2] * along
        up /= np.linalg.norm(up, axis=1, keepdims=True)
        length = float(np.linalg.norm(np.diff(curve, axis=0), axis=1).sum())
        distance, nearest = cKDTree(curve).query(places, distance_upper_bound=12)
        near = np.isfinite(distance)
        nearest = nearest[near]
        offset = places[near] - curve[nearest]
        # Beyond the ends the place runs on along the last direction.
        beyond = np.einsum("nx,nx->n", offset, along[nearest]) / length
        which[near] = number
        place[near, 0] = nearest / (len(curve) - 1) + beyond
        place[near, 1] = np.einsum("nx,nx->n", offset, up[nearest])
    return which, place, length


def _cheeks(marks: np.ndarray, places: np.ndarray, surface: _Surface, radius: float) -> np.ndarray:
    centres = [surface.at(marks[rows, :2].mean(axis=0)) for rows in ([41, 48, 3], [46, 54, 13])]
    return _around(places, centres[0], radius) + _around(places, centres[1], radius)


def _flush(marks: np.ndarray, places: np.ndarray, surface: _Surface) -> np.ndarray:
    flush = _cheeks(marks, places, surface, 21) + 0.9 * _around(places, marks[30], 13)
    flush += 0.5 * _around(places, marks[8] + _shift(0, 8, 6), 13)
    for row in (31, 35):
        flush += 0.6 * _around(places, marks[row], 7)
    for row in (0, 16):
        flush += _around(places, marks[row] + _shift(0, 8, -12), 24)
    return np.clip(flush, 0, 1)


def _sockets(marks: np.ndarray, places: np.ndarray) -> np.ndarray:
    total = np.zeros(len(places), np.float32)
    for rows, inner in ((slice(36, 42), 39), (slice(42, 48), 42)):
        eye = marks[rows].mean(axis=0)
        total += 0.7 * _around(places, eye + _shift(0, 3, -2), 14)
        total += 0.8 * _around(places, 0.5 * (eye + marks[inner]) + _shift(0, -9, 0), 8)
    return np.clip(total, 0, 1)


def _beard(marks: np.ndarray, places: np.ndarray, lips: np.ndarray) -> np.ndarray:
    across = np.abs(places[:, 0])
    corner, sideburn = marks[54, :2] + _shift(5, 2), np.array([marks[15, 0], marks[16, 1]])
    bound = np.array(
        [
            [0, marks[33, 1] - 3],
            [marks[35, 0] + 1, marks[33, 1] - 5],
            corner,
            0.5 * (corner + sideburn) + np.array([0, -9]),  # from the sideburns it hangs in a bow over the cheek
            sideburn,
        ]
    )
    under = np.interp(across, bound[:, 0], bound[:, 1]) - places[:, 1]
    front = ramp(places[:, 2], marks[[0, 16], 2].mean() - 10, marks[[0, 16], 2].mean() + 6)
    throat = ramp(places[:, 1], marks[8, 1] - 28, marks[8, 1] - 8)
    # Thinner under the corners of the lower lip.
    return ramp(under, -4, 14) * front * throat * ramp(-lips, 0.5, 3.0)


def _above_hairline(model: FaceModel, marks: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Face height in thirds: from hairline to brows as from brows to the nose's base (the canon of Vitruvius)."""
    brows, nose, ears = marks[17:27, 1].mean(), marks[33, 1], marks[[0, 16]].mean(axis=0)
    third = brows - nose
    middle = ears[2] - 5
    turn = np.degrees(np.arctan2(np.abs(places[:, 0]), places[:, 2] - middle))
    # It stays high over the forehead, drops at the temples to the sideburns, and runs behind the ears to the nape.
    heights = brows + third * np.array([0.92, 0.94, 0.95, 0.84, 0.58, 0.2, -0.15, -0.32, -0.35, -1.1, -1.25])
    above = places[:, 1] - np.interp(turn, [0, 20, 36, 46, 55, 62, 69, 78, 104, 116, 180], heights)
    return np.minimum(above, _from_ears(model, marks, places))


def _from_ears(model: FaceModel, marks: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(N,) mm from the ears, seen from the side; negative on them. Ears are what stands out below the brows."""
    skin = model.neutral[model.regions == SKIN]
    standing_out = np.abs(skin[:, 0]) > np.abs(marks[[0, 16], 0]).mean() + 6
    ears = skin[standing_out & (skin[:, 1] < marks[17:27, 1].mean() + 8) & (skin[:, 1] > marks[48, 1]), 1:]
    if not len(ears):
        return np.full(len(places), FAR)
    # What stands out is the rim: the root lies further to the front. Of a broad head's temples a little stands out too.
    low, high = np.percentile(ears, [3, 97], axis=0) + np.array([[-7, -5], [10, 15]])
    offset = (places[:, 1:] - (low + high) / 2) / ((high - low) / 2)
    return 0.5 * (high - low).min() * (np.linalg.norm(offset, axis=1) - 1)


def _folds(marks: np.ndarray, places: np.ndarray, surface: _Surface) -> np.ndarray:
    brow, third = marks[27, 1] + 22, marks[17:27, 1].mean() - marks[33, 1]
    lines: list[tuple[float, float, np.ndarray]] = []
    for side in (-1, 1):
        nose, corner = marks[35 if side > 0 else 31], marks[54 if side > 0 else 48]
        eye = marks[45 if side > 0 else 36]
        inner = marks[42 if side > 0 else 39]
        lower = marks[[46, 47] if side > 0 else [40, 41]].mean(axis=0)
        steps = [
            nose + _shift(side * 4, 3, 0),
            0.5 * (nose + corner) + _shift(side * 7.5, 2, 0),
            corner + _shift(side * 9, -2, 0),
        ]
        lines.append((1.0, 1.3, np.array(steps)))
        for rise in (6, 0, -6):
            lines.append((0.55, 0.6, np.array([eye + _shift(side * 5, rise / 3, 0), eye + _shift(side * 13, rise, 0)])))
        lines.append(
            (0.6, 1.0, np.array([inner + _shift(0, -5, 0), lower + _shift(0, -9, 0), eye + _shift(-side * 2, -8, 0)]))
        )
        lines.append((0.6, 0.7, np.array([[side * 5, brow - 12, 0], [side * 4.5, brow + 3, 0]])))
        lines.append((0.5, 1.2, np.array([corner + _shift(side * 2, -3, 0), corner + _shift(side * 4, -13, 0)])))
    for share in (0.28, 0.44, 0.6):
        height = marks[17:27, 1].mean() + share * third
        x = np.array([-34.0, -17, 0, 17, 34])
        lines.append((0.6, 0.8, np.stack([x, height + np.array([-4, 1, -1, 1, -4]), 0 * x], axis=1)))
    folds = np.zeros(len(places), np.float32)
    for strength, width, points in lines:
        flat = _curve(points[:, :2], 60) if len(points) > 2 else np.linspace(points[0, :2], points[-1, :2], 60)
        curve = surface.at(flat)
        distance, nearest = cKDTree(curve).query(places, distance_upper_bound=6)
        near = np.isfinite(distance)
        fade = np.sin(np.pi * np.clip((nearest[near] + 3) / 66, 0, 1)) ** 0.7
        folds[near] = np.maximum(folds[near], strength * fade * np.exp(-((distance[near] / width) ** 2)))
    return folds


def _iris(model: FaceModel, texels: TexelMap) -> np.ndarray:
    """An eye at rest looks along +z: its disk's middle lies before the middle of the ball."""
    disk = np.full((len(texels.places), 2), FAR, np.float32)
    for side in (-1, 1):
        ball = model.neutral[(model.regions == EYES) & (side * model.neutral[:, 0] > 0)]
        if not len(ball):
            continue
        middle = (ball.min(axis=0) + ball.max(axis=0)) / 2
        here = (texels.region == EYES) & (side * texels.places[:, 0] > 0) & (texels.places[:, 2] > middle[2])
        disk[here] = texels.places[here, :2] - middle[:2]
    return disk
