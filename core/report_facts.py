"""What a report knows of a run, read once from its folder; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from core import analysis, class_report, jobs
from core.config import TrainConfig
from core.run_data import RunData, read_run_data
from core.runs import Run, RunError, Status
from core.words import format_accuracy

PAGE = "report.html"  # of a report's folder


@dataclass(frozen=True)
class Facts:
    """A run as its folder has it: `epochs` and `steps` are its figures, `table` its predictions on validation.

    `classes` is `class_report.report_classes` of that table, weakest first.
    """

    run: Run
    status: Status
    config: TrainConfig
    data: RunData
    record: dict[str, Any]
    environment: dict[str, Any]
    epochs: pd.DataFrame
    steps: pd.DataFrame
    table: pd.DataFrame
    classes: pd.DataFrame

    @property
    def right(self) -> int:
        """Return how many validation images the best model tells right."""
        return int((self.table["true"] == self.table["predicted"]).sum())

    @property
    def accuracy(self) -> str:
        """Return the best model's validation accuracy with its 95 % interval: '84.7 % (80.2–88.3 %)'."""
        low, high = analysis.wilson_interval(self.right, len(self.table))
        return format_accuracy(self.right / len(self.table), float(low), float(high))

    @property
    def best_epoch(self) -> str:
        """Return which epoch the best model is of, in words."""
        return f"epoch {self.status.best_epoch}" if self.status.best_epoch else "the initial model"

    @property
    def speed(self) -> str:
        """Return how many images a second training took in the median epoch."""
        unit = "feature vectors" if self.config.head_only else "images"
        return f"{self.epochs['images_per_second'].median():,.0f} {unit} a second"


def read_facts(run: Run) -> Facts:
    """Read a run.

    Raises:
        RunError: when it has no finished epoch, or a file of it is missing or damaged.
        ValueError: when its predictions name a class that its data does not have.
    """
    status, config = jobs.live_status(run), run.read_config()
    rows, _ = run.read_metrics()
    epochs = pd.DataFrame([row for row in rows if row.get("kind") == "epoch"])
    if epochs.empty:
        raise RunError(
            f"{run.id} has not finished an epoch yet, so there is nothing to report. It is {status.state}."
        )
    data, path = read_run_data(run), run.predictions_path()
    try:
        table = analysis.read_predictions(path)
    except FileNotFoundError:
        raise RunError(
            f"{run.id} has no predictions table. Write it: python -m core evaluate {run.id}"
        ) from None
    except ValueError as error:
        raise RunError(f"{error} Write it anew: python -m core evaluate {run.id}") from None
    if table.empty:
        raise RunError(f"{path}: holds no image. Write it anew: python -m core evaluate {run.id}")
    return Facts(
        run,
        status,
        config,
        data,
        run.read_json("data.json"),
        run.read_json("environment.json"),
        epochs,
        pd.DataFrame([row for row in rows if row.get("kind") == "step"]),
        table,
        class_report.report_classes(table, data.classes, data.train_counts),
    )
