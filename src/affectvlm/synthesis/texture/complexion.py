"""How one person is coloured: skin, lips, hair, eyes and the marks of age, drawn from published ranges.

Skin is drawn as an individual typology angle, ITA = atan((L* - 50) / b*) in degrees, which grades pigmentation from
dark (below -30) over brown, tan (10 to 28), intermediate (28 to 41) and light (41 to 55) to very light (Chardon,
Cretois and Hourseau, International Journal of Cosmetic Science 1991), and as its yellowness b* and redness a*. That
groups overlap widely, differ most in yellowness and hardly in redness was measured by Xiao et al. (Skin Research and
Technology 2017); Han et al. (same journal, 2006) found Koreans near L* 61.7, a* 9.6, b* 17.1, cheeks reddest, women
lighter and men redder. The spreads below are set to lie within these; they are no census of anyone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Lab = tuple[float, float, float]
"""CIELAB under D65: lightness 0 to 100, red over green, yellow over blue."""

# Ancestry -> mean and spread of the typology angle in degrees, and of the yellowness.
SKIN: dict[str, tuple[tuple[float, float], tuple[float, float]]] = {
    "european": ((46.0, 9.0), (14.5, 1.8)),
    "asian": ((33.0, 9.0), (17.0, 1.8)),
    "african": ((-18.0, 22.0), (16.5, 2.2)),
}
ITA_DEG = (-60.0, 62.0)
REDNESS = (11.0, 1.4)
WOMEN_LIGHTER = 1.5
"""In L*; half of it each way."""

HAIR: dict[str, Lab] = {
    "black": (11.0, 1.0, 1.5),
    "dark brown": (18.0, 4.0, 6.0),
    "brown": (28.0, 7.0, 12.0),
    "blond": (50.0, 6.0, 22.0),
    "red": (36.0, 20.0, 25.0),
}
GREY_HAIR: Lab = (66.0, 0.0, 3.0)
HAIR_SHARES: dict[str, tuple[float, ...]] = {
    "european": (0.08, 0.34, 0.33, 0.19, 0.06),
    "asian": (0.82, 0.17, 0.01, 0.0, 0.0),
    "african": (0.9, 0.1, 0.0, 0.0, 0.0),
}
IRIS: dict[str, Lab] = {
    "dark brown": (17.0, 7.0, 9.0),
    "brown": (28.0, 11.0, 19.0),
    "hazel": (38.0, 5.0, 20.0),
    "green": (44.0, -5.0, 12.0),
    "blue": (48.0, -4.0, -12.0),
    "grey": (50.0, -2.0, -3.0),
}
IRIS_SHARES: dict[str, tuple[float, ...]] = {
    "european": (0.1, 0.26, 0.18, 0.1, 0.28, 0.08),
    "asian": (0.72, 0.27, 0.01, 0.0, 0.0, 0.0),
    "african": (0.8, 0.2, 0.0, 0.0, 0.0, 0.0),
}
AGES = {"young": 0.05, "middle-aged": 0.4, "older": 0.85}
"""How far the marks of age have come, 0 to 1."""


@dataclass(frozen=True)
class Complexion:
    """How one person is coloured.

    Parameters
    ----------
    skin, lips, hair, iris : (L*, a*, b*)
        ``hair`` is that of the head, the brows and the beard.
    ruddiness : float
        How much redder cheeks, nose, ears and chin are; 1 is usual.
    mottling : float
        How uneven the skin is; 1 is usual.
    freckles, age_spots, wrinkles, stubble, eye_shadows : float
        0 none to 1 strong.
    brow_density, brow_thickness : float
        1 is usual.
    lash_line : float
        Darkness of the lids' edge, 0 to 1.
    hairline_mm : float
        How much higher or lower than usual the hair begins.
    seed : int
        Of what is too fine to be told in numbers: where each hair and spot is.
    """

    skin: Lab
    lips: Lab
    hair: Lab
    iris: Lab
    ruddiness: float
    mottling: float
    freckles: float
    age_spots: float
    wrinkles: float
    stubble: float
    eye_shadows: float
    brow_density: float
    brow_thickness: float
    lash_line: float
    hairline_mm: float
    seed: int


def draw_complexion(attributes: Mapping[str, str], rng: np.random.Generator) -> Complexion:
    """Draw how a person is coloured.

    Parameters
    ----------
    attributes : mapping
        ``sex`` (female, male), ``age`` (young, middle-aged, older) and ``ancestry`` (african, asian, european), as
        :meth:`~affectvlm.synthesis.face_model.FaceModel.attributes` names them. One that is missing or has another
        value is drawn.
    rng : numpy.random.Generator
    """
    sex = _known_or_drawn(attributes.get("sex"), ("female", "male"), rng)
    ancestry = _known_or_drawn(attributes.get("ancestry"), tuple(SKIN), rng)
    ageing = AGES[_known_or_drawn(attributes.get("age"), tuple(AGES), rng)]
    ageing = float(np.clip(ageing + rng.normal(0, 0.12), 0, 1))
    male = sex == "male"
    skin = _draw_skin(ancestry, male, rng)
    hair = _mixed(_draw_named(HAIR, HAIR_SHARES[ancestry], rng), GREY_HAIR, _greying(ageing, rng))
    lipstick = 0.0 if male else float(rng.uniform(0, 1) < 0.3) * rng.uniform(0.3, 1)
    pale = ancestry == "european" and skin[0] > 62
    return Complexion(
        skin=skin,
        lips=_draw_lips(skin, lipstick, rng),
        hair=hair,
        iris=_draw_named(IRIS, IRIS_SHARES[ancestry], rng),
        ruddiness=float(np.exp(rng.normal(0.1 * male, 0.35))),
        mottling=float(np.exp(rng.normal(0.3 * ageing, 0.25))),
        freckles=float(rng.uniform(0.3, 1)) if rng.uniform() < (0.3 if pale else 0.06) else 0.0,
        age_spots=float(np.clip(ageing - 0.35, 0, 1) * rng.uniform(0.2, 1.4)),
        wrinkles=float(np.clip(ageing * rng.uniform(0.7, 1.3), 0.08, 1)),
        stubble=float(rng.beta(1.1, 2.2)) if male else 0.0,
        eye_shadows=float(np.clip(rng.normal(0.35 + 0.3 * ageing, 0.15), 0, 1)),
        brow_density=float(np.exp(rng.normal(0.15 if male else -0.05, 0.2))),
        brow_thickness=float(np.exp(rng.normal(0.15 if male else -0.12, 0.15))),
        lash_line=float(np.clip(rng.normal(0.4 if male else 0.7, 0.15), 0.2, 1)),
        hairline_mm=float(rng.normal(0, 4) + male * ageing * rng.uniform(0, 30)),
        seed=int(rng.integers(2**31)),
    )


def lab_to_srgb(lab: np.ndarray) -> np.ndarray:
    """Turn CIELAB under D65 into sRGB (CIE 15; IEC 61966-2-1).

    Parameters
    ----------
    lab : (..., 3) float

    Returns
    -------
    (..., 3) uint8
        What a screen cannot show is clipped.
    """
    lab = np.asarray(lab, np.float32)
    fy = (lab[..., 0] + 16) / 116
    fx, fz = fy + lab[..., 1] / 500, fy - lab[..., 2] / 200
    x, y, z = (
        white * np.where(f > 6 / 29, f * f * f, 3 * (6 / 29) ** 2 * (f - 4 / 29))
        for f, white in ((fx, 0.95047), (fy, 1.0), (fz, 1.08883))
    )
    linear = np.stack(
        [
            3.2404542 * x - 1.5371385 * y - 0.4985314 * z,
            -0.9692660 * x + 1.8760108 * y + 0.0415560 * z,
            0.0556434 * x - 0.2040259 * y + 1.0572252 * z,
        ],
        axis=-1,
    )
    linear = np.clip(linear, 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** np.float32(1 / 2.4) - 0.055)
    return (255 * encoded + 0.5).astype(np.uint8)


def _known_or_drawn(value: str | None, choices: tuple[str, ...], rng: np.random.Generator) -> str:
    # Drawn in any case, so that a known attribute does not shift all later draws.
    drawn = choices[rng.integers(len(choices))]
    return value if value in choices else drawn


def _draw_skin(ancestry: str, male: bool, rng: np.random.Generator) -> Lab:
    (angle, spread), (yellow, yellow_spread) = SKIN[ancestry]
    ita = np.radians(np.clip(rng.normal(angle, spread), *ITA_DEG))
    b = rng.normal(yellow, yellow_spread)
    lightness = 50 + b * np.tan(ita) + WOMEN_LIGHTER * (-0.5 if male else 0.5)
    lightness = float(np.clip(lightness, 26, 76))
    # The darkest skin has less of any colour: L* and chroma fall together.
    b *= float(np.clip((lightness - 8) / 36, 0.5, 1))
    return lightness, float(rng.normal(*REDNESS) + 0.4 * male), float(b)


def _draw_lips(skin: Lab, lipstick: float, rng: np.random.Generator) -> Lab:
    """Lips are darker, redder and less yellow than the skin around them, the less so the darker that is."""
    fair = float(np.clip((skin[0] - 30) / 35, 0, 1))
    bare = (
        skin[0] - (3 + 9 * fair) + rng.normal(0, 1.5),
        skin[1] + 4 + 7 * fair + rng.normal(0, 2),
        skin[2] - 2 - 2 * fair,
    )
    painted = (rng.uniform(32, 48), rng.uniform(30, 48), rng.uniform(8, 22))
    return _mixed(bare, painted, 0.7 * lipstick)


def _greying(ageing: float, rng: np.random.Generator) -> float:
    return float(np.clip(1.8 * (ageing - 0.45) + rng.normal(0, 0.2), 0, 0.95)) if ageing > 0.3 else 0.0


def _draw_named(colours: Mapping[str, Lab], shares: tuple[float, ...], rng: np.random.Generator) -> Lab:
    lab = list(colours.values())[rng.choice(len(shares), p=shares)]
    return lab[0] * float(np.exp(rng.normal(0, 0.08))), lab[1] + rng.normal(0, 1), lab[2] + rng.normal(0, 1)


def _mixed(a: Lab, b: Lab, share: float) -> Lab:
    x, y, z = (float(p + share * (q - p)) for p, q in zip(a, b, strict=True))
    return x, y, z
