"""The last fold of a bake-off to finish leaves every run of it what all of them say together."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from core.job import ending
from core.job.job import TrainingJob
from core.runs.bakeoff import Crossing, make_plan
from core.runs.run import FOLD, Run, create_run
from core.verdicts.predictions import read_predictions

pytestmark = pytest.mark.slow(8)


@pytest.fixture
def folds(runs_root: Path, tiny_data: Path) -> list[Run]:
    """Return the runs of two folds that have not trained yet."""
    choice = Crossing(archs=("resnet18",), presets=("demo",), folds=2)
    configs = make_plan("bake", str(tiny_data), choice, epochs=1, image_size=32, workers=0, batch_size=9)
    return [create_run(config, runs_root) for config in configs]


def test_the_last_of_the_folds_pools_them_and_the_first_does_not(folds: list[Run], tiny_data: Path) -> None:
    said = io.StringIO()
    assert TrainingJob(folds[0], said).execute().state == "finished"
    assert not folds[0].predictions_path(FOLD).exists()
    assert TrainingJob(folds[1], said).execute().state == "finished"
    tables = [read_predictions(run.predictions_path(FOLD)) for run in folds]
    assert tables[0].equals(tables[1])
    assert sorted(tables[0]["path"]) == sorted(
        path.relative_to(tiny_data).as_posix() for path in (tiny_data / "train").rglob("*.png")
    )
    own = read_predictions(folds[0].predictions_path())
    assert tables[0].head(len(own)).equals(own)
    assert len(read_predictions(folds[0].predictions_path("held"))) == 6
    assert "All 2 folds: " in said.getvalue()


def test_what_all_folds_said_is_dropped_once_one_of_them_has_another_model(
    folds: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    for run in folds:
        assert TrainingJob(run, io.StringIO()).execute().state == "finished"
    assert all(run.predictions_path(FOLD).exists() for run in folds)
    config = folds[0].read_config()
    shutil.rmtree(folds[0].folder)
    monkeypatch.setattr(
        "core.job.job.pool_when_last", lambda _: None
    )  # as where it is stopped before its end
    assert (
        TrainingJob(create_run(config, folds[0].folder.parent), io.StringIO()).execute().state == "finished"
    )
    assert not any(run.predictions_path(FOLD).exists() for run in folds)


def test_a_pooling_that_fails_is_told_and_fails_no_training(
    folds: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> list[Run]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ending, "list_siblings", fail)
    said = io.StringIO()
    assert TrainingJob(folds[0], said).execute().state == "finished"
    assert "Folds not pooled: " in said.getvalue()
    assert folds[0].read_status().state == "finished"
