"""How much faster are two processes than one, and what do they spend on talking to each other?

    python benchmarks/scaling.py               # the small default model, 64 px
    python benchmarks/scaling.py --clip 32     # a CLIP ViT-B/32 of random weights, 224 px

Each process has one thread and a core of its own, and they talk through gloo, on this machine. The batch is the same
for one process and for two, and so is the loss. "apart": two processes at the same time that each train on their half
of the batch alone and never talk; what two that do talk take longer is their communication, waiting included. The
tables in docs/compute.md are these.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from training_steps import StepClock, machine, prepare_faces, random_clip, run_steps

from affectvlm.model import ModelConfig
from affectvlm.prepared import PreparedSet
from affectvlm.training import TrainConfig
from affectvlm.training.fit import leave_process_group

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]


def main() -> None:
    """Measure each way in processes of its own, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=int, choices=(16, 32), help="a CLIP ViT-B with patches of so many px")
    parser.add_argument("--batch", type=int, help="samples a step, over all processes (default: 32; CLIP: 8)")
    parser.add_argument("--steps", type=int, help="that are timed (default: 30; CLIP: 4)")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker)
        return
    batch, steps = options.batch or (8 if options.clip else 32), options.steps or (4 if options.clip else 30)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare_faces(folder / "set", 224 if options.clip else 64)
        model = {"pretrained": str(random_clip(folder / "clip", options.clip))} if options.clip else {}
        seconds = {
            "one process": measure(folder, model, batch, steps, processes=1),
            "two processes, apart": measure(folder, model, batch // 2, steps, processes=2, apart=True),
            "two processes, DDP": measure(folder, model, batch, steps, processes=2),
            "two processes, FSDP": measure(folder, model, batch, steps, processes=2, strategy="fsdp"),
        }
    print(f"{machine()}; {f'ViT-B/{options.clip}, 224 px' if options.clip else 'small model, 64 px'}, batch {batch}")
    print("| | ms a step | samples a second | against one process | communication |\n|---|---|---|---|---|")
    alone, apart = seconds["one process"], seconds["two processes, apart"]
    for way, took in seconds.items():
        talk = f"{100 * (1 - apart / took):.0f} %" if way.endswith("DP") else "none"
        print(f"| {way} | {1000 * took:.0f} | {batch / took:.1f} | {alone / took:.2f} | {talk} |")


def measure(
    folder: Path,
    model: dict[str, str],
    batch: int,
    steps: int,
    processes: int,
    strategy: str = "ddp",
    apart: bool = False,
) -> float:
    """Seconds a step; of processes that are apart, the mean over them."""
    order = folder / "order.json"
    settings = {"epochs": 1, "batch_size": batch, "strategy": strategy, "model": model}
    order.write_text(json.dumps({"training": settings, "steps": steps, "prepared": str(folder / "set")}))
    ours = [str(Path(__file__).resolve()), "--worker", str(order)]
    command = [sys.executable, *ours] if apart else [*TORCHRUN, str(processes), *ours]
    started = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
        for _ in range(processes if apart else 1)
    ]
    answers = [process.communicate()[0] for process in started]
    if any(process.returncode for process in started):
        raise SystemExit("a process failed; see above")
    times = [float(answer.split()[-1]) for answer in answers]
    return sum(times) / len(times)


def work(order: Path) -> None:
    """Time the steps on however many processes there are; the first one prints the seconds."""
    asked = json.loads(order.read_text())
    clock = StepClock()

    def train() -> None:
        settings = {**asked["training"], "model": ModelConfig(**asked["training"]["model"])}
        run_steps(PreparedSet(Path(asked["prepared"])), TrainConfig(**settings), asked["steps"], [clock])

    train()
    if os.environ.get("RANK", "0") == "0":
        print(clock.seconds)
    leave_process_group()


if __name__ == "__main__":
    main()
