"""Measures the confidences of a run's best model on its validation images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from core.confidence.kept import keep_calibration
from core.confidence.measured import Calibration, calibrate, calibrate_top
from core.errors import RunError
from core.runs.imported import ALL, TOP, Origin, load_log_probs, read_origin
from core.runs.run import Run
from core.runs.run_data import read_run_data
from core.verdicts.predictions import read_predictions

Progress = Callable[[int, int], bool]


def calibrate_run(run: Run, *, progress: Progress | None = None) -> Calibration | None:
    """Measure the confidences of a run's best model on validation and keep it; None when told to stop.

    Of a run that was imported they are those of its table.

    Raises:
        RunError: when the run has no model, its data is gone, or the model answers with what is not a number; when the table
            it was imported from has no confidences.
    """
    origin = read_origin(run)
    if origin is not None and not run.best_path.exists():
        found = _calibrate_table(run, origin)
        keep_calibration(run, found)
        return found
    from core.model.evaluate import open_split, read_log_probs  # brings torch

    epoch = run.read_status().best_epoch
    split = open_split(run, "val", precision="fp32")
    log_probs = read_log_probs(split, progress=progress)
    if log_probs is None:
        return None
    found = calibrate(log_probs, np.array([sample.target for sample in split.samples]), epoch=epoch)
    keep_calibration(run, found)
    return found


def _calibrate_table(run: Run, origin: Origin) -> Calibration:
    table = read_predictions(run.predictions_path())
    if origin.confidences == TOP:
        right = (table["true"] == table["predicted"]).to_numpy(dtype=bool)
        return calibrate_top(table["confidence"].to_numpy(dtype=np.float64), right)
    if origin.confidences != ALL:
        raise RunError(f"{run.id} cannot be measured: {origin.table} has no confidences.")
    targets = pd.Index(read_run_data(run).classes).get_indexer(table["true"])
    return replace(calibrate(load_log_probs(run), targets.astype(np.int64)), precision="")
