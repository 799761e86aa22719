"""The embedded face's mesh: skin, lids' rims, eyeballs and mouth, exactly mirrored."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from affectvlm.synthesis.embedded import sculpt
from affectvlm.synthesis.embedded.layout import BOTTOM, SIDE, TOP, Layout, lay_out
from affectvlm.synthesis.embedded.relief import carve

SKIN, RIM, MOUTH, EYEBALL, UPPER_TEETH, LOWER_TEETH = range(6)
"""The parts of the mesh."""

# How far the mouth's rows lie behind the lips' edge, how far from the mouth line they open, and how much of
# their lip's motion they take along.
_MOUTH_BACK_MM = (1.6, 3.6, 8.0, 17.0, 32.0, 50.0)
_MOUTH_OPEN_MM = (0.25, 0.8, 3.0, 7.0, 9.0, 0.0)
_MOUTH_FOLLOW = (1.0, 0.97, 0.9, 0.75, 0.55, 0.35)
# Below the skin's part of the picture: the mouth's inside in the middle, an eyeball on each side, and two strips of
# teeth between mouth and skin.
_SKIN_UV_BOTTOM = 0.15
_MOUTH_UV_HALF, _MOUTH_UV_TOP, _MOUTH_UV_EDGE = 0.2, 0.1, 0.004
_EYE_UV_CENTRE, _EYE_UV_RADIUS = (0.85, 0.073), 0.07
_TEETH_UV_MIDDLE, _TEETH_UV_ROW, _TEETH_UV_MM = 0.125, 0.005, 0.006
# Rows of a tooth from the gum over the biting edge to behind: height over the edge, depth behind the front.
_TEETH_ROWS = ((-20.0, 4.5), (-7.0, 0.6), (-1.5, 0.0), (0.0, 0.6), (0.0, 3.5))
_TEETH_EDGE_Y = {UPPER_TEETH: -35.0, LOWER_TEETH: -36.0}
_TEETH_FRONT_Z = {UPPER_TEETH: -19.5, LOWER_TEETH: -22.0}
_CARUNCLE = 0.55
"""How far the hillock of flesh in the inner corner of the eye reaches towards the lids' edge."""
_RIM_RADII = (sculpt.EYE_RADIUS + 0.25, sculpt.EYE_RADIUS - 0.8)


