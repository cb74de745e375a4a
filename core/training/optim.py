"""Optimizers by name, over groups of parameters that differ in rate and weight decay."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from core.networks.build import is_in_head
from core.networks.depths import backbone_depths
from core.recipe.config import TrainConfig
from core.recipe.schedules import rate_at

# On these every parameter is updated by one kernel: 7 times (SGD) and 6 times (AdamW) as fast on two CPU cores.
_FUSED_DEVICES = ("cpu", "cuda", "mps")


def make_optimizer(model: nn.Module, config: TrainConfig, *, head: str) -> torch.optim.Optimizer:
    """Return the optimizer the config names, over all trainable parameters of a placed model.

    Parameters are grouped by whether they decay (norms and biases, which have one axis, do not, nor what the network
    itself names, such as a transformer's places) and whether they are the head's, the submodule of the name `head`
    (empty: all are); a group's `lr_factor` is its share of the rate.
    """
    groups = group_parameters(model, config, head=head)
    fused = all(p.device.type in _FUSED_DEVICES for group in groups for p in group["params"]) or None
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, fused=fused)
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr, fused=fused)
    from pytorch_optimizer import Lookahead  # here, since importing it takes a second

    # Ranger: L. Wright, 2019; L. Liu et al., "On the Variance of the Adaptive Learning Rate" (RAdam, 2019) in
    # M. Zhang et al., "Lookahead Optimizer" (2019). torch's RAdam counts steps for each parameter, which a backbone
    # that is thawed later needs.
    ranger: torch.optim.Optimizer = Lookahead(
        torch.optim.RAdam(groups, lr=config.lr, decoupled_weight_decay=True)
    )
    return ranger


def group_parameters(model: nn.Module, config: TrainConfig, *, head: str) -> list[dict[str, Any]]:
    """Return the trainable parameters in groups: decaying or not, of the head or a stage of the backbone.

    All of the backbone is one stage where `layer_decay` is 1. Else the last one has the whole rate and each before it
    `layer_decay` times that of the next (J. Howard and S. Ruder, "Universal Language Model Fine-tuning", 2018, section
    3.2, where 1/2.6 was taken).
    """
    groups: dict[tuple[bool, bool, int], dict[str, Any]] = {}
    depths = {} if config.layer_decay == 1 else backbone_depths(model, head)
    deepest = max(depths.values(), default=0)
    spared: Collection[str] = getattr(model, "no_weight_decay", tuple)()
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        in_head, decays = not head or is_in_head(name, head), parameter.ndim > 1 and name not in spared
        below = 0 if in_head else deepest - depths.get(name, deepest)
        group = groups.setdefault(
            (in_head, decays, below),
            {
                "params": [],
                "weight_decay": config.weight_decay if decays else 0.0,
                "lr_factor": config.head_lr_factor if in_head else config.layer_decay**below,
            },
        )
        group["params"].append(parameter)
    return list(groups.values())


def set_rate(optimizer: torch.optim.Optimizer, step: int, total_steps: int, config: TrainConfig) -> float:
    """Give each group its rate for a step (0-based) of `total_steps`; return it, which is the backbone's."""
    rate = rate_at(step, total_steps, config)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_factor"]
    return rate
