"""One training step and one validation step, in Lightning's form; on one process or many."""

from __future__ import annotations

from typing import Any, cast

import lightning
import numpy as np
import torch
from torch import Tensor

from affectvlm.language import Known
from affectvlm.model import AffectVLM
from affectvlm.objectives import Embeddings, Terms, build_objective, each_sample
from affectvlm.prepared.clips import Clips
from affectvlm.training.chunks import encode_in_chunks
from affectvlm.training.config import TrainConfig
from affectvlm.training.data import Batch
from affectvlm.training.optimizer import build_optimizer, one_cycle
from affectvlm.training.sharding import shard, share_buffers
from affectvlm.training.validation_uar import ValidationUAR
from affectvlm.views.augmentation import augment


class AffectVLMTask(lightning.LightningModule):
    """Fit a model to views and prompts.

    Parameters
    ----------
    model : AffectVLM
    clips : Clips
        For what prompts may say of a sample.
    config : TrainConfig
    """

    def __init__(self, model: AffectVLM, clips: Clips, config: TrainConfig) -> None:
        super().__init__()
        self.model = model
        self.config = config
        self.clips = clips
        self.objective = build_objective(config.objective)
        self.validation_uar = ValidationUAR(num_classes=len(model.classes))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Compute the objective over the whole batch, of all processes together."""
        # Of dropout, say: each step has its own random numbers, so that a training that is resumed draws the same.
        place = [self.config.seed, self.current_epoch, batch_idx, self.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))
        samples = batch.samples.tolist()
        shown = zip(samples, batch.turns.tolist(), strict=True)
        rngs = [np.random.default_rng([self.config.seed, turn, 1 + sample, 2]) for sample, turn in shown]
        labels = batch.labels.cpu().numpy()
        with self._single_precision():
            views, seen = augment(batch.views, batch.seen, labels, rngs, self.model.rig, self.config.augmentation)
        present = self.model.present(seen)  # (B, V)
        prompts = [
            self._prompt(label, sample, there, rng)
            for label, sample, there, rng in zip(labels, samples, present.tolist(), rngs, strict=True)
        ]

        def embed(some: slice) -> Tensor:
            return self._embed(views[some], seen[some], prompts[some])  # (b, V + 2, D)

        own = encode_in_chunks(embed, len(samples), self.config.accumulation, self.model)  # (B, V + 2, D)
        with self._single_precision():
            terms: Terms = self.objective(self._of_all_processes(own, batch.labels, present))
        self.log_dict({"loss": terms.loss, **terms.parts}, on_step=False, on_epoch=True, batch_size=len(labels))
        return terms.loss

    def _embed(self, views: Tensor, seen: Tensor, prompts: list[str]) -> Tensor:
        """Embed samples in single precision: (b, V + 2, D), the views of each, its fused face and its prompt."""
        Z, text = self.model.encode_views(views, seen), self.model.encode_text(prompts)  # (b, V, D), (b, D)
        return each_sample(Z, self.model.fusion(Z, self.model.present(seen)), text)

    def _single_precision(self) -> torch.autocast:
        """Leave mixed precision: it is too coarse for cosines and places in pictures, and the masks' 1e30 no number."""
        return torch.autocast(self.device.type, enabled=False)

    def _prompt(self, label: int, sample: int, seen: list[bool], rng: np.random.Generator) -> str:
        """Draw what is said of a sample; a view or a map that is named is any of those that it has."""
        rig = self.model.rig
        views = [name for name, there in zip(rig.names, seen, strict=True) if there]
        view, kind = views[rng.integers(len(views))] if views else None, rig.maps[rng.integers(len(rig.maps))]
        known = Known(self.clips.attributes(sample), self.clips.intensity(sample), view, kind)
        return self.model.grammar.sample(self.model.classes[label], known, rng)

    def _of_all_processes(self, own: Tensor, labels: Tensor, seen: Tensor) -> Embeddings:
        """Gather the embeddings, with their gradients, and the labels: pairs range over the whole batch.

        Every process then computes the same loss. In the backward pass each embedding receives the sum of all
        processes' equal gradients, and DistributedDataParallel (and FSDP alike) takes the mean: together, that of one
        process with the same embeddings.

        Parameters
        ----------
        own : (B, V + 2, D) float32
            As :meth:`_embed` gives them, of this process.
        labels : (B,) int64
        seen : (B, V) bool
        """
        if self.trainer.world_size > 1:
            own = cast(Tensor, self.all_gather(own, sync_grads=True)).flatten(0, 1)  # (world B, V + 2, D)
            labels, seen = (cast(Tensor, self.all_gather(values)).flatten(0, 1) for values in (labels, seen))
        return Embeddings.of_samples(own, labels, seen)

    def configure_model(self) -> None:
        """Share the weights out among the processes, if the strategy does; Lightning calls it before training."""
        if self.device_mesh is not None:
            shard(self, self.device_mesh["data_parallel"])

    def on_validation_epoch_start(self) -> None:
        """Encode the class prompts once an epoch, and tell how alike they are: 1 where they fell into one point."""
        if self.trainer.world_size > 1:
            share_buffers(self)
        self.class_embeddings = self.model.encode_classes()  # (classes, D)
        count = len(self.class_embeddings)
        first, second = torch.triu_indices(count, count, offset=1)
        self.log("prompts_alike", (self.class_embeddings[first] * self.class_embeddings[second]).sum(dim=1).mean())

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Classify the validation subjects."""
        fused = self.model.encode_faces(batch.views, batch.seen)  # (B, D)
        with self._single_precision():
            cosine = fused @ self.class_embeddings.T  # (B, classes)
        self.validation_uar.update(cosine, batch.labels)
        self.log("validation_uar", self.validation_uar, on_epoch=True, batch_size=len(batch.labels))

    def configure_optimizers(self) -> Any:
        """AdamW; each learning rate rises and then falls along a cosine."""
        optimizer = build_optimizer(self, self.model.towers, self.config)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = one_cycle(optimizer, steps, self.config.warmup_share)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def build_task(clips: Clips, config: TrainConfig) -> AffectVLMTask:
    """Build a model and the task of training it: with the seed's weights, the same in every process."""
    lightning.seed_everything(config.seed, verbose=False)
    model = AffectVLM.build(config.model, clips.prepared.classes, clips.prepared.rig, config.vocabulary)
    return AffectVLMTask(model, clips, config)