@dataclass(frozen=True, eq=False)
class Surface:
    """The neutral mesh and what its vertices are.

    Parameters
    ----------
    vertices : (V, 3) float64, mm
    triangles : (T, 3) int32
    uv : (U, 2) float32
    uv_triangles : (T, 3) int32
    mirror : (V,) int
        The vertex at the mirrored place.
    part : (V,) int
        SKIN, RIM (the thickness of the lids), MOUTH (its inside), EYEBALL, UPPER_TEETH or LOWER_TEETH.
    leader : (V,) int
        The skin vertex whose motion a rim's or the mouth's vertex takes over; itself elsewhere.
    follow : (V,) float
        How much of that motion.
    side_of_mouth : (V,) int
        1 on the upper lip's edge and in the upper mouth, -1 on the lower; 0 elsewhere, and where both meet.
    lid_edge : (2, n) int
        The edge of the left eye's opening and of the right one's, in corresponding order.
    upper_lip, lower_lip : (m,) int
        The edges of the mouth's slit from the subject's right corner to the left; the corners belong to both.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray
    uv_triangles: np.ndarray
    mirror: np.ndarray
    part: np.ndarray
    leader: np.ndarray
    follow: np.ndarray
    side_of_mouth: np.ndarray
    lid_edge: np.ndarray
    upper_lip: np.ndarray
    lower_lip: np.ndarray


class _Half:
    """The left half while it grows, part by part."""

    def __init__(self, layout: Layout) -> None:
        count = len(layout.s)
        points = sculpt.cast(layout.s, layout.v)
        points[layout.s == 0, 0] = 0
        points = carve(points, layout.triangles)
        self.points = [points]
        self.triangles = [layout.triangles]
        self.uv = [_skin_uv(layout.s, layout.v)]
        self.part = [np.full(count, SKIN)]
        self.leader = [np.arange(count)]
        self.follow = [np.ones(count)]
        self.side = [np.zeros(count, int)]
        self.side[0][layout.upper_lip[:-1]] = 1
        self.side[0][layout.lower_lip[:-1]] = -1
        self.midline = [layout.s == 0]
        self.count = count

    def add(
        self,
        points: np.ndarray,
        uv: np.ndarray,
        part: int,
        leader: np.ndarray | None = None,
        follow: float = 1.0,
        side: int = 0,
        midline: np.ndarray | None = None,
    ) -> np.ndarray:
        """Append vertices and return their rows."""
        rows = self.count + np.arange(len(points))
        self.points.append(points)
        self.uv.append(uv)
        self.part.append(np.full(len(points), part))
        self.leader.append(rows if leader is None else leader)
        self.follow.append(np.full(len(points), follow))
        self.side.append(np.full(len(points), side))
        self.midline.append(np.zeros(len(points), bool) if midline is None else midline)
        self.count += len(points)
        return rows


def _skin_uv(s: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Unroll the skin onto the upper part of the picture; the face gets a larger share than the rest of the head."""
    middle = (TOP + BOTTOM) / 2 - 28
    u = 0.5 + 0.5 * _magnified(s / SIDE, 0.7)
    over = np.where(v > middle, (v - middle) / (TOP - middle), (v - middle) / (middle - BOTTOM))
    height = (middle - BOTTOM) / (TOP - BOTTOM)
    grown = height + np.where(over > 0, 1 - height, height) * _magnified(over, 0.65)
    return np.stack([u, _SKIN_UV_BOTTOM + (1 - _SKIN_UV_BOTTOM) * grown], axis=-1)


def _magnified(t: np.ndarray, more: float) -> np.ndarray:
    """Map -1..1 onto itself, enlarging the middle at the cost of the ends."""
    return t * (1 + more * (1 - np.abs(t)))


