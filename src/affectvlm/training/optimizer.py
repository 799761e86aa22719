"""The optimizer: AdamW, and how fast each part of a model learns."""

from __future__ import annotations

import torch
from torch import nn

from affectvlm.model.adapters import is_adapter
from affectvlm.model.towers import Towers
from affectvlm.training.config import TrainConfig

ADAPTERS_FASTER = 10.0
"""Low-rank adapters learn this much faster than the weights that they adapt would.

The best rate for adapters is about ten times that for all weights, whatever the rank (Schulman et al. 2025, "LoRA
without regret").
"""


def build_optimizer(module: nn.Module, towers: Towers, config: TrainConfig) -> torch.optim.AdamW:
    """Build AdamW over all that learns; single numbers and vectors (biases, scales of norms) are not decayed.

    Parameters
    ----------
    module : nn.Module
        All that is trained: the model, and what the objective learns.
    towers : Towers
        The model's.
    config : TrainConfig
    """
    rates = pretrained_rates(towers, config)
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    for parameter in module.parameters():
        if parameter.requires_grad:
            key = (rates.get(parameter, config.learning_rate), parameter.ndim > 1)
            groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": groups[rate, decayed], "lr": rate, "weight_decay": config.weight_decay if decayed else 0.0}
            for rate, decayed in sorted(groups, reverse=True)
        ]
    )


def pretrained_rates(towers: Towers, config: TrainConfig) -> dict[nn.Parameter, float]:
    """Give each weight of the pretrained parts its own highest learning rate; all others have ``learning_rate``.

    Each layer of a pretrained encoder below its top learns ``layer_decay`` times as fast as the one above, the
    embeddings below them all once slower still (Clark et al. 2020, "ELECTRA"; Bao et al. 2022, "BEiT").
    """
    rates: dict[nn.Parameter, float] = {}
    for part in towers.pretrained:
        parameters = list(towers.get_submodule(part).named_parameters())
        for (name, parameter), below in zip(parameters, layers_below_top([n for n, _ in parameters]), strict=True):
            faster = ADAPTERS_FASTER if is_adapter(name) else 1.0
            rates[parameter] = config.pretrained_learning_rate * faster * config.layer_decay**below
    return rates


def layers_below_top(names: list[str]) -> list[int]:
    """Count how many layers each parameter of an encoder is below its top one.

    Parameters
    ----------
    names : list of str
        In the order in which an encoder registers them: what comes before its numbered layers (embeddings) lies below
        all of them; what comes after (the last norm) belongs to the top.
    """
    numbers = [next((int(part) for part in name.split(".") if part.isdigit()), None) for name in names]
    layers = [number for number in numbers if number is not None]
    if not layers:
        return [0] * len(names)
    first, top = next(place for place, number in enumerate(numbers) if number is not None), max(layers)
    return [
        top - number if number is not None else (top + 1 if place < first else 0)
        for place, number in enumerate(numbers)
    ]


def one_cycle(optimizer: torch.optim.Optimizer, steps: int, warmup_share: float) -> torch.optim.lr_scheduler.OneCycleLR:
    """Raise each group's learning rate to what it has and lower it again (Smith and Topin 2017), also over few steps.

    The warm-up takes at least one and a half steps: over exactly one, PyTorch's schedule divides by zero. Over one or
    two steps in all, the highest rate is not reached. The schedule also moves AdamW's first beta the other way: from
    0.95 to 0.85 while the rates rise, and back to 0.95 while they fall.
    """
    highest = [group["lr"] for group in optimizer.param_groups]
    share = min(max(warmup_share, 1.5 / steps), 0.9)
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=highest, total_steps=steps, pct_start=share)
