"""What a training will take, from a few steps of it that were measured: its time, its memory, and what fits into a limit."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.files import write_text
from core.reading import read_object, take
from core.recipe.config import SETTINGS, TrainConfig
from core.words import format_bytes, format_count, format_rough

FORECAST = "forecast.json"  # in the folder of the task that measured it
TRAINING, VALIDATION, SAVING = "training", "validation", "saving"
_MOST = 1_000_000  # bytes of it
_REPEATED = (TRAINING, VALIDATION, SAVING)  # the parts of every epoch; all others are done once
# What changes neither how long a step takes nor its memory.
_FREE = (
    "name", "group", "preset", "seed", "weights", "lr", "head_lr_factor", "layer_decay", "momentum", "weight_decay",
    "schedule", "warmup_epochs", "step_epochs", "step_factor", "patience", "max_minutes", "save_minutes", "guard",
)  # fmt: skip
_UNEQUAL = ("progressive_from", "freeze_epochs")  # with these no epoch stands for all others


@dataclass(frozen=True)
class Part:
    """One part of a training: the seconds it is expected to take, and how many more or fewer it may be."""

    name: str
    seconds: float
    error: float


@dataclass(frozen=True)
class Forecast:
    """What a training of so many epochs will take, as if nothing of it had been computed before.

    `memory` are bytes of main memory at the peak, with the processes that load images, and `gpu_memory` those on a GPU,
    0 without one. The `free` ones are what there was of each. `busy` tells that a run was active meanwhile. With several
    `devices` the main memory is that of all processes and GPU memory that of each GPU.
    """

    parts: tuple[Part, ...]
    epochs: int
    memory: int
    free: int
    gpu_memory: int = 0
    gpu_free: int = 0
    busy: bool = False
    devices: int = 1

    @property
    def seconds(self) -> float:
        """Return the seconds of all parts."""
        return sum(part.seconds for part in self.parts)

    @property
    def epoch(self) -> float:
        """Return the seconds of an epoch with its validation and saving, on average."""
        return sum(part.seconds for part in self.parts if part.name in _REPEATED) / self.epochs

    @property
    def error(self) -> float:
        """Return by what share of the seconds the estimate may be off, all parts being off the same way."""
        return sum(part.error for part in self.parts) / max(self.seconds, 1e-9)

    def of_epochs(self, epochs: int) -> Forecast:
        """Return the forecast of another number of epochs, which are as long as these on average."""
        share = epochs / self.epochs
        parts = [
            replace(part, seconds=part.seconds * share, error=part.error * share)
            if part.name in _REPEATED
            else part
            for part in self.parts
        ]
        return replace(self, parts=tuple(parts), epochs=epochs)

    def count_epochs(self, minutes: float) -> int:
        """Return how many epochs fit into so many minutes, 0 where not even one does."""
        once = self.seconds - self.epochs * self.epoch
        return max(0, math.floor((60 * minutes - once) / max(self.epoch, 1e-9)))

    def describe(self) -> str:
        """Say it in a line: 'About 14 min (±20 %), 1.9 GB of memory.'"""
        off = max(5, 5 * math.ceil(20 * self.error - 1e-9))
        each = " on each GPU" if self.devices > 1 else " of GPU memory"
        gpu = f", {format_bytes(self.gpu_memory)}{each}" if self.gpu_memory else ""
        return f"About {format_rough(self.seconds)} (±{off} %){gpu}, {format_bytes(self.memory)} of memory."

    def describe_parts(self) -> str:
        """Say how long each part takes, the longest first: 'training 12 min · validation 1 min'."""
        told = sorted((part for part in self.parts if part.seconds >= 0.5), key=lambda part: -part.seconds)
        return " · ".join(f"{part.name} {format_rough(part.seconds)}" for part in told)

    def describe_doubt(self) -> str:
        """Say why it may take less or more than told; empty where nothing speaks for it."""
        busy = "Another run was active while this was measured, so it may take less." if self.busy else ""
        together = (
            f"Measured in one process with its share of each batch; what {self.devices} tell each other comes on top."
            if self.devices > 1
            else ""
        )
        return " ".join(filter(None, (busy, together)))

    def describe_limit(self, minutes: float) -> str:
        """Say what a time limit leaves of the epochs; empty where it leaves all of them, or there is none."""
        if not minutes or self.seconds <= 60 * minutes:
            return ""
        limit, fit = format_rough(60 * minutes), self.count_epochs(minutes)
        if not fit:
            return f"The time limit of {limit} is too short: the run would end after its first epoch."
        return f"The time limit of {limit} ends it after about {fit} of {format_count(self.epochs, 'epoch')}."

    def find_shortage(self) -> str:
        """Say which memory will not do; empty where there is enough."""
        kinds = (("GPU memory", self.gpu_memory, self.gpu_free), ("memory", self.memory, self.free))
        for what, needed, free in kinds:
            if needed > free > 0:
                return (
                    f"It needs {format_bytes(needed)} of {what}, and {format_bytes(free)} are free. Lower the batch size "
                    "or the image size, or end what else runs."
                )
        return ""


def key_of(config: TrainConfig, counts: Sequence[int]) -> str:
    """Return a digest of the settings that a forecast depends on, and of how many images there are."""
    values = asdict(config)
    for field in _FREE:
        del values[field]
    if all(SETTINGS[field].is_off(values[field]) for field in _UNEQUAL):
        del values["epochs"]
    return hashlib.sha256(json.dumps([values, list(counts)]).encode()).hexdigest()[:16]


def write_forecast(path: Path, forecast: Forecast) -> None:
    """Write a forecast, whole or not at all."""
    write_text(path, json.dumps(asdict(forecast), indent=2) + "\n")


def read_forecast(path: Path) -> Forecast | None:
    """Read a forecast; None where there is none that can be read."""
    try:
        return take(Forecast, read_object(path, most=_MOST))
    except (OSError, ValueError):
        return None
