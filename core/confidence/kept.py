"""What was measured of a run's confidences, as its folder keeps it."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from core.confidence.measured import Calibration, Estimate, Figures
from core.confidence.threshold import threshold_path
from core.errors import RunError, describe_unreadable
from core.files import write_text
from core.places import name_place, own_command
from core.reading import read_object, take
from core.runs.run import Run
from core.stored.records import MOST
from core.verdicts.selective import Answers

_VERSION = 1
_DECIMALS = 8  # of the confidences kept
_PRECISIONS = ("fp32", "bf16", "fp16")


def calibration_path(run: Run) -> Path:
    """Return where a run keeps what was measured of its confidences."""
    return run.folder / "calibration.json"


def keep_calibration(run: Run, found: Calibration) -> None:
    """Write what was measured to a run's folder, atomically."""
    write_text(calibration_path(run), _to_json(found))


def read_calibration(run: Run) -> Calibration | None:
    """Return what was measured of a run's best model; None before it was, or where it was of another model.

    Raises:
        RunError: when it is damaged or of another version.
    """
    path = calibration_path(run)
    try:
        values = read_object(path, most=MOST)
        # An older version measured in the precision of the training, and did not write that down here.
        values.setdefault("precision", run.read_json("environment.json").get("precision", "fp32"))
        found = _from_values(values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"{error.args[0]} is missing" if isinstance(error, KeyError) else describe_unreadable(error)
        raise RunError(
            f"{name_place(path)}: cannot be read ({why}). Measure it again: {own_command()} calibrate {run.id}"
        ) from None
    return found if found.epoch == run.read_status().best_epoch else None


def read_precision(run: Run) -> str:
    """Return the precision, fp32 or bf16, in which a run's best model is to be asked: that of its calibration, else fp32."""
    try:
        found = read_calibration(run)
    except RunError:
        return "fp32"  # its temperature cannot be used either
    return "fp32" if found is None else found.precision


def read_temperature(run: Run) -> float:
    """Return the temperature of a run's best model, 1 where none was measured; raises RunError as `read_calibration`."""
    found = read_calibration(run)
    return 1.0 if found is None else found.temperature


def read_ece(run: Run) -> Estimate | None:
    """Return the calibration error (0..1) of a run's model as Predict uses it; None where it was not measured.

    It is that after temperature scaling, judged on images the temperature was not fitted to.

    Raises:
        RunError: as `read_calibration`.
    """
    found = read_calibration(run)
    return None if found is None else found.after.ece


def forget_calibration(run: Run) -> None:
    """Drop what belongs to the best model so far, before another takes its place."""
    for path in (calibration_path(run), threshold_path(run)):
        path.unlink(missing_ok=True)


def _to_json(found: Calibration) -> str:
    values: dict[str, Any] = {
        name: asdict(value) if isinstance(value, Estimate | Figures) else value
        for name, value in vars(found).items()
        if name != "answers"
    }
    answers = {
        name: np.round(array, _DECIMALS).tolist() if array.dtype.kind == "f" else array.astype(int).tolist()
        for name, array in vars(found.answers).items()
    }
    return json.dumps({"version": _VERSION, **values, "answers": answers}) + "\n"


def _from_values(values: dict[str, Any]) -> Calibration:
    if values.pop("version") != _VERSION:
        raise ValueError("it was written by another version")
    answers = _read_answers(values.pop("answers"))
    kinds = get_type_hints(Calibration)
    if unknown := set(values) - set(kinds):
        raise ValueError(f"{min(unknown)} is not a field that this version knows")
    if missing := set(kinds) - set(values) - {"answers"}:
        raise ValueError(f"{min(missing)} is missing")
    found = Calibration(
        answers=answers, **{name: take(kinds[name], one, name) for name, one in values.items()}
    )
    if not (math.isfinite(found.temperature) and found.temperature > 0):
        raise ValueError(f"temperature must be above 0, got {found.temperature!r}")
    if found.precision not in ("", *_PRECISIONS):  # of an imported table it is empty
        raise ValueError(f"precision must be one of {', '.join(_PRECISIONS)}, got {found.precision!r}")
    return found


def _read_answers(kept: dict[str, Any]) -> Answers:
    """Return the answers that `_to_json` wrote; raises ValueError where they are not of one set of images."""
    right, fold = np.array(kept.pop("right"), dtype=bool), np.array(kept.pop("fold"), dtype=np.int64)
    sure = {name: np.array(array, dtype=np.float64) for name, array in kept.items()}
    answers = Answers(right=right, fold=fold, **sure)
    count = right.size
    if right.ndim != 1 or not count or fold.shape != (count,) or answers.without.ndim != 2:
        raise ValueError("its answers are none of one set of images")
    if (
        answers.raw.shape != (count,)
        or answers.calibrated.shape != (count,)
        or answers.without.shape[1] != count
    ):
        raise ValueError("its answers are none of one set of images")
    if not (fold.min() >= 0 and fold.max() < len(answers.without)):
        raise ValueError("its answers name a fold that there is not")
    # So written, it refuses NaN too; a confidence may be rounded to a hair above 1.
    if not all(((array >= 0) & (array <= 1.00001)).all() for array in sure.values()):
        raise ValueError("its confidences must be from 0 to 1")
    return answers
