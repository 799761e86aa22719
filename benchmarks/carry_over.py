"""Does what is learned on one face model carry over to faces of another? And does anything but the expression tell?

    python benchmarks/carry_over.py --ict ICT-FaceKit --makehuman mpfb2 --out runs/carry-over

Makes a study of each face model, trains on 72 % of its subjects, lets 8 % choose the epoch, and tests on the other
20 % and on every subject of the other models. Beside that:

- the same test subjects with their pose found by registration, as a real scan's is, instead of known;
- a training on people who hardly depart from the face model and the textbook (variety 0), tested on those who do;
- a training on the same people and labels with their faces at rest, whatever they were told to show: it must stay at
  chance, or a draw that is not the expression's knows the label.

The tables of docs/synthetic.md are this one's (``carry_over.md``); it is all synthetic.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import torch

from affectvlm.emotions import EMOTIONS
from affectvlm.evaluation.folds import Split
from affectvlm.evaluation.metrics import measure, subject_interval
from affectvlm.files import written_whole
from affectvlm.model import AffectVLM
from affectvlm.prepared import PreparedSet, prepare
from affectvlm.prepared.clips import Clips
from affectvlm.scan import FaceScan, Sample
from affectvlm.synthesis.generate import Study, Take
from affectvlm.synthesis.library import FaceSource
from affectvlm.training import TrainConfig
from affectvlm.training.fit import embed, fit
from affectvlm.views import Rig

FOLDS, JOBS = 5, 2


@dataclass(frozen=True)
class RestingStudy(Study):
    """The same people and labels, but nobody shows anything: only what should not tell is left."""

    def strengths(self, take: Take) -> np.ndarray:
        """(A, 2): none."""
        return np.zeros_like(super().strengths(take))


def main() -> None:
    """Make, train, test and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", type=Path, required=True, help="folder of ICT-FaceKit")
    parser.add_argument("--makehuman", type=Path, required=True, help="folder of MakeHuman")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--subjects", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=TrainConfig().epochs)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    config = TrainConfig(epochs=options.epochs, seed=options.seed)
    sources = face_sources(options.ict, options.makehuman)
    studies = {s.name: Study(s, subjects=options.subjects, seed=options.seed) for s in sources}
    sets = {name: prepare_study([study], options.out / name) for name, study in studies.items()}
    jobs = []
    for name, study in studies.items():
        mine = Split.draw(sets[name].subjects, FOLDS, config.seed).folds[0].test
        tests = {other: (tested, mine if other == name else None) for other, tested in sets.items()}
        registered = prepare_study([study], options.out / f"{name}-registered", registered=mine)
        jobs.append((name, sets[name], {**tests, f"{name}, pose found": (registered, None)}))
        plain = prepare_study([replace(study, variety=0.0)], options.out / f"{name}-plain")
        jobs.append((f"{name}, variety 0", plain, tests))
        resting = prepare_study([RestingStudy(**_settings(study))], options.out / f"{name}-resting")
        jobs.append((f"{name}, at rest", resting, {f"{name}, at rest": (resting, mine)}))
    work = (joblib.delayed(train_and_test)(options.out / "runs", *job, config) for job in jobs)
    rows = list(chain.from_iterable(joblib.Parallel(n_jobs=JOBS)(work)))
    with written_whole(options.out / "carry_over.md") as path:
        path.write_text(table(rows), "utf-8")
    print(table(rows))


def face_sources(ict: Path, makehuman: Path) -> list[FaceSource]:
    """List the three face models, of which two are read from folders."""
    return [FaceSource(), FaceSource.find("ict-facekit", ict), FaceSource.find("makehuman", makehuman)]


def _settings(study: Study) -> dict[str, object]:
    return {name: getattr(study, name) for name in study.__dataclass_fields__}


def prepare_study(studies: Sequence[Study], folder: Path, registered: Sequence[str] | None = None) -> PreparedSet:
    """Make a set of the six emotions in some studies; of some subjects alone where their scans are to be registered."""
    samples = list(chain.from_iterable(_samples(study, registered) for study in studies))
    word = "; ".join(f"{study.description}, {type(study).__name__}" for study in studies)
    return prepare(samples, Rig(), folder, word if registered is None else f"{word}, pose found", jobs=JOBS)


def _samples(study: Study, registered: Sequence[str] | None) -> list[Sample]:
    samples = [sample for sample in study.samples() if sample.emotion in EMOTIONS]
    if registered is not None:
        takes = {take.key: take for take in study.takes()}
        samples = [
            replace(sample, load=partial(_scan, study, takes[sample.key]), normalized=False)
            for sample in samples
            if f"{study.source.name}/{sample.subject}" in registered
        ]
    # Studies of two face models name their people alike.
    return [replace(s, key=f"{study.source.name}/{s.key}", subject=f"{study.source.name}/{s.subject}") for s in samples]


def _scan(study: Study, take: Take) -> FaceScan:
    return study.record(take).scan


def train_and_test(
    runs: Path,
    name: str,
    own: PreparedSet,
    tests: Mapping[str, tuple[PreparedSet, tuple[str, ...] | None]],
    config: TrainConfig,
) -> list[dict[str, str]]:
    """Train on one set; a row for each that it is tested on, of all subjects or some."""
    torch.set_num_threads(1)
    fold = Split.draw(own.subjects, FOLDS, config.seed).folds[0]
    model = fit(own, fold.train, fold.validation, config, runs / name.replace(", ", "-").replace(" ", "-")).model
    rows = []
    for tested_on, (tested, subjects) in tests.items():
        clips = Clips(tested)
        samples = np.arange(len(clips)) if subjects is None else clips.of(subjects)
        rows.append({"trained on": name, "tested on": tested_on, **_scores(model, clips, samples, config.seed)})
    return rows


@torch.inference_mode()
def _scores(model: AffectVLM, clips: Clips, samples: np.ndarray, seed: int) -> dict[str, str]:
    """UAR in per cent, all with its interval over subjects, at each intensity; and each emotion's recall."""
    predicted = model.logits(embed(model, clips, samples), model.encode_classes()).argmax(dim=1).numpy()
    table = clips.index.loc[samples].assign(predicted=[model.classes[i] for i in predicted])

    def uar(part: pd.DataFrame) -> float:
        return 100 * measure(part["emotion"].tolist(), part["predicted"].tolist(), model.classes).uar

    columns = (table[name].tolist() for name in ("emotion", "predicted", "subject"))
    low, high = subject_interval(*columns, "uar", seed)
    recalls = [100 * float((part["predicted"] == name).mean()) for name, part in table.groupby("emotion")]
    return {
        "UAR % (95 %)": f"{uar(table):.1f} ({100 * low:.1f}-{100 * high:.1f})",
        "at intensity 1, 2, 3, 4": ", ".join(f"{uar(part):.0f}" for _, part in table.groupby("intensity")),
        "recall of anger, disgust, fear, happiness, sadness, surprise": ", ".join(f"{r:.0f}" for r in recalls),
    }


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Lay rows out as Markdown."""
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
