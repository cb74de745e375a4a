"""What a tracker is to us: it is opened for a run, gets the figures of each epoch once, and hears how the run ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from core.errors import UserError

# How a row of metrics.jsonl is called in a tracker. Accuracies are shares, 0..1; losses in nats.
FIGURES = {
    "train_loss": "loss/training",
    "val_loss": "loss/validation",
    "train_acc": "accuracy/training",
    "val_acc": "accuracy/validation",
}


TITLES = {"tensorboard": "TensorBoard", "mlflow": "MLflow", "wandb": "Weights & Biases", "trackio": "Trackio"}


@dataclass(frozen=True)
class About:
    """A run as a tracker gets it: its id, its folder, its settings by name, and what its user says of it."""

    id: str
    folder: Path
    settings: Mapping[str, object]
    tags: tuple[str, ...] = ()
    note: str = ""


class Tracker(Protocol):
    """A tracker of one run."""

    place: str  # where its figures are, in words for a user

    def begin(self, about: About, known: str) -> str:
        """Open the record of a run; `known` is what this returned when it was opened before, empty the first time."""

    def log(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Take the figures of an epoch (from 1), by their names."""

    def end(self, *, state: str, best: float | None) -> None:
        """Close the record of a run that is in a state, and whose best accuracy on validation is `best` (0..1)."""


class TrackerMissing(UserError):
    """The package of a tracker is not installed."""

    def __init__(self, title: str, package: str) -> None:
        super().__init__(f"{title} is not installed. Install it: pip install {package}")
