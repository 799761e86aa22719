"""A model that is shared out among processes: each holds a part of every weight, its gradient and its moments.

Fully sharded data parallelism (Zhao et al. 2023, arXiv 2304.11277) in PyTorch's second form, ``fully_shard``: a layer's
weights are gathered when it is run, forward and backward, and given back after it; its gradients are averaged over the
processes and only the own part is kept. What is computed is what every process would compute with the whole model.
"""

from __future__ import annotations

import lightning
import torch
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

STEPS = ("training_step", "on_validation_epoch_start", "validation_step")
"""What runs the model: the weights that belong to no layer are gathered before each of them."""


def shard(task: lightning.LightningModule, mesh: DeviceMesh) -> None:
    """Share out all weights, in place, a layer at a time: what an encoder calls a layer that is not to be split.

    Every process must have built the same model.

    Parameters
    ----------
    task : LightningModule
    mesh : DeviceMesh
        One-dimensional: the processes.
    """
    for parameter in task.parameters():
        parameter.data = parameter.data.contiguous()  # a part of a weight is some of its rows
    layers = {name for model in task.modules() for name in _layers(model)}
    for module in [module for module in task.modules() if type(module).__name__ in layers]:
        fully_shard(module, mesh=mesh)
    fully_shard(task, mesh=mesh)
    for step in STEPS:
        register_fsdp_forward_method(task, step)


def _layers(model: nn.Module) -> tuple[str, ...]:
    return tuple(getattr(model, "_no_split_modules", None) or ())  # transformers' name for them


def share_buffers(module: nn.Module) -> None:
    """Give every process the buffers of the first, such as running statistics.

    DistributedDataParallel does so before each step; with weights that are shared out nobody does, and neither of them
    before the prompts of validation are encoded.
    """
    for buffer in module.buffers():
        torch.distributed.broadcast(buffer, src=0)
