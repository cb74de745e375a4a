"""Learning rate and training image size over a run: functions of the place in it alone, so a resume needs no state."""

from __future__ import annotations

import math

from core.recipe.config import TrainConfig
from core.recipe.rules import SIZE_STEP

_GROWING = 0.75  # share of the epochs over which progressive resizing grows the images


def rate_at(step: int, total_steps: int, config: TrainConfig) -> float:
    """Return the learning rate of a step (0-based) of `total_steps`, which are those of `config.epochs` epochs.

    `step` multiplies by `step_factor` every `step_epochs` epochs. `cosine` falls along half a cosine to 0
    (I. Loshchilov and F. Hutter, "SGDR", 2016, without restarts). Both may first rise in a line over
    `warmup_epochs` (P. Goyal et al., "Accurate, Large Minibatch SGD", 2017). `onecycle` rises along a cosine from
    lr/25 to lr over the first 30 % and falls along a cosine to lr/10,000: the shape of L. N. Smith and N. Topin,
    "Super-Convergence" (2018), with torch's default fractions.

    A run that is extended follows the schedule of its new length from its place on: after a cosine or a cycle had
    come to its end the rate rises again, the more the more epochs are added, and falls to nothing at the new end.
    """
    if config.schedule == "constant":
        return config.lr
    if config.schedule == "onecycle":
        position = step / max(1, total_steps - 1)
        if position < 0.3:
            return _cosine(config.lr / 25, config.lr, position / 0.3)
        return _cosine(config.lr, config.lr / 1e4, (position - 0.3) / 0.7)
    warmup = total_steps * config.warmup_epochs // config.epochs
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    if config.schedule == "step":
        epoch = step * config.epochs // total_steps
        return config.lr * config.step_factor ** (epoch // config.step_epochs)
    return _cosine(config.lr, 0.0, (step - warmup) / (total_steps - warmup))


def size_at(epoch: int, config: TrainConfig) -> int:
    """Return the side in pixels of the training images of an epoch (0-based).

    With `progressive_from` it grows in a line over the first three quarters of the epochs, in steps of 16 pixels;
    the last epoch always has the full size. Validation always has it too.
    """
    growing = min(config.epochs - 1, math.ceil(_GROWING * config.epochs))
    if not config.progressive_from or epoch >= growing:
        return config.image_size
    grown = (config.image_size - config.progressive_from) * epoch / growing
    return config.progressive_from + int(grown // SIZE_STEP) * SIZE_STEP


def _cosine(start: float, end: float, position: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * position)) / 2
