"""Schedules keep to their shapes, warm up, cut where they say, and go on sensibly in a run that is extended."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any

import pytest

from core.recipe.config import TrainConfig
from core.recipe.schedules import rate_at, size_at

STEPS = 10  # an epoch


def make_config(**changes: Any) -> TrainConfig:
    return TrainConfig(data="data", **{"lr": 0.5, "epochs": 20, **changes})


def rates(**changes: Any) -> list[float]:
    config = make_config(**changes)
    total = STEPS * config.epochs
    return [rate_at(step, total, config) for step in range(total)]


def sizes(**changes: Any) -> list[int]:
    config = make_config(**changes)
    return [size_at(epoch, config) for epoch in range(config.epochs)]


def test_the_step_schedule_is_cut_every_few_epochs() -> None:
    found = rates(schedule="step", step_epochs=8, step_factor=0.1)
    assert found[:80] == [0.5] * 80
    assert found[80:160] == pytest.approx([0.05] * 80)
    assert found[160:] == pytest.approx([0.005] * 40)


def test_the_cosine_falls_from_the_full_rate_through_half_of_it_to_nearly_nothing() -> None:
    found = rates(schedule="cosine")
    assert found == sorted(found, reverse=True)
    assert found[0] == 0.5
    assert found[100] == pytest.approx(0.25)
    assert 0 < found[-1] < 0.001


@pytest.mark.parametrize("schedule", ["step", "cosine"])
def test_a_warm_up_rises_in_a_line_to_the_full_rate(schedule: str) -> None:
    found = rates(schedule=schedule, warmup_epochs=2)
    rises = [after - before for before, after in itertools.pairwise(found[:21])]
    assert 0 < found[0] < 0.05
    assert rises == pytest.approx([0.5 / 21] * 20)
    assert found[20] == max(found) == 0.5


def test_cuts_are_counted_from_the_beginning_also_after_a_warm_up() -> None:
    found = rates(schedule="step", step_epochs=8, warmup_epochs=2)
    assert (found[79], found[80]) == (0.5, pytest.approx(0.05))


@pytest.mark.parametrize("schedule", ["cosine", "onecycle"])
def test_an_extended_run_rises_again_and_falls_to_nothing_at_its_new_end(schedule: str) -> None:
    before, after = rates(schedule=schedule, epochs=20), rates(schedule=schedule, epochs=30)
    assert before[-1] < 0.001 < 0.05 < after[200] < 0.5
    assert after[200:] == sorted(after[200:], reverse=True)
    assert after[-1] < 0.001


@pytest.mark.parametrize("schedule", ["constant", "step"])
def test_schedules_without_an_end_go_on_unchanged_in_a_run_that_is_extended(schedule: str) -> None:
    assert rates(schedule=schedule, epochs=30)[:200] == rates(schedule=schedule, epochs=20)


def test_images_have_their_full_size_from_the_start_where_they_are_not_to_grow() -> None:
    assert set(sizes()) == {224}


def test_images_grow_in_steps_over_three_quarters_of_the_epochs() -> None:
    found = sizes(progressive_from=128, epochs=8)
    assert found == [128, 144, 160, 176, 192, 208, 224, 224]


@pytest.mark.parametrize("epochs", [1, 2, 3, 25])
def test_the_last_epoch_has_the_full_size_however_few_there_are(epochs: int) -> None:
    found = sizes(progressive_from=100, epochs=epochs)
    assert found[-1] == 224
    assert found == sorted(found)
    assert all(100 <= size <= 224 for size in found)


def test_a_form_can_plot_a_schedule_without_loading_torch() -> None:
    code = "import sys, core.recipe.schedules; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
