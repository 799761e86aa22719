"""How benchmarks/rendering.py talks to a renderer in an environment of its own: a line in, a line out."""

import sys
import time
from collections.abc import Callable

import numpy as np


def take_turns(name: str, draw: Callable[[], dict[str, np.ndarray]]) -> None:
    """Say the renderer's name, then answer each line: ``draw`` with milliseconds, ``save FILE`` with the maps there.

    The milliseconds are the processor's, of all threads: on a core of its own they are those of the clock, and other
    work on the machine does not count.
    """
    print("name", name, flush=True)
    for line in sys.stdin:
        order, _, file = line.strip().partition(" ")
        if order == "save":
            np.savez(file, **draw())
            print("saved", flush=True)
            continue
        start = time.process_time()
        draw()
        print(1000 * (time.process_time() - start), flush=True)
