"""What is measured of a run's confidences: figures, the temperature, what is kept, and when it is of no use."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.confidence.kept import (
    calibration_path,
    forget_calibration,
    read_calibration,
    read_ece,
    read_temperature,
)
from core.confidence.measured import Calibration, calibrate
from core.confidence.threshold import Threshold, read_threshold, threshold_path, write_threshold
from core.errors import RunError
from core.model.calibration import calibrate_run
from core.runs.run import Run
from core.verdicts.reliability import calibration_errors, judge
from tests.made_run import make_run, measure_confidence, plant_answers


@pytest.fixture(scope="module")
def planted() -> Calibration:
    """Return what is measured of a model whose logits are 2.5 times too large."""
    return calibrate(*plant_answers(600), epoch=3)


@pytest.fixture
def run(runs_root: Path, tiny_data: Path) -> Run:
    return make_run(runs_root, tiny_data, precision="fp32", device="cpu", workers=0)


def test_a_planted_temperature_is_found_and_mends_the_confidences(planted: Calibration) -> None:
    assert planted.temperature == pytest.approx(2.5, rel=0.15)
    assert planted.note == ""
    assert planted.overconfidence_interval[0] > 0
    assert planted.before.ece.value > planted.chance.high
    assert planted.is_mended
    for name in ("ece", "brier", "loss"):
        before, after, change = (
            getattr(figures, name) for figures in (planted.before, planted.after, planted.change)
        )
        assert change.value == pytest.approx(after.value - before.value)
        assert change.low < change.value < change.high < 0
        assert before.low < before.value < before.high


def test_figures_after_are_of_temperatures_fitted_without_the_image(planted: Calibration) -> None:
    answers = planted.answers
    once = np.ones((1, len(answers.right)))
    assert planted.after.ece.value == pytest.approx(
        calibration_errors(answers.cross_fitted, answers.right, once)[0]
    )
    assert len(answers.without) == 5
    assert np.abs(answers.cross_fitted - answers.calibrated).max() > 1e-4


def test_figures_before_are_those_of_the_answers_as_they_are(planted: Calibration) -> None:
    judged = judge(*plant_answers(600))
    assert planted.before.brier.value == pytest.approx(judged.squared.mean())
    assert planted.before.loss.value == pytest.approx(judged.loss.mean(), rel=1e-5)
    assert planted.answers.raw == pytest.approx(judged.confidence)


def test_a_temperature_takes_some_wrong_images() -> None:
    log_probs, targets = plant_answers(60)
    right = log_probs.argmax(axis=1) == targets
    kept = np.flatnonzero(right)[:30].tolist() + np.flatnonzero(~right)[:4].tolist()
    found = calibrate(log_probs[kept], targets[kept])
    assert found.temperature == 1
    assert found.note == "only 4 of 34 images are wrong, and a temperature takes at least 5"
    assert found.after == found.before
    assert (found.answers.cross_fitted == found.answers.raw).all()


def test_a_temperature_that_does_not_help_elsewhere_is_not_used() -> None:
    found = calibrate(*plant_answers(400, sharpness=1.0))
    if found.note:
        assert (found.temperature, found.change.loss.value) == (1, 0)
        assert "no temperature made the loss lower" in found.note
    else:
        assert found.change.loss.value < 0


@pytest.mark.parametrize("count", [1, 2, 6])
def test_a_handful_of_images_is_measured_with_wide_intervals(count: int) -> None:
    log_probs, targets = plant_answers(count)
    found = calibrate(log_probs, targets)
    assert found.temperature == 1
    assert 0 <= found.before.ece.low <= found.before.ece.value <= found.before.ece.high


def test_answers_that_are_no_numbers_are_refused() -> None:
    log_probs, targets = plant_answers(10)
    log_probs[3, 1] = np.nan
    with pytest.raises(RunError, match="not finite numbers"):
        calibrate(log_probs, targets)


# In a run's folder


def test_what_was_measured_is_read_back(run: Run) -> None:
    kept = measure_confidence(run)
    found = read_calibration(run)
    assert found is not None
    assert replace(found, answers=kept.answers) == kept
    for name in ("right", "raw", "calibrated", "fold", "without"):
        assert getattr(found.answers, name) == pytest.approx(getattr(kept.answers, name), abs=1e-7)
    assert read_temperature(run) == kept.temperature
    assert read_ece(run) == kept.after.ece


def test_a_run_that_was_not_measured_has_neither_temperature_nor_error(run: Run) -> None:
    assert read_calibration(run) is None
    assert read_temperature(run) == 1
    assert read_ece(run) is None


def test_what_was_measured_of_another_model_is_not_used(run: Run) -> None:
    measure_confidence(run)
    write_threshold(run, 0.8, temperature=1.0)
    run.write_status(replace(run.read_status(), best_epoch=1))
    assert read_calibration(run) is None
    assert read_temperature(run) == 1
    assert read_threshold(run, temperature=1.0) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"version": 1', '"version": 9'),
        lambda text: text.replace('"chance"', '"luck"'),
        lambda _: "[]",
    ],
)
def test_a_damaged_measurement_is_named_with_what_to_do(run: Run, change: object) -> None:
    measure_confidence(run)
    path = calibration_path(run)
    path.write_text(change(path.read_text()))  # type: ignore[operator]
    with pytest.raises(
        RunError, match=r"calibration\.json: cannot be read .*python -m weakspot calibrate first"
    ):
        read_calibration(run)


def test_a_runs_best_model_is_measured_on_validation(run: Run, best_model: Path) -> None:
    shutil.copy(best_model, run.best_path)
    seen: list[tuple[int, int]] = []
    found = calibrate_run(run, progress=lambda *counts: bool(seen.append(counts)) or True)
    assert found is not None
    assert seen[-1] == (6, 6)
    assert len(found.answers.right) == 6
    assert found.epoch == 2
    again = read_calibration(run)
    assert again is not None
    assert again.before == found.before


def test_a_stop_leaves_what_was_measured_before(run: Run, best_model: Path) -> None:
    shutil.copy(best_model, run.best_path)
    assert calibrate_run(run, progress=lambda *_: False) is None
    assert not calibration_path(run).exists()


# The threshold


def test_a_threshold_belongs_to_a_model_and_its_temperature(run: Run) -> None:
    write_threshold(run, 0.83, temperature=1.5, wanted=0.95)
    assert read_threshold(run, temperature=1.5) == Threshold(0.83, 2, 1.5, 0.95)
    assert read_threshold(run, temperature=1.0) is None


@pytest.mark.parametrize("change", [{"value": 7}, {"version": 2}, {"colour": "red"}, {"value": "much"}])
def test_a_damaged_threshold_is_named_with_what_to_do(run: Run, change: dict[str, object]) -> None:
    write_threshold(run, 0.83, temperature=1.0)
    values = json.loads(threshold_path(run).read_text())
    threshold_path(run).write_text(json.dumps(values | change))
    with pytest.raises(RunError, match=r"threshold\.json: cannot be used .* Choose a threshold again"):
        read_threshold(run, temperature=1.0)


def test_both_are_forgotten_when_another_model_takes_the_place(run: Run) -> None:
    measure_confidence(run)
    write_threshold(run, 0.83, temperature=1.0)
    forget_calibration(run)
    assert read_calibration(run) is None
    assert read_threshold(run, temperature=1.0) is None
    forget_calibration(run)
