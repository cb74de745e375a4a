"""What a run is doing, status.json: its values, how they are read, checked, kept in memory, and written."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from core.errors import is_full
from core.files import write_in_place, write_text
from core.reading import read_object
from core.stored import records

FILE = "status.json"
ACTIVE = ("queued", "running")
STATES = (*ACTIVE, "finished", "stopped", "paused", "failed", "crashed")
ON_HOLD = "On hold: it waits until you release it."
ON_HOLD_IN_SLURM = "On hold in Slurm: it waits until you release it."
LAUNCHING = "launching"  # the phase in which a status names the process that makes or launches the job


@dataclass(frozen=True)
class Status:
    """What a run is doing. Times are seconds since the epoch; `worked`, `seconds` and what is left are durations."""

    state: str = "queued"
    phase: str = "waiting"
    message: str = ""
    pid: int = 0
    pid_created: float = 0.0
    host: str = ""
    created: float = 0.0
    started: float = 0.0
    updated: float = 0.0
    ended: float = 0.0
    worked: float = 0.0  # as of `updated`, without the time it waited, was paused or was gone
    done: int = 0
    total: int = 0
    epoch: int = 0
    epochs: int = 0
    images_per_second: float = 0.0
    seconds_left: float = 0.0
    phase_left: float = 0.0  # the same of the phase alone, where not all of the work is known yet
    best_epoch: int = 0
    best_val_acc: float = 0.0
    val_count: int = 0
    extended_from: int = 0  # epochs that were done when more were asked for
    slot: str = ""  # where on its machine it trains, or trained last
    job: str = ""  # the job of a cluster whose work it is or was last, as squeue names it; empty: a process started here
    hopeless: bool = False  # it failed by its own settings, so to go on from where it stands fails alike

    def find_problem(self) -> str:
        """Say which value is none that a status can have; empty where all are."""
        return records.find_status_problem(vars(self), list_defaults(), STATES)

    @property
    def is_on_hold(self) -> bool:
        """Tell whether its user holds it back, so that it waits until it is released."""
        return self.state == "queued" and self.message in (ON_HOLD, ON_HOLD_IN_SLURM)

    @property
    def has_best(self) -> bool:
        """Tell whether there is a best model: of an epoch, or the initial one where a run specialises (epoch 0)."""
        return self.best_epoch > 0 or self.best_val_acc > 0

    @property
    def seconds(self) -> float:
        """Return how long the run has worked so far, in seconds."""
        return self.worked + (max(0.0, time.time() - self.updated) if self.state == "running" else 0.0)


@cache
def list_defaults() -> dict[str, Any]:
    """Return the values of a status of which nothing is known yet, by field."""
    return {field.name: field.default for field in fields(Status)}


class Stamp(NamedTuple):
    """By what a file is known to be as it was: when it was changed in nanoseconds, which it is, and its size in bytes."""

    changed: int
    file: int
    size: int


# Statuses as they were read, by the paths of their folders as text, which is found faster than as `Path`: every page
# asks for those of all runs, of which thousands ended long ago.
STATUSES: dict[str, tuple[Stamp, Status]] = {}
MOST_STATUSES = 50_000
SETTLED = 2_000_000_000  # nanoseconds: of two changes sooner after each other the clock of files may show one


def load_status(path: Path) -> Status:
    """Return the status that a file holds; one that was read before and is as it was comes from memory.

    Raises:
        OSError: when it cannot be read.
        ValueError: when it holds no status, saying why.
    """
    folder = str(path.parent)
    if (known := recall_status(folder)) is not None:
        return known
    stamp = stamp_file(path)
    values = read_object(path, most=records.SIZES["status.json"])
    status = Status(**{key: value for key, value in values.items() if key in list_defaults()})
    if problem := status.find_problem():
        raise ValueError(problem)
    if status.started and "worked" not in values:  # of an older version
        status = replace(status, worked=max(0.0, (status.ended or status.updated) - status.started))
    if time.time_ns() - stamp.changed > SETTLED:
        if len(STATUSES) >= MOST_STATUSES:
            STATUSES.clear()
        STATUSES[folder] = stamp, status
    return status


def recall_status(folder: str) -> Status | None:
    """Return the status of a run in this folder as it was read before; None where it was not, or its file has changed."""
    known = STATUSES.get(folder)
    if known is None:
        return None
    try:
        return known[1] if stamp_file(os.path.join(folder, FILE)) == known[0] else None  # noqa: PTH118  thousands at a time
    except OSError:
        return None


def save_status(path: Path, status: Status) -> Status:
    """Write a status atomically, its `updated` set to now, and return it.

    On a full disk it is written over the one before: how a job ended has to be known there most of all.
    """
    status = replace(status, updated=time.time())
    text = json.dumps(asdict(status), indent=2) + "\n"
    try:
        write_text(path, text)
    except OSError as error:
        if not is_full(error) or not path.is_file():
            raise
        write_in_place(path, text)
    return status


def stamp_file(path: Path | str) -> Stamp:
    """Return by what a file is known to be as it was; raises OSError where there is none."""
    found = os.stat(path)  # noqa: PTH116  thousands at a time
    return Stamp(found.st_mtime_ns, found.st_ino, found.st_size)
