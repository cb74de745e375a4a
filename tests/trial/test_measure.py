"""A training's time and memory told before its start: near what the real run takes, and without a trace of it."""

from __future__ import annotations

import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from core.errors import DataError
from core.job.job import TrainingJob
from core.networks.build import build_model
from core.recipe.config import TrainConfig
from core.recipe.schedules import size_at
from core.runs.claim import claim
from core.runs.run import create_run
from core.trial import measure
from core.trial.bench import Bench, Kind
from core.trial.forecast import Forecast
from core.trial.measure import forecast_run
from core.trial.pace import Pace
from tests.processes import TINY, make_images, tiny_config

pytestmark = pytest.mark.slow(20)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and the weights of a network."""
    folder = tmp_path_factory.mktemp("trial")
    make_images(folder / "data", train=24, val=8)
    torch.manual_seed(7)
    torch.save(build_model("resnet18", 5).state_dict(), folder / "weights.pt")
    return folder


def estimate(place: Path, **changes: Any) -> Forecast:
    config = tiny_config(place / "data", "", **changes)
    found = forecast_run(config, root=place / "runs", progress=lambda *_: True, seconds=1.5)
    assert found is not None
    return found


def train(place: Path, **changes: Any) -> float:
    """Return the seconds that a run worked."""
    run = create_run(TrainConfig.from_dict({"data": str(place / "data"), **TINY, **changes}), place / "runs")
    with claim(run):
        status = TrainingJob(run, io.StringIO()).execute()
    assert status.state == "finished", status.message
    return status.worked


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"epochs": 5}, id="whole network"),
        pytest.param(
            {"epochs": 12, "head_only": True, "weights": "file", "feature_views": 2}, id="head alone"
        ),
    ],
)
def test_the_estimate_is_within_a_factor_of_two_of_what_the_run_takes(
    place: Path, changes: dict[str, Any]
) -> None:
    if changes.get("weights") == "file":
        changes = {**changes, "weights": str(place / "weights.pt")}
    tried = []
    for _ in range(3):  # other tests share the cores, and may begin or end between the two
        found, took = estimate(place, **changes), train(place, **changes)
        tried.append((found.seconds, took))
        if took / 2 < found.seconds < took * 2:
            return
    raise AssertionError(f"estimated and taken, in seconds: {tried}")


def test_growing_images_and_a_frozen_backbone_are_counted_epoch_by_epoch(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def time_steps(_: Bench, kind: Kind, __: float) -> Pace:
        tried.append(kind)
        size, frozen = kind
        return Pace(size**2 * (0.5 if frozen else 1.0), 0.1)

    monkeypatch.setattr(measure, "time_steps", time_steps)
    changes = {"image_size": 96, "resize_size": 96, "progressive_from": 32, "freeze_epochs": 3}
    found = estimate(place, epochs=8, **changes)
    config = tiny_config(place / "data", "", epochs=8, **changes)
    sizes = [size_at(epoch, config) for epoch in range(8)]
    steps = 24 * 3 // config.batch_size
    (training,) = [part for part in found.parts if part.name == "training"]
    pixels = [size**2 * (0.5 if epoch < 3 else 1.0) for epoch, size in enumerate(sizes)]
    assert training.seconds == pytest.approx(steps * sum(pixels))
    assert training.error == pytest.approx(0.1 * training.seconds)
    assert len(set(sizes)) > 3
    assert len(tried) == 4  # the others lie between


def test_it_knows_the_memory_and_leaves_nothing_behind(place: Path) -> None:
    before = sorted(path.name for path in (place / "runs").glob("*"))
    small, large = (estimate(place, batch_size=size, image_size=96, resize_size=96) for size in (2, 64))
    assert 50e6 < small.memory < small.free
    assert large.memory > small.memory
    assert small.gpu_memory == 0
    assert sorted(path.name for path in (place / "runs").glob("*")) == before


def test_of_several_devices_one_is_measured_and_on_the_cpu_they_share_the_cores(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "time_steps", lambda bench, *_: Pace(bench.config.batch_size, 0.1))
    one, two = (estimate(place, devices=count, batch_size=12, epochs=2) for count in (1, 2))
    assert [part.seconds for part in one.parts if part.name == "training"] == [2 * 6 * 12]
    assert [part.seconds for part in two.parts if part.name == "training"] == [2 * 12 * 6]
    assert two.memory > 1.5 * one.memory
    assert two.error > one.error
    monkeypatch.setattr(measure, "count_apart", lambda devices, _: devices)  # as if on GPUs
    apart = estimate(place, devices=2, batch_size=12, epochs=2)
    assert [part.seconds for part in apart.parts if part.name == "training"] == [2 * 6 * 6]


def test_it_ends_when_told_to(place: Path) -> None:
    config = tiny_config(place / "data", "")
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> bool:
        told.append((done, total))
        return len(told) < 4

    assert forecast_run(config, root=place, progress=progress) is None
    assert len(told) == 4


def test_data_that_cannot_be_used_are_told_as_by_a_training(tmp_path: Path) -> None:
    config = tiny_config(tmp_path / "nowhere", "")
    with pytest.raises(DataError, match="there is no such folder"):
        forecast_run(config, root=tmp_path, progress=lambda *_: True)


def test_a_head_that_is_fitted_is_counted_by_its_features_and_its_fit(place: Path) -> None:
    weights = str(place / "weights.pt")
    found = estimate(place, head_only=True, head_first=True, epochs=1, weights=weights)
    names = {part.name for part in found.parts}
    assert {"computing features", "fitting the head"} < names
    assert "training" not in names
    assert asdict(found)["epochs"] == 1
