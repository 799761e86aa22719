"""Commands that use a scan as it is: ``predict``, ``show``, ``watch`` and ``app``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from affectvlm.cli.first_run import compiling_told
from affectvlm.cli.many_values import LabelsCommand
from affectvlm.cli.options import DEFAULT_MODEL, LARGEST_VIEW, Model, RuntimeOption, Style
from affectvlm.console import print_error, print_predictions, progress_bar, say, working
from affectvlm.errors import ConfigError
from affectvlm.files import written_whole

commands = typer.Typer()


@commands.command(cls=LabelsCommand, epilog="Example: `affectvlm predict scans/*.ply --format json`")
def predict(
    scans: Annotated[
        list[Path],
        typer.Argument(help="Scans: obj, ply, stl, off, glb, wrl, bnt, abs, npz, depth png; folders of frames."),
    ],
    model: Model = DEFAULT_MODEL,
    labels: Annotated[
        list[str] | None,
        typer.Option(
            help="Classes in your own words, all up to the next option: `--labels 'in pain' laughing`.",
            metavar="TEXT TEXT ...",
        ),
    ] = None,
    style: Annotated[Style, typer.Option("--format", help="How answers are printed.")] = Style.table,
    backend: Annotated[
        RuntimeOption | None,
        typer.Option(
            help="What runs the model; onnx, where it is installed, for the one that comes along, else torch."
        ),
    ] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second of a folder.", min=0.1, max=1000)] = None,
    at_rest: Annotated[
        list[Path] | None,
        typer.Option(help="The same person with a neutral face, where all scans are one person's; may be repeated."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw a sequence's course: a picture, PNG.")] = None,
) -> None:
    """Read the apparent expression of scans; exits with 1 if one of them cannot be used.

    A folder is a sequence: the scans in it are its frames.
    """
    if plot is not None:
        if len(scans) != 1 or not scans[0].is_dir():
            raise ConfigError("--plot draws one sequence; name one folder of frames")
        from affectvlm.recognizer.timeline_picture import draw_timeline
    for label in labels or ():
        if os.path.isfile(label):  # a label may be too long for a Path to ask
            raise ConfigError(f"--labels takes all up to the next option, also {label!r}, a file; name the scans first")
    with working("loading the model"):
        from affectvlm.recognizer import Recognizer

        recognizer = Recognizer.from_pretrained(model, None if backend is None else backend.value)
    with progress_bar("scans", len(scans)) as done, compiling_told():
        predictions = recognizer.predict(scans, labels or None, done, fps, at_rest or None)
    print_predictions(predictions, labels or recognizer.classes, style.value)
    if plot is not None and predictions[0].timeline is not None:
        with written_whole(plot) as path:
            draw_timeline(predictions[0], path)
    failed = [p for p in predictions if p.error is not None]
    for p in failed:
        print_error(str(p.error))
    if failed:
        raise typer.Exit(1)


@commands.command(epilog="Example: `affectvlm show scan.obj --out views.png`")
def show(
    scan: Annotated[Path, typer.Argument(help="A scan: obj, ply, stl, off, glb, wrl, bnt, abs, npz, depth png.")],
    to: Annotated[Path, typer.Option("--out", help="The picture, PNG.")],
    size: Annotated[int, typer.Option(help="Height and width of a view, pixels.", min=8, max=LARGEST_VIEW)] = 256,
) -> None:
    """Draw a scan's views, after it was brought upright, as a model would see them."""
    from affectvlm.scan import normalize, read_scan
    from affectvlm.views import Rig, render
    from affectvlm.views.picture import contact_sheet

    face = normalize(read_scan(scan)).face
    has_colour = face.textured or face.colours is not None
    rig = Rig(size_px=size, maps=("texture", "depth", "normals") if has_colour else ("depth", "normals"))
    with written_whole(to) as path:
        contact_sheet(render(face, rig)).save(path, format="PNG")
    say(f"{to}: the views of {scan}")


@commands.command(epilog="Example: `affectvlm watch incoming`")
def watch(
    folder: Annotated[Path, typer.Argument(help="Where a scanner's software drops scans.")],
    model: Model = DEFAULT_MODEL,
) -> None:
    """Read the apparent expression of scans as they come into a folder, until Ctrl-C.

    Prints a JSON object a line: the scan, its expression smoothed over those before it, or why it cannot be used.
    Where they come too quickly, the newest is next.
    """
    with working("loading the model"):
        from affectvlm.recognizer import Recognizer
        from affectvlm.recognizer.in_turn import InTurn
        from affectvlm.recognizer.stream import newest_of
        from affectvlm.recognizer.watched_folder import watch_folder

        recognizer = Recognizer.from_pretrained(model)
    scans = InTurn((arrived.frame, arrived.frame) for arrived in newest_of(watch_folder(folder)))
    for answer in recognizer.stream(scans, live=True):
        path = scans.answered(answer.frame)
        print(json.dumps({"path": str(path), **answer.to_dict()}, ensure_ascii=False), flush=True)


@commands.command("app", epilog="Example: `affectvlm app`")
def open_app(
    model: Model = DEFAULT_MODEL,
    port: Annotated[
        int | None,
        typer.Option(help="Where the page is served, on this machine only; the first free one from 8501.", min=1),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open it in the browser.")] = True,
    runs: Annotated[
        Path | None, typer.Option(help="Folder with runs: their models and reports are part of `Compare models`.")
    ] = None,
    watch: Annotated[
        Path | None, typer.Option(help="Folder into which a scanner drops frames: `Live` reads them as they come.")
    ] = None,
    ict: Annotated[Path | None, typer.Option(help="Folder of ICT-FaceKit: one more face to perform.")] = None,
    makehuman: Annotated[Path | None, typer.Option(help="Folder of MakeHuman: one more face to perform.")] = None,
    captures: Annotated[
        Path | None, typer.Option(help="Folder with Live Link Face csv files: captured movement to perform.")
    ] = None,
    public_url: Annotated[
        str | None,
        typer.Option(
            help="Where visitors find the page, if a web server on this machine passes it on (and asks for a "
            "password): `https://lab.example.org/faces`. The page itself stays on 127.0.0.1.",
            metavar="URL",
        ),
    ] = None,
) -> None:
    """Open the web page: read scans and sequences, ask in words, watch a live face, compare models.

    Everything runs on this machine, nothing is stored. Visitors see no folder but those named here.
    """
    from affectvlm.app.launch import launch
    from affectvlm.app.settings import AppSettings
    from affectvlm.recognizer.source import find_model_folder

    folders = {"runs": runs, "watch": watch, "ict": ict, "makehuman": makehuman, "captures": captures}
    named = {name: folder.expanduser().resolve() for name, folder in folders.items() if folder is not None}
    settings = AppSettings(model=find_model_folder(model).resolve(), **named)
    raise typer.Exit(launch(settings, port, browser, public_url))
