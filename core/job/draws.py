"""What each step of an epoch is given by its place in the run, so that a resume is exact: its rate, seed and mixing."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from core.parallel.group import Group
from core.recipe.config import TrainConfig
from core.training import loaders, optim
from core.training.mixing import mix_images

_DRAWS = -1_000_000_000  # below it, the numbers of the steps whose random draws they seed
_MIXES = -2  # below it, the numbers of the batches whose mixing they seed


@dataclass(frozen=True)
class StepDraws:
    """The draws of an epoch (from 0) of so many `steps`, of which `first` were done before; `classes` of the data."""

    config: TrainConfig
    group: Group
    epoch: int
    first: int
    steps: int
    classes: int

    def begin_step(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        """Set the learning rate of a step, counted from those done before, and seed what a network draws, as dropout does."""
        config, place = self.config, self.first + step
        seed = loaders.derive_seed(config.seed, self.epoch, _DRAWS - place)
        torch.manual_seed(seed ^ self.group.share.rank)  # each process has other images
        optim.set_rate(optimizer, self.epoch * self.steps + place, self.steps * config.epochs, config)

    @property
    def mixes(self) -> bool:
        """Tell whether the images of a batch are mixed."""
        return bool(self.config.mixup or self.config.cutmix)

    def mix(
        self, number: int, images: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Mix the images of a batch (N, 3, H, W) as the config says; return them and their shares of classes (N, classes)."""
        config = self.config
        seed = loaders.derive_seed(config.seed, self.epoch, _MIXES - self.first * config.accumulate - number)
        mixed, shares = mix_images(
            images, targets, classes=self.classes, mixup=config.mixup, cutmix=config.cutmix, seed=seed
        )
        front = self.group.world > 1  # the image that the first of a part is blended with, see Share.take
        return mixed[front:], shares[front:]
