"""The embedded face's action units at full strength, after Ekman and Friesen's Facial Action Coding System.

Each function gives one unit's motion of the folded skin, (V, 3) mm: away from the midline, up, forward.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from affectvlm.synthesis.embedded import sculpt
from affectvlm.synthesis.embedded.muscles import CORNER, Skin, embedded_skin
from affectvlm.synthesis.embedded.relief import band

JAW_HINGE = np.array([0.0, 6.0, -100.0])
"""The temporomandibular joint's axis runs through here, from ear to ear."""
MIDLINE_BLEND_MM = 10.0
"""Left and right halves of a shape fade into each other over this distance on both sides of the midline."""


def _inner_brow_raiser(skin: Skin) -> np.ndarray:
    lateral = np.exp(-0.5 * (np.maximum(skin.x - 11, 0) / 9) ** 2)
    lift = lateral * band(skin.y, 38, 48, 56, 88)
    wrinkles = 0.7 * lateral * np.cos((skin.y - 64) * 0.75) * band(skin.y, 55, 62, 74, 84)
    return skin.slide(0 * lift, 9.0 * lift) + skin.swell(wrinkles + 0.8 * lift)


def _outer_brow_raiser(skin: Skin) -> np.ndarray:
    lateral = np.exp(-0.5 * ((skin.x - 42) / np.where(skin.x < 42, 15, 12)) ** 2)
    lift = lateral * band(skin.y, 37, 47, 57, 88) * band(skin.z, -100, -70, 50, 60)
    wrinkles = 0.6 * lateral * np.cos((skin.y - 65) * 0.75) * band(skin.y, 57, 63, 74, 84)
    return skin.slide(0.6 * lift, 8.5 * lift) + skin.swell(wrinkles + 0.6 * lift)


def _brow_lowerer(skin: Skin) -> np.ndarray:
    height = band(skin.y, 37, 47, 55, 78)
    lateral = np.exp(-0.5 * (np.maximum(np.abs(skin.x - 20) - 8, 0) / 13) ** 2) * (0.7 + 0.3 * np.tanh(skin.x / 18))
    pull = height * lateral * band(skin.z, -70, -55, 50, 60)
    inward = height * np.exp(-0.5 * ((skin.x - 24) / 14) ** 2)
    furrow = -0.7 * np.exp(-(((skin.x - 5.0) / 2.4) ** 2)) + 0.6 * np.exp(-(((skin.x - 11) / 4.0) ** 2))
    relief = furrow * band(skin.y, 36, 46, 49, 62) + 1.2 * skin.zone(13, 44, 10, 6)
    return skin.slide(-3.8 * inward, -5.4 * pull) + skin.swell(relief)


def _upper_lid_raiser(skin: Skin) -> np.ndarray:
    return skin.lids(3.0, -0.5)


def _cheek_raiser(skin: Skin) -> np.ndarray:
    cheek = skin.zone(38, 8, 14, 11)
    below = skin.zone(46, -22, 14, 18)
    lip = skin.zone(20, -30, 12, 9)
    crow = skin.zone(54, 34, 6, 9) * np.cos((skin.y - 34) * 1.0)
    bag = skin.zone(34, 20, 10, 3)
    return (
        skin.slide(0 * cheek, 4.8 * cheek + 2.8 * below)
        + skin.push(0.5 * lip, 0.6 * lip, -0.8 * lip)
        + skin.swell(2.6 * cheek + 0.6 * crow + 0.8 * bag)
        + skin.lids(-1.0, 2.0)
        + skin.furrow(0.5, 0.0, 0.7)
        + skin.slide(0 * cheek, -1.2 * skin.zone(42, 49, 14, 6))
    )


def _lid_tightener(skin: Skin) -> np.ndarray:
    return skin.lids(-1.7, 2.3) + skin.swell(0.7 * skin.zone(32, 21, 10, 3))


def _nose_wrinkler(skin: Skin) -> np.ndarray:
    wing = skin.zone(13, -5, 8, 8)
    root = skin.zone(9, 24, 7, 11)
    brow = skin.zone(10, 50, 11, 10)
    wrinkles = root * np.cos((skin.y - 24) * 0.75)
    lip = skin.lip(upper=True, reach=13) * (0.75 + 0.35 * np.exp(-0.5 * ((skin.x - 11) / 8) ** 2))
    beside = skin.zone(22, -22, 9, 10)
    return (
        skin.slide(0.6 * wing, 4.4 * wing + 2.4 * root - 2.8 * brow)
        + skin.push(0 * lip, 4.2 * lip + 3.4 * beside, 0.1 * lip)
        + skin.swell(0.5 * wrinkles + 0.8 * wing + 1.0 * root + 1.2 * skin.zone(22, 12, 8, 8))
        + skin.furrow(0.9, 0.0, 0.7)
        + skin.lids(-0.6, 1.2)
    )


