"""One training step and one validation step, in Lightning's form; on one process or many."""

from __future__ import annotations

from typing import Any, cast

import lightning
import numpy as np
import torch
from torch import Tensor
from torchmetrics.classification import MulticlassRecall

from affectvlm.language import Grammar
from affectvlm.model import AffectVLM
from affectvlm.objectives import Embeddings, Terms, build_objective
from affectvlm.prepared.clips import Clips
from affectvlm.training.config import TrainConfig
from affectvlm.training.data import Batch
from affectvlm.views.augmentation import augment


class AffectVLMTask(lightning.LightningModule):
    """Fit a model to views and prompts.

    Parameters
    ----------
    model : AffectVLM
    clips : Clips
        For the attributes that prompts may name.
    config : TrainConfig
    """

    def __init__(self, model: AffectVLM, clips: Clips, config: TrainConfig) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.grammar = Grammar(model.classes)
        self.clips = clips
        self.objective = build_objective(config.objective)
        self.validation_uar = MulticlassRecall(num_classes=len(model.classes), average="macro")

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Compute the objective over the whole batch, of all processes together."""
        samples = batch.samples.tolist()
        rngs = [np.random.default_rng([self.config.seed, self.current_epoch, 1 + sample]) for sample in samples]
        labels = batch.labels.cpu().numpy()
        views, seen = augment(batch.views, batch.seen, labels, rngs, self.model.rig, self.config.augmentation)
        prompts = [
            self.grammar.sample(self.model.classes[label], self.clips.attributes(sample), rng)
            for label, sample, rng in zip(labels, samples, rngs, strict=True)
        ]
        Z = self.model.encode_views(views, seen)  # (B, V, D)
        seen = seen.any(dim=1)  # (B, V)
        fused = self.model.fusion(Z, seen)  # (B, D)
        text = self.model.encode_text(prompts)  # (B, D)
        terms: Terms = self.objective(self._of_all_processes(Embeddings(Z, fused, text, batch.labels, seen)))
        self.log_dict({"loss": terms.loss, **terms.parts}, on_step=False, on_epoch=True, batch_size=len(labels))
        return terms.loss

    def _of_all_processes(self, batch: Embeddings) -> Embeddings:
        """Gather the embeddings, with their gradients, and the labels: pairs range over the whole batch.

        Every process then computes the same loss. In the backward pass each embedding receives the sum of all
        processes' equal gradients, and DistributedDataParallel takes the mean: together, that of one process with the
        same embeddings.
        """
        if self.trainer.world_size == 1:
            return batch
        every = cast(Tensor, self.all_gather(batch.each_sample(), sync_grads=True)).flatten(0, 1)  # (world B, V + 2, D)
        labels, seen = (cast(Tensor, self.all_gather(own)).flatten(0, 1) for own in (batch.labels, batch.seen))
        return Embeddings(every[:, :-2], every[:, -2], every[:, -1], labels, seen)

    def on_validation_epoch_start(self) -> None:
        """Encode the class prompts once an epoch."""
        self.class_embeddings = self.model.encode_classes()  # (classes, D)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Classify the validation subjects."""
        fused = self.model.encode_faces(batch.views, batch.seen)
        self.validation_uar.update(fused @ self.class_embeddings.T, batch.labels)
        self.log("validation_uar", self.validation_uar, on_epoch=True, batch_size=len(batch.labels))

    def configure_optimizers(self) -> Any:
        """AdamW; the learning rate rises and then falls along a cosine. Single numbers are not decayed."""
        decayed = [p for p in self.parameters() if p.requires_grad and p.ndim > 1]
        free = [p for p in self.parameters() if p.requires_grad and p.ndim <= 1]
        optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": self.config.weight_decay}, {"params": free, "weight_decay": 0.0}],
            lr=self.config.learning_rate,
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = one_cycle(optimizer, self.config.learning_rate, steps, self.config.warmup_share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def one_cycle(
    optimizer: torch.optim.Optimizer, highest: float, steps: int, warmup_share: float
) -> torch.optim.lr_scheduler.OneCycleLR:
    """Raise the learning rate to ``highest`` and lower it again (Smith and Topin 2017), also over very few steps.

    The warm-up takes at least one and a half steps: over exactly one, PyTorch's schedule divides by zero.
    """
    share = min(max(warmup_share, 1.5 / steps), 0.9)
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=highest, total_steps=steps, pct_start=share)
