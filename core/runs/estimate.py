"""How long trainings will take, from what a comparable run took on this machine."""

from __future__ import annotations

import socket
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from core.errors import UserError
from core.recipe.config import TrainConfig
from core.runs.figures import read_figures
from core.runs.run import Run, iter_runs

# What the time an image takes depends on most; runs that share these are comparable.
_COMPARABLE = ("arch", "image_size", "progressive_from", "freeze_epochs", "device", "devices", "precision")

_LOOKED_AT = 300  # runs: of thousands the page Train would wait for all their configs


@dataclass(frozen=True)
class Speed:
    """Images a second of training and of validation."""

    train: float
    val: float


@dataclass(frozen=True)
class Estimate:
    """The seconds that `known` runs take together, in which start-up is left out; of `unknown` others nothing is known."""

    seconds: float
    known: int
    unknown: int


def estimate_time(configs: Sequence[TrainConfig], root: Path, *, train: int, val: int) -> Estimate:
    """Estimate how long runs take one after the other on so many training and validation images.

    A run counts as known where one under `root` on this machine has done an epoch with the same network, image sizes,
    devices and precision, of very many one of the newest. Of the head alone, whose features are computed once and kept, nothing is said.
    """
    whole = [config for config in configs if not config.head_only]
    speeds = _find_speeds(whole, root)
    seconds = [
        config.epochs * (train / speed.train + val / speed.val)
        for config in whole
        if (speed := speeds.get(_key(config))) is not None
    ]
    return Estimate(sum(seconds), len(seconds), len(configs) - len(seconds))


def describe_lack(configs: Sequence[TrainConfig]) -> str:
    """Say why nothing is known of how long runs take."""
    if all(config.head_only for config in configs):
        return "There is no estimate of the time: the head alone takes little but one look at every image, which is kept."
    return "There is no estimate of the time yet: no comparable run has trained a whole network here."


def _find_speeds(configs: Sequence[TrainConfig], root: Path) -> dict[tuple[object, ...], Speed]:
    wanted = {_key(config) for config in configs}
    found: dict[tuple[object, ...], Speed] = {}
    for run in islice(iter_runs(root), _LOOKED_AT) if wanted else ():  # the newest first
        try:
            config = run.read_config()
            key = _key(config)
            if key in wanted and not config.head_only and (speed := measure_speed(run)) is not None:
                found[key] = speed
                wanted.discard(key)
        except UserError:
            continue
        if not wanted:
            break
    return found


def measure_speed(run: Run) -> Speed | None:
    """Return the median speed over a run's epochs; None before its first, or where it ran on another machine."""
    status = run.read_status()
    if status.host not in ("", socket.gethostname()) or not status.val_count:
        return None
    epochs = read_figures(run).epochs
    # What an older version did not measure is NaN, which is not above 0.
    rates = [rate for rate in epochs["images_per_second"] if rate > 0]
    if not rates:
        return None
    train = statistics.median(rates)
    times = [seconds for seconds in epochs["val_seconds"] if seconds > 0]
    # Without a measured time: validation takes a third of training, an image (see `train`).
    val = status.val_count / statistics.median(times) if times else 3 * train
    return Speed(train, val)


def _key(config: TrainConfig) -> tuple[object, ...]:
    return tuple(getattr(config, field) for field in _COMPARABLE)
