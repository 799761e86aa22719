"""How many scans a second does one core make, from the face model to the prepared set?

    OMP_NUM_THREADS=1 python benchmarks/generator.py --faces ict-facekit --from ICT-FaceKit

One process and one thread make a BU-3DFE study (sensor ``clean``: no camera) into a prepared set of three 112 x 112
views with depth and normals, several times; prints the median rate, and each step's share in milliseconds a scan.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from affectvlm.prepared import prepare
from affectvlm.synthesis.generate import Study
from affectvlm.synthesis.library import FaceSource
from affectvlm.views import Rig, encode, render


def main() -> None:
    """Time it and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", default="embedded")
    parser.add_argument("--from", dest="folder", type=Path)
    parser.add_argument("--sensor", default="clean")
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--subjects", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()

    source = FaceSource.find(options.faces, options.folder)
    rig = Rig(size_px=options.size)

    def make(seed: int) -> float:
        """Scans a second."""
        study = Study(source, subjects=options.subjects, sensor=options.sensor, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            made = prepare(study.samples(), rig, Path(folder) / "set", "synthetic: benchmark")
            return len(made) / (time.perf_counter() - start)

    make(0)  # compiles
    rates = [make(seed) for seed in range(1, options.repeats + 1)]
    spread = f"{min(rates):.0f} to {max(rates):.0f}"
    print(f"{options.faces}, {options.sensor}, 3 x {options.size} px: {np.median(rates):.0f} scans/s a core ({spread})")

    samples = Study(source, subjects=2, sensor=options.sensor).samples()
    scans = [sample.load() for sample in samples]
    views = [render(scan, rig) for scan in scans]
    _tell("face, sensor, pose", len(samples), lambda: [sample.load() for sample in samples])
    _tell("views", len(samples), lambda: [render(scan, rig) for scan in scans])
    _tell("encoding", len(samples), lambda: [encode(view) for view in views])


def _tell(word: str, count: int, work: Callable[[], object]) -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    print(f"  {word:20s} {1000 * np.median(times) / count:6.2f} ms a scan")


if __name__ == "__main__":
    main()
