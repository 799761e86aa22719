"""The command line as a whole: its commands, and how it ends."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from affectvlm import __version__
from affectvlm.cli import exporting, learning, making, preparing, using
from affectvlm.console import err, print_error, show_warnings_as_lines
from affectvlm.errors import AffectVLMError

EXTRAS = {
    "lightning": "train",
    "torchmetrics": "train",
    "sklearn": "train",
    "pandas": "train",
    "pyarrow": "train",
    "joblib": "train",
    "threadpoolctl": "train",
    "matplotlib": "train",
    "jinja2": "train",
    "streamlit": "app",
    "plotly": "app",
    "ray": "ray",
    "distributed": "dask",
    "peft": "lora",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "onnxruntime": "onnx",
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
for part in (making, preparing, learning, using, exporting):
    app.add_typer(part.commands)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; what a user can mend is one line and exit status 2."""
    show_warnings_as_lines()
    try:
        app()
    except AffectVLMError as error:
        print_error(str(error))
        sys.exit(2)
    except OSError as error:
        # A place that cannot be written to; network errors and the like bring no reason of the system's.
        if error.strerror is None:
            raise
        place = error.filename2 or error.filename or "the disk"
        print_error(f"{place}: {error.strerror}; check the path, the right to write there and the free space")
        sys.exit(2)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        print_error(f"this command needs the library {error.name}; install it with: pip install 'affectvlm[{extra}]'")
        sys.exit(2)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            err.print("interrupted; demo, synth, prepare, train and evaluate go on when given again")
        raise
