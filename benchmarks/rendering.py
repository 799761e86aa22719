"""How fast are a scan's views drawn, beside VTK and pyrender; and how much does reading the scan add?

    python benchmarks/rendering.py --environments renderers

One process on one core draws a face of 37,000 vertices and 74,000 triangles with a texture of 1040 x 1392 (as a frame
of BU-4DFE has): three orthographic views of 224 x 224, each with texture, depth and normals. Every scan is new to
every library, as each frame of a sequence is. The libraries take turns, each in a virtual environment of its own that
this program makes; what they are asked for is written in ``benchmarks/renderers``. Each starts from the same arrays
(vertices, triangles, texture coordinates, picture) and finds the normals of the vertices itself, and only ours turns
them to each camera's axes. What counts
is the processor's time, of all threads: on one core without a graphics card it is the clock's, less what other work on
the machine takes.

Then: the same scan from VRML text and a JPEG to the same maps, as a multiple of drawing alone; the curvature maps on
top; and the memory of this process after 50 and after 500 scans.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from affectvlm.scan import FaceScan, read_scan
from affectvlm.synthesis.generate import Study
from affectvlm.synthesis.library import FaceSource
from affectvlm.synthesis.sensors import ideal_grid
from affectvlm.views import Rig, Views, render

RENDERERS = Path(__file__).parent / "renderers"
PACKAGES = {"VTK": ("vtk_views.py", ["vtk"]), "pyrender": ("pyrender_views.py", ["pyrender"])}
RIG = Rig(size_px=224, maps=("texture", "depth", "normals"))
BENDS = Rig(size_px=224, maps=("texture", "depth", "normals", "mean_curvature", "shape_index"))
ONE_CORE = {"LIBGL_ALWAYS_SOFTWARE": "1", "LP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""No graphics card, and one thread in Mesa's renderer that stands in for one."""

VERTICES = 37_000
TEXTURE_PX = (1040, 1392)

Given = TypeVar("Given")


