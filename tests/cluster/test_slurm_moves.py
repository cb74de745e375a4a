"""Runs that a real Slurm moves: to make room, since their node died, and one cancelled there that goes on by hand."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from core.cluster.follow import go_on
from core.cluster.request import SlurmRequest
from core.cluster.submit import submit
from core.runs import jobs
from tests.processes import make_images, tiny_config
from tests.slurm import Slurm, hurry, in_state, wait_for

pytestmark = pytest.mark.scale
ONE = SlurmRequest(cpus=1)


def test_a_run_that_makes_room_for_another_saves_and_goes_on(slurm: Slurm, runs_root: Path) -> None:
    data = make_images(runs_root.parent / "data", train=24)
    run = submit(tiny_config(data, "moved", epochs=4), runs_root, ONE)
    job = run.read_status().job
    wait_for(run, lambda s: s.phase == "training" and s.done >= 3, slurm)
    slurm.tell("scontrol", "requeue", job)
    wait_for(run, in_state("queued"), slurm)
    hurry(slurm, job)
    done = wait_for(run, in_state("finished"), slurm)
    assert (done.job, done.epoch) == (job, 4)
    assert any("Resumed at epoch" in line for line in run.read_log(300))


def test_a_job_cancelled_in_slurm_saves_and_its_run_says_so_and_goes_on_there(
    slurm: Slurm, runs_root: Path
) -> None:
    data = make_images(runs_root.parent / "data", train=24)
    run = submit(tiny_config(data, "cancelled", epochs=3), runs_root, ONE)
    job = run.read_status().job
    wait_for(run, lambda s: s.phase == "training" and s.done >= 3, slurm)
    slurm.tell("scancel", job)
    status = wait_for(run, in_state("stopped"), slurm)
    assert status.message == f"Slurm job {job} was cancelled. Resume goes on from its last checkpoint."
    go_on(run)
    assert run.read_status().job not in ("", job)
    wait_for(run, lambda s: s.state == "running" and s.done > status.done, slurm)
    jobs.stop(run)
    assert "as asked" in wait_for(run, in_state("stopped"), slurm).message


def test_a_run_on_two_devices_saves_before_its_time_limit_and_goes_on_on_both(
    slurm: Slurm, runs_root: Path
) -> None:
    data = make_images(runs_root.parent / "data", train=24)
    run = submit(tiny_config(data, "pair", devices=2), runs_root, ONE)
    job = run.read_status().job
    wait_for(run, lambda s: s.phase == "training" and s.done >= 2, slurm)
    slurm.tell("scancel", "--batch", "--signal=USR1", job)
    waits = wait_for(run, in_state("queued"), slurm)
    assert waits.done > 0
    hurry(slurm, job)
    done = wait_for(run, in_state("finished"), slurm)
    assert (done.job, done.epoch) == (job, 2)
    log = run.log_path.read_text(encoding="utf-8")
    assert (log.count("Computing in 2 processes"), log.count("Resumed at epoch")) == (2, 1)


def test_a_run_on_two_devices_that_makes_room_goes_on_too(slurm: Slurm, runs_root: Path) -> None:
    data = make_images(runs_root.parent / "data", train=24)
    run = submit(tiny_config(data, "room", devices=2), runs_root, ONE)
    job = run.read_status().job
    wait_for(run, lambda s: s.phase == "training" and s.done >= 2, slurm)
    slurm.tell("scontrol", "requeue", job)
    wait_for(run, in_state("queued"), slurm)
    hurry(slurm, job)
    assert wait_for(run, in_state("finished"), slurm).epoch == 2


def test_a_run_whose_node_dies_goes_on_from_its_last_save_once_there_is_a_node(
    slurm: Slurm, runs_root: Path
) -> None:
    data = make_images(runs_root.parent / "data", train=24)
    run = submit(tiny_config(data, "orphan", epochs=4), runs_root, ONE)
    job = run.read_status().job
    status = wait_for(run, lambda s: s.state == "running" and s.epoch >= 1, slurm)
    slurm.end("slurmd", force=True)
    process = psutil.Process(status.pid)
    for victim in (process.parent(), process):  # slurmstepd, which would tell of the end, and the job
        assert victim is not None
        victim.kill()
    wait_for(run, in_state("queued"), slurm)
    slurm.start("slurmd", "-D")
    hurry(slurm, job)
    done = wait_for(run, in_state("finished"), slurm)
    assert (done.job, done.epoch) == (job, 4)
    assert any("Resumed at epoch" in line for line in run.read_log(300))