def _upper_lip_raiser(skin: Skin) -> np.ndarray:
    lip = skin.lip(upper=True, reach=13) * (0.85 + 0.2 * np.exp(-0.5 * ((skin.x - 11) / 6) ** 2))
    wing = skin.zone(16, -5, 8, 8)
    beside = skin.zone(22, -24, 8, 10)
    cheek = skin.zone(27, 2, 11, 10)
    return (
        skin.push(0.8 * beside, 5.6 * lip + 2.8 * beside, -0.3 * lip)
        + skin.slide(1.0 * wing, 2.4 * wing + 2.0 * cheek)
        + skin.swell(1.8 * cheek)
        + skin.furrow(1.0, 0.0, 0.85)
    )


def _nasolabial_deepener(skin: Skin) -> np.ndarray:
    lip = skin.lip(upper=True, reach=11) * (0.6 + 0.4 * np.exp(-0.5 * ((skin.x - 15) / 6) ** 2))
    wing = skin.zone(16, -4, 8, 8)
    return skin.furrow(1.5, 0.0, 0.8) + skin.push(0.4 * lip + 0.5 * wing, 2.6 * lip + 1.4 * wing, 0 * lip)


def _corner(skin: Skin, wide: float = 12.0, tall: float = 11.0) -> np.ndarray:
    return skin.zone(CORNER[0] + 2, CORNER[1], wide, tall)


def _lip_corner_puller(skin: Skin) -> np.ndarray:
    corner = _corner(skin, 14, 12)
    cheek = skin.zone(40, -8, 14, 13)
    below = skin.zone(30, -58, 18, 12)
    middle = skin.zone(0, sculpt.MOUTH_Y, 13, 8)
    return (
        skin.push(6.0 * corner, 8.9 * corner, -5.0 * corner)
        + skin.push(1.8 * cheek, 3.4 * cheek, 0 * cheek)
        + skin.swell(3.6 * cheek)
        + skin.slide(0.6 * below, 1.8 * below)
        + skin.push(0 * middle, 0.2 * middle, -1.2 * middle)
        + skin.furrow(0.9, 0.0, 0.8)
        + skin.lids(0, 0.6)
    )


def _dimpler(skin: Skin) -> np.ndarray:
    corner = _corner(skin, 11, 10)
    dimple = skin.zone(CORNER[0] + 4, CORNER[1], 4.5, 6)
    lower = skin.lip(upper=False, reach=10)
    return skin.push(2.6 * corner, 1.8 * corner + 0.8 * lower, -3.6 * corner - 1.0 * lower) + skin.swell(
        -1.6 * dimple + 1.2 * skin.zone(CORNER[0] + 13, CORNER[1], 6, 11)
    )


def _lip_corner_depressor(skin: Skin) -> np.ndarray:
    corner = _corner(skin, 11, 12)
    chin = skin.zone(24, -52, 9, 8)
    middle = skin.lip(upper=False, reach=8) * np.exp(-0.5 * (skin.x / 9) ** 2)
    return (
        skin.push(1.8 * corner, -6.6 * corner, -1.8 * corner)
        + skin.slide(0 * chin, -1.6 * chin)
        + skin.swell(1.2 * chin)
        + skin.push(0 * middle, 0.4 * middle, 0.8 * middle)
        + skin.furrow(0.7, 0.4, 1.0)
    )


def _lower_lip_depressor(skin: Skin) -> np.ndarray:
    lip = skin.lip(upper=False, reach=11) * (0.8 + 0.25 * np.exp(-0.5 * ((skin.x - 11) / 6) ** 2))
    chin = skin.zone(14, -56, 14, 8)
    return skin.push(0.8 * lip, -7.0 * lip, 0.3 * lip) + skin.slide(0.5 * chin, -1.2 * chin)