def main() -> None:
    """Draw, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environments", type=Path, help="where the other libraries are installed; none: ours alone")
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    _one_core()

    face = make_face()
    print(f"{platform.machine()}, one core; {len(face.vertices)} vertices, {len(face.triangles)} triangles")
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "scan.npz"
        np.savez(
            given,
            vertices=face.vertices,
            triangles=face.triangles,
            uv=face.uv,
            texture=face.texture,
            rotations=RIG.rotations,
            centre=np.asarray(RIG.centre_mm, np.float32),
        )
        others = [
            Other(name, *PACKAGES[name], options.environments, given) for name in PACKAGES if options.environments
        ]
        text = write_vrml(face, Path(folder))
        turns: dict[str, Callable[[], float]] = {
            "drawing": lambda: _milliseconds(face, lambda scan: render(anew(scan), RIG)),
            "with curvature": lambda: _milliseconds(face, lambda scan: render(anew(scan), BENDS)),
            "VRML to maps": lambda: _milliseconds(text, lambda path: render(read_scan(path), RIG)),
        }
        turns |= {other.name: other.draw for other in others if other.process}
        times: dict[str, list[float]] = {name: [] for name in turns}
        for turn in range(options.repeats + 2):
            for name, work in turns.items():
                took = work()
                if turn >= 2:  # the first compile and warm up
                    times[name].append(took)
        medians = {name: float(np.median(values)) for name, values in times.items()}
        for name, values in times.items():
            ratio = np.median(np.array(values) / np.array(times["drawing"]))
            print(f"  {name:16s} {medians[name]:8.1f} ms ({min(values):.1f} to {max(values):.1f})   {ratio:6.2f} x")
        ours = render(anew(face), RIG)
        for other in others:
            print(f"  {other.name}: {other.remark}{other.compare(ours, Path(folder))}")
            other.close()
    after = {count: _resident_mb(face, count) for count in (50, 450)}
    print(f"  memory: {after[50]:.1f} MB after 50 scans, {after[450]:.1f} MB after 500")


def make_face() -> FaceScan:
    """Measure a generated happy face on a grid that gives the wanted number of vertices."""
    study = Study(FaceSource.find("embedded", None), subjects=1, seed=0, textured=True)
    made = study.record([take for take in study.takes() if take.emotion == "happiness"][-1])
    head = made.scan.moved(made.rotation.T, np.zeros(3))
    grid = ideal_grid(head, 1.0)
    spacing = float(np.sqrt(grid.measured.sum() / VERTICES))
    face = ideal_grid(head, spacing).mesh(10)
    texture = Image.fromarray(np.asarray(face.texture)).resize(TEXTURE_PX)
    return FaceScan(face.vertices, face.triangles, face.uv, face.uv_triangles, np.asarray(texture), "face")


def anew(face: FaceScan) -> FaceScan:
    """Make the same scan again, as if it had just been read: its vertex normals are still to be found."""
    return FaceScan(face.vertices, face.triangles, face.uv, face.uv_triangles, face.texture, face.source)


def write_vrml(face: FaceScan, folder: Path) -> Path:
    """Write a scan as BU-4DFE has it: VRML text and a JPEG beside it."""
    Image.fromarray(np.asarray(face.texture)).save(folder / "000.jpg", quality=90)

    def rows(values: np.ndarray, form: str) -> str:
        return "\n".join((form * values.shape[1] + ",") % tuple(row) for row in values.tolist())

    ends = np.full((len(face.triangles), 1), -1)
    assert face.uv is not None
    assert face.uv_triangles is not None
    path = folder / "000.wrl"
    path.write_text(
        '#VRML V2.0 utf8\nShape {\nappearance Appearance { texture ImageTexture { url "000.jpg" } }\n'
        f"geometry IndexedFaceSet {{\ncoord Coordinate {{ point [\n{rows(face.vertices, '%.6f ')}\n] }}\n"
        f"coordIndex [\n{rows(np.hstack([face.triangles, ends]), '%d ')}\n]\n"
        f"texCoord TextureCoordinate {{ point [\n{rows(face.uv, '%.6f ')}\n] }}\n"
        f"texCoordIndex [\n{rows(np.hstack([face.uv_triangles, ends]), '%d ')}\n]\n}}\n}}\n"
    )
    return path


class Other:
    """Another library, drawing in a process and an environment of its own."""

    def __init__(self, name: str, script: str, packages: list[str], environments: Path, given: Path) -> None:
        self.name = name
        self.process: subprocess.Popen[str] | None = None
        home = environments / name.lower()
        python = home / "bin/python"
        if not python.exists():
            venv.create(home, with_pip=True)
        installed = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "numpy", *packages], capture_output=True, text=True
        )
        if installed.returncode:
            self.remark = f"not available: {_last_line(installed.stderr)}"
            return
        with (given.parent / f"{name}.log").open("w") as log:
            process = subprocess.Popen(
                [python, RENDERERS / script, given],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **ONE_CORE},
            )
        assert process.stdout is not None
        first = process.stdout.readline()
        if first.startswith("name "):
            self.process, self.remark = process, first.removeprefix("name ").strip()
        else:
            process.wait()
            self.remark = f"not available: {_last_line(Path(log.name).read_text())}"

    def _ask(self, order: str) -> str:
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def draw(self) -> float:
        """Draw once: milliseconds, by its own clock."""
        return float(self._ask("draw"))

    def compare(self, ours: Views, folder: Path) -> str:
        """Say how near its maps are to ours: that it drew the same."""
        if self.process is None:
            return ""
        file = folder / f"{self.name}.npz"
        self._ask(f"save {file}")
        maps = np.load(file)
        there = np.isfinite(maps["depth"])
        both, either = there & ours.mask, there | ours.mask
        depth = np.median(np.abs(maps["depth"] - ours.depth)[both])
        assert ours.texture is not None
        colour = np.abs(maps["texture"].astype(int) - ours.texture)[both].mean()
        share = 100 * both.sum() / either.sum()
        return f"; the silhouettes share {share:.2f} %, median depth differs by {depth:.4f} mm, colour by {colour:.1f}"

    def close(self) -> None:
        """End its process."""
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()
            self.process.wait()


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason given"


def _milliseconds(given: Given, work: Callable[[Given], object]) -> float:
    start = time.process_time()
    work(given)
    return 1000 * (time.process_time() - start)


def _one_core() -> None:
    """Keep this process, and those that it starts, on one core, where the system can."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _resident_mb(face: FaceScan, count: int) -> float:
    """The most memory that this process had, after drawing more scans."""
    for _ in range(count):
        render(anew(face), RIG)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
