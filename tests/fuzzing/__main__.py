"""Read many damaged files: ``python -m fuzzing --cases 100000 --jobs 2``, in the folder ``tests``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from .campaign import CACHE, Result, keep, run_cases
from .cases import Case, cases
from .fixtures import Fixture, make_fixtures


def main() -> int:
    """Return 1 when a reader did not take a file well."""
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=__doc__)
    parser.add_argument("--cases", type=int, default=2000, help="how many files to damage")
    parser.add_argument("--first", type=int, default=0, help="the number of each fixture's first case")
    parser.add_argument("--fixture", action="append", help="only this kind of file (can be given several times)")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--keep", type=Path, default=CACHE / "findings", help="where the files of findings are kept")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fixtures = make_fixtures(Path(folder))
    names = chosen.fixture or list(fixtures)
    if unknown := set(names) - set(fixtures):
        parser.error(f"expected fixtures among {'; '.join(fixtures)}, found {'; '.join(unknown)}")
    plan = [Case(case.fixture, (case.number or 0) + chosen.first) for case in cases(names, chosen.cases)]
    progress = Progress(len(plan), fixtures, chosen.keep)
    results = run_cases(plan, chosen.jobs, progress.add)
    for name in names:
        refused = [result.verdict.refusal is not None for result in results if result.case.fixture == name]
        print(f"{name}: {sum(refused)} of {len(refused)} refused")
    print(f"{len(results)} read, {progress.found} findings")
    return 1 if progress.found else 0


class Progress:
    """Says each finding at once, and how far it is every ten seconds."""

    def __init__(self, total: int, fixtures: Mapping[str, Fixture], folder: Path) -> None:
        self.total, self.fixtures, self.folder = total, fixtures, folder
        self.done = self.found = 0
        self.start = self.said = time.monotonic()

    def add(self, result: Result) -> None:
        """Count a result, and keep its files when it is a finding."""
        self.done += 1
        if result.verdict.complaint is not None:
            self.found += 1
            print(f"{result}\n  kept in {keep(result, self.fixtures, self.folder)}; again: --fixture", end=" ")
            print(f"{result.case.fixture!r} --first {result.case.number} --cases 1", flush=True)
        now = time.monotonic()
        if now - self.said > 10:
            self.said = now
            left = (now - self.start) / self.done * (self.total - self.done)
            print(f"{self.done} of {self.total} read, {self.found} findings, {left:.0f} s left", flush=True)


if __name__ == "__main__":
    sys.exit(main())
