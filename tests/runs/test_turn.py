"""The queue: one run trains at a time, turns come in order, and a job that was lost while it waited is launched again."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.queue import turn
from core.queue.turn import revive_queue, wait_for_turn
from core.runs import jobs
from core.runs.claim import hold
from core.runs.run import Run, create_run, iter_runs, list_runs
from tests.made_job import make_job
from tests.processes import finish, start, tiny_config, wait_until


@pytest.mark.parametrize("state", ["finished", "stopped", "failed", "crashed"])
def test_however_a_run_ends_the_next_one_takes_its_turn(runs_root: Path, state: str) -> None:
    """A crashed one never wrote that it ended."""
    make_job(runs_root, "first", state="running" if state == "crashed" else state)
    second = make_job(runs_root, "second", psutil.Process())
    assert wait_for_turn(second, should_stop=lambda: False, poll=0.01)
    assert second.read_status().state == "running"


def test_of_runs_that_ask_at_the_same_time_only_the_oldest_gets_the_turn(runs_root: Path) -> None:
    oldest, *others = [make_job(runs_root, f"run{number}", psutil.Process()) for number in range(4)]

    def oldest_runs() -> bool:
        return oldest.read_status().state == "running"

    with ThreadPoolExecutor(4) as pool:
        later = [pool.submit(wait_for_turn, run, should_stop=oldest_runs, poll=0.02) for run in others]
        first = pool.submit(wait_for_turn, oldest, should_stop=lambda: False, poll=0.02)
    assert first.result()
    assert not any(turn.result() for turn in later)
    assert [run.read_status().state for run in (oldest, *others)] == ["running"] + ["stopped"] * 3


def test_a_run_that_waits_tells_once_for_whom(runs_root: Path, sleeper: psutil.Process) -> None:
    make_job(runs_root, "first", sleeper, "running")
    second = make_job(runs_root, "second", psutil.Process())
    told: list[str] = []
    looks = iter(range(4))
    wait_for_turn(second, should_stop=lambda: next(looks, None) is None, tell=told.append, poll=0.01)
    assert told == ["Waiting for first.", "Stopped before it began."]


class Clock:
    """A clock that moves only when one sleeps by it."""

    def __init__(self) -> None:
        self.now = 0.0
        self.monotonic = self.time = lambda: self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_run_far_back_in_the_queue_looks_rarely_but_obeys_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = create_run(tiny_config(tmp_path, "last"), tmp_path / "runs")
    clock, looks = Clock(), []

    def look(*_: object) -> tuple[str, str, int]:
        looks.append(clock.now)
        return "", "Waiting for others.", 8

    monkeypatch.setattr(turn, "time", clock)
    monkeypatch.setattr(turn, "_find_turn", look)
    assert not wait_for_turn(run, should_stop=lambda: clock.now >= 30)
    assert looks == [0, 8, 16, 24]
    assert clock.now == 30
    assert run.read_status().state == "stopped"


def test_only_queued_runs_whose_process_is_gone_are_launched_again(
    runs_root: Path, sleeper: psutil.Process
) -> None:
    make_job(runs_root, "holder", sleeper, "running")
    lost = make_job(runs_root, "lost")
    make_job(runs_root, "waiting", sleeper)
    make_job(runs_root, "crashed", state="running")
    make_job(runs_root, "stopped", state="stopped")
    ready = threading.Barrier(4)

    def revive(_: int) -> list[Run]:
        ready.wait()
        return revive_queue(list_runs(runs_root))

    with ThreadPoolExecutor(4) as pool:  # as several browser tabs would
        revived = [run.id for runs in pool.map(revive, range(4)) for run in runs]
    assert revived == ["lost"]
    wait_until(lambda: "holder" in lost.read_status().message, "the job waits for its turn again")
    assert jobs.live_status(lost).state == "queued"
    assert revive_queue(list_runs(runs_root)) == []
    jobs.stop(lost)
    wait_until(lambda: jobs.live_status(lost).state == "stopped", "the job has ended")


def test_a_status_that_cannot_be_read_breaks_neither_the_list_nor_the_queue(runs_root: Path) -> None:
    broken = make_job(runs_root, "broken", state="running")
    (broken.folder / "status.json").write_text('{"state": "runn', encoding="utf-8")
    whole = make_job(runs_root, "whole", psutil.Process())
    assert {run.id for run in iter_runs(runs_root)} == {"broken", "whole"}
    status = jobs.live_status(broken)
    assert (status.state, status.message.startswith("status.json cannot be read")) == ("failed", True)
    assert wait_for_turn(whole, should_stop=lambda: False)
    assert revive_queue(list_runs(runs_root)) == []
    jobs.delete(broken)
    assert [run.id for run in iter_runs(runs_root)] == ["whole"]


def test_a_job_that_is_suspended_while_it_waits_is_not_launched_again(
    runs_root: Path, sleeper: psutil.Process
) -> None:
    make_job(runs_root, "holder", sleeper, "running")
    run = jobs.submit(tiny_config(runs_root, "run"), runs_root)
    wait_until(lambda: "holder" in run.read_status().message, "the job waits")
    job = psutil.Process(run.read_status().pid)
    job.suspend()
    # Its clock may say what it likes meanwhile, and so may the time of birth that the status has.
    run.write_status(replace(run.read_status(), pid_created=1.0))
    assert revive_queue(list_runs(runs_root)) == []
    assert jobs.live_status(run).state == "queued"
    job.kill()
    wait_until(lambda: jobs.live_status(run).state == "crashed", "its end is seen")


def test_a_job_that_is_suspended_before_it_has_claimed_its_run_is_not_launched_again(
    runs_root: Path, sleeper: psutil.Process
) -> None:
    make_job(runs_root, "holder", sleeper, "running")
    run = jobs.submit(tiny_config(runs_root, "run"), runs_root)
    job = psutil.Process(run.read_status().pid)
    job.suspend()
    assert not run.read_status().message  # it had no time yet
    assert revive_queue(list_runs(runs_root)) == []
    job.resume()
    wait_until(lambda: "holder" in run.read_status().message, "the job waits")
    assert run.read_status().pid == job.pid
    jobs.kill(run)


def test_of_two_jobs_of_one_run_the_one_that_comes_late_leaves(
    runs_root: Path, sleeper: psutil.Process
) -> None:
    """Whoever launched the first has not told of it: it was killed in between."""
    make_job(runs_root, "holder", sleeper, "running")
    run = create_run(tiny_config(runs_root, "run"), runs_root)
    late = start("task", run.folder, root=runs_root)
    late.send_signal(signal.SIGSTOP)
    with hold(run):
        jobs.launch(run)
    wait_until(lambda: "holder" in run.read_status().message, "the second job waits")
    before = run.read_status()
    late.send_signal(signal.SIGCONT)
    done = finish(late)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "This process ends without doing anything. run is already queued: another process is working on it.\n"
    )
    assert run.read_status() == before
    jobs.kill(run)


def test_a_job_that_comes_when_the_work_is_done_leaves(runs_root: Path) -> None:
    run = make_job(runs_root, "run", state="finished")
    before = run.read_status()
    done = finish(start("task", run.folder, root=runs_root))
    assert (done.returncode, "run is not queued: it is finished" in done.stderr) == (1, True)
    assert run.read_status() == before
