"""Fit one model: train, let the validation subjects choose the epoch, calibrate, save.

One machine or many: under ``torchrun`` every process calls :func:`fit` alike, and only the first one writes.
"""

from __future__ import annotations

import gc
import logging
import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import lightning
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.strategies import ModelParallelStrategy
from scipy.optimize import minimize_scalar
from torch import Tensor

from affectvlm.emotions import NEUTRAL
from affectvlm.errors import ConfigError
from affectvlm.files import written_whole
from affectvlm.model import AffectVLM
from affectvlm.prepared import PreparedSet
from affectvlm.prepared.clips import Clips
from affectvlm.training.averaging import WeightAverage
from affectvlm.training.checkpoint_file import WholeCheckpoints
from affectvlm.training.config import TrainConfig
from affectvlm.training.data import ClipDataset, ViewData, build_clips
from affectvlm.training.task import AffectVLMTask, build_task

HISTORY, CHECKPOINTS, LAST = "history.csv", "checkpoints", "last"

TOO_ALIKE = 0.95
"""Mean cosine of the classes' prompts. The loss of views among views goes on where they have fallen into one point."""


@dataclass(frozen=True)
class Fitted:
    """What a training leaves.

    Parameters
    ----------
    model : AffectVLM
        The weights of the chosen epoch, calibrated, in evaluation mode, on the CPU.
    chosen_epoch : int
        Counted from 1.
    """

    model: AffectVLM
    chosen_epoch: int


def fit(
    prepared: PreparedSet,
    train_subjects: tuple[str, ...],
    validation_subjects: tuple[str, ...],
    config: TrainConfig,
    folder: Path,
) -> Fitted | None:
    """Train a model; an interrupted training goes on from its last whole epoch.

    Parameters
    ----------
    prepared : PreparedSet
    train_subjects, validation_subjects : tuple of str
        The weights are fitted to the former; the latter choose the epoch and the scale of the probabilities.
    config : TrainConfig
    folder : Path
        Gets ``history.csv`` (a row an epoch) and ``checkpoints/``.

    Returns
    -------
    Fitted
        None on all of several processes but the first.

    Raises
    ------
    DataError
        The set does not hold what the model learns from; see :func:`affectvlm.training.data.build_clips`.
    """
    clips = build_clips(prepared, config)
    train, validation = clips.of(train_subjects), clips.of(validation_subjects)
    dataset = ClipDataset(clips, config.seed)
    data = ViewData(dataset, train, validation, config.batch_size, config.seed, config.accumulation)
    trainer = build_trainer(config, _callbacks(config, folder))
    last = folder / CHECKPOINTS / f"{LAST}.ckpt"
    _train(trainer, build_task(clips, config), data, last if last.exists() else None)
    if not trainer.is_global_zero:
        return None
    chosen_epoch, file = _chosen_checkpoint(folder)
    # Into a new model: the weights of the one that was trained may be shared out among the processes.
    task = build_task(clips, config)
    task.load_state_dict(torch.load(file, map_location="cpu", weights_only=True)["state_dict"])
    model = task.model.eval()
    model.towers.merge_adapters()
    model.to(trainer.strategy.root_device)
    model.logit_scale.fill_(calibrated_scale(model, clips, validation))
    model.typical_rest.copy_(mean_at_rest(model, clips, validation))
    return Fitted(model.cpu(), chosen_epoch)


def _callbacks(config: TrainConfig, folder: Path) -> list[Callback]:
    """Write the history, average the weights if they are to be, keep the best epoch and the last one."""
    average = [] if config.averaging is None else [WeightAverage(config.averaging)]
    best = ModelCheckpoint(
        folder / CHECKPOINTS,
        filename="{epoch}",
        monitor="validation_uar",
        mode="max",
        save_weights_only=True,
        enable_version_counter=False,
    )
    # The second, not the first one's `save_last`: that one writes only when an epoch was better than all before it.
    every = ModelCheckpoint(folder / CHECKPOINTS, filename=LAST, enable_version_counter=False)
    return [History(folder / HISTORY), *average, best, every]


def _train(trainer: lightning.Trainer, task: AffectVLMTask, data: ViewData, checkpoint: Path | None) -> None:
    with warnings.catch_warnings():
        # Lightning's hints about worker processes and logging intervals: both are chosen on purpose.
        warnings.filterwarnings("ignore", module="lightning")
        try:
            trainer.fit(task, data, ckpt_path=checkpoint, weights_only=True)
        except SystemExit:
            if trainer.interrupted:  # Lightning makes an exit of it
                raise KeyboardInterrupt from None
            raise


def _chosen_checkpoint(folder: Path) -> tuple[int, Path]:
    """Find the epoch with the highest validation UAR among those that are kept, and its file.

    By what lies in the folder, not by what the last process remembers: the folder may have been moved in between.
    """
    uar = pd.read_csv(folder / HISTORY).set_index("epoch")["validation_uar"]
    files = {int(path.stem.removeprefix("epoch=")) + 1: path for path in (folder / CHECKPOINTS).glob("epoch=*.ckpt")}
    chosen = max(sorted(files), key=lambda epoch: float(uar[epoch]))
    return chosen, files[chosen]


