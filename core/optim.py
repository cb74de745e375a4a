"""Optimizers and learning-rate schedules by name."""

from __future__ import annotations

import math

import torch
from torch import nn

from core.config import TrainConfig


def make_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Return the optimizer the config names, over all trainable parameters."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    if config.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay
        )
    return torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay)


def rate_at(step: int, total_steps: int, config: TrainConfig) -> float:
    """Return the learning rate of a step (0-based) of `total_steps`.

    `onecycle` rises along a cosine from lr/25 to lr over the first 30 % and falls along a cosine to lr/10,000:
    the shape of L. N. Smith and N. Topin, "Super-Convergence" (2018), with torch's default fractions.
    """
    if config.schedule == "constant":
        return config.lr
    low, last = config.lr / 25, config.lr / 1e4
    position = step / max(1, total_steps - 1)
    if position < 0.3:
        return _cosine(low, config.lr, position / 0.3)
    return _cosine(config.lr, last, (position - 0.3) / 0.7)


def _cosine(start: float, end: float, position: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * position)) / 2