def _chin_raiser(skin: Skin) -> np.ndarray:
    boss = skin.zone(0, -73, 18, 15)
    lower, upper = skin.lip(upper=False, reach=12), skin.lip(upper=True, reach=8)
    dimples = 0.4 * skin.zone(0, -62, 11, 7) * np.cos(skin.x * 1.1) * np.cos(skin.y * 1.1)
    return (
        skin.push(0 * boss, 6.2 * boss, 1.6 * boss)
        + skin.swell(1.2 * boss + dimples)
        + skin.push(0 * lower, 6.4 * lower, 4.4 * lower)
        + skin.push(0 * upper, 3.0 * upper, 1.0 * upper)
    )


def _pucker(skin: Skin) -> np.ndarray:
    corner = _corner(skin, 10, 10)
    lips = skin.zone(0, sculpt.MOUTH_Y, 15, 10)
    red, over = _vermilion(skin)
    turned_out = np.clip(over, -9, 9) * np.exp(-0.5 * (skin.x / 13) ** 2) * red
    return skin.push(-8.2 * corner, 0.45 * turned_out, 4.8 * corner + 6.8 * lips) + skin.swell(
        -1.6 * skin.zone(40, -30, 9, 12)
    )


def _lip_stretcher(skin: Skin) -> np.ndarray:
    corner = _corner(skin, 12, 12)
    chin = skin.zone(22, -54, 12, 12)
    lips = skin.zone(0, sculpt.MOUTH_Y, 16, 7)
    return (
        skin.push(8.0 * corner, -2.3 * corner, -5.0 * corner)
        + skin.push(2.0 * chin, -1.5 * chin, -1.0 * chin)
        + skin.push(0 * lips, 0 * lips, -0.8 * lips)
        + skin.furrow(0.8, 0.5, 1.0)
    )


def _funneler(skin: Skin) -> np.ndarray:
    corner = _corner(skin, 10, 10)
    lips = skin.zone(0, sculpt.MOUTH_Y, 15, 9)
    upper, lower = skin.lip(upper=True, reach=9), skin.lip(upper=False, reach=10)
    round_off = 0.5 + 0.5 * np.exp(-((skin.x / 10) ** 2))
    upper, lower = upper * round_off, lower * round_off
    return skin.push(-7.4 * corner, 5.0 * upper - 6.6 * lower, 5.0 * corner + 4.6 * lips + 2.4 * (upper + lower))


def _vermilion(skin: Skin) -> tuple[np.ndarray, np.ndarray]:
    """How much of each vertex is red lip, and its height over the mouth line."""
    over = skin.y - sculpt.mouth_line(skin.x)
    tall = np.where(over > 0, 8.0, 9.6) * (0.35 + 0.65 * skin.part_of_slit)
    inside = np.exp(-((over / tall) ** 4)) * band(-skin.x, -37, -13, 1, 2) * band(skin.z, -60, -40, 50, 60)
    return inside, over


def _lip_tightener(skin: Skin) -> np.ndarray:
    red, over = _vermilion(skin)
    rim = np.exp(-(((np.abs(over) - 10) / 4.0) ** 2) - 0.5 * (skin.x / 12) ** 2) * band(skin.z, -60, -40, 50, 60)
    corner = _corner(skin, 9, 7)
    return skin.push(-2.5 * corner, -0.42 * over * red, -2.2 * red) + skin.swell(0.9 * rim)


def _lip_presser(skin: Skin) -> np.ndarray:
    red, over = _vermilion(skin)
    rim = np.exp(-(((np.abs(over) - 11) / 4.5) ** 2) - 0.5 * (skin.x / 12) ** 2) * band(skin.z, -60, -40, 50, 60)
    bulge = skin.zone(CORNER[0] + 8, CORNER[1], 6, 8)
    boss = skin.zone(0, -70, 18, 14)
    around = skin.zone(0, sculpt.MOUTH_Y - 4, 18, 9)
    return (
        skin.push(0 * red, -0.42 * over * red + 1.7 * around, -1.3 * red)
        + skin.push(0 * boss, 4.2 * boss, 1.5 * boss)
        + skin.swell(1.1 * rim + 1.2 * bulge + 0.7 * boss)
    )


def _lips_part(skin: Skin) -> np.ndarray:
    upper, lower = skin.lip(upper=True, reach=7), skin.lip(upper=False, reach=9)
    return skin.push(0 * upper, 1.8 * upper - 4.2 * lower, 0.4 * upper - 0.4 * lower)


def _lip_suck(skin: Skin) -> np.ndarray:
    red, over = _vermilion(skin)
    skirt = skin.zone(0, sculpt.MOUTH_Y, 20, 13)
    pulled = np.clip(over, -16, 16) * skirt
    return skin.push(1.0 * _corner(skin, 9, 8), -0.6 * over * red - 0.32 * pulled, -2.4 * red - 1.8 * skirt)


