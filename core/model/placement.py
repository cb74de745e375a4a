"""Where and how a run's best model is asked: one rule for predictions, heat maps, features and calibration."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from core.confidence.kept import read_precision
from core.errors import RunError
from core.runs import jobs
from core.runs.run import Run, iter_runs
from core.training import engine


def choose_placement(run: Run, precision: str = "") -> engine.Compute:
    """Return the device and precision on which a run's best model is asked.

    The precision is that in which its confidences were measured, fp32 where they were not: a temperature is right only
    for logits computed as those it was fitted to. Another one can be named. The device is `choose_device`'s.
    """
    return engine.choose_compute(choose_device(run), precision or read_precision(run))


def choose_device(run: Run) -> str:
    """Return the name of the device on which a run's best model is asked.

    It is the one of the run's config, or the best there is where this machine has none such. While another process
    trains on the GPU it is the CPU: the memory and the time of a GPU belong to the training.
    """
    devices = engine.list_devices()
    device = asked if (asked := _read_device(run)) in devices else devices[0]
    return "cpu" if device != "cpu" and _is_taken(run.folder.parent) else device


def _is_taken(root: Path) -> bool:
    """Tell whether another process trains on this machine's GPU."""
    for run in iter_runs(root):
        status = jobs.live_status(run)
        here = status.state == "running" and status.host in ("", socket.gethostname())
        if here and status.pid != os.getpid() and _read_device(run) != "cpu":
            return True
    return False


def _read_device(run: Run) -> str:
    try:
        return run.read_config().device
    except RunError:  # best.pt is all that it takes to predict
        return "auto"
