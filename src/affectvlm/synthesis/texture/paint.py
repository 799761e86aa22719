"""Paint a person's colours on any face model: a picture laid on by the model's own texture coordinates.

Faces are not of one colour: cheeks, nose, ears and chin are redder, the forehead yellower, the surroundings of the
eyes darker. Each part's place comes from :mod:`~affectvlm.synthesis.texture.face_zones`, its colour from
:class:`~affectvlm.synthesis.texture.complexion.Complexion`; the paint is mixed in CIELAB, where equal steps look equal.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from affectvlm.synthesis.face_model import REGIONS, FaceModel
from affectvlm.synthesis.texture.complexion import Complexion, lab_to_srgb
from affectvlm.synthesis.texture.face_zones import FaceZones, find_zones, ramp
from affectvlm.synthesis.texture.grain import hairs, noise, spots
from affectvlm.synthesis.texture.texel_map import TexelMap, map_texels

IRIS_MM, PUPIL_MM = 5.9, 1.8
"""Radii."""

BROW_HALF_MM = 4.2
"""Half the height of a brow where it is thickest."""

HAIRS_PER_BROW = 260

SCLERA = (80.0, 1.5, 3.0)
GUM = (38.0, 26.0, 14.0)
TOOTH = (80.0, 1.0, 13.0)

SKIN, EYES, MOUTH, TEETH = range(len(REGIONS))


def paint(model: FaceModel, complexion: Complexion, size_px: int = 512) -> np.ndarray:
    """Paint a person.

    Parameters
    ----------
    model : FaceModel
        With texture coordinates in [0, 1] that do not lie over each other
        (:func:`~affectvlm.synthesis.texture.uv_atlas.pack_tiles`).
    complexion : Complexion
        The same one gives the same picture.
    size_px : int

    Returns
    -------
    (size_px, size_px, 3) uint8
        sRGB, top row first, as :class:`~affectvlm.scan.FaceScan` takes it.
    """
    texels, zones = _ground(model, size_px)
    lab = np.empty((len(texels.places), 3), np.float32)
    skin, eyes = np.flatnonzero(texels.region == SKIN), np.flatnonzero(texels.region == EYES)
    lab[skin] = _skin(complexion, texels, zones)[skin]
    lab[eyes] = _eyes(complexion, texels.places[eyes], zones.iris[eyes], texels.light[eyes])
    inside = texels.region == MOUTH
    lab[inside] = _mouth(complexion, zones.depth[inside], zones.lips[inside])
    teeth = texels.region == TEETH
    depth = np.clip(zones.depth[teeth] / 45, 0, 1)[:, None]
    lab[teeth] = np.array(TOOTH, np.float32) * np.concatenate([1 - 0.7 * depth, 1 + 0 * depth, 1 - 0.3 * depth], axis=1)
    return lab_to_srgb(lab)[texels.nearest]


@lru_cache(maxsize=4)
def _ground(model: FaceModel, size_px: int) -> tuple[TexelMap, FaceZones]:
    """Find what all people of one face model share."""
    texels = map_texels(model, size_px)
    return texels, find_zones(model, texels)


def _skin(complexion: Complexion, texels: TexelMap, zones: FaceZones) -> np.ndarray:
    """(N, 3) Lab of the skin with all that is on it."""
    c, places, seed = complexion, texels.places, complexion.seed
    fair = float(np.clip((c.skin[0] - 30) / 35, 0, 1))
    broad, patches = noise(places, 24, seed), noise(places, 9, seed + 1)
    fine = noise(places, 2.6, seed + 2) + 0.7 * noise(places, 1.1, seed + 3)
    blood = c.ruddiness * (0.5 + 0.5 * fair)
    lab = np.empty((len(places), 3), np.float32)
    lab[:, 0] = c.skin[0] + c.mottling * (0.8 * broad + 0.9 * patches + 0.9 * fine)
    lab[:, 1] = c.skin[1] + c.mottling * (0.7 * broad - 0.9 * patches) + 0.3 * fine
    lab[:, 2] = c.skin[2] + c.mottling * 0.5 * broad
    lab += zones.flush[:, None] * (1 + 0.25 * patches[:, None]) * blood * np.array([-2.6, 5.0, -0.6], np.float32)
    lab += zones.forehead[:, None] * np.array([0.8, -0.6, 1.4], np.float32)
    lab += zones.sockets[:, None] * c.eye_shadows * np.array([-7.0, 1.8, -2.0], np.float32)
    lines = zones.folds * (0.75 + 0.25 * broad) * (0.35 + 0.65 * fair)
    lab += (lines * c.wrinkles)[:, None] * np.array([-12.0, 2.5, -0.5], np.float32)
    if c.freckles:
        marks = spots(places, 3.2, 1.0, zones.freckled * np.float32(0.75 * c.freckles), seed + 10)
        lab += marks[:, None] * np.array([-7.0, 3.0, 4.0], np.float32)
    if c.age_spots:
        marks = spots(places, 13, 2.8, np.full(len(places), 0.5 * c.age_spots, np.float32), seed + 20)
        lab += marks[:, None] * np.array([-5.0, 1.5, 3.0], np.float32)
    marks = spots(places, 30, 1.4, np.full(len(places), 0.12, np.float32), seed + 30)
    lab += marks[:, None] * (np.array([22, 9, 10], np.float32) - lab) * 0.6
    lab = _blend(lab, c.hair, 0.42 * c.stubble * zones.beard * (0.85 + 0.3 * np.clip(fine, -1, 1)))
    lab = _paint_lips(lab, c, zones, broad, fine)
    lab = _paint_lids(lab, c, zones)
    # Brows are darker than the hair of the head, grey ones too.
    brow = (0.72 * c.hair[0], c.hair[1], c.hair[2] + 1)
    lab = _blend(lab, brow, _brow_cover(c, texels, zones))
    lab = _paint_hair(lab, c, places, zones)
    shade = 1 - 0.62 * (1 - texels.light) ** 1.2
    lab[:, 0] *= shade
    lab[:, 1:] *= (0.5 + 0.5 * shade)[:, None]
    return lab


def _paint_lips(lab: np.ndarray, c: Complexion, zones: FaceZones, broad: np.ndarray, fine: np.ndarray) -> np.ndarray:
    near = np.flatnonzero(zones.lips > -3)
    lips = np.array(c.lips, np.float32) + np.stack(
        [1.2 * broad[near] + 1.6 * fine[near], 0.8 * fine[near], 0 * near], axis=1
    ).astype(np.float32)
    line = np.exp(-((zones.mouth_line[near] / 0.9) ** 2))
    lips += line[:, None] * np.array([-0.45 * c.lips[0], 1.0, -2.0], np.float32)
    cover = ramp(zones.lips[near], -0.9, 1.3)[:, None]
    lab[near] += cover * (lips - lab[near])
    return lab


def _paint_lids(lab: np.ndarray, c: Complexion, zones: FaceZones) -> np.ndarray:
    upper = np.exp(-((zones.lids / 1.0) ** 2)) * c.lash_line
    lower = np.exp(-((zones.lower_lids / 0.8) ** 2)) * c.lash_line
    lab = _blend(lab, (14.0, 3.0, 3.0), np.clip(0.95 * upper, 0, 1))
    return _blend(lab, (24.0, 8.0, 6.0), np.clip(0.5 * lower, 0, 1))


def _brow_cover(c: Complexion, texels: TexelMap, zones: FaceZones) -> np.ndarray:
    """(N,) how much hair covers the brows: a faint ground of fine ones and single strong ones."""
    cover = np.zeros(len(texels.places), np.float32)
    rng = np.random.default_rng(c.seed)
    for side in (1, 2):
        here = np.flatnonzero(zones.brow == side)
        along, above = zones.brow_place[here, 0], zones.brow_place[here, 1]
        half = c.brow_thickness * BROW_HALF_MM
        height = half * _brow_height(along)
        ground = (
            np.exp(-((above / np.maximum(0.8 * height, 0.3)) ** 2)) * ramp(along, -0.1, 0.2) * ramp(-along, -1.03, -0.8)
        )
        count = int(HAIRS_PER_BROW * c.brow_density)
        root_along = rng.uniform(-0.03, 0.95, count)
        root_above = rng.uniform(-1, 1, count) * half * _brow_height(root_along)
        # Hairs stand upright at the nose's root and lie outwards further on, the upper ones leaning down.
        turn = np.radians(78 - 62 * ramp(root_along, 0.0, 0.35) - 26 * np.clip(root_above / half, -0.4, 1))
        turn += rng.normal(0, 0.15, count)
        length = rng.uniform(4, 7.5, count) * (1 - 0.35 * root_along)
        roots = np.stack([root_along * zones.brow_mm, root_above - 0.8], axis=1).astype(np.float32)
        tips = roots + (length[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)).astype(np.float32)
        flat = np.stack([along * zones.brow_mm, above], axis=1).astype(np.float32)
        strokes = hairs(flat, roots, tips, 0.3)
        cover[here] = np.clip(0.42 * min(c.brow_density, 1.4) * ground + 0.75 * strokes, 0, 0.93)
    return cover


def _brow_height(along: np.ndarray) -> np.ndarray:
    """In parts of the greatest: full over the inner half, then tapering to a point."""
    return np.interp(along, [-0.1, 0.05, 0.35, 0.65, 0.9, 1.05], [0.55, 0.9, 1.0, 0.72, 0.36, 0.1])


def _paint_hair(lab: np.ndarray, c: Complexion, places: np.ndarray, zones: FaceZones) -> np.ndarray:
    here = np.flatnonzero(zones.scalp > c.hairline_mm - 14)
    if not len(here):
        return lab
    at = places[here]
    # Strands run back from the face: long along it, narrow across.
    middle = at.mean(axis=0)
    turn = np.arctan2(at[:, 0], at[:, 1] - middle[1] + 60)
    strands = np.stack([85 * turn, 0.10 * at[:, 1], 0.10 * at[:, 2]], axis=1).astype(np.float32)
    strand = noise(strands, 1.6, c.seed + 40) + 0.6 * noise(strands, 4.5, c.seed + 41)
    edge = zones.scalp[here] - c.hairline_mm + 4 * noise(at, 9, c.seed + 42) + 2.5 * strand
    hair = np.array(c.hair, np.float32) * (1 + 0.22 * strand[:, None]).astype(np.float32)
    cover = (0.97 * ramp(edge, -5, 8))[:, None]
    lab[here] += cover * (hair - lab[here])
    return lab


def _eyes(c: Complexion, places: np.ndarray, disk: np.ndarray, light: np.ndarray) -> np.ndarray:
    """(n, 3) Lab of the white with its veins, the iris with its fibres and dark rim, and the pupil."""
    radius = np.sqrt(np.einsum("nx,nx->n", disk, disk))
    turn = np.arctan2(disk[:, 1], disk[:, 0])
    outwards = ramp(radius, 6, 12)
    veins = np.clip(1 - 7 * np.abs(noise(places, 2.2, c.seed + 50)), 0, 1) * outwards
    lab = np.array(SCLERA, np.float32) + (
        outwards[:, None] * np.array([-5.0, 4.5, 2.5], np.float32)
        + veins[:, None] * np.array([-4.0, 7.0, 2.0], np.float32)
    )
    spokes = np.stack([5 * np.cos(turn), 5 * np.sin(turn), 0.25 * radius], axis=1).astype(np.float32)
    fibre = noise(spokes, 0.35, c.seed + 51) + 0.5 * noise(spokes, 1.0, c.seed + 52)
    ring = ramp(radius, 4.6, 5.7)
    collarette = np.exp(-(((radius - 2.9) / 0.8) ** 2))
    iris = np.array(c.iris, np.float32) * (1 + 0.22 * fibre + 0.15 * collarette - 0.55 * ring)[:, None].astype(
        np.float32
    )
    lab += ramp(-radius, -IRIS_MM - 0.35, -IRIS_MM + 0.35)[:, None] * (iris - lab)
    lab += ramp(-radius, -PUPIL_MM - 0.3, -PUPIL_MM + 0.2)[:, None] * (np.array([4, 0, 0], np.float32) - lab)
    lab[:, 0] *= 0.72 + 0.28 * light
    return lab


def _mouth(c: Complexion, depth: np.ndarray, lips: np.ndarray) -> np.ndarray:
    """(n, 3) Lab: the lips' own colour at their edge, wet red behind, black in the throat."""
    lab = np.empty((len(depth), 3), np.float32)
    lab[:] = GUM
    fall = np.exp(-np.clip(depth - 6, 0, None) / 16)
    lab *= fall[:, None]
    lab[:, 1] = np.minimum(lab[:, 1], 0.8 * lab[:, 0] + 2)
    edge = ramp(-depth, -6, 0) * ramp(lips, -2, 0)
    return _blend(lab, (0.75 * c.lips[0], c.lips[1], c.lips[2]), 0.8 * edge)


def _blend(lab: np.ndarray, colour: tuple[float, float, float], cover: np.ndarray) -> np.ndarray:
    return lab + cover[:, None].astype(np.float32) * (np.array(colour, np.float32) - lab)
