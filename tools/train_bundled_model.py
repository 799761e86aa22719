"""Train the model that comes with the package, from generated faces alone; or the same without some of them.

    python tools/train_bundled_model.py --ict ICT-FaceKit --makehuman mpfb2 --out runs/bundled --bundle
    python tools/train_bundled_model.py --ict ICT-FaceKit --makehuman mpfb2 --without makehuman --out runs/no-makehuman

People of all face models, each with action units that are a mixture of what all face models make of them, recorded by
all sensors; neutral faces at rest, looking around and speaking beside the six emotions. The model is what ``fit``
leaves: the average of the weights at the epoch that the validation subjects choose. ``benchmarks/bundled_model.py``
judges it, on other people.

Beside the model goes ``training.json``: what it learned from, with which settings, how long it took and on what. An
interrupted run goes on where it was when the same command is given again.
"""

from __future__ import annotations

import argparse
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from affectvlm.model import AffectVLM
from affectvlm.objectives import ObjectiveConfig
from affectvlm.prepared import PreparedSet, prepare
from affectvlm.prepared.clips import Clips
from affectvlm.recognizer.export import export_onnx
from affectvlm.recognizer.source import BUNDLED
from affectvlm.recognizer.training_record import DataSource, TrainingRecord
from affectvlm.run_record import RunRecord, package_versions
from affectvlm.scan import Sample
from affectvlm.synthesis.generate import MIXED, Study
from affectvlm.synthesis.library import FaceSource
from affectvlm.synthesis.sensors import SENSORS
from affectvlm.training import TrainConfig
from affectvlm.training.fit import embed, fit
from affectvlm.views import Rig
from affectvlm.views.augmentation import AugmentationConfig

SEED = 1
"""Of people, expressions and weights. The judge's people have another."""

SUBJECTS = 600
"""Of each face model."""

VALIDATION = 0.08
"""Share of the subjects that chooses the epoch, the scale of the probabilities and where the model is unsure."""

NEUTRAL_FPS = 0.5
"""Of 8 s at rest and 8 s of speech: 8 neutral scans a subject, beside the one that the protocol has."""

RIGHT_LEAST = 1 / 3
"""The model is unsure where validation answers as confident as this one are right less often."""

LICENCES = {"embedded": "Apache-2.0", "ict-facekit": "MIT", "makehuman": "CC0-1.0"}

CONFIG = TrainConfig(
    seed=SEED,
    epochs=8,
    learning_rate=1e-3,
    averaging=0.999,
    precision="bf16-mixed",
    objective=ObjectiveConfig(terms={"multiview": 1.0, "clip": 0.5}),
    augmentation=AugmentationConfig(hide=0.1),
)
"""The default rate, 0.003, is too high for so long a training: the prompts of all classes fell into one point in its
third epoch, which the loss of views among views does not prevent; `clip` keeps views and prompts together. Views are
hidden now and then, since a scan from the side has one view less. Products in 16 bits save a third of the time where
the processor can compute in them (AVX-512 BF16)."""


