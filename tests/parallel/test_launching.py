"""A job that starts several processes: whatever ends one of them ends the run with one message, and leaves none behind."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.recipe.config import TrainConfig
from core.runs import jobs
from core.runs.run import Run, create_run
from tests.forks import Start, fork_server
from tests.processes import TINY, make_images, wait_until

pytestmark = pytest.mark.slow(40)
PATIENCE = 120  # seconds


@pytest.fixture(scope="module")
def launch() -> Iterator[Start]:
    with fork_server() as begin:
        yield begin


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return make_images(tmp_path / "data")


def make_run(data: Path, **changes: Any) -> Run:
    values = {
        "data": str(data),
        "name": "two",
        **TINY,
        "devices": 2,
        "epochs": 200,
        "save_minutes": 0.0,
        **changes,
    }
    return create_run(TrainConfig.from_dict(values), data.parent / "runs")


def begin(run: Run, launch: Start) -> tuple[Any, list[psutil.Process]]:
    """Launch the job of a run; return it and its processes, in their order, once steps are trained."""
    job = launch(run)
    wait_until(
        lambda: not job.is_alive() or (run.metrics_path.is_file() and len(run.read_metrics()[0]) > 2),
        "steps are trained", PATIENCE,
    )  # fmt: skip
    assert job.is_alive(), run.read_status().message
    ranks = {int(child.environ()["RANK"]): child for child in psutil.Process(job.pid).children()}
    assert sorted(ranks) == [0, 1]
    return job, [ranks[0], ranks[1]]


def are_gone(processes: list[psutil.Process]) -> bool:
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


@pytest.mark.parametrize("victim", [pytest.param(0, marks=pytest.mark.scale), 1])
def test_a_process_that_is_killed_ends_the_run_with_one_message_and_it_can_be_resumed(
    data: Path, launch: Start, victim: int
) -> None:
    run = make_run(data)
    job, ranks = begin(run, launch)
    ranks[victim].send_signal(signal.SIGKILL)
    job.join(PATIENCE)
    status = run.read_status()
    assert status.state == "failed"
    assert status.message == (
        f"Process {victim + 1} of 2 was ended by the system or by somebody (SIGKILL), so the others ended too. "
        "What was saved is kept: resume goes on from there."
    )
    log = run.log_path.read_text(encoding="utf-8")
    assert (log.count("error: "), "Traceback" in log) == (1, False), log
    assert are_gone(ranks)
    jobs.reopen(run)
    assert run.last_path.is_file()
    shutil.rmtree(run.folder)


def test_no_process_outlives_the_job_that_started_them(data: Path, launch: Start) -> None:
    run = make_run(data, workers=1)
    job, ranks = begin(run, launch)
    family = [*ranks, *(child for rank in ranks for child in rank.children(recursive=True))]
    job.kill()
    job.join()
    wait_until(lambda: are_gone(family), "all processes are gone", 30)
    assert jobs.live_status(run).state == "crashed"


@pytest.mark.scale
def test_a_signal_to_the_job_stops_all_processes_after_a_save(data: Path, launch: Start) -> None:
    run = make_run(data, epochs=1000)
    job, ranks = begin(run, launch)
    os.kill(job.pid, signal.SIGTERM)
    job.join(PATIENCE)
    status = run.read_status()
    assert (status.state, "Everything is saved" in status.message) == ("stopped", True), status.message
    assert are_gone(ranks)


@pytest.mark.scale
def test_what_one_process_alone_meets_is_told_in_words(data: Path, launch: Start) -> None:
    run = make_run(data)
    job, _ = begin(run, launch)
    for image in (data / "train").glob("*/*.png"):
        image.write_bytes(b"no picture")
    job.join(PATIENCE)
    status = run.read_status()
    assert status.state == "failed"
    assert "Repair or replace it" in status.message
