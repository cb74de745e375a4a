"""The confidence below which a run's model is not sure, as its user chose it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import RunError
from core.files import write_text
from core.people.acting import TRAIN, needs
from core.reading import take
from core.runs.run import Run

_VERSION = 1
UNDECIDED = 0.5  # the threshold where none was chosen: an answer below it is by its own word more likely wrong than right


@dataclass(frozen=True)
class Threshold:
    """The confidence (0..1) below which a run's model is not sure: of the model of `epoch` at `temperature`.

    `wanted` is the accuracy (0..1) it was chosen for, None where it was set by hand.
    """

    value: float
    epoch: int
    temperature: float
    wanted: float | None = None


def threshold_path(run: Run) -> Path:
    """Return where a run keeps the threshold chosen for it."""
    return run.folder / "threshold.json"


@needs(TRAIN, "set the threshold", lambda run, *_, **__: run.id)
def write_threshold(run: Run, value: float, *, temperature: float, wanted: float | None = None) -> None:
    """Keep the threshold (0..1) chosen for a run's best model at a temperature."""
    chosen = Threshold(value, run.read_status().best_epoch, temperature, wanted)
    write_text(threshold_path(run), json.dumps({"version": _VERSION, **asdict(chosen)}) + "\n")


def read_threshold(run: Run, *, temperature: float) -> Threshold | None:
    """Return the threshold chosen for a run's best model at this temperature; None where there is none for it.

    Raises:
        RunError: when it is damaged or of another version.
    """
    values = run.read_json(threshold_path(run).name)
    if not values:
        return None
    try:
        if values.pop("version", None) != _VERSION:
            raise ValueError("it was written by another version")
        found = take(Threshold, values)
        if not 0 <= found.value <= 1:
            raise ValueError(f"value must be from 0 to 1, got {found.value!r}")
        if found.wanted is not None and not 0 < found.wanted < 1:
            raise ValueError(f"wanted must be from 0 to 1, got {found.wanted!r}")
    except ValueError as error:
        raise RunError(
            f"{threshold_path(run)}: cannot be used ({error}). Choose a threshold again."
        ) from None
    same = found.epoch == run.read_status().best_epoch and found.temperature == temperature
    return found if same else None
