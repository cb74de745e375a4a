"""What one of several devices does of a training: that is measured, and all of them take as long or share the cores."""

from __future__ import annotations

from dataclasses import replace

from core.recipe.config import TrainConfig
from core.recipe.rules import LEAST_A_DEVICE

ERROR = 0.25  # of the time of steps: what devices tell each other is not measured, and differs from machine to machine


def take_part(config: TrainConfig) -> TrainConfig:
    """Return the config of a run whose batches are what one device gets of them, the largest share where they differ."""
    share = -(-config.batch_size // config.devices)
    return replace(config, batch_size=max(LEAST_A_DEVICE, share), devices=1)


def count_apart(devices: int, device_type: str) -> int:
    """Return how many parts of a batch are computed at once: one a GPU; processes on the CPU share its cores."""
    return devices if device_type == "cuda" else 1
