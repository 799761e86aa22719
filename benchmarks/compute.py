"""What does a training step cost, on this machine or on its accelerator?

    python benchmarks/compute.py                                          # the small default model, 64 px
    python benchmarks/compute.py --clip 16 --batch 8 --steps 2            # ViT-B/16 of random weights, 224 px, on a CPU
    python benchmarks/compute.py --clip 16 --batch 256 --precision bf16-mixed --peak-tflops 989   # the same on an H100
    python benchmarks/compute.py --count                                  # parameters and operations alone, by shapes

Prints samples a second (a sample is a face of three views and a prompt), what share of the device's peak is reached,
and the most memory, each with torch.compile off and on. The operations are counted by PyTorch's own counter, in one
step that is not timed: matrix products, convolutions and attention, forward and backward; a chunk that is computed
again is counted again. The peak is the device's, for dense products in that precision, as its maker states it. The
tables in docs/compute.md are these.

With --count no number is computed and nothing is timed: the towers have shapes, but no weights. The tables in
docs/towers.md are these.
"""

from __future__ import annotations

import argparse
import copy
import tempfile
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from training_steps import StepClock, machine, prepare_faces, random_clip, run_steps
from transformers import AutoModel, BertConfig, CLIPTextConfig, CLIPVisionConfig

from affectvlm.emotions import EMOTIONS
from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.model.adapters import add_adapters
from affectvlm.model.config import SIDES
from affectvlm.model.towers import Towers
from affectvlm.prepared import PreparedSet
from affectvlm.run_record import peak_memory_mib
from affectvlm.training import TrainConfig
from affectvlm.views import Rig


def layers(width: int, number: int, heads: int) -> dict[str, Any]:
    """Say how large a CLIP's transformer is, in transformers' words."""
    return {
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": number,
        "num_attention_heads": heads,
    }


CLIPS: dict[str, tuple[tuple[int, int], dict[str, Any], dict[str, Any], int]] = {
    "ViT-B/32": ((224, 128), {**layers(768, 12, 12), "patch_size": 32}, layers(512, 12, 8), 512),
    "ViT-B/16": ((224, 112), {**layers(768, 12, 12), "patch_size": 16}, layers(512, 12, 8), 512),
    "ViT-L/14": ((224, 112), {**layers(1024, 24, 16), "patch_size": 14}, layers(768, 12, 12), 768),
}
"""Sizes of views, image tower, text tower, dimensions of the joint space (Radford et al. 2021, arXiv 2103.00020)."""

MINILM = {**layers(384, 6, 12), "vocab_size": 30522}
"""all-MiniLM-L6-v2's, by its config.json."""


class OperationCount(Callback):
    """Count the floating-point operations of the first step, forward and backward."""

    def __init__(self) -> None:
        self.counter = FlopCounterMode(display=False)
        self.total = 0

    def on_train_batch_start(self, trainer: lightning.Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """Begin to count."""
        if batch_idx == 0:
            self.counter.__enter__()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """End the count."""
        if batch_idx == 0:
            self.counter.__exit__(None, None, None)
            self.total = self.counter.get_total_flops()


class Compiled(Callback):
    """Compile both towers before the first step."""

    def on_fit_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        """Compile in place: the names of the weights stay."""
        pl_module.model.towers.vision_model.compile()
        pl_module.model.towers.text_model.compile()


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=int, choices=(16, 32), help="a CLIP ViT-B with patches of so many px")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20, help="that are timed")
    parser.add_argument("--precision", choices=("32-true", "bf16-mixed", "16-mixed"), default="32-true")
    parser.add_argument("--accumulation", type=int, default=1, help="chunks a batch is encoded in")
    parser.add_argument("--peak-tflops", type=float, help="of the device in this precision")
    parser.add_argument("--count", action="store_true", help="parameters and operations of all towers, and no more")
    parser.add_argument("--no-compile", action="store_true", help="leave out the row with torch.compile")
    options = parser.parse_args()
    if options.count:
        print_counts()
        return
    size = 224 if options.clip else 64
    name = f"ViT-B/{options.clip}" if options.clip else "small model"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare_faces(folder / "set", size)
        config = TrainConfig(
            epochs=1,
            batch_size=options.batch,
            precision=options.precision,
            accumulation=options.accumulation,
            model=ModelConfig(pretrained=str(random_clip(folder / "clip", options.clip)) if options.clip else None),
        )
        print(machine())
        counted = None
        for compiled in (False,) if options.no_compile else (False, True):
            # A process for each, so that each has its own peak of memory.
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
                found = alone.submit(measure, folder / "set", config, options.steps, compiled).result()
            if counted is None:
                counted = found
                print(
                    f"{name}, {found.parameters / 1e6:.1f} M parameters; three views of {size} px; "
                    f"batch {options.batch} in {options.accumulation} chunks; {options.precision}"
                )
                each = counted.operations / options.batch / 1e9
                print(f"{found.view_operations / 1e9:.2f} GFLOP a view, forward; {each:.2f} GFLOP a sample and step")
                print("| torch.compile | ms a step | samples a second | TFLOP/s | of the peak | peak memory, GiB |")
                print("|---|---|---|---|---|---|")
            reached = counted.operations / found.seconds / 1e12
            share = f"{100 * reached / options.peak_tflops:.0f} %" if options.peak_tflops else "peak not given"
            print(
                f"| {'on' if compiled else 'off'} | {1000 * found.seconds:.0f} | {options.batch / found.seconds:.1f} "
                f"| {reached:.3g} | {share} | {found.memory_gib:.2f} |",
                flush=True,
            )


