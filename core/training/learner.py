"""What learns in a run: the network, the part of it that is trained, its optimizer and the average of its weights."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from core.networks.build import freeze_backbone, head_name, head_of
from core.recipe.config import TrainConfig
from core.training import optim
from core.training.average import WeightAverage


@dataclass(frozen=True)
class Learner:
    """A network in training; `trained` is the network itself, or its head where only that is trained."""

    network: nn.Module
    trained: nn.Module
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None
    scaler: torch.amp.GradScaler

    @property
    def judged(self) -> nn.Module:
        """Return the model that is validated: the average of the weights where there is one."""
        return self.trained if self.average is None else self.average.model

    def judged_network(self) -> nn.Module:
        """Return the whole network with the weights that are validated."""
        if self.average is None:
            return self.network
        if self.trained is self.network:
            return self.average.model
        network = copy.deepcopy(self.network)
        head_of(network).load_state_dict(self.average.model.state_dict())
        return network

    def state_dict(self) -> dict[str, Any]:
        """Return all that `load_state_dict` needs to go on exactly; of a frozen backbone nothing."""
        return {
            "model": self.trained.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def load_state_dict(self, values: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.trained.load_state_dict(values["model"])
        self.optimizer.load_state_dict(values["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(values["average"])
        if values.get("scaler"):  # empty in any precision but fp16
            self.scaler.load_state_dict(values["scaler"])


def make_learner(
    network: nn.Module, config: TrainConfig, scaler: torch.amp.GradScaler | None = None
) -> Learner:
    """Make the learner the config describes of a network that has its weights and is on its device.

    `scaler` is that of the precision, which only fp16 needs.
    """
    if config.head_only:
        freeze_backbone(network, True)
    trained = head_of(network) if config.head_only else network
    optimizer = optim.make_optimizer(trained, config, head="" if config.head_only else head_name(network))
    average = WeightAverage(trained, config.ema) if config.ema else None
    return Learner(network, trained, optimizer, average, scaler or torch.amp.GradScaler("cpu", enabled=False))
