"""Is the paper's loss gradient-friendly? Each objective on the same faces, with the same towers, words and steps.

    python benchmarks/objectives.py --ict ICT-FaceKit --out runs/objectives

Makes people of ICT-FaceKit and records them as in BU-3DFE's Subset I: six emotions at the two highest intensities.
Some train, some validate, the others are tested; the split is the same in every training. Seed 0 trains each objective
at each learning rate, and the best mean UAR of the validation subjects over the epochs takes the rate; the other seeds
draw other weights, orders, prompts and augmentations at that rate. Test subjects decide nothing.

Two trainings at a time, of one thread each. Each is written down when it is done, and the same command goes on with
the others. Leaves ``objectives.md`` (the tables of docs/objectives.md), ``objectives.csv`` (a row a training) and two
pictures. It is all synthetic.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import joblib
import lightning
import numpy as np
import torch
from objectives_report import Training, report
from training_steps import train_plainly

from affectvlm.emotions import EMOTIONS
from affectvlm.files import written_whole
from affectvlm.model import AffectVLM
from affectvlm.objectives import ObjectiveConfig
from affectvlm.prepared import PreparedSet, prepare
from affectvlm.prepared.clips import Clips
from affectvlm.synthesis.generate import Study
from affectvlm.synthesis.library import FaceSource
from affectvlm.training import TrainConfig
from affectvlm.training.fit import embed
from affectvlm.training.task import build_task
from affectvlm.views import Rig

TRAINED, VALIDATED, TESTED = 80, 40, 60
"""Subjects. Validation and test cost little, and their numbers decide how fine a difference can be seen."""

INTENSITIES = (3, 4)
VARIETY = 0.3
"""As in ``affectvlm demo``: people differ gently, so that some eighty of them are enough to get beyond 80 %."""

JOBS = 2

LEARNING_RATES = (1e-3, 3e-3)
DEFAULT = "L, rate 0.003"
"""L once more, at the learning rate that ``TrainConfig`` has. Seed 0 takes the lower one for it, by a little."""

MEANS = {"sums": "normalised", "mining": "soft"}
OBJECTIVES: dict[str, ObjectiveConfig] = {
    "L": ObjectiveConfig(multiview={"sums": "proportional", "mining": "hard"}),
    DEFAULT: ObjectiveConfig(),
    "L, literal sums": ObjectiveConfig(multiview={"sums": "literal", "mining": "hard"}),
    "Lm, hardest": ObjectiveConfig(multiview={"sums": "normalised", "mining": "hard"}),
    "Lm, soft": ObjectiveConfig(multiview=MEANS),
    "Lm, all": ObjectiveConfig(multiview={"sums": "normalised", "mining": "all"}),
    "clip": ObjectiveConfig(terms={"clip": 1}),
    "siglip": ObjectiveConfig(terms={"siglip": 1}),
    "supcon": ObjectiveConfig(terms={"supcon": 1}),
    "cross_entropy": ObjectiveConfig(terms={"cross_entropy": 1}),
    "L + 0.5 clip": ObjectiveConfig(
        terms={"multiview": 1, "clip": 0.5}, multiview={"sums": "proportional", "mining": "hard"}
    ),
    "Lm, soft + 0.5 clip": ObjectiveConfig(terms={"multiview": 1, "clip": 0.5}, multiview=MEANS),
    "Lm, soft + clip": ObjectiveConfig(terms={"multiview": 1, "clip": 1}, multiview=MEANS),
}
"""Name in the tables -> settings; L is the paper's loss in its own proportions, Lm its parts as means."""


class Course(lightning.Callback):
    """Keep what a training goes through."""

    def __init__(self) -> None:
        self.validation_uar: list[float] = []
        self.gradient_norm: list[float] = []
        self.epoch_s: list[float] = []
        self.began = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the epoch's clock: the processor's, which other work on the machine does not disturb."""
        self.began = time.process_time()

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Measure the gradient; Lightning shortens it after this."""
        gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
        self.gradient_norm.append(float(torch.nn.utils.get_total_norm(gradients)))

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Note the epoch; validation has run by then."""
        self.epoch_s.append(time.process_time() - self.began)
        self.validation_uar.append(float(trainer.callback_metrics["validation_uar"]))


def main() -> None:
    """Make the faces, train, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", type=Path, required=True, help="folder of ICT-FaceKit")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    prepared = prepare_faces(options.ict, options.out / "prepared")
    configs = {
        (name, rate): TrainConfig(epochs=options.epochs, learning_rate=rate, objective=objective)
        for name, objective in OBJECTIVES.items()
        for rate in (LEARNING_RATES if name != DEFAULT else (TrainConfig().learning_rate,))
    }
    sweep = train_all(prepared, configs, [0], options.out / "trainings")
    chosen = chosen_rates(sweep)
    taken = {key: config for key, config in configs.items() if chosen[key[0]] == key[1]}
    further = train_all(prepared, taken, range(1, options.seeds), options.out / "trainings")
    trainings = [t for t in sweep if chosen[t.objective] == t.learning_rate] + further
    clips = Clips(prepared)
    test = clips.index.loc[clips.of(split(prepared)[2])]
    report(sweep, trainings, test, DEFAULT, options.out)


