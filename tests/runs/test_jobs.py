"""The life of job processes. The processes are real; where none has to train, they only wait."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psutil
import pytest

from core.errors import RunError
from core.queue.turn import wait_for_turn
from core.runs import jobs
from core.runs.claim import REMOTE_SILENCE
from core.runs.run import Run
from core.stored.status import Status
from tests.made_job import make_job
from tests.processes import REPOSITORY, environment, make_images, tiny_config, wait_until

LONG = 2000  # epochs that no test waits for

LAUNCHER = """
import sys, time
from pathlib import Path
from core.runs import jobs
from core.recipe.config import TrainConfig

for text in sys.argv[2:]:
    begun = time.perf_counter()
    print(jobs.submit(TrainConfig.from_json(text), Path(sys.argv[1])).id, time.perf_counter() - begun)
"""


@dataclass(frozen=True)
class Story:
    """What was seen of the runs a, b and c, which one process launched in this order before it ended."""

    launched: dict[str, float]  # the seconds it took
    waiting: dict[str, Status]
    refused: dict[str, str]
    c_stopped: Status
    family: list[psutil.Process]
    a_killed: Status
    b_stopped: Status
    deleted: list[str]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """While a trains, c is stopped; then a is killed, so that b's turn comes; b is stopped and a deleted."""
    place = tmp_path_factory.mktemp("jobs")
    data, root = make_images(place / "data"), place / "runs"
    a, b, c = (Run(root / name) for name in "abc")
    texts = [tiny_config(data, run.id, epochs=LONG, workers=1).to_json() for run in (a, b, c)]
    command = [sys.executable, "-c", LAUNCHER, str(root), *texts]
    launcher = subprocess.run(
        command, cwd=REPOSITORY, env=environment(root), capture_output=True, text=True, check=True
    )
    launched = dict(line.split() for line in launcher.stdout.splitlines())
    try:
        wait_until(lambda: "a, b" in c.read_status().message, "c waits for a and b")
        wait_until(lambda: a.read_metrics()[0], "a trains")
        waiting = {run.id: jobs.live_status(run) for run in (a, b, c)}
        refused = {
            "delete a": refusal(jobs.delete, a),
            "delete b": refusal(jobs.delete, b),
            "resume a": refusal(jobs.resume, a),
        }
        jobs.stop(c)
        wait_until(lambda: jobs.live_status(c).state == "stopped", "c is stopped")
        refused["stop c"] = refusal(jobs.stop, c)
        process = psutil.Process(waiting["a"].pid)
        family = [process, *process.children(recursive=True)]
        jobs.kill(a)
        a_killed = jobs.live_status(a)
        wait_until(lambda: b.read_metrics()[0], "b trains")
        jobs.stop(b)
        wait_until(lambda: jobs.live_status(b).state == "stopped", "b is stopped")
        jobs.delete(a)
        deleted = [path.name for path in root.iterdir() if not path.name.startswith(".")]
        yield Story(
            {name: float(seconds) for name, seconds in launched.items()}, waiting, refused, c.read_status(), family, a_killed, b.read_status(), deleted
        )  # fmt: skip
    finally:
        for run in (c, b, a):
            jobs.kill(run)
        shutil.rmtree(place)


def refusal(action: Callable[[Run], None], run: Run) -> str:
    with pytest.raises(RunError) as caught:
        action(run)
    return str(caught.value)


