"""How well the pose of a face is found: by sensor, on faces of all three models, and what is no face.

    python benchmarks/pose.py --ict DIR --makehuman DIR --scans 1000 --jobs 2

Every scan is of another person with an expression of any intensity. His head is turned by up to 45 degrees of yaw, 30
of pitch and 30 of roll, evenly, before the sensor looks. A person is upright when his 68 landmarks at rest lie on the
embedded face's; the share that is right by the face model's own axes is told too ("own deg"): from person to person,
models tilt a head by some degrees. The tip of his nose is the foremost place of it when he is upright and at rest;
what is near to the face model's landmark 31 is told too ("mark 31"): models differ by some millimetres in where on the
nose they put it. ``--james`` names the folder of the real scan, which is turned at random, too. Times
are of the processor, on one core.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from non_faces import non_faces
from scipy.spatial.transform import Rotation

from affectvlm.errors import ScanError
from affectvlm.scan import FaceScan, find_pose, read_scan
from affectvlm.synthesis.embedded import embedded_face
from affectvlm.synthesis.generate import Study, Take
from affectvlm.synthesis.library import FaceSource, load_face_model
from affectvlm.synthesis.person import draw_person
from affectvlm.synthesis.sensors import SENSORS
from affectvlm.synthesis.upright import upright_turn

TURNED_DEG = np.array([45.0, 30.0, 30.0])
"""Yaw, pitch and roll, at most."""

NEAR_DEG, NEAR_MM = 5.0, 5.0

NOSE_MM = 12.0
"""The tip of a nose is no farther than this from landmark 31."""

_HEAD, _CHOICE = 101, 102
"""What a generator is for; the study's own numbers are smaller."""


class TurnedStudy(Study):
    """A study whose people turn their heads far."""

    def _head_deg(self, take: Take) -> np.ndarray:
        number = 0 if take.emotion is None else sum(map(ord, take.key))
        return self._rng(take.subject.number, _HEAD, number).uniform(-1, 1, 3) * TURNED_DEG


