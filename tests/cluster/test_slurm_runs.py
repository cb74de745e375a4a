"""Runs in a real Slurm: one trains to its end, one that waits is held, released and stopped, one is moved and goes on exactly."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.cluster.follow import HELD, follow, go_on, set_held
from core.cluster.request import SlurmRequest
from core.cluster.submit import submit
from core.errors import RunError
from core.queue.order import read_line
from core.runs import jobs
from core.runs.run import Run, Status, list_runs
from tests.processes import call_here, make_images, tiny_config, train_words
from tests.slurm import Slurm

pytestmark = pytest.mark.slow(60)
ONE = SlurmRequest(cpus=1)
TWO = SlurmRequest(cpus=2)


def wait_for(run: Run, holds: Callable[[Status], object], slurm: Slurm, seconds: float = 120) -> Status:
    end = time.monotonic() + seconds
    while True:
        follow(list_runs(run.folder.parent))
        status = jobs.live_status(run)
        if holds(status):
            return status
        assert time.monotonic() < end, f"{status}\n{run.read_log(30)}\n{slurm.tell('squeue', '-t', 'all')}{slurm.read_logs()}"
        time.sleep(0.2)


def in_state(state: str) -> Callable[[Status], bool]:
    return lambda status: status.state == state


def test_a_run_waits_trains_and_finishes_in_slurm_and_one_behind_it_is_held_released_and_stopped(
    slurm: Slurm, runs_root: Path
) -> None:
    data = make_images(runs_root.parent / "data")
    told = call_here(*train_words(data, "first"), "--slurm", "--cpus=2", root=runs_root)
    assert (told.returncode, told.stderr) == (0, "")
    first = Run(runs_root / "first")
    job = first.read_status().job
    assert told.stdout.startswith(f"first: Slurm job {job}.")
    second = submit(tiny_config(data, "second"), runs_root, TWO)
    wait_for(second, lambda s: "waits: no node that fits is free" in s.message or "other jobs go first" in s.message, slurm)
    assert read_line(runs_root).waiting == ()  # the queue of this machine has none of it
    with pytest.raises(RunError, match="queued"):
        jobs.delete(second)
    set_held(second, True)
    wait_for(second, lambda s: s.message == HELD, slurm)
    done = wait_for(first, in_state("finished"), slurm)
    assert (done.epoch, done.job) == (2, job)
    assert done.slot == f"Slurm job {job} on {__import__('socket').gethostname()}"
    assert any("Epoch 2/2" in line for line in first.read_log(60))
    assert second.read_status().message == HELD
    jobs.stop(second)
    status = wait_for(second, in_state("stopped"), slurm)
    assert status.message == "Stopped before it began."
    slurm.wait_for("CANCELLED", "squeue", "--states=all", "--noheader", "--format=%T", f"--jobs={status.job}")
    jobs.delete(second)
