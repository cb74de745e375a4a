"""Runs in a real Slurm: one is moved and goes on exactly, one that waits is held and stopped, many are one array."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from core.cluster.follow import set_held
from core.cluster.request import SlurmRequest
from core.cluster.submit import submit
from core.errors import RunError
from core.queue.order import read_line
from core.runs import jobs
from core.runs.run import FOLD, Run, list_runs
from core.stored.status import ON_HOLD_IN_SLURM
from tests.processes import TINY, call_here, make_images, tiny_config, train_words, wait_until
from tests.same_runs import assert_same_run
from tests.slurm import Slurm, hurry, in_state, wait_for

pytestmark = pytest.mark.slow(35)
ONE, TWO = SlurmRequest(cpus=1), SlurmRequest(cpus=2)


def test_a_run_is_saved_before_its_time_limit_and_goes_on_exactly_while_one_behind_it_is_held_and_stopped(
    slurm: Slurm, runs_root: Path
) -> None:
    data = make_images(runs_root.parent / "data", train=24)
    told = call_here(*train_words(data, "first", epochs=4), "--slurm", "--cpus=2", root=runs_root)
    assert (told.returncode, told.stderr) == (0, "")
    first = Run(runs_root / "first")
    job = first.read_status().job
    assert told.stdout.startswith(f"first: Slurm job {job}.")
    second = submit(tiny_config(data, "second"), runs_root, TWO)
    wait_for(
        second,
        lambda s: "waits: no node that fits is free" in s.message or "other jobs go first" in s.message,
        slurm,
    )
    assert read_line(runs_root).waiting == ()  # the queue of this machine has none of it
    with pytest.raises(RunError, match="queued"):
        jobs.delete(second)
    set_held(second, True)
    wait_for(second, lambda s: s.message == ON_HOLD_IN_SLURM, slurm)
    wait_for(first, lambda s: s.phase == "training" and s.done >= 2, slurm)
    slurm.tell("scancel", "--batch", "--signal=USR1", job)  # as Slurm does some time before the limit
    waits = wait_for(first, in_state("queued"), slurm)
    assert waits.done > 0
    hurry(slurm, job)
    whole = call_here(*train_words(data, "whole", epochs=4), root=runs_root)
    assert whole.returncode == 0
    done = wait_for(first, in_state("finished"), slurm)
    assert (done.epoch, done.job) == (4, job)
    assert done.slot == f"Slurm job {job} on {socket.gethostname()}"
    assert sum("Resumed at epoch" in line for line in first.read_log(300)) == 1
    assert_same_run(first, Run(runs_root / "whole"))
    assert second.read_status().message == ON_HOLD_IN_SLURM
    jobs.stop(second)
    status = wait_for(second, in_state("stopped"), slurm)
    assert status.message == "Stopped before it began."
    slurm.wait_for("CANCELLED", "squeue", "--states=all", "--noheader", "--format=%T", f"--jobs={status.job}")
    jobs.delete(second)


@pytest.mark.scale
def test_a_run_on_two_devices_is_one_task_that_asks_for_a_core_each_and_starts_both(
    slurm: Slurm, runs_root: Path
) -> None:
    data = make_images(runs_root.parent / "data")
    words = train_words(data, "pair", devices=2, epochs=1)
    told = call_here(*words, "--slurm", "--cpus=1", root=runs_root)
    assert (told.returncode, told.stderr) == (0, "")
    assert "It asks Slurm for 2 cores: each of its 2 processes needs a core." in told.stdout
    run = Run(runs_root / "pair")
    job = run.read_status().job
    assert slurm.tell("squeue", "--noheader", "--format=%C %D", f"--jobs={job}").split() == ["2", "1"]
    assert wait_for(run, in_state("finished"), slurm).job == job
    assert "Computing in 2 processes" in run.log_path.read_text(encoding="utf-8")


def test_the_folds_of_a_bake_off_are_one_job_array_each_with_its_own_log_and_are_pooled(
    slurm: Slurm, runs_root: Path
) -> None:
    data = make_images(runs_root.parent / "data")
    options = [
        f"--{key.replace('_', '-')}={value}" for key, value in {**TINY, "epochs": 1}.items() if key != "arch"
    ]
    options += ["--archs=resnet18", "--folds=2", "--presets=seed", "--name=many"]
    told = call_here("bake-off", f"--data={data}", *options, "--slurm", "--cpus=1", root=runs_root)
    assert (told.returncode, told.stderr) == (0, "")
    runs = sorted((run for run, _ in list_runs(runs_root)), key=lambda run: run.id)
    ids = [run.read_status().job for run in runs]
    array = ids[0].partition("_")[0]
    assert ids == [f"{array}_0", f"{array}_1"]
    for run, job in zip(runs, ids, strict=True):
        assert wait_for(run, in_state("finished"), slurm).job == job
        assert any(f"Slurm job {job} on" in line for line in run.read_log(100))
    wait_until(lambda: all(run.predictions_path(FOLD).exists() for run in runs), "the folds are pooled")


def test_what_slurm_refuses_is_told_in_its_words_and_leaves_no_run(slurm: Slurm, runs_root: Path) -> None:
    data = make_images(runs_root.parent / "data")
    told = call_here(*train_words(data, "refused"), "--slurm", "--partition=nowhere", root=runs_root)
    assert told.returncode == 2
    assert "Slurm refused sbatch" in told.stderr
    assert "invalid partition" in told.stderr
    assert list_runs(runs_root) == []
