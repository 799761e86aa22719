"""Commands that learn from a prepared set: ``train`` and ``evaluate``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affectvlm.cli.options import CORES, LARGEST_SEED, Jobs, Words
from affectvlm.console import print_metrics, progress_bar, say, say_next
from affectvlm.files import locked, remove_leftovers, written_whole
from affectvlm.run_record import RunRecord

if TYPE_CHECKING:
    from affectvlm.prepared import PreparedSet
    from affectvlm.training import TrainConfig

commands = typer.Typer()


@commands.command(epilog="Example: `torchrun --nproc-per-node 2 -m affectvlm train prepared/mine --out runs/mine`")
def train(
    prepared: Annotated[Path, typer.Argument(help="A prepared set.")],
    run: Annotated[Path, typer.Option("--out", help="Folder for the model and its history.")],
    config: Annotated[Path | None, typer.Option(help="YAML with settings, such as the `config.yaml` of a run.")] = None,
    vocabulary: Words = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the settings' epochs.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the settings' seed.", min=0, max=LARGEST_SEED)] = None,
) -> None:
    """Train one model on a prepared set, on one process or, under torchrun, on many."""
    from affectvlm.evaluation.folds import hold_out
    from affectvlm.prepared import PreparedSet
    from affectvlm.training.fit import epochs_done, fit, leave_process_group
    from affectvlm.training.run_folder import claim_run

    def work() -> None:
        known, settings = PreparedSet(prepared), resolved_config(config, epochs, seed, vocabulary)
        train_subjects, validation_subjects = hold_out(known.subjects, settings.seed)
        if os.environ.get("RANK", "0") != "0":
            fit(known, train_subjects, validation_subjects, settings, run)
            return
        claim_run(run, known, settings)
        with locked(run):
            remove_leftovers(run)
            record = RunRecord(settings.seed)
            with written_whole(run / "subjects.json") as path:
                path.write_text(json.dumps({"train": train_subjects, "validation": validation_subjects}, indent=2))
            with record.stage("training"), progress_bar("epochs", settings.epochs, lambda: epochs_done(run)):
                fitted = fit(known, train_subjects, validation_subjects, settings, run)
            assert fitted is not None  # this is the first process
            record.write(run / "environment.json", known.rig.fingerprint)
            fitted.model.save(run / "model")
        say(f"epoch {fitted.chosen_epoch} was chosen; the model is in {run / 'model'}")
        say_next(f"affectvlm predict SCAN --model {run / 'model'}")

    work()
    leave_process_group()


@commands.command(epilog="Example: `affectvlm evaluate prepared/mine --folds 10 --out runs/mine`")
def evaluate(
    prepared: Annotated[Path, typer.Argument(help="A prepared set.")],
    run: Annotated[Path, typer.Option("--out", help="Folder for the report, the numbers and the model.")],
    folds: Annotated[int, typer.Option(help="Folds of the cross-validation.", min=2)] = 10,
    config: Annotated[Path | None, typer.Option(help="YAML with settings, such as the `config.yaml` of a run.")] = None,
    vocabulary: Words = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the settings' epochs.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the settings' seed.", min=0, max=LARGEST_SEED)] = None,
    jobs: Jobs = CORES,
) -> None:
    """Cross-validate over subject-disjoint folds and write a report."""
    from affectvlm.prepared import PreparedSet

    settings = resolved_config(config, epochs, seed, vocabulary)
    study_and_report(PreparedSet(prepared), settings, run, folds, jobs, RunRecord(settings.seed))


def study_and_report(
    prepared: PreparedSet, config: TrainConfig, run: Path, folds: int, jobs: int, record: RunRecord
) -> None:
    """Cross-validate with a progress bar, then say what came out, what it took and what to try next."""
    from affectvlm.evaluation.cross_validation import all_epochs_done, epochs_in_all
    from affectvlm.evaluation.study import run_study

    jobs = min(jobs, folds + 1)
    total = epochs_in_all(config, folds)
    with progress_bar(f"{folds} folds and the model", total, lambda: all_epochs_done(run)):
        metrics = run_study(prepared, config, run, folds, jobs, record)
    print_metrics(metrics)
    shares = ", ".join(f"{name} {100 * s / record.total_s:.0f} %" for name, s in record.stages_s.items())
    say(f"{record.total_s:.0f} s ({shares}), at most {record.peak_memory_mib / 1024:.1f} GiB")
    say(f"Report: {run / 'report.html'}")
    say_next(f"affectvlm predict SCAN --model {run / 'model'}", f"affectvlm app --model {run / 'model'}")


def resolved_config(
    file: Path | None, epochs: int | None, seed: int | None, vocabulary: Path | None = None
) -> TrainConfig:
    """Resolve the settings: the file's, or the defaults; what the command line names goes first."""
    from affectvlm.language import Vocabulary
    from affectvlm.training import TrainConfig

    config = TrainConfig.from_yaml(file) if file else TrainConfig()
    words = None if vocabulary is None else Vocabulary.from_yaml(vocabulary)
    named = {"epochs": epochs, "seed": seed, "vocabulary": words}
    return config.model_copy(update={name: value for name, value in named.items() if value is not None})
