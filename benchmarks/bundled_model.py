"""How well does a recognizer read people that it has never seen, from any side, as every sensor records them?

    python benchmarks/bundled_model.py --ict ICT-FaceKit --makehuman mpfb2 --out runs/judged
    python benchmarks/bundled_model.py --ict ICT-FaceKit --makehuman mpfb2 --model runs/no-makehuman/model \\
        --faces makehuman --out runs/judged-no-makehuman

Each scan goes in as a user's would: in memory, in millimetres, centimetres or metres, turned about any axis by up to 45
degrees, with nothing known of it. The people are drawn from another seed than those who were learned from, and their
action units are their face model's own. Each is read twice: as it stands, and with another scan of the same person, at
rest, to compare it with (``Recognizer.predict(scan, at_rest=...)``). Beside them: frames of a real person's captured
movement, as far as their action units say what they show, on all face models (``--captures``), and a real scan at rest
(``--scan``).

Writes ``judged.csv`` (an answer a row), ``judged.json`` and ``judged.md``, whose tables the model card has. All is
synthetic but the movement of the captures and the real scan.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from carry_over import face_sources
from scipy.spatial.transform import Rotation

from affectvlm.console import progress_bar
from affectvlm.cores import usable_cores
from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ScanError
from affectvlm.evaluation.metrics import measure, subject_interval
from affectvlm.files import written_whole
from affectvlm.recognizer import UNSURE, Prediction, Recognizer
from affectvlm.scan import FaceScan
from affectvlm.synthesis.action_units import action_strengths
from affectvlm.synthesis.expressions import PROTOTYPES
from affectvlm.synthesis.generate import Study, Take
from affectvlm.synthesis.library import FaceSource
from affectvlm.synthesis.live_link import measured_apex, read_live_link
from affectvlm.synthesis.sensors import SENSORS
from affectvlm.views import Views

SEED = 7
LARGEST_TURN_DEG = 45.0
UNITS_MM = (1.0, 0.1, 0.001)
"""Millimetres, centimetres, metres."""
NEUTRAL_FPS = 0.25
HIGH = (3, 4)

CAPTURE_EVERY = 5
"""One frame of a capture in so many is looked at."""
POINTS_TO = 0.7
"""A captured frame shows an emotion whose action units its own are this like (cosine), and no other's nearly so."""
CLEARER_BY = 0.1
STRONG, AT_REST = 1.2, 0.35
"""Length of the vector of action units (mean of both sides) of a frame that shows something, and of one at rest."""


@dataclass(frozen=True)
class Shown:
    """A scan and what is known of it."""

    source: str
    sensor: str
    subject: str
    emotion: str
    intensity: int | None
    attributes: dict[str, str]
    scan: FaceScan


