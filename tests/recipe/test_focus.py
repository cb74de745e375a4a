"""Specialising: how often images come, which model is kept, and that all of it is resumed exactly."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import DataError
from core.job.job import TrainingJob
from core.recipe.config import TrainConfig
from core.recipe.focus import focus_indices, is_allowed, measure_recalls, pair_indices, weigh_images
from core.runs.run import create_run
from core.training.loaders import EpochBatches
from tests.processes import TINY, make_images

CLASSES = ("2", "10", "35")


def config_of(**values: Any) -> TrainConfig:
    return TrainConfig(data="flowers", **values)


def test_the_classes_are_named_by_their_folders() -> None:
    assert focus_indices(config_of(focus=("35", "2")), CLASSES) == [0, 2]
    assert focus_indices(config_of(), CLASSES) == []


def test_a_class_is_found_whichever_way_its_accents_are_written() -> None:
    assert focus_indices(config_of(focus=("cafe\u0301",)), ["tea", "café"]) == [1]
    assert pair_indices(config_of(pairs=(("tea", "café"),)), ["tea", "cafe\u0301"]) == [(0, 1)]


@pytest.mark.parametrize(
    ("focus", "message"),
    [
        (("2", "7"), "'7' is not a class of this data. Its classes are 2, 10, 35"),
        (("2", "10", "35"), "names every class"),
    ],
)
def test_what_cannot_be_specialised_on_is_refused(focus: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        focus_indices(config_of(focus=focus), CLASSES)


def test_without_anything_asked_every_image_comes_once() -> None:
    assert weigh_images(config_of(), [0, 1, 2], CLASSES) is None


def test_images_of_the_chosen_classes_come_more_often_and_differ_each_time() -> None:
    targets = [0] * 6 + [1] * 6 + [2] * 6
    weights = weigh_images(config_of(focus=("10",), focus_factor=2.5), targets, CLASSES)
    assert weights is not None
    batches = EpochBatches(18, 4, seed=0, weights=weights)
    keys = [key for batch in batches for key in batch]
    assert len(keys) == 27 == len(set(keys))
    times = Counter(index for _, index in keys)
    assert all(times[index] == 1 for index in (*range(6), *range(12, 18)))
    assert {times[index] for index in range(6, 12)} == {2, 3}
    assert sum(times[index] for index in range(6, 12)) == 15


def test_balanced_classes_come_equally_often() -> None:
    targets = [0] * 12 + [1] * 3 + [2] * 3
    weights = weigh_images(config_of(class_balance=True), targets, CLASSES)
    assert weights is not None
    keys = [key for batch in EpochBatches(18, 4, seed=0, weights=weights) for key in batch]
    assert Counter(targets[index] for _, index in keys) == {0: 6, 1: 6, 2: 6}


def test_which_images_come_depends_on_seed_and_epoch_alone_and_a_resumed_epoch_is_the_same() -> None:
    weights = np.full(10, 1.3)
    batches = EpochBatches(10, 3, seed=0, weights=weights)
    whole = list(batches)
    batches.first_batch = 2
    assert list(batches) == whole[2:]
    batches.first_batch, batches.epoch = 0, 1
    assert list(batches) != whole


def test_recalls_are_means_over_classes_not_images() -> None:
    targets = np.array([0, 0, 0, 1, 2, 2])
    right = np.array([True, True, False, False, True, True])
    recalls = measure_recalls(right, targets, [1])
    assert (recalls.focus, recalls.elsewhere) == (0.0, pytest.approx((2 / 3 + 1) / 2))


def test_the_guard_is_in_percentage_points() -> None:
    assert is_allowed(0.88, 0.90, 2.0)
    assert not is_allowed(0.879, 0.90, 2.0)


def train(folder: Path, **changes: Any) -> Any:
    values = {"data": str(make_images(folder / "data")), "name": "run", **TINY, "epochs": 2, **changes}
    run = create_run(TrainConfig.from_dict(values), folder / "runs")
    TrainingJob(run, io.StringIO()).execute()
    return run


def test_a_specialised_run_takes_the_initial_models_measure_first(tmp_path: Path) -> None:
    run = train(tmp_path, focus=["35"], focus_factor=2.0)
    status = run.read_status()
    assert status.state == "finished"
    assert "of the chosen classes" in status.message
    log = run.log_path.read_text(encoding="utf-8") if run.log_path.exists() else ""
    assert "Traceback" not in log
    steps = [row for row in run.read_metrics()[0] if row["kind"] == "step"]
    assert len(steps) > 6  # more images than without


def test_where_no_epoch_keeps_within_the_guard_the_initial_model_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.training import best as module

    seen: list[float] = []

    def refuse(elsewhere: float, at_start: float, guard: float) -> bool:
        seen.append(elsewhere)
        return False

    monkeypatch.setattr(module, "is_allowed", refuse)
    run = train(tmp_path, focus=["35"])
    status = run.read_status()
    assert (status.best_epoch, len(seen)) == (0, 2)
    assert "the best model is the one it began with" in status.message
    assert run.predictions_path().exists()
    assert run.best_path.exists()


def test_a_class_that_is_none_fails_the_run_in_words(tmp_path: Path) -> None:
    status = train(tmp_path, focus=["nobody"]).read_status()
    assert status.state == "failed"
    assert status.message.startswith("focus: 'nobody' is not a class of this data.")
