"""Runs cases in worker processes, and lays whatever ends a worker at the door of the case that it was at."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .cases import Case, damaged_files
from .fixtures import Fixture, make_fixtures
from .judge import Verdict

TESTS = Path(__file__).parents[1]
CACHE = TESTS.parent / ".pytest_cache" / "fuzzing"
CPU_S = 10.0
"""No small file takes longer to read."""


@dataclass(frozen=True)
class Result:
    """A case, and how it went."""

    case: Case
    verdict: Verdict

    def __str__(self) -> str:
        return f"{self.case}: {self.verdict.complaint or self.verdict.refusal or 'read'}"


def run_cases(
    plan: Sequence[Case],
    jobs: int = 1,
    report: Callable[[Result], None] | None = None,
    registry: str = make_fixtures.__module__,
    cpu_s: float = CPU_S,
) -> list[Result]:
    """Judge every case.

    Parameters
    ----------
    plan : sequence of Case
    jobs : int
        Worker processes at a time.
    report : callable
        Is told each result as it comes.
    registry : str
        The module whose ``make_fixtures`` makes the fixtures.
    cpu_s : float
        What takes longer hangs.

    Returns
    -------
    list of Result
        In the order of the plan, when there is but one job.
    """
    results: queue.Queue[Result | BaseException | None] = queue.Queue()

    def work(share: Sequence[Case]) -> None:
        try:
            for result in _judged(share, registry, cpu_s):
                results.put(result)
        except BaseException as error:
            results.put(error)
        results.put(None)

    shares = [plan[job::jobs] for job in range(jobs)]
    for share in shares:
        threading.Thread(target=work, args=(share,), daemon=True).start()
    done: list[Result] = []
    running = len(shares)
    while running:
        result = results.get()
        if result is None:
            running -= 1
        elif isinstance(result, BaseException):
            raise result
        else:
            done.append(result)
            if report:
                report(result)
    return done


def _judged(plan: Sequence[Case], registry: str, cpu_s: float) -> Iterator[Result]:
    environment = os.environ | {
        "NUMBA_BOUNDSCHECK": "1",
        # Numba's cache does not tell kernels with bounds checks from those without.
        "NUMBA_CACHE_DIR": str(CACHE / "numba"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    done = 0
    while done < len(plan):
        with tempfile.TemporaryFile() as said:
            command = [sys.executable, "-m", "fuzzing.worker"]
            worker = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, env=environment, text=True
            )
            assert worker.stdin is not None
            assert worker.stdout is not None
            first = done
            try:
                todo = [[case.fixture, case.number] for case in plan[done:]]
                worker.stdin.write(json.dumps({"registry": registry, "cpu_s": cpu_s, "cases": todo}))
                worker.stdin.close()
                for line in worker.stdout:
                    yield Result(plan[done], Verdict(**json.loads(line)))
                    done += 1
                status = worker.wait()
            finally:
                worker.kill()
                worker.stdout.close()
            if done == len(plan):
                return
            said.seek(0)
            words = said.read().decode(errors="replace").strip()[-3000:]
            if status == 1 and done == first:
                raise RuntimeError(f"the worker could not begin: {words}")
            yield Result(plan[done], Verdict(f"ended the process with status {status}: {words}", None))
            done += 1


def keep(result: Result, fixtures: Mapping[str, Fixture], folder: Path) -> Path:
    """Write down the files of a case, to read them again by hand."""
    place = folder / f"{result.case.fixture.replace(', ', '-').replace(' ', '-')}-{result.case.number}"
    place.mkdir(parents=True, exist_ok=True)
    for name, content in (fixtures[result.case.fixture].files | damaged_files(result.case, fixtures)).items():
        (place / name).write_bytes(content)
    (place / "complaint.txt").write_text(f"{result}\n", encoding="utf-8")
    return place
