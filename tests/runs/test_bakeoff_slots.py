"""A bake-off on a machine with two slots: two arms train at a time, as they would one by one; one that fails stops no other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core.__main__ import main
from core.queue.slots import Slots, count_at_once, spread_time, write_slots
from core.recipe.config import TrainConfig
from core.runs import bakeoff, jobs
from core.runs.bakeoff import Crossing
from core.runs.run import Run
from tests.forks import Start, fork_server
from tests.processes import TINY, make_images, wait_until
from tests.same_runs import assert_same_run

pytestmark = pytest.mark.slow(20)
SEEDS = (0, 1, 2)


@pytest.fixture(scope="module")
def launch() -> Iterator[Start]:
    with fork_server() as begin:
        yield begin


@pytest.fixture(autouse=True)
def two_slots(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    write_slots(runs_root, 2)


def make_runs(root: Path, **changes: Any) -> list[Run]:
    """Make the runs of a bake-off, which wait for a job each."""
    data = root.parent / "data"
    if not data.exists():
        make_images(data)
    values = {key: value for key, value in {**TINY, **changes}.items() if key != "arch"}
    choice = Crossing(archs=("resnet18",), seeds=SEEDS)
    return [jobs.prepare(config, root) for config in bakeoff.make_plan("arms", str(data), choice, **values)]


def test_two_arms_train_at_a_time_with_the_results_of_one_after_the_other(
    runs_root: Path, launch: Start
) -> None:
    together = make_runs(runs_root)
    started = [launch(run) for run in together]
    seen: set[tuple[str, ...]] = set()

    def look() -> bool:
        states = {run.id: run.read_status() for run in together}
        seen.add(tuple(name for name, status in states.items() if status.state == "running"))
        return all(status.state == "finished" for status in states.values())

    wait_until(look, "all arms have finished")
    for job in started:
        job.join()
    assert max(map(len, seen)) == 2
    other = runs_root.parent / "one-by-one"
    other.mkdir()
    write_slots(other, 2)  # so that each has as many threads
    for run, twin in zip(together, make_runs(other), strict=True):
        launch(twin).join()
        assert_same_run(run, twin)


def test_an_arm_that_fails_is_told_and_the_others_go_on(
    runs_root: Path, launch: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = make_runs(runs_root, epochs=1)
    (runs[0].folder / "last.pt").write_bytes(b"damaged")
    for job in [launch(run) for run in runs]:
        job.join()
    assert [run.read_status().state for run in runs] == ["failed", "finished", "finished"]
    board = bakeoff.read_board("arms", runs_root)
    from core.cli.bakeoff import print_ranking

    print_ranking(board)
    told = capsys.readouterr().out
    assert f"Not finished, so left out: {runs[0].id}." in told
    assert f"{runs[0].id} failed: {runs[0].read_status().message}" in told


def test_a_stop_ends_those_that_train_and_those_that_wait(runs_root: Path, launch: Start) -> None:
    runs = make_runs(runs_root, epochs=500)
    started = [launch(run) for run in runs]
    wait_until(lambda: sum(run.read_status().epoch > 0 for run in runs) == 2, "two arms train")
    assert main(["stop", "--group", "arms"]) == 0
    for job in started:
        job.join()
    assert {run.read_status().state for run in runs} == {"stopped"}
    assert sum(run.read_status().message == "Stopped before it began." for run in runs) == 1


def test_gpus_divide_the_time_of_runs_among_them_and_slots_of_the_cpu_do_not() -> None:
    pairs = [TrainConfig(data="x", device="auto", devices=2)] * 3
    assert count_at_once("auto", 2, Slots(1, ("0", "1", "2", "3"))) == 2
    assert spread_time(90.0, pairs, Slots(1, ("0", "1", "2", "3"))) == 45.0
    assert spread_time(90.0, pairs[:1], Slots(1, ("0", "1", "2", "3"))) == 90.0
    assert spread_time(90.0, pairs, Slots(2)) == 90.0
    assert count_at_once("auto", 8, Slots(1, ("0",))) == 1
    assert count_at_once("cpu", 1, Slots(3, ("0",))) == 3