def main() -> None:
    """Recognise and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", type=Path, required=True, help="folder of ICT-FaceKit")
    parser.add_argument("--makehuman", type=Path, required=True, help="folder of MakeHuman")
    parser.add_argument("--captures", type=Path, help="folder with Live Link Face csv files")
    parser.add_argument("--scan", type=Path, help="a real scan of a face at rest")
    parser.add_argument("--model", help="folder or hub id; left out: the bundled model")
    parser.add_argument("--faces", nargs="*", help="face models to test on; left out: all")
    parser.add_argument("--sensors", nargs="*", default=list(SENSORS))
    parser.add_argument("--subjects", type=int, default=40, help="of each face model and sensor")
    parser.add_argument("--variety", type=float, default=1.0, help="0: people who show what the textbook says")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    recognizer = Recognizer.from_pretrained(options.model)
    everything = face_sources(options.ict, options.makehuman)
    sources = [source for source in everything if options.faces is None or source.name in options.faces]
    parts = [
        answers(recognizer, Study(source, subjects=options.subjects, sensor=sensor, seed=SEED, variety=options.variety))
        for source in sources
        for sensor in options.sensors
    ]
    if options.captures is not None:
        parts += [answers_to_capture(recognizer, source, options.captures) for source in sources]
    table = pd.concat(parts, ignore_index=True)
    report = {
        "classes": list(recognizer.classes),
        "unsure_below": recognizer.encoder.unsure_below,
        **judged(table, recognizer),
    }
    if options.scan is not None:
        report["real scan"] = recognizer.predict(options.scan).to_dict() | {"path": options.scan.name}
    options.out.mkdir(parents=True, exist_ok=True)
    with written_whole(options.out / "judged.csv") as path:
        table.to_csv(path, index=False, float_format="%.4f")
    with written_whole(options.out / "judged.json") as path:
        path.write_text(json.dumps(report, indent=2), "utf-8")
    with written_whole(options.out / "judged.md") as path:
        path.write_text(as_markdown(report), "utf-8")
    print(as_markdown(report))


def answers(recognizer: Recognizer, study: Study) -> pd.DataFrame:
    """Recognise all takes of a study, and more neutral faces than the one of each person that it has: a row each."""
    neutral = replace(study, protocol="neutral", fps=NEUTRAL_FPS)
    takes = [(s, t) for s in (study, neutral) for t in s.takes() if t.emotion is not None]
    takes.sort(key=lambda pair: pair[1].subject.number)  # the study's own come first, and of these the neutral one
    shown = (_shown(s, take, n) for n, (s, take) in enumerate(takes))
    word = f"{study.source.name}, {study.sensor}"
    parts: list[pd.DataFrame] = []
    with progress_bar(word, len(takes)) as done:
        for _, of_person in groupby(shown, key=lambda one: one.subject):
            parts.append(_recognised(recognizer, list(of_person), rest_comes_first=True))
            done(sum(map(len, parts)))
    return pd.concat(parts, ignore_index=True)


def _shown(study: Study, take: Take, number: int) -> Shown:
    scan = _as_it_came(study.record(take).scan, np.random.default_rng([SEED, number]))
    assert take.emotion is not None
    subject = f"{take.subject.name[0]}{int(take.subject.name[1:]):04d}"  # the same in all protocols
    return Shown(study.source.name, study.sensor, subject, take.emotion, take.intensity, take.subject.attributes, scan)


def _as_it_came(scan: FaceScan, rng: np.random.Generator) -> FaceScan:
    """Turn a scan about any axis, move it, and put it into any unit."""
    axis = rng.standard_normal(3)
    turn = Rotation.from_rotvec(rng.uniform(0, LARGEST_TURN_DEG) * axis / np.linalg.norm(axis), degrees=True)
    scale = rng.choice(UNITS_MM)
    return scan.moved(turn.as_matrix(), scale * rng.normal(0, 300, 3), scale)


def answers_to_capture(recognizer: Recognizer, source: FaceSource, folder: Path) -> pd.DataFrame:
    """Recognise the frames of captures whose action units say what they show, performed by people of a face model."""
    parts = []
    for file in sorted(folder.rglob("*.csv")):
        study = Study(source, subjects=4, seed=SEED, capture=file, fps=30.0)
        labels = said_by_action_units(read_live_link(file).resampled(30.0).strengths)
        takes = [take for take in study.takes() if take.frame is not None and take.frame % CAPTURE_EVERY == 0]
        # One of the four people performs each frame.
        takes = [t for t in takes if labels[t.frame or 0] and (t.frame or 0) // CAPTURE_EVERY % 4 == t.subject.number]
        shown = [
            replace(_shown(study, replace(t, emotion=labels[t.frame or 0]), n), sensor="captured movement")
            for n, t in enumerate(takes)
        ]
        parts.append(_recognised(recognizer, shown))
    return pd.concat(parts, ignore_index=True)


def said_by_action_units(strengths: np.ndarray) -> list[str | None]:
    """Name the emotion that frames show, by the textbook's and the measured apexes; None where it is not clear.

    Parameters
    ----------
    strengths : (T, A, 2) float
    """
    of_frames = strengths.mean(axis=2)  # (T, A)
    length = np.linalg.norm(of_frames, axis=1)
    textbook = [action_strengths(dict.fromkeys(PROTOTYPES[name], 1.0)) for name in EMOTIONS]
    like = np.zeros((len(of_frames), len(EMOTIONS)))
    for apexes in (textbook, [measured_apex(name) for name in EMOTIONS]):
        flat = np.stack([apex.mean(axis=1) for apex in apexes])
        cosine = of_frames @ flat.T / np.maximum(length[:, None] * np.linalg.norm(flat, axis=1), 1e-9)
        like = np.maximum(like, cosine)
    first, second = np.sort(like, axis=1)[:, ::-1][:, :2].T
    clear = (length > STRONG) & (first > POINTS_TO) & (first - second > CLEARER_BY)
    names = [EMOTIONS[i] for i in like.argmax(axis=1)]
    return [
        "neutral" if rest else name if shows else None
        for name, shows, rest in zip(names, clear, length < AT_REST, strict=True)
    ]


def _recognised(recognizer: Recognizer, shown: list[Shown], rest_comes_first: bool = False) -> pd.DataFrame:
    """Recognise scans: a row each, with the label, the most probable class and its probability.

    The first may be the person at rest: all others are then recognised once more, beside it.
    """
    with ThreadPoolExecutor(usable_cores()) as pool:
        drawn = list(pool.map(lambda one: _drawn(recognizer, one.scan), shown))
    usable = [n for n, views in enumerate(drawn) if isinstance(views, Views)]
    alone = dict(zip(usable, recognizer.predict([drawn[n] for n in usable]), strict=True))
    beside: dict[int, Prediction] = {}
    if rest_comes_first and 0 in alone:
        others = usable[1:]
        beside = dict(zip(others, recognizer.predict([drawn[n] for n in others], at_rest=drawn[0]), strict=True))
    rows = []
    for n, (one, views) in enumerate(zip(shown, drawn, strict=True)):
        answer, with_rest = alone.get(n, Prediction("", error=str(views))), beside.get(n)
        known = {name: getattr(one, name) for name in ("source", "sensor", "subject", "emotion", "intensity")}
        told = {"label": answer.label, "best": _best(answer), "confidence": answer.confidence, "error": answer.error}
        if with_rest is not None:
            told |= {"label_beside_rest": with_rest.label, "best_beside_rest": _best(with_rest)}
        rows.append({**known, **one.attributes, **told, **answer.probabilities})
    return pd.DataFrame(rows)


def _drawn(recognizer: Recognizer, scan: FaceScan) -> Views | str:
    """Draw a scan's views, or say why they cannot be drawn."""
    try:
        return recognizer.views(scan)
    except ScanError as error:
        return str(error)