def _cheek_puff(skin: Skin) -> np.ndarray:
    cheek = skin.zone(40, -27, 17, 19)
    around = skin.zone(0, -20, 20, 7) + skin.zone(0, -49, 20, 7)
    lips = skin.zone(0, sculpt.MOUTH_Y, 22, 10)
    return skin.push(1.0 * cheek, 0 * cheek, 0 * cheek) + skin.swell(9.6 * cheek + 3.4 * around + 3.4 * lips)


def _share_of_jaw(skin: Skin) -> np.ndarray:
    """How far skin hangs on the jaw: 1 on the lower lip, the chin and the lower teeth, 0 on the upper lip."""
    below = sculpt.mouth_line(np.minimum(skin.x, 30.0)) - skin.y
    hang = band(below, -26, 26, 500, 501)
    slit = skin.across_lips(below) * np.exp(-0.5 * (below / 13) ** 2)
    share = np.where(skin.over < 0, 1 - (1 - hang) * (1 - slit), hang * (1 - slit))
    neck = band(skin.y, -150, -84, 500, 501) * band(skin.z, -125, -85, 50, 60)
    return np.where(skin.lower_teeth, 1.0, share * neck)


def _jaw_drop(skin: Skin, degrees: float) -> np.ndarray:
    """Turn what hangs on the jaw about its hinge, which meanwhile slides forward and down."""
    turn = np.radians(degrees) * _share_of_jaw(skin)
    dy, dz = skin.y - JAW_HINGE[1], skin.z - JAW_HINGE[2]
    corner = _corner(skin, 10, 12)
    return np.stack(
        [
            -0.26 * degrees * corner * ~skin.lower_teeth,
            dy * np.cos(turn) - dz * np.sin(turn) - dy - 8 * turn,
            dz * np.cos(turn) + dy * np.sin(turn) - dz + 28 * turn,
        ],
        axis=1,
    )


SIDED: dict[str, Callable[[Skin], np.ndarray]] = {
    "AU1": _inner_brow_raiser,
    "AU2": _outer_brow_raiser,
    "AU4": _brow_lowerer,
    "AU5": _upper_lid_raiser,
    "AU6": _cheek_raiser,
    "AU7": _lid_tightener,
    "AU9": _nose_wrinkler,
    "AU10": _upper_lip_raiser,
    "AU11": _nasolabial_deepener,
    "AU12": _lip_corner_puller,
    "AU14": _dimpler,
    "AU15": _lip_corner_depressor,
    "AU16": _lower_lip_depressor,
    "AU17": _chin_raiser,
    "AU18": _pucker,
    "AU20": _lip_stretcher,
    "AU22": _funneler,
    "AU23": _lip_tightener,
    "AU24": _lip_presser,
    "AU25": _lips_part,
    "AU28": _lip_suck,
    "AU34": _cheek_puff,
    "AU43": Skin.shut,
}
JAW_DEG = {"AU26": 12.5, "AU27": 20.0}
JAW_THRUST_MM, JAW_SIDEWAYS_MM = 6.0, 8.0


def embedded_shapes() -> dict[str, np.ndarray]:
    """Every action unit's shape, (V, 3) float64 mm: ``AU12_L``, ``AU12_R``, ..., without sides most of the jaw's."""
    skin = embedded_skin()
    surface = skin.surface
    share = np.clip(surface.vertices[:, :1] / MIDLINE_BLEND_MM, -1, 1)
    left_share = 0.5 + share * (3 - share**2) / 4
    shapes = {}
    for name, act in SIDED.items():
        left = left_share * skin.unfold(act(skin))
        shapes[f"{name}_L"] = left
        shapes[f"{name}_R"] = left[surface.mirror] * np.array([-1, 1, 1])
    for name, degrees in JAW_DEG.items():
        shapes[name] = skin.unfold(_jaw_drop(skin, degrees), jaw=True)
    hang = _share_of_jaw(skin)
    forward = skin.unfold(hang[:, None] * np.array([0.0, 0.0, 1.0]), jaw=True)
    shapes["AU29"] = JAW_THRUST_MM * forward
    shapes["AU30_L"] = JAW_SIDEWAYS_MM * forward[:, [2, 0, 1]]
    shapes["AU30_R"] = shapes["AU30_L"] * np.array([-1, 1, 1])
    return shapes
