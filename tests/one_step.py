"""One training step and one validation, on however many processes torchrun started; for test_training.py.

Once with the default objective and once with all of them together.

Batch normalisation keeps its statistics fixed here: in training each process takes those of its own share.
"""

import gc
import os
import sys
from pathlib import Path

import lightning
import numpy as np
import torch

from affectvlm.model import AffectVLM, ModelConfig
from affectvlm.objectives import ObjectiveConfig
from affectvlm.prepared import PreparedSet
from affectvlm.prepared.clips import Clips
from affectvlm.training import TrainConfig
from affectvlm.training.data import ClipDataset, ViewData
from affectvlm.training.task import AffectVLMTask

TINY = ModelConfig(image_widths=(8, 16), text_width=16, text_layers=1, text_heads=2, embedding_dim=16)
# No view from another sample: which samples share a process decides who can give.
CONFIG = TrainConfig(epochs=1, batch_size=24, model=TINY, augmentation={"mix": 0})
OBJECTIVES = {
    "default": CONFIG.objective,
    "all": ObjectiveConfig(
        terms={"multiview": 1, "clip": 1, "siglip": 0.2, "supcon": 1, "cross_entropy": 1},
        multiview={"mining": "all"},
    ),
}


class FirstGradients(lightning.Callback):
    """Keep the gradients of the first step, as they are after all processes have shared them."""

    def on_train_start(self, trainer, pl_module):
        for module in pl_module.modules():
            if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
                module.eval()

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        if trainer.global_step == 0:
            self.gradients = {name: p.grad.numpy().copy() for name, p in pl_module.named_parameters()}


def step(prepared, config):
    """The gradients, the loss and the validation UAR; nothing on any process but the first."""
    clips = Clips(prepared)
    # 24 training samples are one batch; 25 validation samples do not divide by two.
    data = ViewData(ClipDataset(clips, CONFIG.seed), np.arange(24), np.arange(24, 49), CONFIG.batch_size, CONFIG.seed)
    torch.manual_seed(0)
    task = AffectVLMTask(AffectVLM.build(TINY, prepared.classes, prepared.rig), clips, config)
    kept = FirstGradients()
    world = int(os.environ["WORLD_SIZE"])
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        devices=world,
        strategy="ddp",
        use_distributed_sampler=False,
        callbacks=[kept],
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(task, data)
    if not trainer.is_global_zero:
        return {}
    return {**kept.gradients, **{name: value.numpy() for name, value in trainer.callback_metrics.items()}}


def work(prepared_folder, out):
    prepared = PreparedSet(Path(prepared_folder))
    measured = {}
    for name, objective in OBJECTIVES.items():
        found = step(prepared, CONFIG.model_copy(update={"objective": objective}))
        measured.update({f"{name}/{key}": value for key, value in found.items()})
    if measured:
        np.savez(out, **measured)


work(*sys.argv[1:])
gc.collect()
torch.distributed.destroy_process_group()
