"""How fast is a scan recognised, from a mesh in memory to probabilities, and how soon does the first answer come?

    python benchmarks/recognizing.py --ict DIR --makehuman DIR --environments renderers

Whole heads of 37,000 vertices, several people of each face model in any expression, half of them turned by up to 20
degrees, half by up to 45. Measured by the clock, without a graphics card: each step of one scan after another; a scan
alone; a list of scans, which `Recognizer.predict` brings upright in several threads; and whole programs, from their
start to their end: `affectvlm predict FILE.ply` with PyTorch and with ONNX, the first time ever (numba compiles) and
later, and `affectvlm --help`. Scans that are refused count, too, and are told.

Beside it, in the same run, CLIP ViT-B/32 with random weights on three 224 px pictures of a head, its prompts encoded
once, alone and behind VTK and pyrender (in environments that ``benchmarks/rendering.py`` makes; each draws its
pictures as there, with depth and normals). That pipeline needs its scan upright already.

The tables are Markdown, as docs/speed.md has them.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from heads import turned_heads
from rendering import PACKAGES, RIG, Other, make_face
from transformers import CLIPConfig, CLIPModel

from affectvlm.cores import usable_cores
from affectvlm.emotions import EMOTIONS
from affectvlm.errors import ScanError
from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.recognizer import Recognizer
from affectvlm.recognizer.frames import encode_clips
from affectvlm.recognizer.source import BUNDLED
from affectvlm.scan import FaceScan, normalize, write_scan
from affectvlm.synthesis.library import FaceSource
from affectvlm.views import Rig, render

VERTICES = 37_000
TURNED_DEG = (20.0, 45.0)
PARTS = {"locate": "pose", "face_mask": "crop", "clean": "clean", "other_face": "other faces", "judge": "quality"}
"""Functions that :func:`affectvlm.scan.normalize` calls -> what they are called here."""
EXPORTED = "onnx.json"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ict", type=Path, help="a checkout of ICT-FaceKit")
    parser.add_argument("--makehuman", type=Path, help="a checkout of mpfb2")
    parser.add_argument("--model", type=Path, help="a model's folder; by default the one of the package")
    parser.add_argument("--clip", type=Path, help="a folder with the configuration of CLIP ViT-B/32")
    parser.add_argument("--environments", type=Path, help="where VTK and pyrender are installed; none: CLIP alone")
    parser.add_argument("--people", type=int, default=5, help="of each face model, at either range of poses")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--starts", type=int, default=5, help="how often each program is started")
    options = parser.parse_args()

    folders = {"ict-facekit": options.ict, "makehuman": options.makehuman}
    sources = [FaceSource(), *(FaceSource.find(name, folder) for name, folder in folders.items() if folder)]
    heads = [head for deg in TURNED_DEG for head in turned_heads(sources, options.people, deg, VERTICES, seed=int(deg))]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = options.model or (BUNDLED if (BUNDLED / "config.json").exists() else _random_model(folder / "model"))
        recognizer = Recognizer.from_pretrained(model)
        _say_where(heads, model)
        answered = _warm_up(recognizer, heads)
        print(f"{len(heads) - len(answered)} of {len(heads)} are refused.\n")
        steps = _steps(recognizer, answered, options.rounds)
        _print_table(("step of a scan", "ms, median", "ms, 95 %"), [(k, *_two(v)) for k, v in steps.items()])
        alone = [
            _ms(lambda head=head: recognizer.predict(_anew(head))) for _ in range(options.rounds) for head in heads
        ]
        rate = max(_rate(recognizer, heads * 2) for _ in range(options.rounds))
        _print_table(
            ("mesh in memory to probabilities", "found", "wanted"),
            [
                ("one scan, median", f"{np.median(alone):.1f} ms", ""),
                ("one scan, 95 %", f"{np.percentile(alone, 95):.1f} ms", "45 ms"),
                ("a list of scans", f"{rate:.1f} a second", "30 a second"),
            ],
        )
        _print_table(("program", "s, least", "s, median", "wanted"), _starts(folder, heads[0], model, options.starts))
        ours = {"one scan": float(np.median(alone)), "a list": 1000 / rate}
        _print_table(("three views of a scan through", "ms", "x ours, one scan"), _others(options, ours, folder))


def _say_where(heads: Sequence[FaceScan], model: Path) -> None:
    libraries = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba", "torch", "transformers"))
    load, python = os.getloadavg()[0], platform.python_version()
    print(f"{platform.machine()}, {usable_cores()} cores, load {load:.1f}, Python {python},")
    print(f"{libraries}; {len(heads)} heads of {len(heads[0].vertices)} vertices; model {model.name}.")


def _random_model(folder: Path) -> Path:
    """A model of the usual size that has learned nothing: as fast as one that has."""
    torch.manual_seed(0)
    AffectVLM.build(ModelConfig(), EMOTIONS, Rig()).save(folder)
    return folder


def _anew(head: FaceScan) -> FaceScan:
    """Make the same scan again, as if it had just been read."""
    return FaceScan(head.vertices, head.triangles, source=head.source)


def _ms(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def _two(values: Sequence[float]) -> tuple[str, str]:
    return f"{np.median(values):.2f}", f"{np.percentile(values, 95):.2f}"


def _warm_up(recognizer: Recognizer, heads: Sequence[FaceScan]) -> list[FaceScan]:
    """Let everything compile; return the heads that get an answer."""
    answers = recognizer.predict(list(heads))
    return [head for head, answer in zip(heads, answers, strict=True) if answer.error is None]


def _steps(recognizer: Recognizer, heads: Sequence[FaceScan], rounds: int) -> dict[str, list[float]]:
    """Take a scan through one step after another: step -> milliseconds, a number a scan."""
    times: dict[str, list[float]] = {"normalise": []}
    normalizing = sys.modules[normalize.__module__]
    originals = {name: getattr(normalizing, name) for name in PARTS}

    def timed(name: str) -> Callable[..., object]:
        def work(*arguments: object) -> object:
            start = time.perf_counter()
            try:
                return originals[name](*arguments)
            finally:
                times.setdefault(f"normalise: {PARTS[name]}", []).append(1000 * (time.perf_counter() - start))

        return work

    try:
        for name in PARTS:
            setattr(normalizing, name, timed(name))
        for head in list(heads) * rounds:
            scan = _anew(head)
            moments = [time.perf_counter()]
            try:
                face = normalize(scan).face
            except ScanError:
                continue
            moments.append(time.perf_counter())
            views = render(face, recognizer.rig)
            moments.append(time.perf_counter())
            embedding = encode_clips(recognizer.encoder, [[views]])
            moments.append(time.perf_counter())
            recognizer._probabilities(embedding, recognizer._choice(None))
            moments.append(time.perf_counter())
            for step, took in zip(("normalise", "render", "encode", "classify"), np.diff(moments), strict=True):
                times.setdefault(step, []).append(1000 * took)
    finally:
        for name, original in originals.items():
            setattr(normalizing, name, original)
    return times


def _rate(recognizer: Recognizer, heads: Sequence[FaceScan]) -> float:
    """Scans a second."""
    scans = [_anew(head) for head in heads]
    return 1000 * len(scans) / _ms(lambda: recognizer.predict(scans))


def _starts(folder: Path, head: FaceScan, model: Path, count: int) -> list[tuple[str, ...]]:
    """Start programs, and wait for their end."""
    scan = folder / "head.ply"
    write_scan(scan, head)
    command = [sys.executable, "-m", "affectvlm"]
    predict = [*command, "predict", str(scan), "--format", "json", "--model"]
    rows = [_started("affectvlm --help", [*command, "--help"], count, "0.4")]
    rows.append(_started("affectvlm predict", [*predict, str(model)], count, "5"))
    empty = folder / "compiled"
    rows.append(
        _started("the same, numba's cache empty", [*predict, str(model)], 1, "", {"NUMBA_CACHE_DIR": str(empty)})
    )
    exported = folder / "exported"
    shutil.copytree(model, exported)
    if not (exported / EXPORTED).exists():
        made = subprocess.run([*command, "export", "onnx", str(exported)], capture_output=True, text=True)
        if made.returncode:
            return [*rows, ("affectvlm predict --backend onnx", "-", f"not measured: {_last_line(made.stderr)}", "2")]
    return [
        *rows,
        _started("affectvlm predict --backend onnx", [*predict, str(exported), "--backend", "onnx"], count, "2"),
    ]


def _started(
    name: str, command: list[str], count: int, wanted: str, more: dict[str, str] | None = None
) -> tuple[str, ...]:
    """Start a program so many times, after once that does not count unless it is to be started only once."""
    seconds = []
    for number in range(count + (count > 1)):
        start = time.perf_counter()
        ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(more or {})})
        if number or count == 1:
            seconds.append(time.perf_counter() - start)
        if ended.returncode:
            return name, "-", f"not measured: {_last_line(ended.stderr)}", wanted
    return name, f"{min(seconds):.2f}", f"{np.median(seconds):.2f}", wanted


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason given"


def _others(options: argparse.Namespace, ours: dict[str, float], folder: Path) -> list[tuple[str, ...]]:
    """Take CLIP's time alone, and behind other renderers."""
    config = CLIPConfig.from_pretrained(options.clip, local_files_only=True) if options.clip else CLIPConfig()
    clip = CLIPModel(config).eval()
    pictures = torch.zeros(3, 3, config.vision_config.image_size, config.vision_config.image_size)
    prompts = torch.nn.functional.normalize(torch.ones(len(EMOTIONS), config.projection_dim), dim=-1)

    @torch.inference_mode()
    def classify() -> torch.Tensor:
        seen = clip.get_image_features(pixel_values=pictures).pooler_output.mean(dim=0)
        return torch.softmax(100 * torch.nn.functional.normalize(seen, dim=-1) @ prompts.T, dim=-1)

    classify()
    alone = float(np.median([_ms(classify) for _ in range(5 * options.rounds)]))
    rows = [
        ("AffectVLM, with normalising", f"{ours['one scan']:.1f}", "1"),
        ("AffectVLM, of a list", f"{ours['a list']:.1f}", f"{ours['a list'] / ours['one scan']:.2f}"),
        ("CLIP ViT-B/32, its pictures given", f"{alone:.1f}", f"{alone / ours['one scan']:.2f}"),
    ]
    if options.environments is None:
        return rows
    face, given = make_face(), folder / "given.npz"
    parts = {name: getattr(face, name) for name in ("vertices", "triangles", "uv", "texture")}
    np.savez(given, **parts, rotations=RIG.rotations, centre=np.asarray(RIG.centre_mm, np.float32))
    for name, (script, packages) in PACKAGES.items():
        other = Other(name, script, packages, options.environments, given)
        if other.process is None:
            rows.append((f"CLIP ViT-B/32 behind {name}", "-", other.remark))
            continue
        total = alone + float(np.median([other.draw() for _ in range(5 * options.rounds)]))
        rows.append((f"CLIP ViT-B/32 behind {other.remark}", f"{total:.1f}", f"{total / ours['one scan']:.2f}"))
        other.close()
    return rows


def _print_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    for row in (heading, ["---"] * len(heading), *rows):
        print(f"| {' | '.join(row)} |")
    print()


if __name__ == "__main__":
    main()
