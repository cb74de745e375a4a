"""Figures are read on as they grow, in bounded memory: every epoch, and of very many steps every n-th."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from core.runs import figures
from core.runs.figures import Figures, read_figures
from core.runs.run import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path / "long")
    run.folder.mkdir()
    return run


def append(run: Run, first: int, count: int, *, an_epoch: int = 100) -> None:
    with run.metrics_path.open("a") as file:
        for step in range(first, first + count):
            file.write(json.dumps({"kind": "step", "step": step, "loss": 1.0}) + "\n")
            if step % an_epoch == an_epoch - 1:
                file.write(
                    json.dumps({"kind": "epoch", "epoch": step // an_epoch + 1, "val_loss": 0.5}) + "\n"
                )


def test_a_run_of_few_steps_is_read_whole(run: Run) -> None:
    append(run, 0, 250)
    found = read_figures(run)
    assert found.steps["step"] == list(range(250))
    assert found.epochs["epoch"] == [1, 2]


def test_of_many_steps_each_nth_is_kept_and_no_epoch_is_lost(run: Run) -> None:
    append(run, 0, 10_000)
    found = Figures(run, most=1_000)
    found.read_on()
    assert 500 < len(found.steps["step"]) <= 1_000
    assert found.epochs["epoch"] == list(range(1, 101))
    assert found.steps["step"][0] == 0
    gaps = [
        after - before for before, after in zip(found.steps["step"], found.steps["step"][1:], strict=False)
    ]
    assert max(gaps) < 2 * found.stride  # an epoch may stand where the n-th line is


@pytest.mark.parametrize("block", [200, 16_000_000])
def test_what_is_read_in_parts_is_what_is_read_at_once(
    run: Run, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "BLOCK", block)
    parts = Figures(run, most=50)
    for first in range(0, 1_000, 125):
        append(run, first, 125)
        parts.read_on()
    whole = Figures(run, most=50)
    whole.read_on()
    assert parts.steps["step"] == whole.steps["step"]
    assert parts.epochs["epoch"] == whole.epochs["epoch"] == list(range(1, 11))


def test_a_line_longer_than_a_block_is_passed_over(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "BLOCK", 1_000)
    append(run, 0, 5)
    with run.metrics_path.open("a") as file:
        file.write("x" * 5_000 + "\n")
    append(run, 5, 5)
    assert read_figures(run).steps["step"] == list(range(10))


def test_half_a_line_is_read_when_it_is_whole(run: Run) -> None:
    append(run, 0, 2)
    whole = run.metrics_path.read_bytes()
    run.metrics_path.write_bytes(whole[:-10])
    found = Figures(run)
    found.read_on()
    assert found.steps["step"] == [0]
    with run.metrics_path.open("ab") as file:
        file.write(whole[-10:])
    found.read_on()
    assert found.steps["step"] == [0, 1]


def test_what_a_resume_cuts_off_is_gone_block_by_block(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.stored.metric_rows._BLOCK", 500)
    append(run, 0, 300)
    run.keep_metrics(step=149, epoch=1)
    found = read_figures(run)
    assert found.steps["step"] == list(range(150))
    assert found.epochs["epoch"] == [1]


@pytest.mark.scale
def test_a_million_steps_are_opened_in_seconds_and_read_on_in_a_fifth_of_one(run: Run) -> None:
    append(run, 0, 1_000_000, an_epoch=10_000)
    start = time.perf_counter()
    found = read_figures(run)
    assert time.perf_counter() - start < 5
    assert len(found.steps["step"]) <= figures.MOST_STEPS
    append(run, 1_000_000, 200, an_epoch=10_000)
    start = time.perf_counter()
    found.read_on()
    assert time.perf_counter() - start < 0.2
