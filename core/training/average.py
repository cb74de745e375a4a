"""Averages of weights: of the steps of one training as they come (EMA), and of several trained networks (a soup)."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn


class WeightAverage:
    """An exponential moving average of a model's weights and normalisation statistics, as a model of its own.

    The decay starts low, min(decay, (1 + n) / (10 + n)) at update n, so that a short run forgets its first weights
    too (the rule of TensorFlow's ExponentialMovingAverage). Source: B. T. Polyak and A. B. Juditsky, "Acceleration of
    Stochastic Approximation by Averaging" (1992).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.decay, self.updates = decay, 0

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the model's weights by one step."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        ours, theirs = list(self.model.state_dict().values()), list(model.state_dict().values())
        floats = [i for i, value in enumerate(ours) if value.is_floating_point()]
        torch._foreach_lerp_([ours[i] for i in floats], [theirs[i] for i in floats], 1 - decay)
        for mine, value in zip(ours, theirs, strict=True):
            if not mine.is_floating_point():  # BatchNorm's counter of batches
                mine.copy_(value)

    def state_dict(self) -> dict[str, Any]:
        """Return all that `load_state_dict` needs to go on exactly."""
        return {"model": self.model.state_dict(), "updates": self.updates}

    def load_state_dict(self, values: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.model.load_state_dict(values["model"])
        self.updates = values["updates"]


def average_weights(states: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Return the mean of several networks' state dicts, which must have the same names and shapes.

    Statistics of normalisation are averaged as the weights are, not measured anew; what is no fraction, such as their
    counter of batches, is the first network's. Source: M. Wortsman et al., "Model soups: averaging weights of multiple
    fine-tuned models improves accuracy without increasing inference time" (2022), arXiv 2203.05482.
    """
    return {
        name: torch.stack([state[name].float() for state in states]).mean(0).to(value.dtype)
        if value.is_floating_point()
        else value.clone()
        for name, value in states[0].items()
    }
