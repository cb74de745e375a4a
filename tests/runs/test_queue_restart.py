"""The queue outlives everything: its jobs killed with the machine, a lock left behind, a run that fails, a process that hangs."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from core.errors import RunError
from core.queue import order, turn
from core.queue.order import move, read_line, read_place, set_held, set_priority
from core.queue.turn import revive_queue, wait_for_turn
from core.runs import jobs
from core.runs.run import Run, list_runs
from core.stored.status import ON_HOLD
from tests.made_job import make_job
from tests.processes import call_here, make_images, tiny_config, wait_until


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def job_of(run: Run) -> psutil.Process:
    return psutil.Process(run.read_status().pid)


@pytest.mark.slow(25)
def test_a_queue_killed_with_its_machine_goes_on_in_its_order_past_a_run_that_fails(
    runs_root: Path, sleeper: psutil.Process
) -> None:
    data = make_images(runs_root.parent / "data")
    make_job(runs_root, "holder", sleeper, "running")
    last, held, broken = (
        jobs.submit(tiny_config(data, name, epochs=1), runs_root) for name in ("last", "held", "broken")
    )
    for run in (last, held, broken):
        wait_until(lambda run=run: "holder" in run.read_status().message, f"{run.id} waits")
    (broken.folder / "last.pt").write_bytes(b"damaged")
    set_held(held, True)
    set_priority(broken, "high")
    for process in (job_of(last), job_of(held), job_of(broken), sleeper):
        process.kill()
    for run in (last, held, broken):
        wait_until(lambda run=run: jobs.live_status(run).state == "crashed", f"{run.id} lives no more")
    assert (runs_root / ".queue.lock").exists()  # as a machine leaves it that goes down
    told = call_here("queue", root=runs_root)
    assert told.stdout.index("broken: place 1, high priority") < told.stdout.index("last: place")
    assert "held: place" in told.stdout
    wait_until(lambda: last.read_status().state == "finished", "the last run has finished")
    assert (broken.read_status().state, "last.pt" in broken.read_status().message) == ("failed", True)
    assert broken.read_status().ended <= last.read_status().started
    assert jobs.live_status(Run(runs_root / "holder")).state == "crashed"
    wait_until(lambda: held.read_status().message == ON_HOLD, "the held run still waits", 30)
    assert read_place(held).held
    jobs.stop(held)
    wait_until(lambda: held.read_status().state == "stopped", "it has ended", 30)


def test_lost_runs_are_launched_in_the_order_of_the_line(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that asked for its turn before those ahead of it lived would pass them."""
    runs = []
    for name in "abcd":
        runs.append(make_job(runs_root, name))
        time.sleep(0.002)
    order.write_text(runs[3].folder / order.PLACE, '{"priority": 1}')
    order.write_text(runs[0].folder / order.PLACE, '{"priority": -1}')
    launched: list[str] = []
    monkeypatch.setattr(turn, "launch", lambda run: launched.append(run.id))
    revive_queue(list_runs(runs_root))
    assert launched == ["d", "b", "c", "a"]


def test_a_run_that_cannot_be_launched_again_does_not_keep_the_others(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_job(runs_root, "a")
    make_job(runs_root, "b")

    def launch(run: Run) -> None:
        if run.id == "a":
            raise OSError("no more processes")

    monkeypatch.setattr(turn, "launch", launch)
    assert [run.id for run in revive_queue(list_runs(runs_root))] == ["b"]


def test_a_suspended_process_that_holds_the_queue_blocks_neither_a_page_nor_a_stop(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "_PATIENCE", 0.05)
    run = make_job(runs_root, "waits", psutil.Process())
    asked = iter([False, False, True])
    with FileLock(runs_root / ".queue.lock"):
        with pytest.raises(RunError, match="It may be suspended"):
            move(run, "up")
        assert not wait_for_turn(run, should_stop=lambda: next(asked), poll=0.01)
    assert run.read_status().state == "stopped"


@pytest.mark.slow(20)
def test_each_job_sees_the_gpus_of_its_slots_alone(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No machine has GPUs of these numbers, so the jobs compute on the CPU, with what they are told of GPUs as with real ones."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "77,78,79")
    data = make_images(runs_root.parent / "data", train=24)
    changes = {"device": "auto", "epochs": 500}
    pair = jobs.submit(tiny_config(data, "pair", devices=2, **changes), runs_root)
    wait_until(lambda: pair.read_status().slot, "it has its turn")
    alone = jobs.submit(tiny_config(data, "alone", **changes), runs_root)
    waits = jobs.submit(tiny_config(data, "waits", **changes), runs_root)
    wait_until(lambda: waits.read_status().message.startswith("Waiting for"), "the third run waits")
    wait_until(lambda: pair.read_status().phase == "training", "two processes train")
    ranks = [child for child in job_of(pair).children() if "RANK" in child.environ()]
    assert [rank.environ()["CUDA_VISIBLE_DEVICES"] for rank in ranks] == ["77,78"] * 2
    assert (pair.read_status().slot, alone.read_status().slot) == ("GPU 77, GPU 78", "GPU 79")
    assert [one.run.id for one in read_line(runs_root).waiting] == ["waits"]
    for run in (waits, alone, pair):
        jobs.stop(run)
    for run in (waits, alone, pair):
        wait_until(lambda run=run: run.read_status().state == "stopped", f"{run.id} has ended", 60)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "77,78,79"