def _strip(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Triangles between two rows of vertices; counter-clockwise when ``a`` runs right below ``b``."""
    quads = np.stack([a[:-1], a[1:], b[1:], b[:-1]], axis=1)
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    ends = triangles[:, [0, 1, 2]] != triangles[:, [1, 2, 0]]
    return triangles[ends.all(axis=1)]


def _add_rims(half: _Half, layout: Layout) -> None:
    """Turn the lids' edge in, first to just above the eyeball and then into it, so that no gap shows."""
    edge = layout.lid_edge
    skin = half.points[0][edge]
    flat = np.stack([layout.s[edge], layout.v[edge]], axis=1)
    middle = flat.mean(axis=0)
    previous = edge
    for row, radius in enumerate(_RIM_RADII):
        ray = skin - sculpt.EYE
        ray[:, :2] *= (1.0, 1.04)[row]
        points = sculpt.EYE + radius * ray / np.linalg.norm(ray, axis=1, keepdims=True)
        if row == 0:
            # In the inner corner a hillock of flesh fills what the ball leaves open.
            points += _CARUNCLE * np.exp(-(((skin[:, :1] - skin[0, 0]) / 3.5) ** 2)) * (skin - points)
        inward = middle + (flat - middle) * (0.9, 0.8)[row]
        rows = half.add(points, _skin_uv(inward[:, 0], inward[:, 1]), RIM, leader=edge)
        half.triangles.append(_strip(np.append(rows, rows[0]), np.append(previous, previous[0])))
        previous = rows


def _mouth_uv(across: np.ndarray, share: float) -> np.ndarray:
    """An upper row of the mouth's patch, which is nested boxes: the lips' edge outside, at 1, its depth inside, at 0.

    ``across`` is -1 and 1 at the corners, which both of the box's halves share.
    """
    half_height = _MOUTH_UV_TOP / 2
    height = np.where(np.abs(across) == 1, 0, share * (half_height - _MOUTH_UV_EDGE))
    return np.stack([0.5 + _MOUTH_UV_HALF * (0.6 + 0.4 * share) * across, half_height + height], axis=1)


def _add_mouth(half: _Half, layout: Layout) -> None:
    """Lead the lips' edges back into a pocket that is shut in the lips' rest and opens with them."""
    upper, lower = layout.upper_lip, layout.lower_lip
    columns = len(upper)
    across = np.linspace(0, 1, columns)
    edge = half.points[0][upper]
    midline = np.arange(columns - 1) == 0
    previous = upper, lower
    for row, (back, opening, follow) in enumerate(zip(_MOUTH_BACK_MM, _MOUTH_OPEN_MM, _MOUTH_FOLLOW, strict=True)):
        last = row == len(_MOUTH_BACK_MM) - 1
        points = edge.copy()
        points[:, 0] *= 1 - 0.45 * back / _MOUTH_BACK_MM[-1]
        points[:, 2] -= back * (1 - 0.55 * across**2)
        lift = opening * np.sqrt(1 - across**2)
        uv = _mouth_uv(across, 1 - (row + 1) / len(_MOUTH_BACK_MM))
        corner = half.add(points[-1:], uv[-1:], MOUTH, upper[-1:], follow)
        sides: list[np.ndarray] = []
        for side, leader in ((1, upper), (-1, lower)):
            if last and side < 0:
                sides.append(sides[0])
                continue
            shifted = points[:-1] + side * lift[:-1, None] * np.array([0, 1, 0])
            shifted_uv = uv[:-1] if side > 0 else uv[:-1] * [1, -1] + [0, _MOUTH_UV_TOP]
            mark = 0 if last else side
            rows = half.add(shifted, shifted_uv, MOUTH, leader[:-1], follow, mark, midline)
            sides.append(np.append(rows, corner))
        half.triangles += [_strip(sides[0], previous[0]), _strip(previous[1], sides[1])]
        previous = sides[0], sides[1]


def _add_eyeball(half: _Half) -> None:
    """A ball with the slight bulge of the cornea, which shows where the eye looks."""
    rings, around = 14, 28
    polar = np.pi * np.linspace(0, 1, rings + 1)[1:-1] ** 1.15
    turn = 2 * np.pi * np.arange(around) / around
    radius = sculpt.EYE_RADIUS + 0.55 * np.exp(-((polar / 0.33) ** 4))
    ring = np.stack(
        [
            np.sin(polar)[:, None] * np.cos(turn),
            np.sin(polar)[:, None] * np.sin(turn),
            np.broadcast_to(np.cos(polar)[:, None], (rings - 1, around)),
        ],
        axis=-1,
    )
    points = np.concatenate(
        [[[0, 0, radius[0]]], (radius[:, None, None] * ring).reshape(-1, 3), [[0, 0, -sculpt.EYE_RADIUS]]]
    )
    # Widened at the pupil, so that an iris finds room in the picture.
    share = np.concatenate([[0], np.repeat(np.sqrt(polar / np.pi), around), [1]])
    angle = np.concatenate([[0], np.tile(turn, rings - 1), [0]])
    uv = _EYE_UV_CENTRE + _EYE_UV_RADIUS * share[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rows = half.add(points + sculpt.EYE, uv, EYEBALL)
    loops = [np.full(around + 1, rows[0])]
    loops += [np.append(loop, loop[0]) for loop in rows[1:-1].reshape(rings - 1, around)]
    loops.append(np.full(around + 1, rows[-1]))
    half.triangles += [_strip(outer, inner) for inner, outer in pairwise(loops)]


def _add_teeth(half: _Half, part: int) -> None:
    """A row of teeth as one sheet: its front, and the biting edge turned back."""
    down = -1 if part == UPPER_TEETH else 1
    edge = _TEETH_EDGE_Y[part]
    x = np.linspace(0, 24, 25)
    tooth = np.abs(np.mod(x, 8.0) - 4) / 4  # 1 between two teeth
    rows = []
    for row, (height, back) in enumerate(_TEETH_ROWS):
        y = edge + down * (height - 0.8 * tooth**6 * (height == 0))
        z = _TEETH_FRONT_Z[part] - back - 0.032 * x**2 - 0.9 * tooth**6
        points = np.stack([x, np.broadcast_to(y, x.shape), z], axis=1)
        strip = _TEETH_UV_MIDDLE - down * _TEETH_UV_ROW * (len(_TEETH_ROWS) - 0.5 - row)
        uv = np.stack([0.5 + _TEETH_UV_MM * x, np.full_like(x, strip)], axis=1)
        rows.append(half.add(points, uv, part, midline=x == 0))
    if down > 0:
        rows.reverse()
    half.triangles += [_strip(below, above) for above, below in pairwise(rows)]


@cache
def embedded_surface() -> Surface:
    """Build the neutral mesh."""
    layout = lay_out()
    half = _Half(layout)
    _add_rims(half, layout)
    _add_mouth(half, layout)
    _add_eyeball(half)
    _add_teeth(half, UPPER_TEETH)
    _add_teeth(half, LOWER_TEETH)
    return _mirrored(half, layout)


def _mirrored(half: _Half, layout: Layout) -> Surface:
    midline = np.concatenate(half.midline)
    count = half.count
    other = np.arange(count)
    other[~midline] = count + np.arange((~midline).sum())
    left = np.flatnonzero(~midline)
    mirror = np.concatenate([other, left])

    def both(values: list[np.ndarray]) -> np.ndarray:
        whole = np.concatenate(values)
        return np.concatenate([whole, whole[left]])

    vertices = both(half.points)
    vertices[count:, 0] *= -1
    triangles = np.concatenate(half.triangles)
    uv = both(half.uv)
    uv[count:, 0] = 1 - uv[count:, 0]
    leader = np.concatenate(half.leader)
    triangles = np.concatenate([triangles, other[triangles][:, ::-1]]).astype(np.int32)
    part = both(half.part)
    upper_lip = np.concatenate([other[layout.upper_lip[:0:-1]], layout.upper_lip])
    lower_lip = np.concatenate([other[layout.lower_lip[:0:-1]], layout.lower_lip])
    uv, uv_triangles = _seam(uv, vertices, triangles, part, upper_lip, lower_lip)
    return Surface(
        vertices=vertices,
        triangles=triangles,
        uv=uv.astype(np.float32),
        uv_triangles=uv_triangles.astype(np.int32),
        mirror=mirror,
        part=part,
        leader=np.concatenate([leader, other[leader[left]]]),
        follow=both(half.follow),
        side_of_mouth=both(half.side),
        lid_edge=np.stack([layout.lid_edge, other[layout.lid_edge]]),
        upper_lip=upper_lip,
        lower_lip=lower_lip,
    )


def _seam(
    uv: np.ndarray,
    vertices: np.ndarray,
    triangles: np.ndarray,
    part: np.ndarray,
    upper_lip: np.ndarray,
    lower_lip: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Cut the picture's parts where they cannot be unrolled.

    The lips' edges get a second place, where the inside of the mouth begins; the hindmost triangles of the eyeballs,
    which nobody sees, get no area.
    """
    edge = _mouth_uv(np.linspace(-1, 1, len(upper_lip)), 1.0)
    inner = np.arange(len(uv))
    added: list[np.ndarray] = []
    for lip, places in ((lower_lip, edge * [1, -1] + [0, _MOUTH_UV_TOP]), (upper_lip, edge)):
        inner[lip] = len(uv) + len(added) * len(lip) + np.arange(len(lip))
        added.append(places)
    inside = (part[triangles] == MOUTH).any(axis=1)
    uv_triangles = np.where(inside[:, None], inner[triangles], triangles)
    eyes = part == EYEBALL
    hindmost = eyes & (vertices[:, 2] == vertices[eyes, 2].min())
    behind = hindmost[triangles]
    uv_triangles = np.where(behind, np.roll(uv_triangles, 1, axis=1), uv_triangles)
    return np.concatenate([uv, *added]), uv_triangles
