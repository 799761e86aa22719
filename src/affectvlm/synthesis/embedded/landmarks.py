"""The embedded face's 68 landmarks of Multi-PIE and iBUG, found from how the face is made."""

from __future__ import annotations

import numpy as np

from affectvlm.synthesis.embedded import sculpt
from affectvlm.synthesis.embedded.relief import BROW
from affectvlm.synthesis.embedded.surface import SKIN, Surface

# The left half of each run of points, from the midline outwards, mm: where no edge of the mesh marks them.
_JAW = ((0, -80, -25), (16, -77.5, -30), (31, -71, -43), (45, -62, -58), (57, -46, -72), (63, -27, -83),
        (66, -9, -89), (68, 10, -93), (69, 32, -95))  # fmt: skip
_NOSE_RIDGE = ((0, 34, -20), (0, 22.5, -14), (0, 11, -7))
_UNDER_NOSE = ((0, -14, -17), (6.3, -13, -18), (12, -11.5, -22))
_BROW_SHARES = (0.02, 0.25, 0.5, 0.75, 0.98)
_OUTER_LIP_SHARES = (0.0, 0.3, 0.67)
_INNER_LIP_SHARES = (0.0, 0.4)


def embedded_landmarks(surface: Surface) -> np.ndarray:
    """Find the vertices of the 68 points, (68,) int32: right and left ones are exact mirrors of each other."""
    upper, lower = _red_borders(surface)
    corner = surface.upper_lip[-1]
    beside_corner = _nearest(surface, surface.vertices[corner] + [2.0, 0, -1.0])
    jaw = [_nearest(surface, place) for place in _JAW]
    brow = [_nearest(surface, place) for place in _on_the_skin(surface, _brow_places())]
    ridge = [_nearest(surface, place) for place in _NOSE_RIDGE] + [_nose_tip(surface)]
    under_nose = [_nearest(surface, place) for place in _UNDER_NOSE]
    inner, above_inner, above_outer, outer, below_outer, below_inner = _eye(surface)
    upper_slit, lower_slit = (_slit(surface, lip) for lip in (surface.upper_lip, surface.lower_lip))
    other = surface.mirror
    runs: list[np.ndarray] = [
        _mirrored_run(other, jaw),
        other[brow[::-1]],
        np.array(brow),
        np.array(ridge),
        _mirrored_run(other, under_nose),
        other[[outer, above_outer, above_inner, inner, below_inner, below_outer]],
        np.array([inner, above_inner, above_outer, outer, below_outer, below_inner]),
        _mirrored_run(other, [*upper, beside_corner]),
        _mirrored_run(other, lower)[::-1],
        _mirrored_run(other, [*upper_slit, corner]),
        _mirrored_run(other, lower_slit)[::-1],
    ]
    return np.concatenate(runs).astype(np.int32)


def _mirrored_run(other: np.ndarray, half: list[int]) -> np.ndarray:
    """From the right end over the midline, which ``half`` begins with, to the left end."""
    return np.concatenate([other[half[:0:-1]], half])


def _nearest(surface: Surface, place: tuple[float, float, float] | np.ndarray) -> int:
    """The skin vertex of the left half, or for a place on the midline of the midline, that is nearest."""
    x = surface.vertices[:, 0]
    allowed = (surface.part == SKIN) & ((x == 0) if place[0] == 0 else (x > 0))
    gap = np.linalg.norm(surface.vertices - np.asarray(place, float), axis=1)
    return int(np.where(allowed, gap, np.inf).argmin())


def _on_the_skin(surface: Surface, places: np.ndarray) -> np.ndarray:
    """Give places (n, 2), seen from the front, the depth of the skin there."""
    front = (surface.part == SKIN) & (surface.vertices[:, 2] > -80)
    near = np.linalg.norm(surface.vertices[None, :, :2] - places[:, None], axis=2)
    depth = surface.vertices[np.where(front, near, np.inf).argmin(axis=1), 2]
    return np.column_stack([places, depth])


def _nose_tip(surface: Surface) -> int:
    return int(np.where(surface.part == SKIN, surface.vertices[:, 2], -np.inf).argmax())


def _brow_places() -> np.ndarray:
    length = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(BROW, axis=0), axis=1))])
    at = np.array(_BROW_SHARES) * length[-1]
    return np.stack([np.interp(at, length, BROW[:, k]) for k in range(2)], axis=1)


def _eye(surface: Surface) -> list[int]:
    """The left eye's six points: inner canthus, two on the upper lid, outer canthus, two on the lower lid."""
    edge = surface.lid_edge[0]
    half = len(edge) // 2
    upper, lower = edge[1:half], edge[half + 1 :]
    x = surface.vertices[:, 0]
    inner, outer = x[edge[0]], x[edge[half]]

    def at(lid: np.ndarray, share: float) -> int:
        return int(lid[np.abs(x[lid] - inner - share * (outer - inner)).argmin()])

    return [edge[0], at(upper, 1 / 3), at(upper, 2 / 3), edge[half], at(lower, 2 / 3), at(lower, 1 / 3)]


def _red_borders(surface: Surface) -> tuple[list[int], list[int]]:
    """Points on the border of the red of the upper and of the lower lip."""
    x = np.array(_OUTER_LIP_SHARES) * sculpt.MOUTH_HALF_WIDTH
    return tuple(  # type: ignore[return-value]
        [_nearest(surface, place) for place in _on_the_skin(surface, np.column_stack([x, height]))]
        for height in sculpt.red_borders(x)
    )


def _slit(surface: Surface, lip: np.ndarray) -> list[int]:
    """Points on one lip's inner edge, from the midline outwards."""
    x = surface.vertices[lip, 0]
    return [int(lip[np.abs(x - share * sculpt.MOUTH_HALF_WIDTH).argmin()]) for share in _INNER_LIP_SHARES]
