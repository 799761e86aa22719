"""Commands that bring data sets in: ``inspect`` and ``prepare``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from affectvlm.cli.options import LARGEST_VIEW, BackendOption, DatasetOption, Jobs, MapOption, Style, Words
from affectvlm.console import print_inspection, progress_bar, say, say_next, working
from affectvlm.errors import ConfigError, in_one_line

if TYPE_CHECKING:
    from affectvlm.prepared import PreparedSet
    from affectvlm.views import Rig

WARNINGS_TOLD = 3
"""Kinds of them, after a set was made; its manifest counts the others."""

FEWEST_SUBJECTS = 4
"""That a cross-validation can be made with."""

commands = typer.Typer()

Name = Annotated[DatasetOption, typer.Argument(help="Which data set it is; `folder` for one's own.", metavar="NAME")]
Root = Annotated[Path, typer.Argument(help="Its folder; of one's own: `SUBJECT/EMOTION/any-name.obj`.", metavar="DIR")]


@commands.command(epilog="Example: `affectvlm inspect bu4dfe BU-4DFE --read`")
def inspect(
    name: Name,
    root: Root,
    vocabulary: Words = None,
    read: Annotated[bool, typer.Option("--read", help="Read every scan too; takes as long as it takes.")] = False,
    jobs: Jobs = 1,
    style: Annotated[Style, typer.Option("--format", help="How the findings are printed.")] = Style.table,
) -> None:
    """Look a data set over: what is there, missing, odd; exits with 1 if a file cannot be read."""
    with working("looking at the files"):
        from affectvlm.datasets import open_dataset

        dataset = open_dataset(name.value, root, classes=own_classes(vocabulary))
        found = dataset.inspect()
    if read:
        with progress_bar("scans", found.counts["scans"]) as done:
            found = dataset.inspect(read, jobs, done)
    print_inspection(found, style.value)
    if found.unreadable:
        raise typer.Exit(1)


@commands.command(epilog="Example: `affectvlm prepare bu4dfe BU-4DFE --out prepared/bu4dfe --jobs 2`")
def prepare(
    name: Name,
    root: Root,
    to: Annotated[Path, typer.Option("--out", help="Folder for the prepared set.")],
    protocol: Annotated[str | None, typer.Option(help="Which of the scans: a protocol of the data set's.")] = None,
    vocabulary: Words = None,
    size: Annotated[int, typer.Option(help="Height and width of a view, pixels.", min=8, max=LARGEST_VIEW)] = 64,
    maps: Annotated[list[MapOption], typer.Option(help="What a view holds; give it once for each map.")] = [  # noqa: B006
        MapOption.depth,
        MapOption.normals,
    ],
    drawings: Annotated[
        int,
        typer.Option(
            help="Further drawings of every scan from jittered cameras, for training; each takes as much disk again.",
            min=0,
        ),
    ] = 0,
    jobs: Annotated[
        int | None, typer.Option(help="Processes at a time.", min=1, show_default="one a core, of all machines")
    ] = None,
    backend: Annotated[
        BackendOption,
        typer.Option(help="What runs them: this machine (loky), or a cluster whose machines share the file system."),
    ] = BackendOption.loky,
    address: Annotated[
        str | None, typer.Option(help="Of the cluster: `auto` or `HOST:6379` (Ray), `tcp://HOST:8786` (Dask).")
    ] = None,
) -> None:
    """Render a data set's scans once, for training and evaluation; goes on where it was interrupted."""
    with working("looking at the files"):
        from affectvlm.datasets import open_dataset
        from affectvlm.prepared import prepare as prepare_set
        from affectvlm.prepared import samples_done, workers
        from affectvlm.views.jitter import Jitter

        rig = chosen_rig(size, maps)
        # However the folder is spelled, and wherever a cluster's workers were started, it has one path.
        dataset = open_dataset(name.value, root.resolve(), protocol, own_classes(vocabulary))
        samples = dataset.samples()
    # With the protocol even where it is the default: whoever names it means the same set.
    source = " ".join(part for part in (name.value, root.resolve().name, dataset.protocol) if part)
    total = len(samples)
    with workers(backend.value, jobs, address) as count, progress_bar("scans", total, lambda: samples_done(to, total)):
        prepared = prepare_set(samples, rig, to, source, count, Jitter(drawings=drawings) if drawings else None)
    say(f"{len(prepared)} scans of {len(prepared.subjects)} subjects are in {to}")
    tell_oddities(total, prepared)
    say_evaluate(prepared, "runs/mine", vocabulary)


def own_classes(vocabulary: Path | None) -> tuple[str, ...]:
    """Name the classes that labels may say, those of one's own among them."""
    from affectvlm.language import Vocabulary

    return () if vocabulary is None else tuple(Vocabulary.from_yaml(vocabulary).classes)


def chosen_rig(size: int, maps: Sequence[MapOption]) -> Rig:
    """Set up the cameras as the command line asks; what they cannot do is a ConfigError."""
    from pydantic import ValidationError

    from affectvlm.views import Rig

    try:
        return Rig(size_px=size, maps=tuple(item.value for item in maps))
    except ValidationError as error:
        asked = " ".join([f"--size {size}", *(f"--maps {item.value}" for item in maps)])
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{asked}: {in_one_line(reason)}") from error


def tell_oddities(samples: int, prepared: PreparedSet) -> None:
    """Say how many samples could not be used and what was odd about others, if any."""
    if skipped := samples - len(prepared):
        say(f"{skipped} of {samples} scans could not be used; {prepared.folder / 'skipped.csv'} says why")
    for kind, count in islice(prepared.warnings.items(), WARNINGS_TOLD):
        say(f"{count} of {samples} scans: {in_one_line(kind)}")
    if (more := len(prepared.warnings) - WARNINGS_TOLD) > 0:
        say(f"... and warnings of other kinds ({more}); {prepared.folder / 'manifest.json'} counts them")


def say_evaluate(prepared: PreparedSet, run: str, vocabulary: Path | None = None) -> None:
    """Print how to go on, with folds that there are subjects enough for."""
    subjects = len(prepared.subjects)
    if subjects < FEWEST_SUBJECTS:
        say(f"A cross-validation needs at least {FEWEST_SUBJECTS} subjects.")
        return
    folds = min(10, max(2, subjects // 3))
    words = "" if vocabulary is None else f" --vocabulary {vocabulary}"
    say_next(f"affectvlm evaluate {prepared.folder} --folds {folds} --out {run}{words}")
