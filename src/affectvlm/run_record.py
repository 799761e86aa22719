"""What a run ran on: versions, machine, time and memory, so that its numbers can be read years later."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from affectvlm.files import written_whole

PACKAGES = ("affectvlm", "torch", "transformers", "lightning", "numpy", "numba", "scipy", "scikit-learn", "trimesh")


class RunRecord:
    """Times the stages of a run, and writes down what they ran on.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.started = datetime.now(UTC)
        self.began = time.perf_counter()
        self.stages_s: dict[str, float] = {}
        self.worker_peaks_mib: dict[int, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage."""
        began = time.perf_counter()
        yield
        self.stages_s[name] = time.perf_counter() - began

    def saw_worker(self, pid: int, peak_mib: float) -> None:
        """Note the peak memory of a worker process."""
        if pid != os.getpid():
            self.worker_peaks_mib[pid] = max(peak_mib, self.worker_peaks_mib.get(pid, 0.0))

    @property
    def total_s(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self.began

    @property
    def peak_memory_mib(self) -> float:
        """This process's peak plus that of every worker: no less than was ever used at once."""
        return peak_memory_mib() + sum(self.worker_peaks_mib.values())

    def write(self, file: Path, rig_fingerprint: str) -> None:
        """Write ``environment.json``."""
        record: dict[str, Any] = {
            "versions": package_versions(),
            "git_revision": _git_revision(),
            "seed": self.seed,
            "rig_fingerprint": rig_fingerprint,
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cores": os.cpu_count(),
            "stages_s": {name: round(seconds, 2) for name, seconds in self.stages_s.items()},
            "total_s": round(self.total_s, 2),
            "peak_memory_mib": round(self.peak_memory_mib),
            "started": self.started.isoformat(timespec="seconds"),
        }
        with written_whole(file) as path:
            path.write_text(json.dumps(record, indent=2))


def peak_memory_mib() -> float:
    """Peak resident memory of this process, MiB."""
    # Linux counts in KiB, macOS in bytes.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def package_versions() -> dict[str, str]:
    """Name the versions of the packages that results depend on, as far as they are installed."""
    return {name: found for name in PACKAGES if (found := _version(name))}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_revision() -> str | None:
    """The revision of the source tree that the package runs from; None for an installed package, or without git."""

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        try:
            found = subprocess.run(command, capture_output=True, text=True)
        except OSError:  # no git on this machine
            return None
        return found.stdout.strip() if found.returncode == 0 else None

    # An environment inside somebody's own repository: that one's revision says nothing of this package.
    if git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    return git("describe", "--always", "--dirty", "--abbrev=12")
