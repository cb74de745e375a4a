"""Two who act on the same run at once, from two processes: each is told how it ended, and no half of a run is left."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from core.errors import UserError
from core.runs import jobs
from core.runs.claim import Gone, hold
from core.runs.run import Run, create_run, iter_runs
from tests.processes import tiny_config

ROUNDS = 6


def rename(run: Run) -> None:
    """Do by hand what no command does."""
    try:
        run.folder.rename(run.folder.with_name(f"{run.id}-renamed"))
    except OSError as error:
        raise UserError("a shell tells it") from error


ACTS: dict[str, Callable[[Run], object]] = {
    "resume": jobs.resume,
    "delete": jobs.delete,
    "stop": jobs.stop,
    "pause": jobs.pause,
    "look": jobs.live_status,
    "rename": rename,
}
PAIRS = [
    ("resume", "delete"), ("delete", "delete"), ("resume", "resume"), ("resume", "rename"), ("delete", "rename"),
    ("stop", "delete"), ("stop", "resume"), ("stop", "rename"), ("pause", "stop"), ("look", "delete"),
]  # fmt: skip


def act(side: int, root: Path, barrier: Barrier, told: Queue[tuple[str, str, str]]) -> None:
    """Be one of the two: do its part of each pair with each run, at the same time as the other."""
    jobs.launch_command = lambda _: [sys.executable, "-c", ""]  # type: ignore[attr-defined]  # a job that ends at once
    for pair in PAIRS:
        for number in range(ROUNDS):
            run = Run(root / f"{'-'.join(pair)}-{number}")
            barrier.wait(60)
            try:
                ACTS[pair[side]](run)
                outcome = "done"
            except UserError as error:
                outcome = f"words: {error}"
            except Exception as error:
                outcome = f"fault: {error!r}"
            told.put((run.id, pair[side], outcome))


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[tuple[str, str, str]]]]:
    root = tmp_path_factory.mktemp("races")
    for pair in PAIRS:
        for number in range(ROUNDS):
            run = create_run(tiny_config(root, f"{'-'.join(pair)}-{number}"), root)
            # Every other run still waits, by its status, for a job that this process is about to launch.
            if number % 2 or "stop" not in pair:
                run.write_status(replace(run.read_status(), state="stopped", phase="stopped"))
    context = multiprocessing.get_context("spawn")
    barrier, told = context.Barrier(2), context.Queue()
    both = [context.Process(target=act, args=(side, root, barrier, told)) for side in range(2)]
    for process in both:
        process.start()
    try:
        yield root, [told.get(timeout=100) for _ in range(2 * ROUNDS * len(PAIRS))]
    finally:
        for process in both:
            process.join(30)
            if process.is_alive():
                process.kill()


def test_each_of_two_is_told_in_words(outcomes: tuple[Path, list[tuple[str, str, str]]]) -> None:
    faults = [outcome for outcome in outcomes[1] if outcome[2].startswith("fault")]
    assert not faults
    assert any(outcome[2] == "done" for outcome in outcomes[1])
    assert any("is no longer there: it was deleted or renamed" in outcome[2] for outcome in outcomes[1])


def test_no_half_of_a_run_is_left(outcomes: tuple[Path, list[tuple[str, str, str]]]) -> None:
    root = outcomes[0]
    left = {folder.name for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith(".")}
    assert left == {run.id for run in iter_runs(root)}


@pytest.mark.parametrize("act", ["resume", "delete", "stop", "pause"])
def test_what_was_just_deleted_is_said_to_be(runs_root: Path, act: str) -> None:
    run = create_run(tiny_config(runs_root, "one"), runs_root)
    run.write_status(replace(run.read_status(), state="stopped"))
    jobs.delete(run)
    with pytest.raises(Gone, match=r"^one is no longer there: it was deleted or renamed"):
        ACTS[act](run)
    jobs.kill(run)
    assert list(runs_root.iterdir()) == []


def test_nobody_deletes_a_run_that_another_works_on(runs_root: Path) -> None:
    run = create_run(tiny_config(runs_root, "one"), runs_root)
    run.write_status(replace(run.read_status(), state="stopped"))
    held = hold(run)
    with held:
        run.write_status(replace(run.read_status(), state="running"))
        with pytest.raises(UserError, match="one is running; stop it before deleting it"):
            jobs.delete(run)
    assert run.folder.is_dir()
