"""How far a run's confidences can be believed: measured on validation, kept in its folder, used by Predict."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import pandas as pd

from core.errors import RunError
from core.files import write_text
from core.people.acting import TRAIN, needs
from core.places import own_command
from core.reading import read_object, take
from core.runs.imported import ALL, TOP, Origin, load_log_probs, read_origin
from core.runs.records import MOST
from core.runs.run import Run
from core.runs.run_data import read_run_data
from core.verdicts.predictions import Z95, read_predictions
from core.verdicts.reliability import (
    FOLDS,
    Bools,
    Floats,
    Ints,
    Scores,
    calibration_errors,
    chance_errors,
    cross_fit,
    deal_folds,
    judge,
    resample_weights,
    scale,
)
from core.verdicts.selective import Answers, risk_areas
from core.words import format_count

_VERSION = 1
UNDECIDED = 0.5  # the threshold where none was chosen: an answer below it is by its own word more likely wrong than right
_DECIMALS = 8  # of the confidences kept
_PRECISIONS = ("fp32", "bf16", "fp16")
Progress = Callable[[int, int], bool]


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Figures:
    """Expected calibration error (0..1), Brier score (0..2), loss (nats) and area under the risk–coverage curve (0..1)."""

    ece: Estimate
    brier: Estimate
    loss: Estimate
    area: Estimate


@dataclass(frozen=True)
class Calibration:
    """What was measured of the model of `epoch`: the temperature that Predict uses, and figures before and after it.

    `after` is judged at temperatures fitted without the images they are judged on. `change` is after less before on the
    same draws of images. `chance` is the calibration error (0..1) that a model which keeps these confidences, as they are
    after, would show on as many images. `note` says why the temperature is 1 where none was fitted. `precision` is what
    the model computed in, fp32 or bf16, and so what it has to compute in where the temperature is used; '' of a table.
    """

    epoch: int
    temperature: float
    note: str
    before: Figures
    after: Figures
    change: Figures
    chance: Estimate
    answers: Answers
    precision: str = "fp32"

    def describe(self) -> str:
        """Return the temperature in words, and why there is none where it stayed 1."""
        return f"temperature {self.temperature:.3f}" + (f": {self.note}" if self.note else "")

    @property
    def overconfidence(self) -> float:
        """Return the mean confidence before less the accuracy, -1..1: above 0 it claims more than it keeps."""
        return float(self.answers.raw.mean() - self.answers.right.mean())

    @property
    def overconfidence_interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the overconfidence, by the normal approximation."""
        gaps = self.answers.raw - self.answers.right
        half = Z95 * float(gaps.std()) / len(gaps) ** 0.5
        return self.overconfidence - half, self.overconfidence + half

    @property
    def is_mended(self) -> bool:
        """Tell whether the calibration error after is no larger than chance makes it."""
        return self.after.ece.value <= self.chance.high


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


def calibrate(log_probs: Floats, targets: Ints, *, epoch: int = 0) -> Calibration:
    """Measure the confidences behind log-probabilities (N, C) and fit their temperature; `targets` are (N,).

    The temperature stays 1 where too few images are wrong (or right) to fit one to, or where it makes the loss on
    images it was not fitted to no better.

    Raises:
        RunError: when there is no image, or a log-probability that is no finite number.
    """
    if not len(targets) or not np.isfinite(log_probs).all():
        raise RunError("The confidences cannot be measured: the model's answers are not finite numbers.")
    before = judge(log_probs, targets)
    temperature, note = 1.0, ""
    fold, after = deal_folds(before.right), before
    without = np.tile(before.confidence, (int(fold.max()) + 1, 1))
    fewest = min(int(before.right.sum()), int((~before.right).sum()))
    if fewest < FOLDS:
        kind = "wrong" if before.right.mean() > 0.5 else "right"
        note = f"only {fewest} of {format_count(len(targets), 'image')} {'is' if fewest == 1 else 'are'} {kind}, and a temperature takes at least {FOLDS}"
    else:
        fit = cross_fit(log_probs, targets)
        cross_fitted = judge(scale(log_probs, fit.without[fit.fold][:, None]), targets)
        if cross_fitted.loss.mean() < before.loss.mean():
            temperature, fold, after = fit.temperature, fit.fold, cross_fitted
            without = np.stack([_confidence(log_probs, one) for one in fit.without])
        else:
            note = "on images it was not fitted to, no temperature made the loss lower"
    answers = Answers(before.right, before.confidence, _confidence(log_probs, temperature), fold, without)
    values, drawn = [_measure(one) for one in (before, after)], [_resample(one) for one in (before, after)]
    chance_before, chance = _describe_chance(before), _describe_chance(after)
    return Calibration(
        epoch,
        temperature,
        note,
        before=_figures(values[0], drawn[0], chance=chance_before),
        after=_figures(values[1], drawn[1], chance=chance),
        change=_figures(values[1] - values[0], drawn[1] - drawn[0]),
        chance=chance,
        answers=answers,
    )