def prepare_faces(ict: Path, folder: Path) -> PreparedSet:
    """Make the scans' views."""
    people = TRAINED + VALIDATED + TESTED
    study = Study(FaceSource.find("ict-facekit", ict), subjects=people, variety=VARIETY)
    samples = [s for s in study.samples() if s.emotion in EMOTIONS and s.intensity in INTENSITIES]
    source = f"{study.description}, intensities {' and '.join(map(str, INTENSITIES))}"
    return prepare(samples, Rig(), folder, source, jobs=JOBS)


def split(prepared: PreparedSet) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Subjects that train, validate and are tested."""
    order = [str(name) for name in np.random.default_rng(0).permutation(prepared.subjects)]
    first, second = TRAINED, TRAINED + VALIDATED
    return tuple(order[:first]), tuple(order[first:second]), tuple(order[second:])


def train_all(
    prepared: PreparedSet, configs: Mapping[tuple[str, float], TrainConfig], seeds: Iterable[int], folder: Path
) -> list[Training]:
    """Train with every configuration and seed, two at a time, and say which is done."""
    jobs = [(name, config.model_copy(update={"seed": seed})) for seed in seeds for (name, _), config in configs.items()]
    work = (joblib.delayed(train_once)(prepared, name, config, folder) for name, config in jobs)
    # joblib replaces a worker whose memory has grown, and says so each time.
    warnings.filterwarnings("ignore", message="A worker stopped", category=UserWarning)
    done: Iterator[Training] = joblib.Parallel(n_jobs=JOBS, return_as="generator")(work)
    trainings = []
    for training in done:
        trainings.append(training)
        curve = " ".join(f"{100 * uar:.0f}" for uar in training.validation_uar)
        print(
            f"{len(trainings)}/{len(jobs)} {training.objective}, learning rate {training.learning_rate:g}, "
            f"seed {training.seed}: validation UAR {curve}",
            flush=True,
        )
    return trainings


def train_once(prepared: PreparedSet, name: str, config: TrainConfig, folder: Path) -> Training:
    """Train, or read what the same training left."""
    settings = f"{prepared.fingerprint} {config.model_dump_json()}"
    file = folder / f"{hashlib.sha256(settings.encode()).hexdigest()[:16]}.json"
    if not file.exists():
        torch.set_num_threads(1)
        with written_whole(file) as path:
            path.write_text(json.dumps(asdict(train(prepared, name, config))), encoding="utf-8")
    # The objective may have been given another name since.
    return Training(**{**json.loads(file.read_text("utf-8")), "objective": name})


def train(prepared: PreparedSet, name: str, config: TrainConfig) -> Training:
    """Train once, to the last epoch."""
    clips = Clips(prepared)
    fitted_to, validation, tested = (clips.of(subjects) for subjects in split(prepared))
    task, course = build_task(clips, config), Course()
    train_plainly(task, fitted_to, validation, [course])
    model = task.model.eval()
    faces = embed(model, clips, validation)
    return Training(
        objective=name,
        learning_rate=config.learning_rate,
        seed=config.seed,
        validation_uar=course.validation_uar,
        gradient_norm=course.gradient_norm,
        epoch_s=course.epoch_s,
        cosine=float((faces @ faces.T).mean()),
        predicted=predicted_classes(model, clips, tested),
    )


@torch.inference_mode()
def predicted_classes(model: AffectVLM, clips: Clips, samples: np.ndarray) -> list[int]:
    """Classify samples."""
    classes: list[int] = (embed(model, clips, samples) @ model.encode_classes().T).argmax(dim=1).tolist()
    return classes


def chosen_rates(sweep: Iterable[Training]) -> dict[str, float]:
    """Objective -> the learning rate of the highest mean validation UAR over the epochs: soon and high."""
    best = sorted(sweep, key=lambda training: float(np.mean(training.validation_uar)))
    return {training.objective: training.learning_rate for training in best}


if __name__ == "__main__":
    main()