def _best(answer: Prediction) -> str | None:
    return max(answer.probabilities, key=answer.probabilities.__getitem__, default=None)


def judged(table: pd.DataFrame, recognizer: Recognizer) -> dict[str, Any]:
    """Count: a row for each face model and sensor, and for all of each; and once more, beside a scan at rest."""
    classes = recognizer.classes
    made = table[table["sensor"] != "captured movement"]
    groups = [((source, sensor), part) for (source, sensor), part in table.groupby(["source", "sensor"], sort=False)]
    groups += [((source, "all sensors"), part) for source, part in made.groupby("source", sort=False)]
    groups += [(("all", sensor), part) for sensor, part in table.groupby("sensor", sort=False)]
    groups += [(("all", "all sensors"), made)]
    beside = made[made["best_beside_rest"].notna()]
    beside = beside.assign(best=beside["best_beside_rest"], label=beside["label_beside_rest"])
    of_models = [*beside.groupby("source", sort=False), ("all", beside)]
    return {
        "rows": [_row(source, sensor, part, classes) for (source, sensor), part in groups],
        "beside_rest": [_row(source, "all sensors", part, classes) for source, part in of_models],
    }


def _row(source: str, sensor: str, part: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, Any]:
    """Measure some answers. The most probable class counts, also where the label is "unsure"; a refusal is left out."""
    answered = part[part["error"].isna()]
    six = answered[answered["emotion"] != "neutral"]
    high = six[six["intensity"].isin(HIGH)]
    sure = answered[answered["label"] != UNSURE]
    subjects = answered["subject"].astype(str) + answered["source"]
    truth, best = answered["emotion"].tolist(), answered["best"].tolist()
    metrics = measure(truth, best, classes)
    return {
        "source": source,
        "sensor": sensor,
        "subjects": int(subjects.nunique()),
        "scans": len(part),
        "refused": float(part["error"].notna().mean()),
        "unsure": float((answered["label"] == UNSURE).mean()),
        "uar": metrics.uar,
        "uar_interval": subject_interval(truth, best, subjects.tolist()),
        "uar_six": _uar(six, classes),
        "uar_six_high": _uar(high, classes),
        "accuracy_of_sure": float((sure["label"] == sure["emotion"]).mean()),
        "recall": metrics.recall,
    }


def _uar(part: pd.DataFrame, classes: tuple[str, ...]) -> float | None:
    return measure(part["emotion"].tolist(), part["best"].tolist(), classes).uar if len(part) else None


def as_markdown(report: dict[str, Any]) -> str:
    """Lay what was measured out as two tables."""
    alone, beside_rest = _table(report["rows"]), _table(report["beside_rest"])
    return f"{alone}\nThe same, each beside a scan of the same person at rest:\n\n{beside_rest}"


def _table(rows: list[dict[str, Any]]) -> str:
    heads = (
        "face model",
        "sensor",
        "scans",
        "refused",
        "unsure",
        "UAR of seven (95 %)",
        "of the six",
        "of the six, high",
        "right when sure",
    )
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        low, high = row["uar_interval"]
        cells = [row["source"], row["sensor"], f"{row['scans']:,}", _per_cent(row["refused"]), _per_cent(row["unsure"])]
        cells += [f"{_per_cent(row['uar'])} ({100 * low:.1f} to {100 * high:.1f})"]
        cells += [_per_cent(row[name]) for name in ("uar_six", "uar_six_high", "accuracy_of_sure")]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def _per_cent(share: object) -> str:
    return "none" if not isinstance(share, float) else f"{100 * share:.1f} %"


if __name__ == "__main__":
    main()
