"""A job that hangs ends when it is asked to, in words; one that works or saves is let be."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.runs import jobs
from core.runs.claim import claim_process
from core.runs.run import Run, create_run
from tests.processes import REPOSITORY, tiny_config, wait_until

# A job whose work asks now and then, for some seconds, and after that hangs as a read of a lost disk does.
JOB = """
import sys, time
from pathlib import Path
from core.runs import watchdog
from core.runs.claim import claim
from core.runs.journal import Interrupted, Journal
from core.runs.run import Run

watchdog.PATIENCE, watchdog._LOOK = float(sys.argv[2]), 0.05
run = Run(Path(sys.argv[1]))
with claim(run), run.log_path.open("a") as log:
    journal = Journal(run, log)

    def work():
        end = time.monotonic() + float(sys.argv[3])
        while time.monotonic() < end:
            if state := journal.asked():
                time.sleep(float(sys.argv[4]))  # it saves
                raise Interrupted(state)
            time.sleep(0.05)
        time.sleep(600)

    with watchdog.end_when_stuck(journal):
        journal.perform(work, describe_stop=lambda state: f"{state} by itself")
"""


def start(run: Run, *, patience: float, works: float, saves: float = 0.0) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", JOB, str(run.folder), str(patience), str(works), str(saves)]
    return subprocess.Popen(words, cwd=REPOSITORY)


@pytest.fixture
def run(runs_root: Path) -> Run:
    run = create_run(tiny_config(runs_root, "one"), runs_root)
    claim_process(run)
    return run


@pytest.mark.parametrize(("ask", "state"), [(jobs.stop, "stopped"), (jobs.pause, "paused")])
def test_a_job_that_hangs_ends_as_asked_and_says_that_it_had_to(run: Run, ask: object, state: str) -> None:
    job = start(run, patience=0.5, works=0.2)
    try:
        wait_until(lambda: run.read_status().state == "running", "it works", 30)
        time.sleep(0.5)
        ask(run)  # type: ignore[operator]
        assert job.wait(20) == 1
    finally:
        job.kill()
        job.wait()
    status = jobs.live_status(run)
    assert status.state == state
    assert status.message.startswith(
        f"{state.capitalize()} as asked, but by force: it had given no sign for "
    )
    assert not run.requested_state()
    assert run.read_log()[-1] == status.message


def test_a_job_that_hangs_and_is_not_asked_is_let_be(run: Run) -> None:
    job = start(run, patience=0.2, works=0.0)
    try:
        wait_until(lambda: run.read_status().state == "running", "it works", 30)
        time.sleep(1)
        assert job.poll() is None
    finally:
        job.kill()
        job.wait()


def test_a_job_that_answers_may_take_its_time_to_save(run: Run) -> None:
    job = start(run, patience=0.3, works=60, saves=1.5)
    try:
        wait_until(lambda: run.read_status().state == "running", "it works", 30)
        jobs.stop(run)
        assert job.wait(20) == 0
    finally:
        job.kill()
        job.wait()
    assert run.read_status().message == "stopped by itself"
