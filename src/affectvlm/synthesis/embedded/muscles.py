"""How the embedded face's skin is pulled: zones of influence, after Waters' muscles (SIGGRAPH 1987).

Everything works on the face folded onto its left half, so that what it gives is symmetric; ``unfold`` brings
the motion back onto both halves.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.sparse import coo_matrix

from affectvlm.synthesis.embedded import sculpt
from affectvlm.synthesis.embedded.layout import INNER_CANTHUS, OUTER_CANTHUS, lid_edges
from affectvlm.synthesis.embedded.relief import band, nasolabial_fold
from affectvlm.synthesis.embedded.surface import EYEBALL, LOWER_TEETH, SKIN, UPPER_TEETH, Surface, embedded_surface

CORNER = np.array([sculpt.MOUTH_HALF_WIDTH, sculpt.MOUTH_Y - 1.3])
"""The left corner of the mouth, from the front."""


class Skin:
    """The neutral surface as the muscles see it: each vertex at its leader's place, folded to x >= 0.

    Attributes
    ----------
    x, y, z : (V,) float64, mm
    normal : (V, 3) float64
        Of the smoothed surface, folded.
    over : (V,) float
        1 above the mouth's slit, -1 below it.
    part_of_slit : (V,) float
        How far the lips can part at this x: 1 at the midline, 0 from the corner on.
    """

    def __init__(self, surface: Surface) -> None:
        self.surface = surface
        folded = surface.vertices[surface.leader] * _fold(surface)
        self.x, self.y, self.z = folded.T
        self.normal = (_smooth_normals(surface) * _fold(surface))[surface.leader]
        above = np.where(self.y >= sculpt.mouth_line(self.x), 1, -1)
        marked = np.where(surface.side_of_mouth != 0, surface.side_of_mouth, surface.side_of_mouth[surface.leader])
        self.over = np.where(marked != 0, marked, above)
        self.part_of_slit = np.sqrt(np.maximum(1 - (self.x / sculpt.MOUTH_HALF_WIDTH) ** 2, 0))
        self.lower_teeth = surface.part == LOWER_TEETH
        self.movable = ~np.isin(surface.part, (EYEBALL, UPPER_TEETH, LOWER_TEETH))
        self.off_midline = np.tanh(self.x / 5)

    def zone(self, x: float, y: float, wide: float, tall: float) -> np.ndarray:
        """Gaussian zone of influence around a place seen from the front, fading behind the cheeks."""
        across = np.exp(-0.5 * ((self.x - x) / wide) ** 2)
        across = across + np.exp(-0.5 * ((self.x + x) / wide) ** 2)
        across = across / (1 + np.exp(-2 * (x / wide) ** 2))  # both sides' together, or x = 0 would show a kink
        return across * np.exp(-0.5 * ((self.y - y) / tall) ** 2) * band(self.z, -110, -75, 50, 60)

    def across_lips(self, away: np.ndarray) -> np.ndarray:
        """1 at the midline, 0 at the corners' sides: steeply beside the slit, gently at a distance from it."""
        beside = np.exp(-((away / 5) ** 2))
        return beside * self.part_of_slit + (1 - beside) * np.exp(-0.5 * (self.x / 14) ** 2)

    def lip(self, upper: bool, reach: float = 9.0) -> np.ndarray:
        """1 on one lip's edge at the midline, fading with the height over it and towards the corner."""
        away = np.abs(self.y - sculpt.mouth_line(self.x))
        side = self.over > 0 if upper else self.over < 0
        return side * self.across_lips(away) * np.exp(-0.5 * (away / reach) ** 2) * band(self.z, -60, -40, 50, 60)

    def slide(self, right: np.ndarray, up: np.ndarray) -> np.ndarray:
        """Move along the skin by what is ``right`` (away from the midline) and ``up``, seen from the front."""
        pull = np.stack([right * self.off_midline, up, np.zeros_like(up)], axis=1)
        return pull - (pull * self.normal).sum(axis=1, keepdims=True) * self.normal

    def swell(self, height: np.ndarray) -> np.ndarray:
        """Move out along the normals."""
        return height[:, None] * self.normal

    def push(self, right: np.ndarray, up: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Move in space."""
        return np.stack([right * self.off_midline, up, out], axis=1)

    def furrow(self, depth: float, start: float = 0.0, end: float = 1.0) -> np.ndarray:
        """The nasolabial fold: a groove and, beside it, the cheek's roll, between two shares of its length."""
        fold = nasolabial_fold(self.x, self.y, start, end)
        return self.swell(depth * fold * band(self.z, -110, -75, 50, 60))

    def lids(self, upper_mm: float, lower_mm: float) -> np.ndarray:
        """Turn the lids about the eyeball: so much upwards at the middle of the upper and the lower edge."""
        upper, lower = lid_edges(self.x)
        t = np.clip((self.x - INNER_CANTHUS[0]) / (OUTER_CANTHUS[0] - INNER_CANTHUS[0]), 0, 1)
        shape = np.sin(np.pi * t)
        return self._turn_lids(upper + upper_mm * shape, lower + lower_mm * shape)

    def shut(self, meeting: float = 0.22) -> np.ndarray:
        """Turn the lids until they meet, at this share of the opening's height."""
        upper, lower = lid_edges(self.x)
        return self._turn_lids(*([lower + meeting * (upper - lower)] * 2))

    def _edge_radius(self) -> tuple[np.ndarray, np.ndarray]:
        """How far the upper and the lower lid's edge stand from the axis they turn about, at each x."""
        edge = self.surface.lid_edge[0]
        half = len(edge) // 2
        radius = np.hypot(self.y - sculpt.EYE[1], self.z - sculpt.EYE[2])
        upper, lower = edge[: half + 1], np.append(edge[0], edge[: half - 1 : -1])
        over, under = (np.interp(self.x, self.x[lid], radius[lid]) for lid in (upper, lower))
        return np.maximum(over, 6.0), np.maximum(under, 6.0)

    def _turn_lids(self, upper_goal: np.ndarray, lower_goal: np.ndarray) -> np.ndarray:
        upper, lower = lid_edges(self.x)
        over = self.y > (upper + lower) / 2
        radius = np.where(over, *self._edge_radius())

        def angle(height: np.ndarray) -> np.ndarray:
            return np.arcsin(np.clip((height - sculpt.EYE[1]) / radius, -0.95, 0.95))

        turn = np.where(
            over,
            (angle(upper_goal) - angle(upper)) * band(self.y - upper, -3, -0.2, 0.2, 11),
            (angle(lower_goal) - angle(lower)) * band(lower - self.y, -3, -0.2, 0.2, 12),
        )
        turn *= band(self.z, -70, -60, 50, 60)
        dy, dz = self.y - sculpt.EYE[1], self.z - sculpt.EYE[2]
        turn *= np.minimum(1, radius / np.hypot(dy, dz))  # far skin goes no farther than the edge that pulls it
        return np.stack(
            [
                np.zeros_like(turn),
                dy * np.cos(turn) + dz * np.sin(turn) - dy,
                dz * np.cos(turn) - dy * np.sin(turn) - dz,
            ],
            axis=1,
        )

    def unfold(self, motion: np.ndarray, jaw: bool = False) -> np.ndarray:
        """Bring a folded motion of leaders onto both halves and everything that follows.

        Eyeballs and teeth follow no muscle; the lower teeth follow the ``jaw``.
        """
        moved = self.movable | (self.lower_teeth & jaw)
        whole = motion * _fold(self.surface) * (self.surface.follow * moved)[:, None]
        return (whole + whole[self.surface.mirror] * np.array([-1, 1, 1])) / 2


def _fold(surface: Surface) -> np.ndarray:
    """(V, 3) -1 in x on the right half."""
    sign = np.ones_like(surface.vertices)
    sign[surface.vertices[surface.leader, 0] < 0, 0] = -1
    return sign


def _smooth_normals(surface: Surface, rounds: int = 12) -> np.ndarray:
    corners = surface.vertices[surface.triangles]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    count = len(surface.vertices)
    normals = np.stack(
        [np.bincount(surface.triangles.ravel(), np.repeat(area[:, k], 3), count) for k in range(3)], axis=1
    )
    i, j = surface.triangles.ravel(), np.roll(surface.triangles, 1, axis=1).ravel()
    skin = (surface.part[i] == SKIN) & (surface.part[j] == SKIN)
    links = coo_matrix((np.ones(skin.sum()), (i[skin], j[skin])), (count, count)).tocsr()
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    for _ in range(rounds):
        normals = normals + links @ normals
        normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    return normals


@cache
def embedded_skin() -> Skin:
    """The neutral surface, ready to be pulled."""
    return Skin(embedded_surface())
