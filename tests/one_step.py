"""Two training steps and a validation, on however many processes torchrun started; for test_many_devices.py.

    torchrun --nproc-per-node 2 tests/one_step.py SCANS SEQUENCES CLIP OUT.npz

Writes, for each case, the gradients of the first step before they are shortened, the weights at the end, and what is
logged. Batch normalisation keeps its statistics fixed: in training each process takes those of its own share. The
steps are plain gradient descent: AdamW makes a step of full length of a gradient that is nothing but rounding.
"""

import sys
from pathlib import Path

import lightning
import numpy as np
import torch
from torch.distributed.tensor import DTensor

from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.objectives import ObjectiveConfig
from affectvlm.prepared import PreparedSet
from affectvlm.prepared.clips import Clips
from affectvlm.training import TrainConfig
from affectvlm.training.data import ClipDataset, ViewData
from affectvlm.training.fit import build_trainer, leave_process_group
from affectvlm.training.task import AffectVLMTask

TINY = ModelConfig(image_widths=(8, 16), text_width=16, text_layers=1, text_heads=2, embedding_dim=16)
# No view from another sample: which samples share a process decides who can give. Every gradient is shortened.
CONFIG = TrainConfig(epochs=1, batch_size=12, model=TINY, augmentation={"mix": 0}, gradient_norm=0.01)
ALL = ObjectiveConfig(
    terms={"multiview": 1, "clip": 1, "siglip": 0.2, "supcon": 1, "cross_entropy": 1}, multiview={"mining": "all"}
)
# Ten times the loss: what is behind two attentions has a gradient near rounding otherwise.
SEQUENCES = {
    "model": TINY.model_copy(update={"frames": 3, "time": "attention", "fusion": "attention"}),
    "objective": ObjectiveConfig(terms={"multiview": 10}),
}
CLIP = {"model": {"pretrained": sys.argv[3], "frozen": ["text"]}}
CASES = {
    "default": {},
    "all objectives": {"objective": ALL},
    "chunks": {"accumulation": 3},
    "sequences": SEQUENCES,
    "fsdp": {"strategy": "fsdp"},
    "fsdp, all objectives": {"strategy": "fsdp", "objective": ALL},
    "fsdp, chunks": {"strategy": "fsdp", "accumulation": 3},
    "fsdp, sequences": {"strategy": "fsdp", **SEQUENCES},
    "clip": CLIP,
    "fsdp, clip": {"strategy": "fsdp", **CLIP},
    "fsdp, mixed, chunks": {"strategy": "fsdp", "precision": "bf16-mixed", "accumulation": 3},
    # Compared with each other, not with one process.
    "moving statistics": {},
    "fsdp, moving statistics": {"strategy": "fsdp"},
}


def build(config, prepared):
    """A model whose attention has begun to weigh: it starts without, and what is behind it has no gradient yet."""
    torch.manual_seed(0)
    model = AffectVLM.build(config.model, prepared.classes, prepared.rig)
    for weight in (*model.fusion.parameters(), *model.time.parameters()):
        if weight.ndim == 2 and not weight.any():
            torch.nn.init.normal_(weight, std=0.1)
    return model


class WithMissingViews(ClipDataset):
    """Every third sample lacks its second view."""

    def __getitem__(self, draw):
        batch = super().__getitem__(draw)
        batch.seen[batch.samples % 3 == 0, :, 1] = False
        return batch


class DescentTask(AffectVLMTask):
    def configure_optimizers(self):
        return torch.optim.SGD([p for p in self.parameters() if p.requires_grad], lr=10.0)


def whole(tensor):
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().numpy().copy()


class Watch(lightning.Callback):
    """Keep the gradients of the first step, as they are after all processes have shared them."""

    def __init__(self, fixed):
        self.fixed = fixed

    def on_train_start(self, trainer, pl_module):
        for module in pl_module.modules():
            if self.fixed and isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
                module.eval()

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        if trainer.global_step == 0:
            named = {name: p.grad for name, p in pl_module.named_parameters() if p.requires_grad}
            self.gradients = {f"gradient/{name}": whole(gradient) for name, gradient in named.items()}


def steps(case, prepared):
    """What is found; nothing on any process but the first."""
    config = TrainConfig(**{**CONFIG.model_dump(), **CASES[case]})
    clips = Clips(prepared, config.model.frames)
    # 24 training samples are two batches; the validation samples do not divide by two, nor into equal batches.
    dataset = (WithMissingViews if "sequences" in case else ClipDataset)(clips, config.seed)
    validation = np.arange(24, len(clips) if config.model.frames else 49)
    data = ViewData(dataset, np.arange(24), validation, config.batch_size, config.seed)
    task = DescentTask(build(config, prepared), clips, config)
    watch = Watch(fixed="moving" not in case)
    trainer = build_trainer(config, [watch])
    trainer.fit(task, data)
    weights = {f"weight/{name}": whole(value) for name, value in trainer.strategy.lightning_module_state_dict().items()}
    logged = {name: value.numpy() for name, value in trainer.callback_metrics.items()}
    held = sum((p.to_local() if isinstance(p, DTensor) else p).numel() for p in task.parameters())
    return {**watch.gradients, **weights, **logged, "held": np.array(held)} if trainer.is_global_zero else {}


def work(scans, sequences, _clip, out):
    found = {}
    for case in CASES:
        prepared = PreparedSet(Path(sequences if "sequences" in case else scans))
        found.update({f"{case}/{key}": value for key, value in steps(case, prepared).items()})
    if found:
        np.savez(out, **found)


work(*sys.argv[1:])
leave_process_group()
