"""Runs on several nodes of a real Slurm, two on this machine: started, saved before the limit, stopped, failed on one node."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from core.cluster.follow import go_on
from core.cluster.request import SlurmRequest
from core.cluster.submit import submit
from core.runs import jobs
from core.runs.run import Run
from core.stored.status import Status
from tests.processes import call_here, make_images, tiny_config, train_words
from tests.slurm import BOTH, OTHER, Slurm, hurry, in_state, wait_for

pytestmark = pytest.mark.scale
PAIR = SlurmRequest(partition=BOTH, nodes=2, cpus=1)


def trains(status: Status) -> bool:
    return status.phase == "training" and status.done >= 2


def begin(root: Path, slurm: Slurm) -> Run:
    """Hand a run of many epochs to two nodes; return it once it trains."""
    data = make_images(root.parent / "data", train=24)
    run = submit(tiny_config(data, "nodes", devices=2, epochs=400, save_minutes=0.0), root, PAIR)
    wait_for(run, trains, slurm)
    return run


def find_ranks(run: Run) -> dict[int, psutil.Process]:
    """Return the processes of a run by their ranks; the launchers are above them."""
    found = {}
    for process in psutil.process_iter():
        words = process.cmdline() if process.is_running() and process.status() != psutil.STATUS_ZOMBIE else []
        if "rank" in words and str(run.folder) in words:
            found[int(process.environ()["RANK"])] = process
    return found


def test_a_run_on_two_nodes_is_followed_as_any_other_and_saves_before_its_time_limit(
    slurm: Slurm, runs_root: Path
) -> None:
    data = make_images(runs_root.parent / "data", train=24)
    words = [*train_words(data, "nodes", devices=2, epochs=6), "--slurm", f"--partition={BOTH}", "--nodes=2"]
    told = call_here(*words, "--cpus=1", root=runs_root)
    assert (told.returncode, told.stderr) == (0, "")
    run = Run(runs_root / "nodes")
    status = wait_for(run, trains, slurm)
    assert OTHER in status.slot
    assert slurm.tell("squeue", "--noheader", "--format=%C %D", f"--jobs={status.job}").split() == ["2", "2"]
    assert sorted(find_ranks(run)) == [0, 1]
    slurm.tell("scancel", "--batch", "--signal=USR1", status.job)  # as Slurm does some time before the limit
    wait_for(run, in_state("queued"), slurm)
    hurry(slurm, status.job)
    done = wait_for(run, in_state("finished"), slurm)
    assert (done.job, done.epoch) == (status.job, 6)
    log = run.log_path.read_text(encoding="utf-8")
    assert (log.count("Computing in 2 processes"), log.count("Resumed at epoch")) == (2, 1)


def test_a_run_on_two_nodes_is_stopped_makes_room_and_goes_on(slurm: Slurm, runs_root: Path) -> None:
    run = begin(runs_root, slurm)
    jobs.stop(run)
    stopped = wait_for(run, in_state("stopped"), slurm)
    assert "Everything is saved" in stopped.message
    go_on(run)
    status = wait_for(run, lambda s: s.done > stopped.done and s.state == "running", slurm)
    slurm.tell("scontrol", "requeue", status.job)
    waits = wait_for(run, in_state("queued"), slurm)
    hurry(slurm, status.job)
    wait_for(run, lambda s: s.phase == "training" and s.done > waits.done, slurm)
    assert sorted(find_ranks(run)) == [0, 1]


def test_a_launcher_that_is_killed_on_one_node_ends_the_run_on_both(slurm: Slurm, runs_root: Path) -> None:
    """So does a node on which nothing can be started: the others would wait for it for a quarter of an hour."""
    run = begin(runs_root, slurm)
    launcher = find_ranks(run)[1].parent()
    assert launcher is not None
    launcher.kill()
    status = wait_for(run, in_state("failed"), slurm)
    assert "on one of the nodes, or were ended there. The log says more." in status.message
    assert find_ranks(run) == {}


def test_a_process_that_is_killed_on_one_node_ends_the_run_on_both_with_one_message(
    slurm: Slurm, runs_root: Path
) -> None:
    run = begin(runs_root, slurm)
    find_ranks(run)[1].kill()
    status = wait_for(run, in_state("failed"), slurm)
    assert status.message == (
        "Process 2 of 2 was ended by the system or by somebody (SIGKILL), so the others ended too. "
        "What was saved is kept: resume goes on from there."
    )
    assert find_ranks(run) == {}
