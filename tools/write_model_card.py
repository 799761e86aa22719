"""Put what was measured of the bundled model beside it, and write its card, ``MODEL_CARD.md``.

    python tools/write_model_card.py --judged runs/judged --left-out makehuman=runs/judged-no-makehuman \\
        --refused non-faces=240:233 "valid scans=1000:4"

The folders are those that ``benchmarks/bundled_model.py`` wrote; the counts those of ``benchmarks/bad_input.py``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affectvlm.evaluation.metrics import measure
from affectvlm.files import written_whole
from affectvlm.recognizer import UNSURE
from affectvlm.recognizer.model_card import render_card
from affectvlm.recognizer.model_facts import ModelFacts
from affectvlm.recognizer.source import BUNDLED
from affectvlm.recognizer.training_record import Calibration, GroupResult, Refusal, Result, TrainingRecord

ATTRIBUTES = ("sex", "age", "ancestry")
BINS = 10
LIMITS = (
    "All faces but one were generated: no number here says how well real people are read. The one real scan that could "
    "be tried is of one person at rest.",
    "Expressions are posed and synthetic; what is shown need not be what is felt.",
    "On a face model that was left out of the training the recall falls far below that on new people of a known one: "
    "its faces at rest are taken for expressions, mostly for anger and sadness.",
    "The models that learned without a face model or a sensor were smaller trainings: 150 people of each face model, "
    "or 80 where two of the four sensors were left out, and 6 epochs.",
    "Slight expressions (intensities 1 and 2) are often called something else; fear and surprise, and anger, disgust "
    "and sadness, are taken for each other.",
    "Speech and blinks are part of neutral; a neutral face is found less often than a strong expression.",
    "Children, glasses, beards and head coverings that change the shape were not in the training.",
)


def main() -> None:
    """Gather, write the record, render the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--judged", type=Path, required=True, help="folder of the bundled model's judgement")
    parser.add_argument(
        "--left-out", nargs="*", default=[], metavar="WHAT=FOLDER", help="face models and sensors, of models without"
    )
    parser.add_argument("--refused", nargs="*", default=[], metavar="WHAT=COUNT:REFUSED")
    options = parser.parse_args()
    report, answers = _read(options.judged)
    results = [_result(row) for row in report["rows"] if row["source"] != "all"]
    results += [
        _result(row, "subjects; a scan of each at rest is known")
        for row in report["beside_rest"]
        if row["source"] != "all"
    ]
    for name, _, folder in (word.partition("=") for word in options.left_out):
        rows, _ = _read(Path(folder))
        results += [
            _result(row, f"{name} (by another model, trained without it)")
            for row in rows["rows"]
            if (row["source"], row["sensor"]) in ((name, "all sensors"), ("all", name))
        ]
        results += [
            _result(row, f"{name} (by another model, trained without it); a scan of each person at rest is known")
            for row in rows["beside_rest"]
            if row["source"] == name
        ]
    record = TrainingRecord.read(BUNDLED / "training.json")
    assert record is not None
    made = answers[(answers["sensor"] != "captured movement") & answers["error"].isna()]
    record = record.model_copy(
        update={
            "results": tuple(results),
            "groups": tuple(_groups(made, report["classes"])),
            "calibration": tuple(_calibration(name, part) for name, part in made.groupby("source", sort=False)),
            "refusals": tuple(_refusal(word) for word in options.refused),
            "limits": LIMITS,
        }
    )
    record.write(BUNDLED / "training.json")
    with written_whole(Path("MODEL_CARD.md")) as path:
        path.write_text(render_card(ModelFacts.of(BUNDLED, "AffectVLM, bundled"), record, source=None), "utf-8")


def _read(folder: Path) -> tuple[dict[str, Any], pd.DataFrame]:
    return json.loads((folder / "judged.json").read_text("utf-8")), pd.read_csv(folder / "judged.csv")


def _result(row: dict[str, Any], condition: str = "subjects") -> Result:
    return Result(
        source=f"{row['source']}, {row['sensor']}",
        condition=condition,
        subjects=row["subjects"],
        scans=row["scans"],
        uar_all=row["uar"],
        uar_six=row["uar_six"],
        uar_six_high=row["uar_six_high"],
        recall={name: share for name, share in row["recall"].items() if share is not None},
    )


def _groups(made: pd.DataFrame, classes: list[str]) -> list[GroupResult]:
    groups = []
    for attribute in ATTRIBUTES:
        for value, part in made.groupby(attribute):
            uar = measure(part["emotion"].tolist(), part["best"].tolist(), classes).uar
            people = (part["source"] + part["subject"]).nunique()
            groups.append(GroupResult(group=f"{attribute}: {value}", subjects=people, scans=len(part), uar_all=uar))
    return groups


def _calibration(source: object, part: pd.DataFrame) -> Calibration:
    """Expected calibration error over ten bins of equal width (Guo et al. 2017), and what abstaining does."""
    right = (part["best"] == part["emotion"]).to_numpy()
    confidence = part["confidence"].to_numpy()
    bins = np.minimum((BINS * confidence).astype(int), BINS - 1)
    gaps = [abs(right[bins == b].mean() - confidence[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)]
    sure = part["label"] != UNSURE
    return Calibration(
        source=str(source),
        ece=float(sum(gaps)),
        unsure=float(1 - sure.mean()),
        accuracy=float((part.loc[sure, "label"] == part.loc[sure, "emotion"]).mean()),
    )


def _refusal(word: str) -> Refusal:
    shown, _, counts = word.partition("=")
    count, _, refused = counts.partition(":")
    return Refusal(shown=shown, count=int(count), refused=int(refused))


if __name__ == "__main__":
    main()
