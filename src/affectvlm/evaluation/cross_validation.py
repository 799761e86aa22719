"""Subject-independent cross-validation: every fold trains its own model, and so does the one that is kept.

Folds run side by side in processes of their own, and each one's result is written as soon as it is there: an
interrupted run goes on where it was.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import torch

from affectvlm.evaluation.folds import Split, hold_out
from affectvlm.evaluation.summary import summarise
from affectvlm.files import written_whole
from affectvlm.prepared import PreparedSet
from affectvlm.prepared.clips import Clips
from affectvlm.run_record import RunRecord, peak_memory_mib
from affectvlm.training import TrainConfig
from affectvlm.training.fit import CHECKPOINTS, Fitted, embed, epochs_done, fit
from affectvlm.training.run_folder import claim_run

PREDICTIONS, DONE = "predictions.parquet", "done.json"
FINAL = "final"


@dataclass(frozen=True)
class Job:
    """One training of a run: a fold, or the model that is kept.

    Parameters
    ----------
    name : str
        The fold's number, or ``final``.
    train, validation, test : tuple of str
        Subjects.
    """

    name: str
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...] = ()


def cross_validate(
    prepared: PreparedSet,
    config: TrainConfig,
    run: Path,
    n_folds: int,
    jobs: int,
    record: RunRecord,
) -> dict[str, Any]:
    """Train and test every fold, train the model that is kept, and write the run's numbers.

    Parameters
    ----------
    prepared : PreparedSet
    config : TrainConfig
    run : Path
        Gets ``config.yaml``, ``folds.json``, ``folds/``, ``model/``, ``predictions.parquet`` and ``metrics.json``.
    n_folds : int
    jobs : int
        Trainings at a time (joblib's active backend).
    record : RunRecord
        Told the workers' peak memory.

    Returns
    -------
    dict
        What is in ``metrics.json``; see :func:`affectvlm.evaluation.summary.summarise`.
    """
    split = Split.draw(prepared.subjects, n_folds, config.seed)
    claim_run(run, prepared, config, n_folds)
    split.save(run / "folds.json")
    todo = [Job(f"{fold.index:02d}", fold.train, fold.validation, fold.test) for fold in split.folds]
    # The kept model is trained on everybody but those who choose its epoch; no number of the report is its own.
    todo.append(Job(FINAL, *hold_out(prepared.subjects, config.seed)))

    threads = max(1, joblib.cpu_count() // jobs)
    work = (joblib.delayed(_run_job)(prepared.folder, config, job, run / "folds" / job.name, threads) for job in todo)
    for pid, peak_mib in joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(work):
        record.saw_worker(pid, peak_mib)

    _keep_model(run)
    folders = [run / "folds" / job.name for job in todo if job.test]
    predictions = pd.concat([pd.read_parquet(folder / PREDICTIONS) for folder in folders], ignore_index=True)
    with written_whole(run / PREDICTIONS) as path:
        predictions.to_parquet(path)
    chosen = {index: json.loads((folder / DONE).read_text())["chosen_epoch"] for index, folder in enumerate(folders)}
    metrics = summarise(predictions, prepared.classes, chosen, prepared.source, config.seed)
    with written_whole(run / "metrics.json") as path:
        path.write_text(json.dumps(metrics, indent=2))
    return metrics


def all_epochs_done(run: Path) -> int:
    """Count the epochs that a run's trainings have finished so far, of :func:`epochs_in_all`."""
    return sum(epochs_done(folder) for folder in run.glob("folds/*"))


def epochs_in_all(config: TrainConfig, n_folds: int) -> int:
    """Epochs of a whole run: every fold's, and those of the model that is kept."""
    return (n_folds + 1) * config.epochs


def _run_job(folder_of_set: Path, config: TrainConfig, job: Job, folder: Path, threads: int) -> tuple[int, float]:
    """Train, predict the test subjects, save; returns the process's id and its peak memory in MiB."""
    if not (folder / DONE).exists():
        torch.set_num_threads(threads)
        prepared = PreparedSet(folder_of_set)
        fitted = fit(prepared, job.train, job.validation, config, folder)
        assert fitted is not None  # a training here is one process
        if job.test:
            with written_whole(folder / PREDICTIONS) as path:
                _predict(fitted, Clips(prepared, config.model.frames), job).to_parquet(path)
        else:
            fitted.model.save(folder / "model")
        with written_whole(folder / DONE) as path:
            path.write_text(json.dumps({"chosen_epoch": fitted.chosen_epoch}))
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    return os.getpid(), peak_memory_mib()


@torch.inference_mode()
def _predict(fitted: Fitted, clips: Clips, job: Job) -> pd.DataFrame:
    """Classify the test subjects' samples, with prompts that say nothing of the subject."""
    model = fitted.model.to("cuda" if torch.cuda.is_available() else "cpu")
    samples = clips.of(job.test)
    probabilities = model.probabilities(embed(model, clips, samples), model.encode_classes()).cpu().numpy()
    table = clips.index.loc[samples, ["key", "subject", "emotion", "intensity"]].reset_index(drop=True)
    table.insert(1, "fold", int(job.name))
    table["predicted"] = [model.classes[i] for i in probabilities.argmax(axis=1)]
    for i, name in enumerate(model.classes):
        table[f"p_{name}"] = probabilities[:, i]
    return table


def _keep_model(run: Path) -> None:
    """Put the kept model at ``run/model``."""
    made, kept = run / "folds" / FINAL / "model", run / "model"
    if made.exists():
        shutil.rmtree(kept, ignore_errors=True)
        made.rename(kept)
