"""How well does a model read a face model that it has never seen, when it has learned from the two others?

    python benchmarks/left_out.py --ict ICT-FaceKit --makehuman mpfb2 --out runs/left-out

``carry_over.py`` trains on one face model of clean scans; here each training has more people, of two face models, and
scans of all sensor presets. 72 % of its people are learned from, 8 % choose the epoch, and 20 % are tested beside 100
people of the face model that was left out, whose scans are clean, and the same as recorded by all presets.

The table of docs/synthetic.md is this one's (``left_out.md``); it is all synthetic.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import chain
from pathlib import Path

import joblib
from carry_over import FOLDS, JOBS, face_sources, prepare_study, table, train_and_test

from affectvlm.evaluation.folds import Split
from affectvlm.files import written_whole
from affectvlm.prepared import PreparedSet
from affectvlm.synthesis.generate import MIXED, Study
from affectvlm.training import TrainConfig

TEST_SUBJECTS = 100


def main() -> None:
    """Make, train, test and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", type=Path, required=True, help="folder of ICT-FaceKit")
    parser.add_argument("--makehuman", type=Path, required=True, help="folder of MakeHuman")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--subjects", type=int, default=300, help="of each face model that is learned from")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    config = TrainConfig(epochs=options.epochs, seed=options.seed)
    sources = face_sources(options.ict, options.makehuman)
    jobs = []
    for left_out in sources:
        seen = [source for source in sources if source is not left_out]
        learned = [Study(s, subjects=options.subjects, sensor=MIXED, seed=options.seed + 1) for s in seen]
        name = " + ".join(source.name for source in seen)
        own = prepare_study(learned, options.out / name.replace(" + ", "-"))
        clean = Study(left_out, subjects=TEST_SUBJECTS, seed=options.seed)
        tests: dict[str, tuple[PreparedSet, tuple[str, ...] | None]] = {
            "the same two": (own, Split.draw(own.subjects, FOLDS, config.seed).folds[0].test),
            left_out.name: (prepare_study([clean], options.out / left_out.name), None),
            f"{left_out.name}, all sensors": (
                prepare_study([replace(clean, sensor=MIXED)], options.out / f"{left_out.name}-sensors"),
                None,
            ),
        }
        jobs.append((name, own, tests))
    work = (joblib.delayed(train_and_test)(options.out / "runs", *job, config) for job in jobs)
    rows = list(chain.from_iterable(joblib.Parallel(n_jobs=JOBS)(work)))
    with written_whole(options.out / "left_out.md") as path:
        path.write_text(table(rows), "utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