def main() -> None:
    """Make faces, train, set the confidence, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", type=Path, required=True, help="folder of ICT-FaceKit")
    parser.add_argument("--makehuman", type=Path, required=True, help="folder of MakeHuman")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--without", nargs="*", default=[], help="face models and sensors that nothing is learned from")
    parser.add_argument("--subjects", type=int, default=SUBJECTS, help="of each face model")
    parser.add_argument("--epochs", type=int, default=CONFIG.epochs)
    parser.add_argument("--jobs", type=int, default=2, help="processes that make the faces")
    parser.add_argument("--bundle", action="store_true", help="put the model into the package, with its export")
    parser.add_argument("--threads", type=int, default=1, help="of the training")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = CONFIG.model_copy(update={"epochs": options.epochs})
    record = RunRecord(SEED)
    studies = build_studies(options.ict, options.makehuman, options.without, options.subjects)
    with record.stage("prepare"):
        prepared = prepare_studies(studies, options.out / "prepared", options.jobs)
    subjects = np.random.default_rng(SEED).permutation(prepared.subjects).tolist()
    held = round(VALIDATION * len(subjects))
    with record.stage("train"):
        fitted = fit(prepared, tuple(subjects[held:]), tuple(subjects[:held]), config, options.out / "training")
    assert fitted is not None  # one process
    model = fitted.model
    model.unsure_below.fill_(least_confidence(*_answers(model, Clips(prepared), subjects[:held])))
    folder = BUNDLED if options.bundle else options.out / "model"
    model.save(folder)
    settings = {
        "without": options.without,
        "subjects": options.subjects,
        "validation_share": VALIDATION,
        "neutral_fps": NEUTRAL_FPS,
        "right_least": RIGHT_LEAST,
        "chosen_epoch": fitted.chosen_epoch,
        **config.model_dump(mode="json", exclude_none=True),
    }
    TrainingRecord(
        command="make bundled-model ICT=ICT-FaceKit MAKEHUMAN=mpfb2",
        data=tuple(_source(studies[i : i + 2], prepared) for i in range(0, len(studies), 2)),
        settings=settings,
        seconds=record.total_s,
        machine=f"{platform.platform()}, {options.threads} threads",
        versions=package_versions(),
    ).write(folder / "training.json")
    if options.bundle:
        export_onnx(model, folder)
    print(f"{folder}: epoch {fitted.chosen_epoch}, {record.total_s:.0f} s")


def build_studies(ict: Path, makehuman: Path, without: list[str], subjects: int) -> list[Study]:
    """List what is recorded: of each face model the six emotions, and neutral faces; the others lend their movement."""
    everything = [FaceSource(), FaceSource.find("ict-facekit", ict), FaceSource.find("makehuman", makehuman)]
    unknown = set(without) - {source.name for source in everything} - set(SENSORS)
    if unknown:
        raise SystemExit(f"--without: expected face models and sensors, found {sorted(unknown)}")
    sources = [source for source in everything if source.name not in without]
    sensors = [name for name in SENSORS if name not in without]
    sensor = MIXED if len(sensors) == len(SENSORS) else "+".join(sensors)
    studies = []
    for source in sources:
        lenders = tuple(other for other in sources if other is not source)
        scans = Study(source, subjects=subjects, sensor=sensor, seed=SEED, lenders=lenders)
        studies += [scans, replace(scans, protocol="neutral", fps=NEUTRAL_FPS)]
    return studies


def prepare_studies(studies: list[Study], folder: Path, jobs: int) -> PreparedSet:
    """Draw the views of all studies into one set."""
    samples = [sample for study in studies for sample in _samples(study)]
    return prepare(samples, Rig(), folder, "; ".join(study.description for study in studies), jobs=jobs)


def _samples(study: Study) -> list[Sample]:
    """Name the people so that those of two face models differ, and those of two protocols are the same."""
    return [
        replace(
            sample,
            key=f"{study.source.name}/{study.protocol}/{sample.key}",
            subject=f"{study.source.name}/{sample.subject[0]}{int(sample.subject[1:]):04d}",
        )
        for sample in study.samples()
    ]


@torch.inference_mode()
def _answers(model: AffectVLM, clips: Clips, subjects: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """(n,) float and bool: how confident the answers for some subjects are, and which of them are right."""
    samples = clips.of(subjects)
    probabilities = model.probabilities(embed(model, clips, samples), model.encode_classes())
    confidence, answer = probabilities.max(dim=1)
    return confidence.numpy(), answer.numpy() == clips.labels[samples]


def least_confidence(confidence: np.ndarray, right: np.ndarray) -> float:
    """Find the confidence from which on answers are right often enough, by Platt's logistic curve through its odds."""
    clipped = np.clip(confidence, 1e-6, 1 - 1e-6)
    curve = LogisticRegression(C=np.inf).fit(logit(clipped)[:, None], right)
    return float(expit((logit(RIGHT_LEAST) - curve.intercept_[0]) / curve.coef_[0, 0]))


def _source(studies: list[Study], prepared: PreparedSet) -> DataSource:
    """Say what was made of one face model."""
    study = studies[0]
    of_it = prepared.index["key"].str.startswith(f"{study.source.name}/")
    return DataSource(
        name=study.source.name,
        licence=LICENCES[study.source.name],
        people=int(prepared.index.loc[of_it, "subject"].nunique()),
        scans=int(of_it.sum()),
        sensors=tuple(SENSORS) if study.sensor == MIXED else tuple(study.sensor.split("+")),
        seeds=(SEED,),
        note="; ".join(study.description for study in studies),
    )


if __name__ == "__main__":
    main()
