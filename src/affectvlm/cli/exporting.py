"""Commands that take a model elsewhere: ``export onnx``."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from affectvlm.console import say, say_next, working
from affectvlm.errors import ConfigError
from affectvlm.model_files import RECORD

commands = typer.Typer()
export = typer.Typer(
    help="Write a model in the form of another runtime.",
    epilog="Example: `affectvlm export onnx runs/demo/model`",
    no_args_is_help=True,
)
commands.add_typer(export, name="export")


@export.callback()
def _forms() -> None:
    """Keep ``onnx`` a word of the command, though it is the only form so far."""


@export.command(epilog="Example: `affectvlm export onnx runs/demo/model --int8 --samples prepared/demo --out small`")
def onnx(
    model: Annotated[
        str | None,
        typer.Argument(
            help="Folder or hub id of a trained model; by default the one that comes along.", metavar="MODEL"
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--out", help="Folder for the exported model; by default the model's own.")
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Image encoder in 8 bits; says what accuracy that costs.")
    ] = False,
    samples: Annotated[
        Path | None, typer.Option(help="For --int8: a prepared set that the model was not trained on.")
    ] = None,
) -> None:
    """Export a model to ONNX, which onnxruntime runs without PyTorch: `predict --backend onnx`."""
    if int8 != (samples is not None):
        raise ConfigError(
            "--int8 and --samples PREPARED go together: 8 bits are fitted to samples, and what they cost is measured"
        )
    if to is None and (model is None or not Path(model).is_dir()):
        raise ConfigError(f"{model or 'the model that comes along'}: say where the exported model goes with --out")
    with working("loading the model"):
        from affectvlm.model import AffectVLM
        from affectvlm.recognizer.export import export_onnx
        from affectvlm.recognizer.source import find_model_folder

        folder = find_model_folder(model)
        loaded = AffectVLM.load(folder)
        to = to or folder
        if samples is not None:
            from affectvlm.prepared import PreparedSet
            from affectvlm.recognizer.quantize import quantize, usable_samples
            from affectvlm.recognizer.torch_encoder import TorchEncoder

            prepared = PreparedSet(samples)
            usable_samples(prepared, TorchEncoder(loaded))  # said before the export, which takes a while
    with working("exporting; takes half a minute"):
        export_onnx(loaded, to)
        if (folder / RECORD).is_file() and not to.samefile(folder):
            shutil.copyfile(folder / RECORD, to / RECORD)
    if samples is not None:
        with working("fitting 8 bits, and measuring what they cost"):
            cost = quantize(to, prepared)
        say(
            f"UAR {cost.uar_fp32:.3f} in 32 bits, {cost.uar_int8:.3f} in 8 ({cost.uar_int8 - cost.uar_fp32:+.3f}), on "
            f"{cost.measured_on} samples of {cost.source}; {cost.same_answer:.1%} of the answers are the same"
        )
    say(f"{to}: the exported model")
    say_next(f"affectvlm predict SCAN --model {to} --backend onnx")
