"""Commands that make faces up: ``demo`` and ``synth``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from affectvlm.cli.learning import resolved_config, study_and_report
from affectvlm.cli.options import (
    CORES,
    LARGEST_SEED,
    LARGEST_VIEW,
    Faces,
    Jobs,
    MapOption,
    ProtocolOption,
    ScanFormat,
    SensorOption,
    Variety,
)
from affectvlm.cli.preparing import chosen_rig, say_evaluate, tell_oddities
from affectvlm.console import progress_bar, say, working
from affectvlm.errors import ConfigError
from affectvlm.run_record import RunRecord

commands = typer.Typer()


@commands.command(epilog="Example: `affectvlm demo --faces ict-facekit --from ICT-FaceKit --out runs/ict`")
def demo(
    faces: Annotated[Faces, typer.Option(help="Face model that the scans come from.")] = Faces.embedded,
    folder: Annotated[Path | None, typer.Option("--from", help="Folder of the face model, if it needs one.")] = None,
    subjects: Annotated[int, typer.Option(help="People to make; each shows 25 scans.", min=4)] = 60,
    variety: Variety = 0.3,
    folds: Annotated[int, typer.Option(help="Folds of the cross-validation.", min=2)] = 5,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each training.", min=1)] = None,
    seed: Annotated[int, typer.Option(help="Of every random draw.", min=0, max=LARGEST_SEED)] = 0,
    run: Annotated[Path, typer.Option("--out", help="Folder for everything that is made.")] = Path("runs/demo"),
    jobs: Jobs = CORES,
) -> None:
    """Make faces, train, cross-validate and report: the whole path on synthetic scans."""
    record = RunRecord(seed)
    with record.stage("libraries"), working("loading the libraries"):
        import affectvlm.evaluation.study  # noqa: F401 (its libraries are loaded here, where the stage says so)
        from affectvlm.evaluation.folds import Split
        from affectvlm.prepared import prepare as prepare_set
        from affectvlm.prepared import samples_done
        from affectvlm.synthesis import FaceSource
        from affectvlm.synthesis.generate import Study
        from affectvlm.views import Rig

    with record.stage("faces and views"):
        with working("reading the face model"):
            study = Study(FaceSource.find(faces.value, folder), subjects=subjects, seed=seed, variety=variety)
            samples = study.samples()
        Split.draw([sample.subject for sample in samples], folds, seed)  # too many folds fail now, not after rendering
        total, to = len(samples), run / "prepared"
        with progress_bar("faces and views", total, lambda: samples_done(to, total)):
            prepared = prepare_set(samples, Rig(), to, study.description, jobs)
    tell_oddities(len(samples), prepared)
    study_and_report(prepared, resolved_config(None, epochs, seed), run, folds, jobs, record)


@commands.command(epilog="Example: `affectvlm synth --subjects 10 --sensor structured-light --out synthetic/bu3dfe`")
def synth(
    to: Annotated[Path, typer.Option("--out", help="Folder for the scans, or for the prepared set.")],
    faces: Annotated[Faces, typer.Option(help="Face model that the scans come from.")] = Faces.embedded,
    folder: Annotated[Path | None, typer.Option("--from", help="Folder of the face model, if it needs one.")] = None,
    subjects: Annotated[int, typer.Option(help="People to make.", min=1)] = 100,
    protocol: Annotated[
        ProtocolOption | None,
        typer.Option(help="What people do, laid out as in that data set.", show_default="bu3dfe"),
    ] = None,
    sensor: Annotated[SensorOption, typer.Option(help="What the faces are recorded with.")] = SensorOption.clean,
    variety: Variety = 1.0,
    fps: Annotated[float, typer.Option(help="Frames a second of sequences.", min=1, max=120)] = 25.0,
    style: Annotated[
        ScanFormat | None, typer.Option("--format", help="File format of the scans.", show_default="wrl")
    ] = None,
    capture: Annotated[
        Path | None, typer.Option(help="A Live Link Face csv: everybody performs it, instead of the protocol.")
    ] = None,
    prepared: Annotated[bool, typer.Option("--prepare", help="Render to a prepared set; no scan is written.")] = False,
    size: Annotated[
        int | None,
        typer.Option(
            help="With --prepare: height and width of a view, pixels.", min=8, max=LARGEST_VIEW, show_default="64"
        ),
    ] = None,
    maps: Annotated[
        list[MapOption] | None,
        typer.Option(
            help="With --prepare: what a view holds; give it once for each map.", show_default="depth, normals"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every random draw.", min=0)] = 0,
    jobs: Jobs = CORES,
) -> None:
    """Make up a data set: people who show expressions, recorded by a sensor."""
    with working("loading the libraries"):
        from affectvlm.prepared import prepare as prepare_set
        from affectvlm.prepared import samples_done
        from affectvlm.synthesis import FaceSource
        from affectvlm.synthesis.generate import Study
        from affectvlm.synthesis.labels import write_labels
        from affectvlm.synthesis.tree import write_tree

    if capture and prepared:
        raise ConfigError("a captured performance has no emotion to learn; leave out --prepare, or --capture")
    if capture and protocol:
        raise ConfigError("everybody performs either the capture or the protocol; leave out --capture, or --protocol")
    if prepared and style:
        raise ConfigError(
            "with --prepare no scan is written that could have a format; leave out --prepare, or --format"
        )
    if not prepared and (size or maps):
        raise ConfigError("only a prepared set has views; add --prepare, or leave out --size and --maps")
    with working("reading the face model"):
        source = FaceSource.find(faces.value, folder)
    rig = chosen_rig(size or 64, maps or [MapOption.depth, MapOption.normals])
    textured = not prepared or "texture" in rig.maps
    # A captured performance is laid out as BU-4DFE's sequences are.
    laid_out = ProtocolOption.bu4dfe if capture else protocol or ProtocolOption.bu3dfe
    study = Study(source, laid_out.value, subjects, sensor.value, seed, variety, fps, textured, capture)
    if not prepared:
        count = len(study.takes())
        with progress_bar("scans", count) as done:
            write_tree(study, to, (style or ScanFormat.wrl).value, jobs, done)
        say(f"{count} scans of made-up subjects ({subjects}) are in {to}")
        return
    samples = study.samples()
    total = len(samples)
    with progress_bar("scans and views", total, lambda: samples_done(to, total)):
        made = prepare_set(samples, rig, to, study.description, jobs)
    write_labels(study, to)
    say(f"{len(made)} scans of made-up subjects ({subjects}) are in {to}")
    tell_oddities(total, made)
    say_evaluate(made, "runs/synthetic")
