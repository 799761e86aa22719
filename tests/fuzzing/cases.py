"""Cases: which files of which fixture are damaged, and how; a case's number says it all."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .fixtures import Fixture
from .mutators import mutated


@dataclass(frozen=True)
class Case:
    """The ``number``-th damage of a fixture; with None its files as they are."""

    fixture: str
    number: int | None

    def __str__(self) -> str:
        return self.fixture if self.number is None else f"{self.fixture} #{self.number}"


def cases(fixtures: Sequence[str], count: int) -> list[Case]:
    """``count`` cases, spread evenly."""
    return [Case(fixtures[i % len(fixtures)], i // len(fixtures)) for i in range(count)]


def damaged_files(case: Case, fixtures: Mapping[str, Fixture]) -> dict[str, bytes]:
    """Return the files of the case that differ from the fixture's: mostly the one that is read."""
    if case.number is None:
        return {}
    fixture = fixtures[case.fixture]
    rng = np.random.default_rng([zlib.crc32(case.fixture.encode()), case.number])
    names = list(fixture.files)
    chosen = [names[0]]
    if len(names) > 1 and rng.random() < 0.3:
        chosen = [names[int(rng.integers(1, len(names)))], *(chosen if rng.random() < 0.3 else [])]
    # What another reader takes for its own is the best thing to splice in.
    everything = list(fixtures.values())
    other = everything[int(rng.integers(len(everything)))]
    files = {}
    for name in chosen:
        files[name] = mutated(fixture.files[name], [fixture.files[name], *other.files.values()], rng)
    return files
