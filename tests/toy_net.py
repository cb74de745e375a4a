"""A network of the same shape as a ResNet's ends, small enough to be saved in no time."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn


def build_toy(classes: int = 3, width: int = 8, seed: int = 0) -> nn.Module:
    """Return the network: a convolution, a normalisation and a head `fc`."""
    torch.manual_seed(seed)
    layers = {"conv1": nn.Conv2d(3, width, 3), "bn1": nn.BatchNorm2d(width), "fc": nn.Linear(width, classes)}
    return nn.Sequential(OrderedDict(layers))


def same(one: nn.Module, other: nn.Module, *, head: str = "") -> bool:
    """Tell whether two networks hold the same, but for what is in the `head`."""
    theirs = other.state_dict()
    return all(
        torch.equal(value, theirs[key])
        for key, value in one.state_dict().items()
        if not head or not key.startswith(f"{head}.")
    )
