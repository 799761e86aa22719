"""Does what is learned on one face model carry over to faces of another? And does anything but the expression tell?

    python benchmarks/carry_over.py --ict ICT-FaceKit --makehuman mpfb2 --out runs/carry-over

Makes a study of each face model, trains on 72 % of the subjects of each, lets 8 % choose the epoch, and tests on the
other 20 % and on every subject of the other models. The test subjects' scans are tested once more with their pose
found by registration, as a real scan's is, instead of known. A second training sees the same people with the same
draws, but their faces at rest whatever they were told to show: it must stay at chance. The tables of
docs/synthetic.md are this one's; it is all synthetic.
"""

from __future__ import annotations

import argparse
import json
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
from affectvlm.scan import FaceScan
from affectvlm.synthesis.generate import Study, Take
from affectvlm.synthesis.library import FaceSource
from affectvlm.training import TrainConfig
from affectvlm.training.fit import embed, fit
from affectvlm.views import Rig

FOLDS = 5


@dataclass(frozen=True)
class RestingStudy(Study):
    """The same people and labels, but nobody shows anything: only what should not tell is left."""

    def strengths(self, take: Take) -> np.ndarray:
        """(A, 2): none."""
        return np.zeros_like(super().strengths(take))


def main() -> None:
    """Make, train, test and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", type=Path, help="folder of ICT-FaceKit")
    parser.add_argument("--makehuman", type=Path, help="folder of MakeHuman")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--subjects", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=TrainConfig().epochs)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sensor", default="clean")
    parser.add_argument("--size", type=int, default=Rig().size_px)
    options = parser.parse_args()

    sources = [FaceSource()]
    sources += [FaceSource.find("ict-facekit", options.ict)] if options.ict else []
    sources += [FaceSource.find("makehuman", options.makehuman)] if options.makehuman else []
    sets, jobs = {}, []
    config = TrainConfig(epochs=options.epochs, seed=options.seed)
    for source in sources:
        sets[source.name] = _prepared(Study, source, options, options.out / source.name)
    for source in sources:
        name, own = source.name, sets[source.name]
        registered = _prepared(Study, source, options, options.out / f"{name}-registered", _test_subjects(own, config))
        jobs.append((name, own, {**sets, "the same, pose found": registered}))
        resting = _prepared(RestingStudy, source, options, options.out / f"{name}-resting")
        jobs.append((f"{name}-resting", resting, {name: resting}))
    work = (joblib.delayed(_trained_and_tested)(options.out / name, p, others, config) for name, p, others in jobs)
    rows = pd.DataFrame(chain.from_iterable(joblib.Parallel(n_jobs=2)(work)))
    with written_whole(options.out / "carry_over.json") as path:
        path.write_text(json.dumps(rows.to_dict("records"), indent=2))
    print(rows.to_string(index=False))


def _prepared(
    kind: type[Study],
    source: FaceSource,
    options: argparse.Namespace,
    folder: Path,
    registered: tuple[str, ...] | None = None,
) -> PreparedSet:
    """Make a set of the six emotions; of some subjects alone where their scans are to be registered."""
    study = kind(source, subjects=options.subjects, sensor=options.sensor, seed=options.seed)
    samples = [sample for sample in study.samples() if sample.emotion in EMOTIONS]
    if registered is not None:
        takes = {take.key: take for take in study.takes()}
        samples = [
            replace(sample, load=partial(_scan, study, takes[sample.key]), normalized=False)
            for sample in samples
            if sample.subject in registered
        ]
    word = f"synthetic: {kind.__name__}, {source.name}, {options.subjects} subjects, {options.sensor}"
    return prepare(samples, Rig(size_px=options.size), folder / "prepared", word, jobs=2)


def _scan(study: Study, take: Take) -> FaceScan:
    return study.record(take).scan


def _test_subjects(prepared: PreparedSet, config: TrainConfig) -> tuple[str, ...]:
    return Split.draw(prepared.subjects, FOLDS, config.seed).folds[0].test


def _trained_and_tested(
    folder: Path, own: PreparedSet, sets: dict[str, PreparedSet], config: TrainConfig
) -> list[dict[str, object]]:
    """Train on one set; a row for each that it is tested on."""
    torch.set_num_threads(1)
    fold = Split.draw(own.subjects, FOLDS, config.seed).folds[0]
    model = fit(own, fold.train, fold.validation, config, folder).model
    rows = []
    for name, tested in sets.items():
        unseen = own.rows_of(fold.test) if tested.folder == own.folder else np.arange(len(tested))
        rows.append({"trained on": folder.name, "tested on": name, **_scores(model, tested, unseen, config.seed)})
    return rows


@torch.inference_mode()
def _scores(model: AffectVLM, tested: PreparedSet, rows: np.ndarray, seed: int) -> dict[str, object]:
    """UAR in per cent: all, its interval over subjects, and at each intensity."""
    predicted = model.logits(embed(model, tested, rows), model.encode_classes()).argmax(dim=1).numpy()
    table = tested.index.loc[rows].assign(predicted=[model.classes[i] for i in predicted])

    def uar(part: pd.DataFrame) -> float:
        return 100 * measure(part["emotion"].tolist(), part["predicted"].tolist(), model.classes).uar

    columns = (table[name].tolist() for name in ("emotion", "predicted", "subject"))
    low, high = subject_interval(*columns, "uar", seed)
    by_intensity = {f"at {intensity}": round(uar(part), 1) for intensity, part in table.groupby("intensity")}
    recall = {
        name[:3]: round(100 * float((part["predicted"] == name).mean()), 0) for name, part in table.groupby("emotion")
    }
    return {
        "UAR": round(uar(table), 1),
        "low": round(100 * low, 1),
        "high": round(100 * high, 1),
        **by_intensity,
    } | recall


if __name__ == "__main__":
    main()
