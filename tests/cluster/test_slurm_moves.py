"""Runs that a real Slurm moves: to make room, since their node died, and one cancelled there that goes on by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from core.cluster.follow import go_on
from core.cluster.request import SlurmRequest
from core.cluster.submit import submit
from core.runs import jobs
from core.runs.run import Run
from core.stored.status import Status
from tests.processes import make_images, tiny_config
from tests.slurm import Slurm, hurry, in_state, wait_for

pytestmark = pytest.mark.scale


def begin(root: Path, slurm: Slurm, **changes: object) -> tuple[Run, Status]:
    """Hand a run to Slurm; return it and its status once it trains."""
    data = make_images(root.parent / "data", train=24)
    run = submit(tiny_config(data, "moved", **{"epochs": 4, **changes}), root, SlurmRequest(cpus=1))
    return run, wait_for(run, lambda s: s.phase == "training" and s.done >= 2, slurm)


def assert_goes_on(run: Run, slurm: Slurm, before: Status, epochs: int = 4) -> None:
    """Let a run that waits again begin, and see it to its end in the job it had."""
    assert wait_for(run, in_state("queued"), slurm).done > 0
    hurry(slurm, before.job)
    done = wait_for(run, in_state("finished"), slurm)
    assert (done.job, done.epoch) == (before.job, epochs)
    assert sum("Resumed at epoch" in line for line in run.read_log(300)) == 1


def make_room(slurm: Slurm, job: str) -> None:
    slurm.tell("scontrol", "requeue", job)


def warn_of_limit(slurm: Slurm, job: str) -> None:
    slurm.tell("scancel", "--batch", "--signal=USR1", job)


@pytest.mark.parametrize(("devices", "move"), [(1, make_room), (2, make_room), (2, warn_of_limit)])
def test_a_run_that_is_moved_saves_and_goes_on_on_as_many_devices(
    slurm: Slurm, runs_root: Path, devices: int, move: Callable[[Slurm, str], None]
) -> None:
    run, before = begin(runs_root, slurm, devices=devices)
    move(slurm, before.job)
    assert_goes_on(run, slurm, before)
    log = run.log_path.read_text(encoding="utf-8")
    assert log.count("Computing in 2 processes") == (2 if devices == 2 else 0)


def test_a_job_cancelled_in_slurm_saves_and_its_run_says_so_and_goes_on_there(
    slurm: Slurm, runs_root: Path
) -> None:
    run, before = begin(runs_root, slurm)
    slurm.tell("scancel", before.job)
    status = wait_for(run, in_state("stopped"), slurm)
    assert status.message == f"Slurm job {before.job} was cancelled. Resume goes on from its last checkpoint."
    go_on(run)
    assert run.read_status().job not in ("", before.job)
    wait_for(run, lambda s: s.state == "running" and s.done > status.done, slurm)
    jobs.stop(run)
    assert "as asked" in wait_for(run, in_state("stopped"), slurm).message


def test_a_run_whose_node_dies_goes_on_from_its_last_save_once_there_is_a_node(
    slurm: Slurm, runs_root: Path
) -> None:
    run, before = begin(runs_root, slurm, epochs=6)
    wait_for(run, lambda s: s.state == "running" and s.epoch >= 1, slurm)
    slurm.end("slurmd", force=True)
    process = psutil.Process(before.pid)
    for victim in (process.parent(), process):  # slurmstepd, which would tell of the end, and the job
        assert victim is not None
        victim.kill()
    wait_for(run, in_state("queued"), slurm)
    slurm.start("slurmd", "-D")
    assert_goes_on(run, slurm, before, epochs=6)
