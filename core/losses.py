"""What training minimises: cross-entropy, or its focal form."""

from __future__ import annotations

import torch
from torch import nn

from core.config import TrainConfig


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


def make_loss(config: TrainConfig) -> nn.Module:
    """Return the loss the config names."""
    if config.focal:
        return FocalLoss(config.focal)
    return nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
