"""What training minimises: cross-entropy or its focal form, and on top the telling apart of look-alikes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from core.recipe.config import TrainConfig
from core.recipe.focus import pair_indices


class FocalLoss(nn.Module):
    """Cross-entropy in which an image counts by (1 - p) ** gamma, p being the confidence for its class.

    Takes logits (N, C) and targets (N,) int64 and returns the mean over the images, in nats; with gamma 0 it is
    cross-entropy. Source: T.-Y. Lin et al., "Focal Loss for Dense Object Detection" (2017), without its class weight.
    """

    def __init__(self, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss, a scalar."""
        log_p = logits.float().log_softmax(1).gather(1, targets[:, None])[:, 0]
        return (-((1 - log_p.exp()).clamp_min(0) ** self.gamma) * log_p).mean()


class PairLoss(nn.Module):
    """A loss, plus the cross-entropy over each image's class and its partners alone, times `weight`.

    That is the softmax over these logits only, so an image is told from its look-alikes whatever the other classes
    say; an image whose class has no partner adds nothing. `pairs` are indices of C classes; a class may be in several.
    Takes logits (N, C) and targets (N,) int64 and returns the mean over all N images, in nats.
    """

    partners: torch.Tensor

    def __init__(
        self, base: nn.Module, pairs: Sequence[tuple[int, int]], classes: int, weight: float
    ) -> None:
        super().__init__()
        self.base, self.weight = base, weight
        partners = torch.eye(classes, dtype=torch.bool)
        for one, other in pairs:
            partners[one, other] = partners[other, one] = True
        self.register_buffer("partners", partners)

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the loss, a scalar."""
        own = logits.float().masked_fill(~self.partners[targets], float("-inf"))
        apart = nn.functional.cross_entropy(own, targets)  # 0 where the class stands alone
        loss: torch.Tensor = self.base(logits, targets) + self.weight * apart
        return loss


def make_loss(config: TrainConfig, classes: Sequence[str]) -> nn.Module:
    """Return the loss the config names, on the CPU; raises DataError for pairs of what is not a class of the data."""
    loss: nn.Module = nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
    if config.focal:
        loss = FocalLoss(config.focal)
    pairs = pair_indices(config, classes)
    return PairLoss(loss, pairs, len(classes), config.pair_weight) if pairs else loss
