"""What the benchmarks of training share: faces to train on, a CLIP without a download, and a clock for the steps."""

from __future__ import annotations

import os
import platform
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from transformers import CLIPConfig, CLIPModel

from affectvlm.emotions import EMOTIONS
from affectvlm.language import Grammar
from affectvlm.language.tokenizer import train_tokenizer
from affectvlm.prepared import PreparedSet, prepare
from affectvlm.synthesis import FaceSource
from affectvlm.synthesis.generate import Study
from affectvlm.training import TrainConfig
from affectvlm.training.data import ClipDataset, ViewData, build_clips
from affectvlm.training.fit import build_trainer
from affectvlm.training.task import AffectVLMTask, build_task
from affectvlm.views import Rig

SUBJECTS = 3
WARM_UP = 3
"""Steps that are not timed: memory is asked for, kernels are chosen and compiled."""


def prepare_faces(folder: Path, size_px: int) -> PreparedSet:
    """Prepare the default views, of a size, of a few generated faces."""
    rig = Rig(size_px=size_px)
    return prepare(Study(FaceSource(), subjects=SUBJECTS, seed=0).samples(), rig, folder, "synthetic: embedded faces")


def random_clip(folder: Path, patch_px: int, size_px: int = 224) -> Path:
    """Write a CLIP ViT-B of random weights: as large and as slow as the real one, and no wiser than a fresh one."""
    torch.manual_seed(0)
    width = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
    tokenizer = train_tokenizer(Grammar(EMOTIONS))
    text = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    vision = {**width, "patch_size": patch_px, "image_size": size_px}
    CLIPModel(CLIPConfig(vision_config=vision, text_config=text)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class StepClock(Callback):
    """Time every training step from end to end, reading of views included."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: Any, *rest: Any) -> None:
        """Note the time, when the device is done."""
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize()
        self.ends.append(time.perf_counter())

    @property
    def seconds(self) -> float:
        """Median time of a step."""
        return float(np.median(np.diff(self.ends[WARM_UP:])))


def run_steps(prepared: PreparedSet, config: TrainConfig, steps: int, callbacks: list[Callback]) -> AffectVLMTask:
    """Train for some steps, and a few more that :class:`StepClock` leaves out."""
    task = build_task(build_clips(prepared, config), config)
    rows = np.resize(np.arange(len(task.clips)), (WARM_UP + 1 + steps) * config.batch_size)
    # As little validation as there can be: it runs after the last step.
    train_plainly(task, rows, np.arange(8), callbacks)
    return task


def train_plainly(
    task: AffectVLMTask, train: np.ndarray, validation: np.ndarray, callbacks: list[Callback]
) -> Mapping[str, Tensor]:
    """Train as :func:`affectvlm.training.fit.fit` does, to the last epoch, without choosing and saving anything.

    Returns
    -------
    mapping
        What was logged last.
    """
    config = task.config
    dataset = ClipDataset(task.clips, config.seed)
    data = ViewData(dataset, train, validation, config.batch_size, config.seed, config.accumulation)
    trainer = build_trainer(config, callbacks)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")  # on worker processes and logging intervals
        trainer.fit(task, data)
    return trainer.callback_metrics


def machine() -> str:
    """The machine and the versions, in a line."""
    if torch.cuda.is_available():
        name = torch.cuda.get_device_name()
    else:
        lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
        name = f"{name}, {os.cpu_count()} cores"
    return f"{name}; torch {torch.__version__}, lightning {lightning.__version__}, Python {platform.python_version()}"