def calibrate_top(confidence: Floats, right: Bools) -> Calibration:
    """Measure confidences (N,) in the predicted class where nothing is known of the others: no temperature can be fitted.

    Brier score and loss, which take all classes, are NaN.
    """
    unknown = np.full(len(right), np.nan)
    judged = Scores(confidence, right, unknown, unknown)
    chance, fold = _describe_chance(judged), deal_folds(right)
    figures = _figures(_measure(judged), drawn := _resample(judged), chance=chance)
    return Calibration(
        0,
        1.0,
        "the table has the confidence in the predicted class alone, and a temperature takes those of all classes",
        before=figures,
        after=figures,
        change=_figures(np.zeros(4), np.zeros_like(drawn)),
        chance=chance,
        answers=Answers(right, confidence, confidence, fold, np.tile(confidence, (int(fold.max()) + 1, 1))),
        precision="",
    )


def _calibrate_table(run: Run, origin: Origin) -> Calibration:
    table = read_predictions(run.predictions_path())
    if origin.confidences == TOP:
        right = (table["true"] == table["predicted"]).to_numpy(dtype=bool)
        return calibrate_top(table["confidence"].to_numpy(dtype=np.float64), right)
    if origin.confidences != ALL:
        raise RunError(f"{run.id} cannot be measured: {origin.table} has no confidences.")
    targets = pd.Index(read_run_data(run).classes).get_indexer(table["true"])
    return replace(calibrate(load_log_probs(run), targets.astype(np.int64)), precision="")


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
        why = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise RunError(
            f"{path}: cannot be read ({why}). Measure it again: {own_command()} calibrate {run.id}"
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
            raise ValueError("it is of another version")
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


def forget_calibration(run: Run) -> None:
    """Drop what belongs to the best model so far, before another takes its place."""
    for path in (calibration_path(run), threshold_path(run)):
        path.unlink(missing_ok=True)


def _confidence(log_probs: Floats, temperature: float) -> Floats:
    found: Floats = np.minimum(np.exp(scale(log_probs, temperature).max(axis=1)), 1.0).astype(np.float64)
    return found


def _measure(judged: Scores) -> Floats:
    """Return the values (4,) that Figures has, of all images."""
    found: Floats = _measure_draws(judged, np.ones((1, len(judged.right))))[0]
    return found


def _resample(judged: Scores) -> Floats:
    """Return the values (R, 4) that Figures has, of R draws of the images."""
    return np.concatenate([_measure_draws(judged, w) for w in resample_weights(len(judged.right))])


def _measure_draws(judged: Scores, weights: Floats) -> Floats:
    count = weights.sum(axis=1)
    return np.column_stack(
        [
            calibration_errors(judged.confidence, judged.right, weights),
            weights @ judged.squared / count,
            weights @ judged.loss / count,
            risk_areas(judged.confidence, judged.right, weights),
        ]
    )


def _describe_chance(judged: Scores) -> Estimate:
    drawn = chance_errors(judged.confidence)
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Estimate(float(drawn.mean()), float(low), float(high))


def _figures(values: Floats, drawn: Floats, *, chance: Estimate | None = None) -> Figures:
    """Return values (4,) with their intervals from draws (R, 4); `chance` is None where they are differences.

    The calibration error of a draw is on average larger than that of the images drawn from, by about as much as the
    latter is larger than the truth: the basic interval takes that off, where percentiles would add it once more. One
    that chance explains reaches down to 0. Of 150 planted models each on 100 to 1,000 images this held the truth for 87 to
    99 %, percentiles for 0 to 91 %; for the other figures percentiles are as good or better (91 to 96 %).
    Source: A. C. Davison, D. V. Hinkley, "Bootstrap Methods and their Application" (1997), chapter 5.
    """
    bounds = np.percentile(drawn, (2.5, 97.5), axis=0)
    low, high = 2 * values[0] - bounds[::-1, 0]
    if chance is not None:
        low, high = (0.0 if values[0] <= chance.high else max(0.0, low)), max(high, values[0])
    rest = [Estimate(*map(float, figure)) for figure in zip(values[1:], *bounds[:, 1:], strict=True)]
    return Figures(Estimate(float(values[0]), float(low), float(high)), *rest)


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
        raise ValueError("it is of another version")
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
