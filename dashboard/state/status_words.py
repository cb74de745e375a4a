"""A run's status as its user reads it: badge, best accuracy with its interval, epoch, time left."""

from __future__ import annotations

from core.stored.status import Status
from core.verdicts.predictions import wilson_interval
from dashboard.text import format_accuracy, format_duration

DAMAGED = "damaged"  # what a list shows as the state of a run whose files cannot be used
BADGES = {
    "queued": ("gray", ":material/hourglass_empty:"),
    "running": ("blue", ":material/play_circle:"),
    "finished": ("green", ":material/check_circle:"),
    "stopped": ("orange", ":material/stop_circle:"),
    "paused": ("violet", ":material/pause_circle:"),
    "failed": ("red", ":material/error:"),
    "crashed": ("red", ":material/warning:"),
    DAMAGED: ("red", ":material/broken_image:"),
}

_ENDED = {"failed": "it failed", "crashed": "it crashed", "stopped": "it was stopped"}


def format_best(status: Status) -> str:
    """Return a run's best validation accuracy with its 95 % interval."""
    right = round(status.best_val_acc * status.val_count)
    low, high = wilson_interval(right, status.val_count)
    return format_accuracy(status.best_val_acc, float(low), float(high))


def describe_early_end(status: Status) -> str:
    """Say how a run ended before its first epoch: 'it failed before its first epoch'; empty where it did not."""
    ended = "" if status.has_best else _ENDED.get(status.state, "")
    return f"{ended} before its first epoch" if ended else ""


def describe_no_best(status: Status) -> str:
    """Say why there is no best accuracy of a run."""
    end = describe_early_end(status)
    return f"no validation: {end}" if end else "no validation yet"


def format_epoch(status: Status) -> str:
    """Return which epoch the best model is of."""
    return f"epoch {status.best_epoch}" if status.best_epoch else "the initial model"


def find_initial(status: Status) -> float | None:
    """Return the accuracy (0..1) of the model that a run began with, None where it is not known: only as the best it is."""
    return status.best_val_acc if status.has_best and not status.best_epoch else None


def describe_phase(status: Status) -> str:
    """Return what a running job does, how far it is and how long that still takes: all of it, or where that is not known the phase."""
    if not status.total:
        return f"{status.phase} · {status.done:,} so far" if status.done else status.phase
    share = f"{status.phase} · {min(1.0, status.done / status.total) * 100:.0f} %"
    if status.seconds_left:
        return f"{share} · about {format_duration(status.seconds_left)} left"
    if status.phase_left:
        return f"{share} · about {format_duration(status.phase_left)} left of this part"
    return f"{share} · estimating the time left"
