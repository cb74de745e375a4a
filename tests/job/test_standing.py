"""Where a training stands: whether it is over, how it says so, and what a checkpoint knows of it."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest

from core.job.standing import Standing
from core.recipe.config import TrainConfig
from core.runs.journal import Hopeless
from core.stored.status import Status
from core.training.engine import StepFigures

CONFIG = TrainConfig(data="photos", epochs=10)
WORKED = Status(state="running", worked=50.0)


def as_of_now(status: Status) -> Status:
    """Return the status as if it had just been written."""
    return replace(status, updated=time.time())


def test_a_training_is_over_after_its_last_epoch() -> None:
    standing = Standing(CONFIG, epoch=9)
    assert not standing.is_over(WORKED)
    standing.epoch = 10
    assert standing.is_over(WORKED)
    assert standing.describe_early(WORKED) == ""


def test_patience_counts_from_the_best_epoch_and_from_where_the_run_was_extended() -> None:
    standing = Standing(replace(CONFIG, patience=3), epoch=6)
    standing.best.epoch = 3
    assert standing.is_over(WORKED)
    assert "did not get better for 3 epochs" in standing.describe_early(WORKED)
    assert not standing.is_over(replace(WORKED, extended_from=5))


def test_a_time_limit_ends_a_training_before_the_epoch_that_would_pass_it() -> None:
    standing = Standing(replace(CONFIG, max_minutes=1.0), epoch=2, last_epoch=5.0)
    status = as_of_now(WORKED)
    assert not standing.is_over(status)
    standing.last_epoch = 20.0
    assert standing.is_over(status)
    assert "would have passed the time limit" in standing.describe_early(status)
    assert not standing.is_over(replace(status, extended_from=1)), "an extended run has more than that"


def test_the_time_left_is_never_more_than_the_limit_leaves() -> None:
    standing = Standing(replace(CONFIG, max_minutes=1.0), step_seconds=1.0)
    left = standing.measure_progress(100, as_of_now(WORKED))["seconds_left"]
    assert left == pytest.approx(10.0, abs=1.0)
    free = replace(standing, config=CONFIG).measure_progress(100, WORKED)
    assert free["seconds_left"] == 1000 * 1.0 + 10 * 2.0
    assert (free["done"], free["total"]) == (0, 1000)


def test_neither_a_pause_nor_slow_steps_change_the_time_left_by_more_than_a_tenth() -> None:
    """A run of 300 epochs at epoch 15, of 10 steps and 12.8 s an epoch: each step that is told is up to 60 times as slow."""
    standing = Standing(replace(CONFIG, epochs=300), epoch=10)
    for paused in (1.0, 1.0, 1.0, 40.0, 25.0):  # it was paused in two of the last epochs
        standing.count_epoch(10.0 * paused, 2.8)
        standing.epoch += 1
    left = []
    for standing.batch, standing.step_seconds in enumerate([60.0, 31.0, 20.0, 15.0, 0.1, 1.0], start=1):
        left.append(standing.measure_progress(10, WORKED)["seconds_left"])
    expected = 12.8 * 285  # worked x left / done, without the pauses
    assert all(0.9 * expected < seconds < 1.1 * expected for seconds in left)
    assert left == sorted(left, reverse=True)


def test_a_resumed_run_has_the_pace_that_it_had_until_its_first_whole_epoch() -> None:
    standing = Standing(CONFIG, epoch=5, batch=1, step_seconds=60.0, val_seconds=0.0)
    left = standing.measure_progress(10, replace(WORKED, worked=51.0))["seconds_left"]
    assert left == pytest.approx(49.0)
    standing.count_epoch(20.0, 4.0)
    standing.epoch, standing.batch = 6, 0
    assert standing.measure_progress(10, WORKED)["seconds_left"] == pytest.approx(4 * 24.0)


def test_a_step_without_a_finite_loss_ends_the_training_and_says_what_to_do() -> None:
    standing = Standing(CONFIG)
    standing.count_step(StepFigures(step=1, loss=0.5, correct=3, count=4))
    with pytest.raises(
        Hopeless, match=r"loss became nan in epoch 1, after 1 step .* Lower the learning rate"
    ):
        standing.count_step(StepFigures(step=2, loss=math.nan, correct=0, count=4))
    assert (standing.step, standing.seen, standing.figures().accuracy) == (1, 4, 0.75)


def test_what_a_checkpoint_knows_is_where_the_training_goes_on() -> None:
    standing = Standing(
        CONFIG, epoch=2, batch=7, step=47, loss_sum=1.5, correct=9, seen=28, epoch_seconds=3.5
    )
    standing.best.acc, standing.best.epoch = 0.9, 2
    again = Standing(CONFIG)
    again.take_values(standing.to_values())
    assert again == standing
