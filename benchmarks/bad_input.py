"""What is refused: of scans of what is no face, and of valid scans; and what a model says of what is not refused.

    python benchmarks/bad_input.py --ict DIR --makehuman DIR --scans 1000 --each 10 --jobs 2

No face: ``--each`` scans of every kind of ``non_faces.py``, ``face_parts.py`` and ``bodies.py``, in any pose, and files
that hold none. Valid: whole and partial heads of people of all given face models with any expression, by all sensors in
turn, turned by up to 45 degrees of yaw and 30 of pitch and roll, in mm, cm, dm and m.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from bodies import UNITS_MM, bodies
from joblib import Parallel, delayed
from non_faces import non_faces
from pose import TurnedStudy

from affectvlm.errors import ScanError
from affectvlm.recognizer import Recognizer
from affectvlm.scan import FaceScan, normalize, read_scan
from affectvlm.synthesis.library import FaceSource, load_face_model
from affectvlm.synthesis.person import draw_person
from affectvlm.synthesis.sensors import SENSORS

PEOPLE = 8
"""Of each face model, whose faces are cut up."""


@dataclass(frozen=True)
class Outcome:
    """What came of one scan.

    Parameters
    ----------
    kind : str
    reason : str, optional
        Why it was refused; None if it was not.
    measures : dict
        Of its quality, where it was not.
    label : str, optional
        What the model says of it then.
    confidence : float
    """

    kind: str
    reason: str | None
    measures: dict[str, float]
    label: str | None = None
    confidence: float = 0.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", type=Path, help="a checkout of ICT-FaceKit")
    parser.add_argument("--makehuman", type=Path, help="a checkout of mpfb2")
    parser.add_argument("--model", type=Path, help="a model's folder, or nothing: which says what it sees in the rest")
    parser.add_argument("--scans", type=int, default=100, help="valid ones")
    parser.add_argument("--each", type=int, default=4, help="of each kind of what is no face")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()

    folders = {"ict-facekit": options.ict, "makehuman": options.makehuman}
    sources = [FaceSource(), *(FaceSource.find(name, folder) for name, folder in folders.items() if folder)]
    each, model, seed = options.each, options.model, options.seed
    parts = np.array_split(np.arange(each), min(each, options.jobs))
    work = [delayed(_no_faces)(sources, options.makehuman, part, seed, model) for part in parts]
    persons = np.array_split(np.arange(-(-options.scans // len(sources) // len(SENSORS))), max(1, options.jobs))
    work += [delayed(_valid)(source, sensor, seed, part) for source, sensor, part in product(sources, SENSORS, persons)]
    outcomes = [outcome for part in Parallel(n_jobs=options.jobs)(work) for outcome in part]
    with TemporaryDirectory() as folder:
        outcomes += [_outcome(kind, path, None) for kind, path in _files(Path(folder), seed)]
    _print_table("no face", [one for one in outcomes if not one.kind.startswith("valid")])
    _print_table("valid", [one for one in outcomes if one.kind.startswith("valid")])


def _no_faces(
    sources: list[FaceSource], makehuman: Path | None, numbers: np.ndarray, seed: int, model: Path | None
) -> list[Outcome]:
    people = [
        draw_person(load_face_model(source), np.random.default_rng([seed, n]))
        for n, source in product(range(PEOPLE), sources)
    ]
    recognizer = Recognizer.from_pretrained(model) if model else None
    scans = chain(non_faces(people, numbers, seed), bodies(people, makehuman, numbers, seed))
    return [_outcome(kind, scan, recognizer) for kind, scan in scans]


def _valid(source: FaceSource, sensor: str, seed: int, numbers: np.ndarray) -> list[Outcome]:
    """One scan of each numbered person."""
    if len(numbers) == 0:
        return []
    study = TurnedStudy(source, subjects=int(numbers[-1]) + 1, sensor=sensor, seed=seed)
    takes, outcomes = study.takes(), []
    for number in numbers:
        rng = np.random.default_rng([seed, int(number), len(sensor)])
        scan = study.record(takes[int(number) * len(takes) // len(study.people) + int(rng.integers(25))]).scan
        small = scan.moved(np.eye(3), np.zeros(3), 1 / rng.choice(UNITS_MM))
        outcomes.append(_outcome(f"valid, {source.name}, {sensor}", small, None))
    return outcomes


def _files(folder: Path, seed: int) -> Iterator[tuple[str, Path]]:
    """Write files that hold no mesh, or no numbers."""
    rng = np.random.default_rng(seed)
    model = load_face_model(FaceSource())
    points = "\n".join(" ".join(f"{x:.3f}" for x in vertex) for vertex in model.neutral)
    header = f"ply\nformat ascii 1.0\nelement vertex {len(model.neutral)}\n" + "".join(
        f"property float {axis}\n" for axis in "xyz"
    )
    faces = "\n".join("f {} {} {}".format(*triangle) for triangle in model.triangles + 1)
    contents = {
        "points.ply": f"{header}end_header\n{points}\n",
        "points.obj": "\n".join(f"v {line}" for line in points.splitlines()),
        "empty.obj": "",
        "nan.obj": "\n".join("v nan nan nan" for _ in model.neutral) + "\n" + faces,
        "one place.obj": "\n".join("v 1 2 3" for _ in model.neutral) + "\n" + faces,
        "noise.obj": rng.bytes(4000).decode("latin-1"),
    }
    for name, content in contents.items():
        (folder / name).write_text(content)
        yield f"file: {name}", folder / name


def _outcome(kind: str, scan: FaceScan | Path, recognizer: Recognizer | None) -> Outcome:
    warnings.simplefilter("ignore")  # units other than the millimetre are meant
    try:
        found = normalize(read_scan(scan) if isinstance(scan, Path) else scan)
    except ScanError as error:
        return Outcome(kind, str(error).partition(": ")[2], {})
    if recognizer is None:
        return Outcome(kind, None, dict(found.quality.measures))
    answer = recognizer.predict(scan)
    return Outcome(kind, None, dict(found.quality.measures), answer.label, answer.confidence or 0.0)


def _print_table(title: str, outcomes: list[Outcome]) -> None:
    """Print, by kind, what share is refused, with the most frequent reason, and what is said of the others."""
    print(f"\n{title:40s}{'n':>5s}{'refused %':>11s}  most frequent reason; and what the model says of the others")
    kinds = {one.kind: [other for other in outcomes if other.kind == one.kind] for one in outcomes}
    for kind, group in {**kinds, "all": outcomes}.items():
        refused = [one.reason for one in group if one.reason is not None]
        told = Counter(re.sub(r"\d+(\.\d+)?", "#", reason)[:150] for reason in refused).most_common(1)
        said = ", ".join(f"{one.label} {one.confidence:.2f}" for one in group if one.label)
        words = "; ".join([*(reason for reason, _ in told), *([said] if said else [])]) if kind != "all" else ""
        print(f"{kind:40s}{len(group):5d}{100 * len(refused) / len(group):11.1f}  {words}")


if __name__ == "__main__":
    main()
