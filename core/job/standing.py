"""Where a training stands: what is done of it, its sums in the epoch at hand, its pace, and whether it is over."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from core.recipe.config import TrainConfig
from core.runs.journal import Hopeless
from core.stored.status import Status
from core.training.best import Best
from core.training.engine import PassFigures, StepFigures
from core.words import format_count, format_rough

_SAVED = ("epoch", "batch", "step", "loss_sum", "correct", "seen", "epoch_seconds")
_LAST = 5  # whole epochs whose median tells the pace: two of them may be slow and change nothing


@dataclass
class Standing:
    """Whole epochs done, steps (`batch`) and sums of the current one, the best model yet, and what things take, in seconds."""

    config: TrainConfig
    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    epoch_seconds: float = 0.0
    best: Best = field(default_factory=Best)
    step_seconds: float = 0.0
    val_seconds: float = 0.0
    last_epoch: float = 0.0  # the seconds of the last whole epoch with its validation
    # Of the last whole epochs of this process: the seconds of training, and of all after it.
    took: list[tuple[float, float]] = field(default_factory=list)

    def count_step(self, figure: StepFigures) -> None:
        """Add the figures of a step.

        Raises:
            Hopeless: when its loss is no finite number.
        """
        self.check_loss("loss", figure.loss)
        self.batch += 1
        self.step += 1
        self.loss_sum += figure.loss * figure.count
        self.correct += figure.correct
        self.seen += figure.count

    def figures(self) -> PassFigures:
        """Return the figures of the epoch at hand on its training images so far."""
        return PassFigures(self.loss_sum / self.seen, self.correct / self.seen, self.seen, self.epoch_seconds)

    def count_epoch(self, training: float, rest: float) -> None:
        """Note how many seconds a whole epoch took: its training, then its validation with all that was saved."""
        self.took = [*self.took, (training, rest)][-_LAST:]

    def begin_next(self) -> None:
        """Forget the steps and sums of the epoch that is done."""
        self.batch, self.loss_sum, self.correct, self.seen, self.epoch_seconds = 0, 0.0, 0, 0, 0.0

    def check_loss(self, what: str, loss: float) -> None:
        """Raise Hopeless, saying what can be done, when a loss is no finite number."""
        if math.isfinite(loss):
            return
        precision = "" if self.config.precision == "fp32" else " or set precision to fp32"
        raise Hopeless(
            f"The {what} became {loss} in epoch {self.epoch + 1}, after {format_count(self.batch, 'step')} of it. "
            f"Lower the learning rate (lr, now {self.config.lr:g}){precision}."
        )

    def is_over(self, status: Status) -> bool:
        """Tell whether there is no epoch left to do."""
        return self.epoch >= self.config.epochs or self._patience_is_out(status) or self._time_is_up(status)

    def describe_early(self, status: Status) -> str:
        """Say why there were fewer epochs than asked for; empty where there were not."""
        if self.epoch == self.config.epochs:
            return ""
        if self._patience_is_out(status):
            return f" Ended early: validation did not get better for {format_count(self.config.patience, 'epoch')}."
        limit = format_rough(60 * self.config.max_minutes)
        return f" Ended early: another epoch would have passed the time limit of {limit}."

    def describe_stop(self, state: str, *, resumable: bool) -> str:
        """Say where a training that was asked to end did so."""
        where = f"in epoch {self.epoch + 1}" if self.epoch < self.config.epochs else "after its last epoch"
        saved = " Everything is saved; resume goes on from here." if resumable else ""
        return f"{state.capitalize()} {where} as asked.{saved}"

    def measure_progress(self, steps: int, status: Status) -> dict[str, Any]:
        """Return the fields of a status that tell how far a training of so many steps an epoch is, and its pace."""
        config, done = self.config, self.epoch * steps + self.batch
        total = steps * config.epochs
        step, rest = self._expect(steps, status)
        left = (total - done) * step + (config.epochs - self.epoch) * rest
        return {
            "epoch": self.epoch,
            "epochs": config.epochs,
            "done": done,
            "total": total,
            "images_per_second": config.batch_size * config.accumulate / max(self.step_seconds, 1e-9),
            "seconds_left": self._limit_left(left, status),
        }

    def _expect(self, steps: int, status: Status) -> tuple[float, float]:
        """Return the seconds that a step will take, and all that follows the training of an epoch.

        The pace of the steps at hand swings: it counts only until an epoch is done.
        """
        if self.took:
            training, rest = (median(seconds) for seconds in zip(*self.took, strict=True))
            return training / steps, rest
        if self.epoch and status.worked:  # it was resumed: what it took until now, all counted to the steps
            return status.worked / (self.epoch * steps + self.batch), 0.0
        # Before the first validation its time is a guess: it costs a third of training an image.
        return self.step_seconds, self.val_seconds or self.step_seconds * 2

    def to_values(self) -> dict[str, Any]:
        """Return what a training that goes on has to know, for a checkpoint."""
        return {"progress": {name: getattr(self, name) for name in _SAVED}, "best": asdict(self.best)}

    def take_values(self, values: dict[str, Any]) -> None:
        """Stand where a checkpoint says.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: when it holds something else.
        """
        self.best = Best(**values["best"])
        for name in _SAVED:
            setattr(self, name, type(getattr(self, name))(values["progress"][name]))

    def _patience_is_out(self, status: Status) -> bool:
        since = max(self.best.epoch, status.extended_from)
        return 0 < self.config.patience <= self.epoch - since

    def _limit(self, status: Status) -> float:
        """Return the seconds it may take in all; a run that was extended was given more than the limit it began with."""
        return (
            60 * self.config.max_minutes if self.config.max_minutes and not status.extended_from else math.inf
        )

    def _time_is_up(self, status: Status) -> bool:
        """Tell whether another epoch would pass the time limit."""
        return bool(self.epoch) and status.seconds + self.last_epoch > self._limit(status)

    def _limit_left(self, seconds: float, status: Status) -> float:
        return max(0.0, min(seconds, self._limit(status) - status.seconds))
