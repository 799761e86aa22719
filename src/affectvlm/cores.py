"""How much of the machine is ours."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Count the processor's cores that this process may run on: a cluster or a container may lend it a few only."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
