"""What a report knows of a run, read once from its folder; no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from core.errors import RunError
from core.places import own_command
from core.recipe.config import TrainConfig
from core.runs import jobs
from core.runs.figures import read_figures
from core.runs.imported import Origin, read_origin
from core.runs.run import Run
from core.runs.run_data import RunData, read_run_data
from core.stored.status import Status
from core.verdicts import class_report, predictions
from core.verdicts.judged_on import JudgedOn
from core.words import format_accuracy

PAGE = "report.html"  # of a report's folder


@dataclass(frozen=True)
class RunFacts:
    """A run as its folder has it: `epochs` and `steps` are its figures, `table` its predictions on validation.

    `held` are those on the images held back, None where there are none. `origin` is what it was imported from, None for a
    run that was trained here.
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
    held: pd.DataFrame | None
    classes: pd.DataFrame
    origin: Origin | None = None

    @property
    def right(self) -> int:
        """Return how many validation images the best model tells right."""
        return int((self.table["true"] == self.table["predicted"]).sum())

    @property
    def accuracy(self) -> str:
        """Return the best model's validation accuracy with its 95 % interval: '84.7 % (80.2–88.3 %)'."""
        return _format_accuracy(self.table)

    @property
    def held_accuracy(self) -> str:
        """Return the same of the images held back; empty where there are none."""
        return "" if self.held is None else _format_accuracy(self.held)

    @property
    def best_epoch(self) -> str:
        """Return which epoch the best model is of, in words."""
        return f"epoch {self.status.best_epoch}" if self.status.best_epoch else "the initial model"

    @property
    def speed(self) -> str:
        """Return how many images a second training took in the median epoch."""
        unit = "feature vectors" if self.config.head_only else "images"
        return f"{self.epochs['images_per_second'].median():,.0f} {unit} a second"

    def read_table(self, judged_on: JudgedOn) -> pd.DataFrame:
        """Return the run's predictions on these images; raises RunError where it has none."""
        table = self.table if judged_on == "val" else self.held
        if table is None:
            raise RunError(f"{self.run.id} has no predictions of images held back.")
        return table


def read_facts(run: Run) -> RunFacts:
    """Read a run.

    Raises:
        RunError: when it has no finished epoch, a file of it is missing or damaged, or its predictions do not go with its
            data.
    """
    status, config = jobs.live_status(run), run.read_config()
    figures = read_figures(run)
    epochs = pd.DataFrame(figures.epochs)
    origin = read_origin(run)
    if epochs.empty and origin is None:
        raise RunError(
            f"{run.id} has not finished an epoch yet, so there is nothing to report. It is {status.state}."
        )
    data = read_run_data(run)
    table = _read_table(run, "val")
    if table is None:
        raise RunError(f"{run.id} has no predictions table. Write it: {own_command()} evaluate {run.id}")
    return RunFacts(
        run,
        status,
        config,
        data,
        run.read_json("data.json"),
        run.read_json("environment.json"),
        epochs,
        pd.DataFrame(figures.steps),
        table,
        _read_table(run, "held"),
        class_report.report_classes(table, data.classes, data.train_counts),
        origin,
    )


def _read_table(run: Run, split: JudgedOn) -> pd.DataFrame | None:
    path = run.predictions_path(split)
    anew = f"Write it again: {own_command()} evaluate {run.id}" + (
        "" if split == "val" else f" --split {split}"
    )
    try:
        table = predictions.read_predictions(path)
    except FileNotFoundError:
        return None
    except RunError as error:
        raise RunError(f"{error} {anew}") from None
    if table.empty:
        raise RunError(f"{path} has no images. {anew}")
    return table


def _format_accuracy(table: pd.DataFrame) -> str:
    right, count = int((table["true"] == table["predicted"]).sum()), len(table)
    low, high = predictions.wilson_interval(right, count)
    return format_accuracy(right / count, float(low), float(high))
