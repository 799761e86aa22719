"""How much faster is a face found where it was in the frame before, and is it found at the same place?

    python benchmarks/following.py --ict DIR --makehuman DIR --fps 10 --frames 80

Every face model's first person looks around before every sensor, at 25 frames a second by 2 degrees from frame to frame
and less, at 10 by 6. Each frame is searched for its face alone, and then from the pose that was found in the frame
before, without ever searching anew unless the face is lost: an error would add up. Times are of the processor, on one
core: of finding the pose, and of bringing the scan upright, which includes it. "Searched" is the share of frames whose
face was lost, and searched for after all. The table is Markdown.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from scipy.spatial.transform import Rotation

from affectvlm.errors import ScanError
from affectvlm.scan import FaceScan, Pose, normalize
from affectvlm.scan.pose import locate
from affectvlm.synthesis.generate import Study
from affectvlm.synthesis.library import FaceSource
from affectvlm.synthesis.sensors import SENSORS

Result = TypeVar("Result")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", type=Path, help="a checkout of ICT-FaceKit")
    parser.add_argument("--makehuman", type=Path, help="a checkout of mpfb2")
    parser.add_argument("--first", type=int, default=0, help="frame, from 0")
    parser.add_argument("--frames", type=int, default=50, help="of each face model and sensor")
    parser.add_argument(
        "--fps", type=float, default=10.0, help="the fewer, the farther a head turns from one to the next"
    )
    parser.add_argument("--sensors", nargs="+", default=list(SENSORS), choices=list(SENSORS))
    options = parser.parse_args()

    folders = {"ict-facekit": options.ict, "makehuman": options.makehuman}
    sources = [FaceSource(), *(FaceSource.find(name, folder) for name, folder in folders.items() if folder)]
    print("| face, sensor | frames | searched | apart, deg, median / most | mm | misfit | pose, ms | upright, ms |")
    print("|---|---|---|---|---|---|---|---|")
    for source in sources:
        for sensor in options.sensors:
            study = Study(source, protocol="neutral", subjects=1, sensor=sensor, fps=options.fps)
            scans = [
                study.record(take).scan for take in islice(study.takes(), options.first, options.first + options.frames)
            ]
            normalize(scans[0], near=normalize(scans[0]).pose)  # compiles
            print(f"| {source.name}, {sensor} | {_row(scans)} |", flush=True)


def _row(scans: list[FaceScan]) -> str:
    near: Pose | None = None
    apart, times, searched = [], [], 0
    for scan in scans:
        try:
            (alone, _), search_ms = _timed(lambda scan=scan: locate(scan))
            _, alone_ms = _timed(lambda scan=scan: normalize(scan))
            if near is None:
                near = alone
                continue
            (pose, _), follow_ms = _timed(lambda scan=scan, near=near: locate(scan, near))
            _, near_ms = _timed(lambda scan=scan, near=near: normalize(scan, near=near))
        except ScanError:
            near = None
            continue
        searched += np.array_equal(pose.rotation, alone.rotation)
        turn = Rotation.from_matrix(alone.rotation.T @ pose.rotation).magnitude()
        apart.append((np.degrees(turn), np.linalg.norm(alone.nose - pose.nose), pose.misfit - alone.misfit))
        times.append((search_ms, follow_ms, alone_ms, near_ms))
        near = pose
    deg, mm, misfit = np.array(apart).T
    search, follow, alone_all, near_all = np.median(times, axis=0)
    return (
        f"{len(apart)} | {searched / len(apart):.0%} | {np.median(deg):.2f} / {deg.max():.2f} | "
        f"{np.median(mm):.2f} / {mm.max():.2f} | {np.median(misfit):+.3f} / {misfit.max():+.3f} | "
        f"{search:.1f} -> {follow:.1f} | {alone_all:.1f} -> {near_all:.1f}"
    )


def _timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Give a result, and the milliseconds that it took the processor."""
    start = time.thread_time()
    result = work()
    return result, 1000 * (time.thread_time() - start)


if __name__ == "__main__":
    main()
