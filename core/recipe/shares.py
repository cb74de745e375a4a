"""How batch size and learning rate go with several devices: what each gets of a step, and the rule for larger batches."""

from __future__ import annotations

import math

from core.recipe.config import SETTINGS

# By what a rate grows with a batch k times as large. SGD: k (Goyal et al. 2017, arxiv.org/abs/1706.02677). Of optimizers
# that divide by the size of their gradients: the square root of k (Malladi et al. 2022, arxiv.org/abs/2205.10287).
_ROOTS = {"adamw", "ranger"}


def scale_rate(rate: float, optimizer: str, factor: float) -> float:
    """Return the learning rate for a batch `factor` times as large, to three figures."""
    grown = rate * (math.sqrt(factor) if optimizer in _ROOTS else factor)
    return float(f"{grown:.3g}")


def describe_share(devices: int, batch_size: int, rate: float, optimizer: str) -> str:
    """Say what each of several devices gets of a step, and what to set so that each gets a whole batch."""
    least, most = batch_size // devices, -(-batch_size // devices)
    share = f"{least}" if least == most else f"{least} or {most}"
    words = (
        f"Each gets {share} of the {batch_size:,} images of a step, so the learning rate stays at {rate:g}."
    )
    whole = devices * batch_size
    span = SETTINGS["batch_size"].span
    if span and whole > span[1]:
        return words
    rule = "the square root of the batch" if optimizer in _ROOTS else "the batch"
    return (
        f"{words} For {batch_size:,} on each, set the batch size to {whole:,} and the learning rate to "
        f"{scale_rate(rate, optimizer, devices):g}: it grows with {rule}."
    )
