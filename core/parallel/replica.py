"""A network as each process of a group trains it: gradients are summed over all of them (DistributedDataParallel)."""

from __future__ import annotations

import gc
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from core import torchvision_ops  # noqa: F401  timm imports torchvision
from core.errors import ConfigError
from core.parallel.group import Group


class Replica:
    """What is trained of a network, wrapped for a group; a new wrapping is made when other parameters learn than before."""

    def __init__(self, trained: nn.Module, group: Group, device: torch.device) -> None:
        self._trained, self._group, self._device = trained, group, device
        self._wrapped: nn.Module = trained
        self._learning: tuple[bool, ...] = ()

    def module(self) -> nn.Module:
        """Return the module to train in the next epoch; without other processes that is the network itself."""
        learning = tuple(parameter.requires_grad for parameter in self._trained.parameters())
        if self._group.world > 1 and learning != self._learning:
            self._wrapped = self._trained
            gc.collect()  # the old wrapping listens to the gradients until it is gone
            place = [self._group.place] if self._device.type == "cuda" else None
            self._wrapped = DistributedDataParallel(self._trained, device_ids=place)
            self._learning = learning
        return self._wrapped


def keep_gradients(model: nn.Module, *, last: bool) -> AbstractContextManager[None]:
    """Return the context of a batch whose gradients stay in this process where others of its step follow."""
    if last or not isinstance(model, DistributedDataParallel):
        return nullcontext()
    context: AbstractContextManager[None] = model.no_sync()
    return context


def synchronise_statistics(network: nn.Module, device: torch.device) -> nn.Module:
    """Return a network whose batch normalisation sees the batch of all processes.

    Raises:
        ConfigError: on a CPU, where torch has no such normalisation.
    """
    if device.type != "cuda":
        raise ConfigError({"sync_batch_norm": "only works on CUDA GPUs; leave it out"})
    from timm.layers.norm_act import convert_sync_batchnorm  # knows the normalisation of timm's networks too

    converted: nn.Module = convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    return converted