def epochs_done(folder: Path) -> int:
    """Count the epochs that the training in a folder has finished so far."""
    history = folder / HISTORY
    return len(history.read_text().splitlines()) - 1 if history.exists() else 0


def build_trainer(config: TrainConfig, callbacks: list[Callback]) -> lightning.Trainer:
    """Build Lightning's trainer for the processes that torchrun started, or for this one alone.

    Raises
    ------
    ConfigError
        The precision needs another device than there is.
    """
    if config.precision == "16-mixed" and not torch.cuda.is_available():
        raise ConfigError("precision '16-mixed' needs a CUDA device, found none; take 'bf16-mixed' or '32-true'")
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.pytorch.accelerators.cuda"):
        logging.getLogger(name).setLevel(logging.WARNING)
    world, local = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    return lightning.Trainer(
        max_epochs=config.epochs,
        devices=local,
        num_nodes=world // local,
        strategy=_strategy(config, world) if world > 1 else "auto",
        precision=config.precision,
        gradient_clip_val=config.gradient_norm,
        # Our samplers already give each process its share.
        use_distributed_sampler=False,
        callbacks=callbacks,
        plugins=[WholeCheckpoints()],
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        num_sanity_val_steps=0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _strategy(config: TrainConfig, world: int) -> str | ModelParallelStrategy:
    """Each of several processes holds the whole model, or (the only axis of the strategy that is used) a part of it."""
    if config.strategy == "ddp":
        return "ddp"
    # Checkpoints are gathered and written as one file, like those of one process: tensors and numbers, no pickle.
    return ModelParallelStrategy(data_parallel_size=world, tensor_parallel_size=1, save_distributed_checkpoint=False)


class History(Callback):
    """Write a row for every epoch as soon as it ends; a resumed training goes on with the same file.

    Parameters
    ----------
    file : Path
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.began = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Start the epoch's clock."""
        self.began = time.perf_counter()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Write the row; validation has run by then."""
        if not trainer.is_global_zero:
            return
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        last = {name: logged.pop(name) for name in ("prompts_alike", "validation_uar")}
        # The loss is the first that is logged, the objective's parts follow.
        row = {"epoch": trainer.current_epoch + 1, **logged, **last}
        if row["prompts_alike"] > TOO_ALIKE:
            warnings.warn(
                f"epoch {row['epoch']}: the prompts of all classes have come to mean nearly the same (mean cosine "
                f"{row['prompts_alike']:.3f}), and nothing can be told by them; lower learning_rate, or add the "
                "term clip to the objective",
                stacklevel=1,  # the caller is lightning, whose warnings are not shown
            )
        row["seconds"] = time.perf_counter() - self.began
        earlier = pd.read_csv(self.file) if self.file.exists() else pd.DataFrame()
        if len(earlier):
            # A training that is resumed repeats the epoch it was interrupted in.
            earlier = earlier[earlier["epoch"] < row["epoch"]]
        with written_whole(self.file) as path:
            pd.concat([earlier, pd.DataFrame([row])]).to_csv(path, index=False, float_format="%.6g")


@torch.inference_mode()
def embed(model: AffectVLM, clips: Clips, samples: np.ndarray, batch_size: int = 128) -> Tensor:
    """Embed samples of a prepared set.

    Returns
    -------
    (n, D) float32
        Fused, unit length, on the model's device.
    """
    step = max(1, batch_size // (clips.frames or 1))
    parts = (clips.load(samples[start : start + step]) for start in range(0, len(samples), step))
    device = model.device
    return torch.cat([model.encode_faces(*(torch.from_numpy(a).to(device) for a in part)) for part in parts])


@torch.inference_mode()
def calibrated_scale(model: AffectVLM, clips: Clips, samples: np.ndarray) -> float:
    """Find the scale of the logits that makes validation samples most likely (temperature scaling).

    Guo et al. 2017, "On calibration of modern neural networks". It changes no decision, only how sure they sound.
    """
    cosine = (embed(model, clips, samples) @ model.encode_classes().T).cpu()  # (n, classes)
    truth = torch.from_numpy(clips.labels[samples])

    def unlikeliness(log_scale: float) -> float:
        return float(torch.nn.functional.cross_entropy(np.exp(log_scale) * cosine, truth))

    return float(np.exp(minimize_scalar(unlikeliness, bounds=(np.log(0.5), np.log(200)), method="bounded").x))


@torch.inference_mode()
def mean_at_rest(model: AffectVLM, clips: Clips, samples: np.ndarray) -> Tensor:
    """(D,) float32: the mean embedding of those samples that are neutral; 0 where none is."""
    at_rest = samples[np.array(model.classes)[clips.labels[samples]] == NEUTRAL]
    return embed(model, clips, at_rest).mean(dim=0) if len(at_rest) else torch.zeros_like(model.typical_rest)


def leave_process_group() -> None:
    """End distributed work in order; without it gloo now and then aborts a process at its exit.

    All wait for the first one, which saves: a launcher may take it for lost when the others have long been gone.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()
        gc.collect()
        torch.distributed.destroy_process_group()
