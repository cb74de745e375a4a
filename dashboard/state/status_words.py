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


def format_best(status: Status) -> str:
    """Return a run's best validation accuracy with its 95 % interval."""
    right = round(status.best_val_acc * status.val_count)
    low, high = wilson_interval(right, status.val_count)
    return format_accuracy(status.best_val_acc, float(low), float(high))


def format_epoch(status: Status) -> str:
    """Return which epoch the best model is of."""
    return f"epoch {status.best_epoch}" if status.best_epoch else "the initial model"


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
