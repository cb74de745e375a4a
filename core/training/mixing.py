"""Mixup and cutmix: batches whose images and labels are blends of two."""

from __future__ import annotations

import torch

from core import torchvision_ops  # noqa: F401  torchvision must find its ops declared first

# isort: split
from torchvision.transforms import v2


def mix_images(
    images: torch.Tensor, targets: torch.Tensor, *, classes: int, mixup: float, cutmix: float, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return blended images (N, 3, H, W) and their labels as shares of each class, float (N, classes).

    `mixup` and `cutmix` are the alphas of the Beta distributions that blends are drawn from, 0 for off; with both,
    one of the two is drawn. What is drawn depends on the seed alone, and on no earlier draw.

    Sources: H. Zhang et al., "mixup" (2017); S. Yun et al., "CutMix" (2019).
    """
    ways: list[v2.Transform] = []
    if mixup:
        ways.append(v2.MixUp(alpha=mixup, num_classes=classes))
    if cutmix:
        ways.append(v2.CutMix(alpha=cutmix, num_classes=classes))
    with torch.random.fork_rng(devices=[]):  # it draws on the CPU, wherever the images are
        torch.manual_seed(seed)
        mixed, shares = v2.RandomChoice(ways)(images, targets)
    return mixed, shares
