"""Who works on a folder: one process, until its end, whatever the clocks say."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.runs import jobs
from core.runs.claim import Taken, claim, claim_process, hold
from core.runs.run import Run, create_run
from core.stored.status import LAUNCHING
from tests.processes import REPOSITORY, tiny_config

# Claims a run, and has a child that loads images as those of a training do, by a fork.
JOB = """
import os, sys, time
from pathlib import Path
from core.runs.claim import claim
from core.runs.run import Run

with claim(Run(Path(sys.argv[1]))):
    if not os.fork():
        print(os.getpid(), flush=True)  # from here on it has let go of what it got by the fork
    time.sleep(100)
"""


@pytest.fixture
def run(runs_root: Path) -> Run:
    return create_run(tiny_config(runs_root, "run"), runs_root)


def test_a_job_that_was_killed_is_known_at_once_also_while_its_children_live(run: Run) -> None:
    job = subprocess.Popen([sys.executable, "-c", JOB, run.folder], cwd=REPOSITORY, stdout=subprocess.PIPE)
    assert job.stdout is not None
    child = psutil.Process(int(job.stdout.readline()))
    try:
        assert jobs.live_status(run).state == "queued"
        with pytest.raises(Taken, match="run is already queued: another process is working on it"), hold(run):
            pass
        job.kill()
        job.wait()
        assert child.is_running()
        assert jobs.live_status(run).state == "crashed"
        with hold(run):
            pass
    finally:
        child.kill()


def test_a_job_lives_while_it_has_its_lock_though_a_clock_was_set(run: Run) -> None:
    with claim(run):
        wrong = replace(run.read_status(), state="running", pid_created=1.0, host="called-otherwise-then")
        run.write_status(replace(wrong, updated=1.0))
        assert jobs.live_status(run).state == "running"
    run.write_status(replace(run.read_status(), host=""))
    assert jobs.live_status(run).state == "crashed"


def test_a_look_at_the_lock_keeps_nobody_from_it(run: Run) -> None:
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            jobs.live_status(run)

    looks = [threading.Thread(target=look) for _ in range(3)]
    for thread in looks:
        thread.start()
    try:
        for _ in range(30):
            run.write_status(replace(run.read_status(), state="queued", phase=LAUNCHING))
            with claim(run):
                assert run.read_status().phase == "waiting"
    finally:
        done.set()
        for thread in looks:
            thread.join()


@pytest.mark.parametrize("state", ["running", "finished", "stopped", "paused", "failed"])
def test_only_queued_work_is_claimed(run: Run, state: str) -> None:
    run.write_status(replace(run.read_status(), state=state))
    before = run.read_status()
    with pytest.raises(Taken, match=f"run is not queued: it is {state}"), claim(run):
        pass
    assert run.read_status() == before


def test_a_run_is_queued_from_its_making_on(run: Run) -> None:
    """No look in between may take it for one that was lost: who makes it answers for it."""
    assert jobs.live_status(run).state == "queued"
    jobs.kill(run)  # which does not end who makes it, this very process


def test_a_job_waits_for_who_launches_it(run: Run) -> None:
    claimed = threading.Event()

    def be_job() -> None:
        with claim(run):
            claimed.set()

    with hold(run):
        job = threading.Thread(target=be_job)
        job.start()
        time.sleep(0.1)
        assert not claimed.is_set()
    job.join()
    assert claimed.is_set()


def test_a_folder_without_locks_is_known_by_pid_and_birth(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(37, "No locks available")

    status = claim_process(run)
    (run.folder / ".lock").touch()
    monkeypatch.setattr("core.runs.claim.lock_descriptor", refuse)
    assert jobs.live_status(run).state == "queued"
    run.write_status(replace(status, pid_created=1.0))
    assert jobs.live_status(run).state == "crashed"