class Measured(NamedTuple):
    """What a training took."""

    parameters: int
    view_operations: int
    """Floating-point operations of one view's way through the image encoder."""
    operations: int
    """Of a step: all that is embedded, forward and backward."""
    seconds: float
    """Median of a step."""
    memory_gib: float
    """The most: of the accelerator, or else of the process."""


def measure(prepared: Path, config: TrainConfig, steps: int, compiled: bool) -> Measured:
    """Train for some steps; the operations are counted where nothing is compiled: the counter sees what is called."""
    clock, count = StepClock(), OperationCount()
    task = run_steps(PreparedSet(prepared), config, steps, [clock, Compiled() if compiled else count])
    accelerated = torch.cuda.is_available()
    memory = torch.cuda.max_memory_allocated() / 2**30 if accelerated else peak_memory_mib() / 1024
    weights = sum(weight.numel() for weight in task.parameters())
    shapes = copy.deepcopy(task.model.towers).to("meta")
    forward = view_operations(shapes.vision_model, task.model.rig, learning=False)
    return Measured(weights, forward, count.total, clock.seconds, memory)


def view_operations(encoder: nn.Module, rig: Rig, learning: bool) -> int:
    """Count what one view costs an encoder on the meta device, forward alone or, learning, backward as well."""
    view = torch.empty(2, rig.channels, rig.size_px, rig.size_px, device="meta")  # a batch norm learns from two
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(learning):
        pooled = encoder.train(learning)(pixel_values=view).pooler_output
        if learning:
            pooled.sum().backward()
    return counter.get_total_flops() // 2


def print_counts() -> None:
    """Count all towers that docs/towers.md names, at their own size and at about half of it."""
    rank = 8
    print("| towers | views | parameters, M | GFLOP a view, forward | and backward |")
    print("|---|---|---|---|---|")
    small = AffectVLM.build(ModelConfig(), EMOTIONS, Rig(size_px=64)).to("meta").towers
    sentences = AutoModel.from_config(BertConfig(**MINILM))
    towers = {
        ("small", 64): small,
        ("small, MiniLM", 64): Towers(small.vision_model, sentences.to("meta"), 128, SIDES, "mean"),
    }
    for name, (sizes, vision, text, dim) in CLIPS.items():
        for size in sizes:
            towers[f"CLIP {name}", size] = clip_towers({**vision, "image_size": size}, text, dim)
    for (name, size), tower in towers.items():
        rig = Rig(size_px=size)
        forward, both = (view_operations(tower.vision_model, rig, learning) / 1e9 for learning in (False, True))
        print(f"| {name} | {size} px | {parameters(tower):.1f} | {forward:.2f} | {both:.2f} |")
    print(f"\n| LoRA, rank {rank} | views | adapters, M | all that learns, M | GFLOP a view, forward and backward |")
    print("|---|---|---|---|---|")
    for (name, size), tower in towers.items():
        if not name.startswith("CLIP"):
            continue
        for side in SIDES:
            add_adapters(tower.encoder(side), rank)
        adapters = parameters(tower.vision_model, learning=True) + parameters(tower.text_model, learning=True)
        both = view_operations(tower.vision_model, Rig(size_px=size), learning=True) / 1e9
        print(f"| {name} | {size} px | {adapters:.2f} | {parameters(tower, learning=True):.2f} | {both:.2f} |")


def clip_towers(vision: dict[str, Any], text: dict[str, Any], dim: int) -> Towers:
    """Give a CLIP's towers, seeing the default maps, on the meta device."""
    with torch.device("meta"):
        sees = CLIPVisionConfig(**vision, num_channels=Rig().channels)
        return Towers(AutoModel.from_config(sees), AutoModel.from_config(CLIPTextConfig(**text)), dim, (), "pooler")


def parameters(module: nn.Module, learning: bool = False) -> float:
    """Count parameters, or those that learn, in millions."""
    return sum(weight.numel() for weight in module.parameters() if weight.requires_grad or not learning) / 1e6


if __name__ == "__main__":
    main()
