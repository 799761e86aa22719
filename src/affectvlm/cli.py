"""The command line: ``affectvlm --help``.

Heavy libraries are imported inside the commands, so that help comes at once.
"""

from __future__ import annotations

import json
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from affectvlm import __version__
from affectvlm.console import err, out, print_metrics, print_predictions, progress_bar, show_warnings_as_lines, working
from affectvlm.errors import AffectVLMError, ConfigError
from affectvlm.files import written_whole
from affectvlm.run_record import RunRecord

if TYPE_CHECKING:
    from affectvlm.prepared import PreparedSet
    from affectvlm.training import TrainConfig

EXTRAS = {
    "lightning": "train",
    "torchmetrics": "train",
    "sklearn": "train",
    "pandas": "train",
    "pyarrow": "train",
    "joblib": "train",
    "matplotlib": "train",
    "jinja2": "train",
    "streamlit": "app",
    "plotly": "app",
}
"""Optional library -> the extra that installs it."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, which typer turns into an exit before we see it."""

app = typer.Typer(
    help="Read facial expressions from 3D face scans with a vision-language model.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


class Faces(StrEnum):
    """Face models."""

    embedded = "embedded"
    ict_facekit = "ict-facekit"
    makehuman = "makehuman"


class ProtocolOption(StrEnum):
    """What people do: as in a data set, or nothing but rest and speak."""

    bu3dfe = "bu3dfe"
    bu4dfe = "bu4dfe"
    neutral = "neutral"


class SensorOption(StrEnum):
    """What the faces are recorded with."""

    clean = "clean"
    structured_light = "structured-light"
    depth_camera = "depth-camera"
    phone = "phone"
    mixed = "mixed"


class ScanFormat(StrEnum):
    """File formats that scans are written in."""

    ply = "ply"
    obj = "obj"
    wrl = "wrl"
    bnt = "bnt"


class Style(StrEnum):
    """How answers are printed."""

    table = "table"
    json = "json"
    csv = "csv"


class MapOption(StrEnum):
    """Maps that a view can hold."""

    depth = "depth"
    normals = "normals"
    texture = "texture"


Variety = Annotated[
    float, typer.Option(help="How far people depart from the face model and the textbook.", min=0, max=1)
]
Jobs = Annotated[int, typer.Option(help="Processes at a time.", min=1)]
Model = Annotated[Path, typer.Option(help="Folder of a trained model.")]
DEFAULT_MODEL = Path("runs/demo/model")
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@app.command(epilog="Example: `affectvlm demo --faces ict-facekit --from ICT-FaceKit --out runs/ict`")
def demo(
    faces: Annotated[Faces, typer.Option(help="Face model that the scans come from.")] = Faces.embedded,
    folder: Annotated[Path | None, typer.Option("--from", help="Folder of the face model, if it needs one.")] = None,
    subjects: Annotated[int, typer.Option(help="People to make; each shows 25 scans.", min=4)] = 60,
    variety: Variety = 0.3,
    folds: Annotated[int, typer.Option(help="Folds of the cross-validation.", min=2)] = 5,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each training.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Of every random draw.", min=0)] = 0,
    run: Annotated[Path, typer.Option("--out", help="Folder for everything that is made.")] = Path("runs/demo"),
    jobs: Jobs = CORES,
) -> None:
    """Make faces, train, cross-validate and report: the whole path on synthetic scans."""
    record = RunRecord(seed)
    with record.stage("libraries"), working("loading the libraries"):
        import affectvlm.evaluation.study  # noqa: F401 (its libraries are loaded here, where the stage says so)
        from affectvlm.evaluation.folds import Split
        from affectvlm.prepared import prepare as prepare_set
        from affectvlm.synthesis import FaceSource
        from affectvlm.synthesis.generate import Study
        from affectvlm.views import Rig

    with record.stage("faces and views"):
        with working("reading the face model"):
            study = Study(FaceSource.find(faces.value, folder), subjects=subjects, seed=seed, variety=variety)
            samples = study.samples()
        Split.draw([sample.subject for sample in samples], folds, seed)  # too many folds fail now, not after rendering
        with progress_bar("faces and views", len(samples)) as done:
            prepared = prepare_set(samples, Rig(), run / "prepared", study.description, jobs, done)
    _tell_skipped(len(samples), prepared)
    _study(prepared, _config(None, epochs, seed), run, folds, jobs, record)


@app.command(epilog="Example: `affectvlm synth --subjects 10 --sensor structured-light --out synthetic/bu3dfe`")
def synth(
    to: Annotated[Path, typer.Option("--out", help="Folder for the scans, or for the prepared set.")],
    faces: Annotated[Faces, typer.Option(help="Face model that the scans come from.")] = Faces.embedded,
    folder: Annotated[Path | None, typer.Option("--from", help="Folder of the face model, if it needs one.")] = None,
    subjects: Annotated[int, typer.Option(help="People to make.", min=1)] = 100,
    protocol: Annotated[ProtocolOption, typer.Option(help="What people do, laid out as in that data set.")] = (
        ProtocolOption.bu3dfe
    ),
    sensor: Annotated[SensorOption, typer.Option(help="What the faces are recorded with.")] = SensorOption.clean,
    variety: Variety = 1.0,
    fps: Annotated[float, typer.Option(help="Frames a second of sequences.", min=1, max=120)] = 25.0,
    style: Annotated[ScanFormat, typer.Option("--format", help="File format of the scans.")] = ScanFormat.wrl,
    capture: Annotated[
        Path | None, typer.Option(help="A Live Link Face csv: everybody performs it, instead of the protocol.")
    ] = None,
    prepared: Annotated[bool, typer.Option("--prepare", help="Render to a prepared set; no scan is written.")] = False,
    size: Annotated[int, typer.Option(help="With --prepare: height and width of a view, pixels.", min=8)] = 64,
    maps: Annotated[list[MapOption], typer.Option(help="With --prepare: what a view holds; once for each.")] = [  # noqa: B006
        MapOption.depth,
        MapOption.normals,
    ],
    seed: Annotated[int, typer.Option(help="Of every random draw.", min=0)] = 0,
    jobs: Jobs = CORES,
) -> None:
    """Make up a data set: people who show expressions, recorded by a sensor."""
    with working("loading the libraries"):
        from affectvlm.prepared import prepare as prepare_set
        from affectvlm.synthesis import FaceSource
        from affectvlm.synthesis.generate import Study
        from affectvlm.synthesis.labels import write_labels
        from affectvlm.synthesis.tree import write_tree
        from affectvlm.views import Rig

    if capture and prepared:
        raise ConfigError("a captured performance has no emotion to learn; leave out --prepare, or --capture")
    with working("reading the face model"):
        source = FaceSource.find(faces.value, folder)
    textured = not prepared or MapOption.texture in maps
    # A captured performance is laid out as BU-4DFE's sequences are.
    laid_out = ProtocolOption.bu4dfe if capture else protocol
    study = Study(source, laid_out.value, subjects, sensor.value, seed, variety, fps, textured, capture)
    count = len(study.takes())
    if not prepared:
        with progress_bar("scans", count) as done:
            write_tree(study, to, style.value, jobs, done)
        _say(f"{count} scans of made-up subjects ({subjects}) are in {to}")
        return
    with progress_bar("scans and views", count) as done:
        rig = Rig(size_px=size, maps=tuple(item.value for item in maps))
        made = prepare_set(study.samples(), rig, to, study.description, jobs, done)
    write_labels(study, to)
    _say(f"{len(made)} scans of made-up subjects ({subjects}) are in {to}")
    _tell_skipped(count, made)
    _next(f"affectvlm evaluate {to} --folds {min(10, max(2, subjects // 3))} --out runs/synthetic")


@app.command(epilog="Example: `affectvlm prepare scans/ --out prepared/mine`")
def prepare(
    folder: Annotated[Path, typer.Argument(help="Scans as `SUBJECT/EMOTION/any-name.obj` (or ply, stl, off, glb).")],
    to: Annotated[Path, typer.Option("--out", help="Folder for the prepared set.")],
    size: Annotated[int, typer.Option(help="Height and width of a view, pixels.", min=8)] = 64,
    maps: Annotated[list[MapOption], typer.Option(help="What a view holds; once for each.")] = [  # noqa: B006
        MapOption.depth,
        MapOption.normals,
    ],
    jobs: Jobs = CORES,
) -> None:
    """Render a folder of labelled scans once, for training and evaluation."""
    from affectvlm.datasets import FolderDataset
    from affectvlm.prepared import prepare as prepare_set
    from affectvlm.views import Rig

    samples = FolderDataset(folder).samples()
    rig = Rig(size_px=size, maps=tuple(item.value for item in maps))
    with progress_bar("views", len(samples)) as done:
        prepared = prepare_set(samples, rig, to, f"folder {folder.name}", jobs, done)
    _say(f"{len(prepared)} scans of {len(prepared.subjects)} subjects are in {to}")
    _tell_skipped(len(samples), prepared)
    _next(f"affectvlm evaluate {to} --out runs/mine")


@app.command(epilog="Example: `torchrun --nproc-per-node 2 -m affectvlm train prepared/mine --out runs/mine`")
def train(
    prepared: Annotated[Path, typer.Argument(help="A prepared set.")],
    run: Annotated[Path, typer.Option("--out", help="Folder for the model and its history.")],
    config: Annotated[Path | None, typer.Option(help="YAML with settings, such as the `config.yaml` of a run.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the settings' epochs.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the settings' seed.", min=0)] = None,
) -> None:
    """Train one model on a prepared set, on one process or, under torchrun, on many."""
    from affectvlm.evaluation.folds import hold_out
    from affectvlm.prepared import PreparedSet
    from affectvlm.training.fit import epochs_done, fit, leave_process_group
    from affectvlm.training.run_folder import claim_run

    def work() -> None:
        known, settings = PreparedSet(prepared), _config(config, epochs, seed)
        train_subjects, validation_subjects = hold_out(known.subjects, settings.seed)
        claim_run(run, known, settings)
        first = os.environ.get("RANK", "0") == "0"
        if not first:
            fit(known, train_subjects, validation_subjects, settings, run)
            return
        record = RunRecord(settings.seed)
        with written_whole(run / "subjects.json") as path:
            path.write_text(json.dumps({"train": train_subjects, "validation": validation_subjects}, indent=2))
        with record.stage("training"), progress_bar("epochs", settings.epochs, lambda: epochs_done(run)):
            fitted = fit(known, train_subjects, validation_subjects, settings, run)
        record.write(run / "environment.json", known.rig.fingerprint)
        fitted.model.save(run / "model")
        _say(f"epoch {fitted.chosen_epoch} was chosen; the model is in {run / 'model'}")
        _next(f"affectvlm predict SCAN --model {run / 'model'}")

    work()
    leave_process_group()


@app.command(epilog="Example: `affectvlm evaluate prepared/mine --folds 10 --out runs/mine`")
def evaluate(
    prepared: Annotated[Path, typer.Argument(help="A prepared set.")],
    run: Annotated[Path, typer.Option("--out", help="Folder for the report, the numbers and the model.")],
    folds: Annotated[int, typer.Option(help="Folds of the cross-validation.", min=2)] = 10,
    config: Annotated[Path | None, typer.Option(help="YAML with settings, such as the `config.yaml` of a run.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Instead of the settings' epochs.", min=1)] = None,
    seed: Annotated[int | None, typer.Option(help="Instead of the settings' seed.", min=0)] = None,
    jobs: Jobs = CORES,
) -> None:
    """Cross-validate over subject-disjoint folds and write a report."""
    from affectvlm.prepared import PreparedSet

    settings = _config(config, epochs, seed)
    _study(PreparedSet(prepared), settings, run, folds, jobs, RunRecord(settings.seed))


@app.command(epilog="Example: `affectvlm predict scans/*.ply --format json`")
def predict(
    scans: Annotated[list[Path], typer.Argument(help="Scans: obj, ply, stl, off, glb.")],
    model: Model = DEFAULT_MODEL,
    style: Annotated[Style, typer.Option("--format", help="How answers are printed.")] = Style.table,
) -> None:
    """Read the apparent expression of scans; exits with 1 if one of them cannot be used."""
    with working("loading the model"):
        from affectvlm.recognizer import Recognizer

        recognizer = Recognizer.from_pretrained(model)
    with progress_bar("scans", len(scans)) as done:
        predictions = []
        for number, scan in enumerate(scans, 1):
            predictions += recognizer.predict([scan])
            done(number)
    print_predictions(predictions, recognizer.classes, style.value)
    failed = [p for p in predictions if p.error is not None]
    for p in failed:
        _print_error(str(p.error))
    if failed:
        raise typer.Exit(1)


@app.command(epilog="Example: `affectvlm show scan.obj --out views.png`")
def show(
    scan: Annotated[Path, typer.Argument(help="A scan: obj, ply, stl, off, glb.")],
    to: Annotated[Path, typer.Option("--out", help="The picture, PNG.")],
    size: Annotated[int, typer.Option(help="Height and width of a view, pixels.", min=8, max=2048)] = 256,
) -> None:
    """Draw a scan's views, after it was brought upright, as a model would see them."""
    from affectvlm.scan import normalize, read_scan
    from affectvlm.views import Rig, render
    from affectvlm.views.picture import contact_sheet

    face = normalize(read_scan(scan))
    rig = Rig(size_px=size, maps=("texture", "depth", "normals") if face.textured else ("depth", "normals"))
    with written_whole(to) as path:
        contact_sheet(render(face, rig)).save(path, format="PNG")
    _say(f"{to}: the views of {scan}")


@app.command("app", epilog="Example: `affectvlm app --model runs/demo/model`")
def open_app(
    model: Model = DEFAULT_MODEL,
    port: Annotated[int | None, typer.Option(help="Where the page is served, on this machine only.")] = None,
    browser: Annotated[bool, typer.Option(help="Open it in the browser.")] = True,
) -> None:
    """Open the web page: drop a scan, turn it, see the views and the answer."""
    from affectvlm.app.launch import launch

    raise typer.Exit(launch(model, port, browser))


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def _tell_skipped(samples: int, prepared: PreparedSet) -> None:
    if skipped := samples - len(prepared):
        _say(f"{skipped} of {samples} scans could not be used; {prepared.folder / 'skipped.csv'} says why")


def _study(prepared: PreparedSet, config: TrainConfig, run: Path, folds: int, jobs: int, record: RunRecord) -> None:
    """Cross-validate with a progress bar, then say what came out, what it took and what to try next."""
    from affectvlm.evaluation.cross_validation import all_epochs_done, epochs_in_all
    from affectvlm.evaluation.study import run_study

    jobs = min(jobs, folds + 1)
    total = epochs_in_all(config, folds)
    with progress_bar(f"{folds} folds and the model", total, lambda: all_epochs_done(run)):
        metrics = run_study(prepared, config, run, folds, jobs, record)
    print_metrics(metrics)
    shares = ", ".join(f"{name} {100 * s / record.total_s:.0f} %" for name, s in record.stages_s.items())
    _say(f"{record.total_s:.0f} s ({shares}), at most {record.peak_memory_mib / 1024:.1f} GiB")
    _say(f"Report: {run / 'report.html'}")
    _next(f"affectvlm predict SCAN --model {run / 'model'}", f"affectvlm app --model {run / 'model'}")


def _config(file: Path | None, epochs: int | None, seed: int | None) -> TrainConfig:
    """Resolve the settings: the file's, or the defaults; what the command line names goes first."""
    from affectvlm.training import TrainConfig

    config = TrainConfig.from_yaml(file) if file else TrainConfig()
    named = {name: value for name, value in (("epochs", epochs), ("seed", seed)) if value is not None}
    return config.model_copy(update=named)


def _next(*commands: str) -> None:
    out.print("Next:")
    for command in commands:
        _say(f"  {command}", "bold")


def _say(text: str, style: str = "") -> None:
    """Print a line as it is: a path may hold what rich would take for markup."""
    out.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def _print_error(text: str) -> None:
    err.print(f"[red]error:[/] {escape(text)}", highlight=False, soft_wrap=True)


def main() -> None:
    """Run the command line; what a user can mend is one line and exit status 2."""
    show_warnings_as_lines()
    try:
        app()
    except AffectVLMError as error:
        _print_error(str(error))
        sys.exit(2)
    except OSError as error:
        # A place that cannot be written to; network errors and the like bring no reason of the system's.
        if error.strerror is None:
            raise
        place = error.filename2 or error.filename or "the disk"
        _print_error(f"{place}: {error.strerror}; check the path, the right to write there and the free space")
        sys.exit(2)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        _print_error(f"this command needs the library {error.name}; install it with: pip install 'affectvlm[{extra}]'")
        sys.exit(2)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            err.print("interrupted; demo, synth, prepare, train and evaluate go on when given again")
        raise
