"""The rate finder: its curve falls and runs away, its suggestion lies before that, and nothing is changed by it."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from core.errors import DataError
from core.recipe.config import TrainConfig
from core.runs.rate_curve import read_curve
from core.runs.tasks import launch_task, read_task
from core.stored.status import ACTIVE
from core.training import rate_finder
from core.training.engine import Batches, Compute
from core.training.learner import Learner, make_learner
from tests.processes import call_here, make_images, tiny_config, train_words, wait_until

CPU = Compute(torch.device("cpu"), bf16=False, channels_last=False)
LOSS = nn.CrossEntropyLoss()


class Points:
    """Points of three classes that a linear model can tell apart, in seven batches."""

    steps = 7

    def train(self, epoch: int, first_batch: int = 0) -> Batches:
        generator = torch.Generator().manual_seed(epoch)
        inputs = torch.randn(56, 8, generator=generator)
        return list(zip(inputs.split(8), inputs[:, :3].argmax(1).split(8), strict=True))[first_batch:]

    def validate(self) -> Batches:
        return self.train(-1)


def make_points_learner(**changes: Any) -> tuple[Learner, TrainConfig]:
    config = TrainConfig(data="data", **changes)
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 3))
    return make_learner(net, config), config


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "ranger"])
def test_the_suggestion_lies_where_the_loss_falls_and_the_learner_is_as_before(optimizer: str) -> None:
    learner, config = make_points_learner(optimizer=optimizer, ema=0.9)
    before = copy.deepcopy(learner.state_dict())
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> bool:
        told.append((done, total))
        return True

    curve = rate_finder.sweep_rates(learner, Points(), config, CPU, LOSS, progress=progress)
    assert curve is not None
    assert curve.suggestion is not None
    assert 1e-4 < curve.suggestion <= 0.1
    assert len(curve.rates) == len(curve.losses) == len(told)
    assert (curve.rates[0], told[0]) == (1e-6, (1, 100))
    after = learner.state_dict()
    assert all(torch.equal(before["model"][name], after["model"][name]) for name in before["model"])
    assert str(before["optimizer"]) == str(after["optimizer"])
    assert all(value.grad is None for value in learner.network.parameters())


def test_a_sweep_that_is_told_to_end_gives_no_curve_and_restores_too() -> None:
    learner, config = make_points_learner()
    before = copy.deepcopy(learner.network.state_dict())
    curve = rate_finder.sweep_rates(learner, Points(), config, CPU, LOSS, progress=lambda done, _: done < 90)
    assert curve is None
    after = learner.network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_loss_that_never_falls_gives_no_suggestion() -> None:
    assert rate_finder.suggest_rate([0.1, 0.2, 0.3], [1.0, 1.1, 1.2]) is None
    assert rate_finder.suggest_rate([], []) is None


def test_noise_before_anything_is_learnt_is_no_suggestion() -> None:
    rates = [10 ** (-6 + 6 * step / 99) for step in range(100)]
    noise = [
        4.9,
        4.7,
        *[4.75 + 0.05 * (-1) ** step for step in range(78)],
        *[4.9 + 0.1 * n for n in range(20)],
    ]
    assert rate_finder.suggest_rate(rates, noise) is None
    assert rate_finder.suggest_rate(rates, [*noise[:80], *[3.0] * 20]) == pytest.approx(rates[80] / 10)


def test_the_suggestion_is_a_tenth_of_the_rate_of_the_lowest_loss() -> None:
    assert rate_finder.suggest_rate([0.1, 0.2, 0.3], [1.0, 0.5, 0.6]) == pytest.approx(0.02)


def test_smoothing_keeps_a_constant_loss() -> None:
    assert rate_finder.smooth_losses([2.0] * 5) == pytest.approx([2.0] * 5)


def test_the_command_line_gives_the_curve_and_makes_no_run(tmp_path: Path) -> None:
    words = train_words(make_images(tmp_path / "data"), "ignored")[1:]
    done = call_here("find-rate", "--json", "--steps=12", *words, root=tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    curve = json.loads(done.stdout)
    assert set(curve) == {"rates", "losses", "suggestion"}
    assert len(curve["rates"]) == len(curve["losses"]) > 5
    assert not list((tmp_path / "runs").glob("*"))


def test_what_is_wrong_with_the_initial_weights_is_one_line(tmp_path: Path) -> None:
    words = train_words(make_images(tmp_path / "data"), "ignored", weights=str(tmp_path / "gone.pt"))[1:]
    done = call_here("find-rate", *words, root=tmp_path / "runs")
    assert done.returncode == 2
    assert done.stderr == f"error: weights: there is no file {tmp_path / 'gone.pt'}.\n"


@pytest.mark.parametrize("policy", ["skip", "refuse"])
def test_files_that_cannot_be_read_are_left_out_as_in_training_or_named(tmp_path: Path, policy: str) -> None:
    config = tiny_config(make_images(tmp_path / "data"), "ignored", bad_images=policy, workers=0)
    (tmp_path / "data/train/10/0.png").write_bytes(b"")
    if policy == "skip":
        curve = rate_finder.find_rate(config, root=tmp_path / "runs", progress=lambda *_: True, steps=6)
        assert curve is not None
        assert len(curve.rates) > 3
        assert rate_finder.find_rate(config, root=tmp_path, progress=lambda *_: False) is None
        return
    with pytest.raises(DataError, match=r"^train/10/0\.png is empty .*: --bad-images skip\)\.$") as caught:
        rate_finder.find_rate(config, root=tmp_path / "runs", progress=lambda *_: True, steps=6)
    assert "run began" not in str(caught.value)


def test_as_a_task_it_leaves_its_curve(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "search"
    config = tiny_config(make_images(tmp_path / "data"), "ignored")
    launch_task(folder, "find-rate", config=asdict(config), steps=12)
    wait_until(lambda: read_task(folder).state not in ACTIVE, "the search ends")
    assert read_task(folder).state == "finished", read_task(folder).message
    curve = read_curve(folder / "curve.json")
    assert curve is not None
    assert len(curve.rates) == len(curve.losses) > 5
    (folder / "curve.json").write_text("[]")
    assert read_curve(folder / "curve.json") is None
