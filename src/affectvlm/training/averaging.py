"""A moving average of the weights: what is validated and kept in place of the last step's.

Weights that are averaged along a training lie in a flatter place of the loss (Izmailov et al. 2018, arXiv 1803.05407),
and on domains that were not trained on they err less (Cha et al. 2021, arXiv 2102.08604). Here the average is an
exponential one, over steps: nothing is chosen but how far it looks back.
"""

from __future__ import annotations

from typing import Any, cast

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn


class WeightAverage(Callback):
    """Keep the average of a model's weights and running statistics, and put it in place of them for validation.

    There are two sets of weights: one in the model, the other here. The model has those that are trained while it
    trains, and the averaged ones from each validation until the next epoch. Checkpoints are written in between: the
    weights in them are the averaged ones, and a training that goes on finds the trained ones in this callback's state.

    Of several processes each keeps the same average of the weights. Running statistics, which are those of a process's
    share, are the first one's as soon as they are used (:func:`affectvlm.training.sharding.share_buffers`).

    Parameters
    ----------
    decay : float
        How much of the average stays in a step: it looks back on about 1 / (1 - decay) steps. In the first steps it is
        less, (1 + step) / (10 + step), so that the fresh weights are soon forgotten.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.others: dict[str, Tensor] = {}
        """The weights that the model does not have."""
        self.model_is_average = False

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin with the fresh weights, or with those of a checkpoint."""
        of_model = _changing(pl_module)
        given = self.others or of_model
        self.others = {name: given[name].detach().clone().to(value.device) for name, value in of_model.items()}

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Go on with the weights that are trained."""
        if self.model_is_average:
            self._swap(pl_module)

    @torch.no_grad()
    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, *rest: Any) -> None:
        """Take the step's weights into the average."""
        step = trainer.global_step - 1
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in _changing(pl_module).items():
            if value.is_floating_point():
                self.others[name].lerp_(value, 1 - decay)
            else:
                self.others[name].copy_(value)  # counts

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Validate the average."""
        self._swap(pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Keep the weights that are trained: the model has the averaged ones when a checkpoint is written."""
        return dict(self.others)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on where the checkpoint was written."""
        self.others, self.model_is_average = state_dict, True

    @torch.no_grad()
    def _swap(self, task: lightning.LightningModule) -> None:
        for name, value in _changing(task).items():
            before = value.clone()
            value.copy_(self.others[name])
            self.others[name].copy_(before)
        self.model_is_average = not self.model_is_average


def _changing(task: lightning.LightningModule) -> dict[str, Tensor]:
    """Name what training changes in a model: weights that are learned, and buffers such as running statistics."""
    model = cast(nn.Module, task.model)
    return {**{name: p for name, p in model.named_parameters() if p.requires_grad}, **dict(model.named_buffers())}
