"""A command with an option that takes all that follows it: ``--labels "a person in pain" "a person laughing"``."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand


class LabelsCommand(TyperCommand):
    """A command whose ``--labels`` takes every value up to the next option; click's options take one at a time."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Write the option before each of its values, then parse as usual."""
        return super().parse_args(ctx, one_each(args, "--labels"))


def one_each(arguments: list[str], option: str) -> list[str]:
    """Repeat an option before each of the values that follow it, up to the next option or ``--``.

    >>> one_each(["scan.ply", "--labels", "sad", "glad", "--model", "m"], "--labels")
    ['scan.ply', '--labels', 'sad', '--labels', 'glad', '--model', 'm']
    >>> one_each(["scan.ply", "--labels=sad", "glad"], "--labels")
    ['scan.ply', '--labels=sad', '--labels', 'glad']

    Raises
    ------
    typer.BadParameter
        No value follows.
    """
    repeated: list[str] = []
    taking = False
    for number, argument in enumerate(arguments):
        if argument == "--":
            return repeated + arguments[number:]
        if argument == option:
            taking = True
            if number + 1 == len(arguments) or arguments[number + 1].startswith("-"):
                raise typer.BadParameter(f"{option} needs at least one value behind it")
        elif argument.startswith("-"):
            taking = argument.startswith(f"{option}=")  # its first value, and more may follow
            repeated.append(argument)
        else:
            repeated += [option, argument] if taking else [argument]
    return repeated
