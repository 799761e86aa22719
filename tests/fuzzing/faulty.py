"""Readers that do what none may do: the harness must see it, and see in which case it was."""

from __future__ import annotations

import mmap
import os
import signal
import warnings
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np

from affectvlm.errors import ScanError

from .fixtures import Fixture


def well(path: Path) -> None:
    """Read as it should."""
    path.read_bytes()


def refuse(path: Path) -> None:
    raise ScanError(f"{path}: expected something else; export it again")


def stumble(path: Path) -> None:
    raise IndexError("out of range")


def warn(path: Path) -> None:
    warnings.warn("overflow", RuntimeWarning, stacklevel=1)


def say_nothing_of_the_file(path: Path) -> None:
    raise ScanError("expected something else")


def say_two_lines(path: Path) -> None:
    raise ScanError(f"{path}: expected\nsomething else")


def warn_in_two_lines(path: Path) -> None:
    warnings.warn(f"{path}: odd\nbut usable", stacklevel=1)


def hang(path: Path) -> None:
    while True:
        pass


def swell(path: Path) -> None:
    mmap.mmap(-1, 1 << 30).close()


def ask_for_everything(path: Path) -> None:
    try:
        np.empty(4_000_000_000, "f8")
    except MemoryError as error:
        raise ScanError(f"{path}: too large") from error


def crash(path: Path) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def look_outside(path: Path) -> None:
    (path.parent / "link.png").read_bytes()


def look_up(path: Path) -> None:
    list((path.parent / "..").iterdir())


def write(path: Path) -> None:
    path.with_suffix(".cache").write_text("")


@numba.njit("float64(float64[::1])")  # compiled now, as this writes and reads files
def _beyond(numbers: np.ndarray) -> float:
    return numbers[len(numbers) + 5]


def index_beyond(path: Path) -> None:
    try:
        _beyond(np.zeros(3))
    except Exception as error:
        raise ScanError(f"{path}: damaged") from error


READERS: tuple[Callable[[Path], object], ...] = (
    *(
        well,
        refuse,
        stumble,
        warn,
        say_nothing_of_the_file,
        warn_in_two_lines,
        say_two_lines,
        hang,
        swell,
        ask_for_everything,
        crash,
    ),
    *(look_outside, look_up, write, index_beyond),
)


def make_fixtures(folder: Path) -> dict[str, Fixture]:
    """One file for each reader."""
    return {read.__name__: Fixture({"scan.txt": b"content"}, read) for read in READERS}
