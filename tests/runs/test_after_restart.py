"""What trained when the machine was restarted goes on by itself; what was killed, stopped or never saved does not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.queue import turn
from core.queue.restart import TOLD
from core.queue.slots import goes_on_after_restart, read_slots, write_after_restart, write_slots
from core.queue.turn import revive_queue
from core.runs import jobs
from core.runs.run import Run, create_run, list_runs
from tests.forks import Start, fork_server
from tests.made_job import make_job
from tests.processes import call_here, make_images, tiny_config, wait_until


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    with fork_server() as begin:
        yield begin


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def age(run: Run) -> None:
    """Let a run's process be of a time before this machine's last start."""
    run.write_status(replace(run.read_status(), pid_created=psutil.boot_time() - 3600))


def make_cut_off(root: Path, name: str = "cut") -> Run:
    """Make a run that had saved when the machine went down."""
    run = make_job(root, name, state="running")
    run.last_path.write_bytes(b"saved")
    age(run)
    return run


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the ids of what is launched from now on; no process starts."""
    ids: list[str] = []
    monkeypatch.setattr(turn, "launch", lambda run: ids.append(run.id))
    return ids


@pytest.mark.slow(10)
def test_a_training_that_ends_with_its_machine_goes_on_from_its_last_save(
    runs_root: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_images(runs_root.parent / "data")
    run = create_run(tiny_config(data, "cut", epochs=300, save_minutes=0.0), runs_root)
    job = start(run)
    wait_until(lambda: run.read_status().epoch > 0 and run.last_path.exists(), "an epoch is saved", 60)
    job.kill()
    job.join()
    age(run)
    assert jobs.live_status(run).message == "The machine was restarted meanwhile."

    def launch(run: Run) -> None:
        run.write_status(replace(run.read_status(), state="queued", phase="waiting", pid=0))
        start(run)

    monkeypatch.setattr(turn, "launch", launch)
    assert revive_queue(list_runs(runs_root)) == [run]
    wait_until(lambda: any("Resumed at epoch" in line for line in run.read_log(300)), "it goes on", 60)
    assert sum(TOLD in line for line in run.read_log(300)) == 1
    assert revive_queue(list_runs(runs_root)) == []
    jobs.stop(run)
    wait_until(lambda: run.read_status().state == "stopped", "it has ended", 60)


def test_the_restart_of_a_container_is_one_too(
    runs_root: Path, launched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine may have been up for months: what counts is when process 1 began."""
    run = make_cut_off(runs_root)
    run.write_status(replace(run.read_status(), pid_created=time.time() - 300))
    first, process = psutil.Process(1), psutil.Process
    monkeypatch.setattr(first, "create_time", lambda: time.time() - 60)
    monkeypatch.setattr(psutil, "Process", lambda pid=None: first if pid == 1 else process(pid))
    monkeypatch.setattr(psutil, "boot_time", lambda: time.time() - 9e6)
    assert revive_queue(list_runs(runs_root)) == [run]


def test_a_training_that_was_killed_without_a_restart_is_left(runs_root: Path, launched: list[str]) -> None:
    run = make_cut_off(runs_root)
    run.write_status(replace(run.read_status(), pid_created=max(psutil.boot_time(), time.time() - 1)))
    assert revive_queue(list_runs(runs_root)) == []
    assert launched == []
    assert "it was killed, or the machine went down" in jobs.live_status(run).message


def test_one_that_was_asked_to_stop_had_saved_nothing_or_belongs_elsewhere_is_left(
    runs_root: Path, launched: list[str]
) -> None:
    """Had it been what brought the machine down, it would do so again and again."""
    make_cut_off(runs_root, "asked").request_stop()
    make_cut_off(runs_root, "unsaved").last_path.unlink()
    elsewhere, slurm = make_cut_off(runs_root, "elsewhere"), make_cut_off(runs_root, "slurm")
    elsewhere.write_status(replace(elsewhere.read_status(), host="another"))
    slurm.write_status(replace(slurm.read_status(), job="7"))
    damaged = make_cut_off(runs_root, "damaged")
    (damaged.folder / "config.json").write_text("{")
    assert revive_queue(list_runs(runs_root)) == []
    assert launched == []


def test_what_trained_goes_on_before_what_waited(runs_root: Path, launched: list[str]) -> None:
    make_cut_off(runs_root)
    make_job(runs_root, "waited")
    revive_queue(list_runs(runs_root))
    assert launched == ["cut", "waited"]


def test_a_queue_that_is_to_leave_them_does_and_keeps_its_slots(runs_root: Path, launched: list[str]) -> None:
    make_cut_off(runs_root)
    write_slots(runs_root, 2)
    assert goes_on_after_restart(runs_root)
    assert call_here("queue", "--after-restart=leave", root=runs_root).returncode == 0
    assert launched == []
    assert read_slots(runs_root).cpu == 2
    write_slots(runs_root, 3)
    assert not goes_on_after_restart(runs_root)
    write_after_restart(runs_root, True)
    assert [run.id for run in revive_queue(list_runs(runs_root))] == launched == ["cut"]