@dataclass(frozen=True)
class Outcome:
    """What came of one scan; the errors are NaN when it was refused.

    Parameters
    ----------
    kind : str
        Sensor, or what else it is a scan of.
    model : str
    apart_deg, own_deg : float
        Against the landmarks' axes, and against the face model's own.
    apart_mm, mark_mm : float
        Of the nose tip: against the foremost place, and against landmark 31.
    ms : float
    misfit : float
    """

    kind: str
    model: str
    apart_deg: float
    own_deg: float
    apart_mm: float
    mark_mm: float
    ms: float
    misfit: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", type=Path, help="a checkout of ICT-FaceKit")
    parser.add_argument("--makehuman", type=Path, help="a checkout of mpfb2")
    parser.add_argument("--james", type=Path, help="the folder of the real scan")
    parser.add_argument("--scans", type=int, default=100, help="of each sensor")
    parser.add_argument("--sensors", nargs="+", default=list(SENSORS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()

    folders = {"ict-facekit": options.ict, "makehuman": options.makehuman}
    sources = [FaceSource(), *(FaceSource.find(name, folder) for name, folder in folders.items() if folder)]
    outcomes: list[Outcome] = []
    parallel = Parallel(n_jobs=options.jobs)
    numbers = np.array_split(np.arange(-(-options.scans // len(sources))), max(1, options.jobs * 2))
    for sensor in options.sensors:
        work = (delayed(_measure)(source, sensor, options.seed, part) for source, part in product(sources, numbers))
        outcomes += [outcome for part in parallel(work) for outcome in part]
    if options.james:
        outcomes += _measure_james(options.james, max(options.scans // 10, 10), options.seed)
    _print_table(outcomes)
    _print_refused(sources, max(options.scans // 20, 4), options.seed)


def _measure(source: FaceSource, sensor: str, seed: int, numbers: np.ndarray) -> list[Outcome]:
    """One scan of each numbered person."""
    if len(numbers) == 0:
        return []
    study = TurnedStudy(source, subjects=int(numbers[-1]) + 1, sensor=sensor, seed=seed)
    model, takes = load_face_model(source), study.takes()
    reference = embedded_face().neutral[embedded_face().landmarks]
    each = len(takes) // len(study.people)
    outcomes = []
    for number in numbers:
        rng = study._rng(int(number), _CHOICE, list(SENSORS).index(sensor))
        take = takes[number * each + rng.integers(each)]
        made = study.record(take)
        person = study._person(int(number))
        turn, _ = upright_turn(person.neutral[model.landmarks], reference)
        tip = made.rotation @ person.vertices(made.strengths)[_foremost(person.neutral @ turn.T, model.landmarks[30])]
        outcomes.append(
            _outcome(sensor, source.name, made.scan, made.rotation @ turn.T, made.rotation, tip, made.landmarks[30])
        )
    return outcomes


def _foremost(upright: np.ndarray, landmark: int) -> int:
    """Find the vertex of an upright face ((V, 3) mm) that is the nose's tip, from the one that a model names."""
    near = np.flatnonzero(np.linalg.norm(upright - upright[landmark], axis=1) < NOSE_MM)
    return int(near[np.argmax(upright[near, 2])])


def _outcome(
    kind: str,
    model: str,
    scan: FaceScan,
    axes: np.ndarray,
    own_axes: np.ndarray,
    tip: np.ndarray,
    mark: np.ndarray,
    factor: float = 1.0,
) -> Outcome:
    start = time.thread_time()
    try:
        pose = find_pose(scan)
    except ScanError:
        return Outcome(kind, model, np.nan, np.nan, np.nan, np.nan, 1000 * (time.thread_time() - start), np.nan)
    ms = 1000 * (time.thread_time() - start)
    apart, own = (np.degrees(Rotation.from_matrix(true.T @ pose.rotation).magnitude()) for true in (axes, own_axes))
    tip_mm, mark_mm = (float(np.linalg.norm(pose.nose - factor * place)) for place in (tip, mark))
    return Outcome(kind, model, apart, own, tip_mm, mark_mm, ms, pose.misfit)


def _measure_james(folder: Path, count: int, seed: int) -> list[Outcome]:
    """A real head, turned as the others, upside-down or sideways, in three units."""
    scan = read_scan(folder / "james.obj")
    marks = np.array(json.loads((folder / "james.ljson").read_text())["groups"]["LJSON"]["landmarks"]["points"])
    labels = json.loads((folder / "james.ljson").read_text())["groups"]["LJSON"]["labels"]
    nose = next(marks[label["mask"]] for label in labels if label["label"] == "nose")[3]
    reference = embedded_face().neutral[embedded_face().landmarks]
    upright = upright_turn(marks, reference)[0].T
    rng = np.random.default_rng(seed)
    outcomes = []
    for name, base in {"upright": 0, "upside-down": 180, "sideways": 90}.items():
        for _ in range(count):
            angles = rng.uniform(-1, 1, 3) * TURNED_DEG + [0, 0, base]
            turn = Rotation.from_euler("yxz", angles, degrees=True).as_matrix()
            factor = float(rng.choice([1.0, 10.0, 1000.0]))
            turned = scan.moved(turn, rng.uniform(-500, 500, 3) / factor, 1 / factor)
            shift = turned.vertices[0] - turn @ scan.vertices[0] / factor
            axes, mark = turn @ upright, turn @ nose / factor + shift
            outcomes.append(_outcome("james", name, turned, axes, axes, mark, mark, factor))
    return outcomes


def _print_table(outcomes: list[Outcome]) -> None:
    print(
        f"{'scans of':28s}{'n':>6s}{'both':>8s}{'deg':>7s}{'mm':>7s}{'own deg':>9s}{'mark 31':>9s}{'refused':>9s}",
        end="",
    )
    print(f"{'deg 50/90/98 %':>20s}{'mm 50/90/98 %':>20s}{'ms 50/95 %':>14s}")
    for name, group in _groups(outcomes):
        deg, own, mm, mark, ms = (
            np.array([getattr(one, field) for one in group])
            for field in ("apart_deg", "own_deg", "apart_mm", "mark_mm", "ms")
        )
        near_deg, near_mm = deg < NEAR_DEG, mm < NEAR_MM
        shares = [(near_deg & near_mm), near_deg, near_mm]
        row = f"{name:28s}{len(group):6d}" + "".join(
            f"{100 * share.mean():{w}.1f}" for share, w in zip(shares, (8, 7, 7), strict=True)
        )
        row += (
            f"{100 * (own < NEAR_DEG).mean():9.1f}{100 * (mark < NEAR_MM).mean():9.1f}{100 * np.isnan(deg).mean():9.1f}"
        )
        for errors in (deg, mm):
            row += f"{' / '.join(f'{np.nanpercentile(errors, q):.1f}' for q in (50, 90, 98)):>20s}"
        print(row + f"{np.median(ms):8.0f} /{np.percentile(ms, 95):4.0f}")


def _groups(outcomes: list[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    for kind in dict.fromkeys(one.kind for one in outcomes):
        of_kind = [one for one in outcomes if one.kind == kind]
        yield kind, of_kind
        for model in dict.fromkeys(one.model for one in of_kind):
            yield f"  {model}", [one for one in of_kind if one.model == model]


def _print_refused(sources: list[FaceSource], count: int, seed: int) -> None:
    """Tell what share of non-faces is refused."""
    people = [
        draw_person(load_face_model(source), np.random.default_rng([seed, n]))
        for source, n in product(sources, range(4))
    ]
    refused: dict[str, list[bool]] = {}
    for kind, scan in non_faces(people, range(count), seed):
        try:
            find_pose(scan)
            refused.setdefault(kind, []).append(False)
        except ScanError:
            refused.setdefault(kind, []).append(True)
    print(f"\n{'no face':28s}{'n':>6s}{'refused':>9s}")
    refused["all"] = [answer for answers in refused.values() for answer in answers]
    for kind, answers in refused.items():
        print(f"{kind:28s}{len(answers):6d}{100 * np.mean(answers):9.1f}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # units other than the millimetre are meant
    main()
