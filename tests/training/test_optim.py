"""Every optimizer lowers a loss, touches only what is to be trained, and every schedule keeps to its shape."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from core.recipe.config import SETTINGS, TrainConfig
from core.training import optim

TOTAL = 101
# Rates at which each optimizer gets somewhere in a few steps; for one not named here the default holds.
RATES = {"sgd": 0.05, "ranger": 0.1}


def make_config(**changes: Any) -> TrainConfig:
    return TrainConfig(data="data", **changes)


def rates(schedule: str, total: int = TOTAL) -> list[float]:
    config = make_config(schedule=schedule, lr=0.5)
    return [optim.rate_at(step, total, config) for step in range(total)]


def make_net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))


def loss_of(model: nn.Module) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(64, 4, generator=generator)
    return nn.functional.cross_entropy(model(inputs), (inputs[:, 0] > 0).long())


def take_steps(model: nn.Module, config: TrainConfig, count: int) -> None:
    optimizer = optim.make_optimizer(model, config, head="fc")
    for _ in range(count):
        optimizer.zero_grad()
        loss_of(model).backward()
        optimizer.step()


@pytest.mark.parametrize("name", SETTINGS["optimizer"].choices)
def test_every_optimizer_lowers_the_loss(name: str) -> None:
    model = make_net()
    before = loss_of(model).item()
    take_steps(model, make_config(optimizer=name, lr=RATES.get(name, 0.01)), 60)
    assert loss_of(model).item() < before / 2


@pytest.mark.parametrize("name", SETTINGS["optimizer"].choices)
def test_frozen_parameters_stay_as_they_are(name: str) -> None:
    model = make_net()
    frozen, head = model.get_submodule("0"), model.get_submodule("2")
    frozen.requires_grad_(False)
    before = [value.clone() for value in (*frozen.parameters(), *head.parameters())]
    take_steps(model, make_config(optimizer=name, lr=0.01, weight_decay=0.1), 3)
    assert all(torch.equal(*pair) for pair in zip(frozen.parameters(), before[:2], strict=True))
    assert not any(torch.equal(*pair) for pair in zip(head.parameters(), before[2:], strict=True))


@pytest.mark.parametrize("name", SETTINGS["optimizer"].choices)
def test_weight_decay_makes_weights_smaller(name: str) -> None:
    plain, decayed = make_net(), make_net()
    take_steps(plain, make_config(optimizer=name, lr=0.01), 20)
    take_steps(decayed, make_config(optimizer=name, lr=0.01, weight_decay=0.5), 20)
    assert decayed.get_submodule("0").weight.norm() < plain.get_submodule("0").weight.norm()


def test_momentum_carries_a_step_into_the_next() -> None:
    plain, carried = make_net(), make_net()
    start = make_net().get_submodule("2").weight
    take_steps(plain, make_config(momentum=0.0), 10)
    take_steps(carried, make_config(momentum=0.9), 10)
    assert (carried.get_submodule("2").weight - start).norm() > 2 * (
        plain.get_submodule("2").weight - start
    ).norm()


@pytest.mark.parametrize("schedule", SETTINGS["schedule"].choices)
def test_no_schedule_leaves_the_range_from_zero_to_the_rate_asked_for(schedule: str) -> None:
    found = rates(schedule)
    assert min(found) >= 0.0
    assert max(found) == pytest.approx(0.5)


@pytest.mark.parametrize("schedule", SETTINGS["schedule"].choices)
@pytest.mark.parametrize("total", [1, 2, 3])
def test_every_schedule_copes_with_a_run_of_hardly_a_step(schedule: str, total: int) -> None:
    assert all(0.0 <= rate <= 0.5 * 1.000001 for rate in rates(schedule, total))


def test_the_constant_schedule_keeps_the_rate() -> None:
    assert set(rates("constant")) == {0.5}


def test_one_cycle_rises_over_the_first_third_and_falls_to_nearly_nothing() -> None:
    found = rates("onecycle")
    peak = found.index(max(found))
    assert peak == 30
    assert found[: peak + 1] == sorted(found[: peak + 1])
    assert found[peak:] == sorted(found[peak:], reverse=True)
    assert found[0] == pytest.approx(0.5 / 25)
    assert 0.0 < found[-1] <= 0.5 / 1000


def test_one_cycle_rises_as_that_of_torch_does() -> None:
    """Theirs counts in steps, ours in shares of the run: over a long run the two are the same to a hair."""
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=1000)
    ours = rates("onecycle", 1000)
    for step in range(1000):
        assert ours[step] == pytest.approx(theirs.get_last_lr()[0], abs=0.002), step
        optimizer.step()
        if step < 999:
            theirs.step()
