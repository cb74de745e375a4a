"""A run in several processes is the run of one: the same losses, the same tables, stopped and resumed exactly."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.recipe.config import TrainConfig
from core.runs.claim import claim
from core.runs.run import Run, create_run
from tests.parallel.groups import end_all, start_all, train_in
from tests.processes import TINY, make_images, wait_until
from tests.same_runs import assert_same_run

pytestmark = pytest.mark.slow(40)
# fp32, relative: sums of gradients are rounded in another order, and the steps add that up.
TOLERANCE = 2e-5
# Batch normalisation keeps its statistics, so that each image's loss is its own. The last batch is too small for two.
ALIKE: dict[str, Any] = {
    "keep_statistics": True, "batch_size": 5, "mixup": 0.4, "cutmix": 1.0, "ema": 0.9, "clip_norm": 1.0, "lr": 0.01,
    "erasing": 0.5, "freeze_epochs": 1, "optimizer": "adamw", "label_smoothing": 0.1,
}  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("together")
    make_images(folder / "data", val=3)
    yield folder
    shutil.rmtree(folder)


def make_run(place: Path, name: str, **changes: Any) -> Run:
    values = {"data": str(place / "data"), "name": name, **TINY, **changes}
    return create_run(TrainConfig.from_dict(values), place / "runs")


def losses(run: Run) -> list[float]:
    rows = run.read_metrics()[0]
    return [row["loss"] if row["kind"] == "step" else row["val_loss"] for row in rows]


def table(run: Run) -> list[list[str]]:
    return [line.split(",")[:2] for line in run.predictions_path().read_text(encoding="utf-8").splitlines()]


def test_two_processes_have_the_losses_and_the_table_of_one(place: Path) -> None:
    one, two = (make_run(place, name, **ALIKE, devices=count) for name, count in (("one", 1), ("two", 2)))
    assert train_in(one, 1) == [0]
    assert train_in(two, 2) == [0, 0]
    assert two.read_status().state == "finished", two.read_status().message
    np.testing.assert_allclose(losses(two), losses(one), rtol=TOLERANCE)
    assert len(losses(two)) == 10  # two epochs of four steps
    assert table(two) == table(one)
    assert len(table(two)) == 1 + 9
    log = two.log_path.read_text(encoding="utf-8")
    assert log.count("Epoch 1/2") == 1
    assert "Computing in 2 processes" in log


@pytest.mark.scale
def test_batches_that_add_up_and_processes_that_share_them_are_one_step(place: Path) -> None:
    changes = {"keep_statistics": True, "accumulate": 2, "epochs": 1, "lr": 0.01}
    one, two = (make_run(place, f"sum-{count}", **changes, devices=count) for count in (1, 2))
    train_in(one, 1)
    train_in(two, 2)
    np.testing.assert_allclose(losses(two), losses(one), rtol=TOLERANCE)


def test_a_run_of_two_that_is_stopped_and_resumed_ends_bit_for_bit_as_one_that_was_not(place: Path) -> None:
    recipe = {"devices": 2, "optimizer": "adamw", "ema": 0.9, "epochs": 2}
    whole, stopped = make_run(place, "whole", **recipe), make_run(place, "stopped", **recipe)
    train_in(whole, 2)
    with claim(stopped):
        started = start_all(stopped, 2)
        wait_until(
            lambda: stopped.metrics_path.is_file() and stopped.read_metrics()[0], "a step is trained", 60
        )
        stopped.request_stop()
        assert list(end_all(started)) == [0, 0]
    status = stopped.read_status()
    assert (status.state, "Everything is saved" in status.message) == ("stopped", True), status.message
    assert 1 <= len(stopped.read_metrics()[0]) < len(whole.read_metrics()[0])
    assert train_in(stopped, 2, again=True) == [0, 0]
    assert_same_run(stopped, whole)


@pytest.mark.scale
def test_a_run_goes_on_in_another_number_of_processes_and_says_what_changes(place: Path) -> None:
    run = make_run(place, "fewer", devices=2, epochs=1)
    train_in(run, 2)
    assert train_in(run, 1, again=True, epochs=2) == [0]
    log = run.log_path.read_text(encoding="utf-8")
    assert "It goes on in 1 process, before it was 2. Batches, rates and augmentation stay the same." in log
    assert run.read_config().devices == 1
    assert run.read_status().epoch == 2
