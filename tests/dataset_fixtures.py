"""Trees laid out as the data sets are: names alone, or tiny meshes where a test reads them."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path

import numpy as np

BU3DFE_CODES = ("AN", "DI", "FE", "HA", "SA", "SU")
BU4DFE_FOLDERS = ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise")
BOSPHORUS_EMOTIONS = ("ANGER", "DISGUST", "FEAR", "HAPPY", "SADNESS", "SURPRISE")


def touch(root: Path, *names: str, content: str = "x") -> None:
    """Write files that are there and not empty, but no scans."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def sheet(side: int = 14) -> str:
    """An OBJ of a bent sheet of ``side`` x ``side`` vertices, 196 by default."""
    rows, columns = (grid.ravel() for grid in np.mgrid[:side, :side])
    lines = [f"v {c} {r} {0.1 * (c - side / 2) ** 2:.2f}" for r, c in zip(rows, columns, strict=True)]
    for r, c in product(range(side - 1), repeat=2):
        a = r * side + c + 1
        lines += [f"f {a} {a + 1} {a + side + 1}", f"f {a} {a + side + 1} {a + side}"]
    return "\n".join(lines) + "\n"


def bu3dfe_names(subject: str, ancestry: str = "WH") -> list[str]:
    """The 25 scans of a subject, without kind and ending."""
    shown = ["NE00", *(f"{code}{level:02d}" for code in BU3DFE_CODES for level in (1, 2, 3, 4))]
    return [f"{subject}/{subject}_{what}{ancestry}" for what in shown]


def write_bu3dfe(root: Path, women: int, men: int) -> None:
    subjects = [f"{sex}{n:04d}" for sex, count in (("F", women), ("M", men)) for n in range(1, count + 1)]
    for stem in (stem for subject in subjects for stem in bu3dfe_names(subject)):
        touch(root, f"{stem}_F3D.wrl", f"{stem}_F3D.bmp", f"{stem}_F3D.bnd", f"{stem}_F2D.bmp", f"{stem}_RAW.wrl")


def write_bu4dfe(
    root: Path, subjects: Iterable[str], frames: Iterable[int], folders: Iterable[str] = BU4DFE_FOLDERS
) -> None:
    for subject, folder, frame in product(subjects, folders, list(frames)):
        touch(root, f"{subject}/{folder}/{frame:03d}.wrl", f"{subject}/{folder}/{frame:03d}.jpg")


def write_bosphorus(root: Path, subject: str, emotions: Iterable[str] = BOSPHORUS_EMOTIONS) -> None:
    others = ("N_N_0", "LFAU_12_0", "UFAU_1_0", "CAU_A22A25_0", "YR_R10_0", "PR_D_0", "CR_RD_0", "O_EYE_0")
    for what in (*others, *(f"E_{emotion}_0" for emotion in emotions)):
        stem = f"{subject}/{subject}_{what}"
        touch(root, f"{stem}.bnt", f"{stem}.png", f"{stem}.lm2", f"{stem}.lm3")


def write_bp4d(root: Path, subjects: Iterable[str], tasks: Iterable[int], frames: Iterable[int]) -> None:
    for subject, task, frame in product(subjects, list(tasks), list(frames)):
        stem = f"{subject}/T{task}/{frame:04d}"
        touch(root, f"{stem}.obj", f"{stem}.mtl", f"{stem}.jpg")