def is_gone(process: psutil.Process) -> bool:
    """Tell whether a process has ended; one that its parent has not asked about yet counts."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_launch_does_not_wait_for_the_job(story: Story) -> None:
    assert list(story.launched) == ["a", "b", "c"]
    assert max(story.launched.values()) < 2


def test_a_job_outlives_the_process_that_launched_it(story: Story) -> None:
    assert story.waiting["a"].state == "running"


def test_runs_wait_in_the_order_of_their_launch_and_say_for_which(story: Story) -> None:
    assert [story.waiting[name].state for name in "bc"] == ["queued", "queued"]
    assert story.waiting["b"].message == "Waiting for a."
    assert story.waiting["c"].message == "Waiting for a, b."


def test_a_waiting_run_can_be_stopped(story: Story) -> None:
    status = story.c_stopped
    assert (status.state, status.phase) == ("stopped", "stopped")
    assert status.message == "Stopped before it began."
    assert (status.started, status.ended > 0) == (0.0, True)


def test_an_active_run_is_neither_deleted_nor_resumed(story: Story) -> None:
    assert story.refused["delete a"] == "a is running; stop it before deleting it."
    assert story.refused["delete b"] == "b is queued; stop it before deleting it."
    assert story.refused["resume a"] == "a is already running."


def test_a_run_that_has_ended_is_not_stopped_again(story: Story) -> None:
    assert story.refused["stop c"] == "c is not running: it is stopped."


def test_killing_a_run_ends_the_processes_that_load_its_images_too(story: Story) -> None:
    assert len(story.family) > 1
    wait_until(lambda: all(is_gone(process) for process in story.family), "the whole family has ended", 10)
    assert story.a_killed.state == "crashed"


def test_the_next_run_begins_when_the_one_before_it_is_gone(story: Story) -> None:
    assert story.b_stopped.started > story.waiting["a"].started
    assert story.b_stopped.state == "stopped"
    assert "Everything is saved" in story.b_stopped.message


def test_a_deleted_run_leaves_nothing(story: Story) -> None:
    assert sorted(story.deleted) == ["b", "c"]


def test_another_process_with_the_same_pid_is_not_taken_for_the_job(runs_root: Path) -> None:
    run = make_job(runs_root, "run", psutil.Process(), "running")
    assert jobs.live_status(run).state == "running"
    run.write_status(replace(run.read_status(), pid_created=psutil.Process().create_time() - 100))
    assert jobs.live_status(run).state == "crashed"
    jobs.kill(run)  # which would end this very process if the pid alone counted


def test_a_process_that_ended_is_not_alive_though_its_parent_never_asked(runs_root: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(child.pid)
    run = make_job(runs_root, "run", process, "running")
    wait_until(lambda: process.status() == psutil.STATUS_ZOMBIE, "the child is a zombie")
    assert jobs.live_status(run).state == "crashed"
    child.wait()


def test_a_crash_is_shown_but_not_written(runs_root: Path) -> None:
    """Only the job writes its status: a page that looks must not undo what a job writes at the same time."""
    run = make_job(runs_root, "run", state="running")
    before = (run.folder / "status.json").read_bytes()
    status = jobs.live_status(run)
    assert (status.state, status.phase) == ("crashed", "crashed")
    assert "killed" in status.message
    assert (run.folder / "status.json").read_bytes() == before


def test_a_launched_job_waits_is_killed_and_leaves_no_zombie(
    runs_root: Path, sleeper: psutil.Process
) -> None:
    make_job(runs_root, "holder", sleeper, "running")
    run = jobs.submit(tiny_config(runs_root, "run"), runs_root)
    assert jobs.live_status(run).state == "queued"
    wait_until(lambda: "holder" in run.read_status().message, "the job waits")
    job = psutil.Process(run.read_status().pid)
    jobs.kill(run)
    assert jobs.live_status(run).state == "crashed"
    assert not job.is_running()


def test_a_job_that_ends_just_before_it_is_killed_is_no_fault(
    runs_root: Path, sleeper: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_job(runs_root, "run", sleeper, "running")

    def find(_: Status) -> psutil.Process:
        sleeper.kill()
        sleeper.wait()
        return sleeper

    monkeypatch.setattr(jobs, "find_process", find)
    jobs.kill(run)


def test_a_run_on_another_machine_counts_as_alive_while_it_writes(runs_root: Path) -> None:
    run = make_job(runs_root, "far", state="running")
    status = run.write_status(replace(run.read_status(), host="elsewhere"))
    assert jobs.live_status(run).state == "running"
    here = make_job(runs_root, "here", psutil.Process())
    assert wait_for_turn(here, should_stop=lambda: False)
    silent = replace(status, updated=time.time() - REMOTE_SILENCE - 1)
    (run.folder / "status.json").write_text(json.dumps(asdict(silent)), encoding="utf-8")
    assert jobs.live_status(run).state == "crashed"


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_a_run_that_finished_is_not_resumed_but_one_that_ended_early_may_be(
    runs_root: Path, state: str
) -> None:
    finished = make_job(runs_root, "finished", state="finished")
    assert "finished has finished" in refusal(jobs.resume, finished)
    early = make_job(runs_root, "early", state=state)
    early.request_stop()
    jobs.reopen(early)
    assert not early.stop_requested()  # or it would stop again at once


def test_of_two_who_resume_a_run_at_once_one_is_refused(runs_root: Path, sleeper: psutil.Process) -> None:
    make_job(runs_root, "holder", sleeper, "running")
    run = make_job(runs_root, "early", state="stopped")
    ready = threading.Barrier(4)

    def resume(_: int) -> str:
        ready.wait()
        try:
            jobs.resume(run)
        except RunError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(4) as pool:
        refused = sorted(pool.map(resume, range(4)))
    assert refused[0] == ""
    assert all(
        re.fullmatch(r"early is already queued(\.|: another process is working on it\.)", no)
        for no in refused[1:]
    )
    jobs.kill(run)


def test_a_finished_child_is_no_zombie_though_nobody_asks(runs_root: Path, sleeper: psutil.Process) -> None:
    make_job(runs_root, "holder", sleeper, "running")
    children = []
    with ThreadPoolExecutor(4) as pool:  # as several browser tabs would
        for run in pool.map(lambda n: jobs.submit(tiny_config(runs_root, f"run{n}"), runs_root), range(4)):
            run.request_stop()
            children.append(run.read_status().pid)
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in children), "the children are gone", 60)


def test_a_job_that_cannot_be_started_says_so(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with pytest.raises(FileNotFoundError):
        jobs.submit(tiny_config(runs_root, "run"), runs_root)
    status = jobs.live_status(Run(runs_root / "run"))
    assert (status.state, status.message) == ("failed", "/no/such/python: No such file or directory")


def test_a_job_is_given_the_folder_of_all_runs_whole(
    runs_root: Path, sleeper: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It starts in another folder than the process that launches it."""
    monkeypatch.chdir(runs_root.parent)
    monkeypatch.setenv("WEAKSPOT_RUNS", runs_root.name)
    make_job(runs_root, "holder", sleeper, "running")
    run = jobs.submit(tiny_config(runs_root, "run"), Path(runs_root.name))
    wait_until(lambda: "holder" in run.read_status().message, "the job waits")
    assert psutil.Process(run.read_status().pid).environ()["WEAKSPOT_RUNS"] == str(runs_root)
    jobs.kill(run)


def test_nothing_is_added_to_the_log_of_a_job_that_was_killed(runs_root: Path) -> None:
    """The process that cleans up after it lives on for a moment, and has the log too."""
    code = "import multiprocessing as m, os; lock = m.get_context('spawn').Lock(); os.kill(os.getpid(), 9)"
    command = [sys.executable, "-c", code]
    job = subprocess.run(command, env=jobs.environment(), capture_output=True, text=True, check=False)
    assert (job.returncode, job.stderr) == (-9, "")


def test_a_job_has_a_group_of_its_own_on_every_system() -> None:
    """A signal to the group of who launches it, or the end of its terminal, must not reach it."""
    assert jobs.detach("linux") == jobs.detach("darwin") == {"start_new_session": True}
    assert jobs.detach("win32") == {"creationflags": 0x0800_0200}


def test_importing_the_module_loads_no_torch() -> None:
    code = "import sys, core.runs.jobs, core.queue.turn, core.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False).returncode == 0
