"""How a job ends where even that is hard: on a full disk, and by what was asked of it."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest

from core.errors import RunError
from core.runs import run as run_module
from core.runs.bakeoff import find_todo
from core.runs.journal import Hopeless, Journal
from core.runs.run import Run, create_run
from tests.processes import tiny_config


@pytest.fixture
def run(runs_root: Path) -> Run:
    return create_run(tiny_config(runs_root, "one"), runs_root)


def test_work_whose_log_finds_no_room_ends_and_says_that_the_disk_is_full(run: Run) -> None:
    console = io.TextIOWrapper(io.FileIO("/dev/full", "w"), write_through=True)
    journal = Journal(run, console)

    def work() -> str:
        journal.write("an epoch")
        raise AssertionError("a disk took it")

    status = journal.perform(work, describe_stop=str)
    assert (status.state, status.message) == ("failed", "the disk is full")
    assert run.read_status() == status


def test_how_a_job_ended_is_known_also_where_no_new_file_can_be_begun(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, _: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(run_module, "write_text", refuse)
    with Path(os.devnull).open("w") as console:
        status = Journal(run, console).perform(lambda: "done", describe_stop=str)
    assert status.state == "finished"
    assert run.read_status() == status


def test_a_bake_off_leaves_a_run_alone_that_would_fail_alike(runs_root: Path) -> None:
    def fail() -> str:
        raise Hopeless("The loss became nan.")

    configs = [tiny_config(runs_root, name) for name in ("one", "other")]
    hopeless, other = (create_run(config, runs_root) for config in configs)
    with Path(os.devnull).open("w") as console:
        assert Journal(hopeless, console).perform(fail, describe_stop=str).hopeless
        Journal(other, console).perform(lambda: "", describe_stop=str)
    todo = find_todo(configs, runs_root)
    assert [run.id for run in todo.kept] == ["one", "other"]
    assert todo.again == ()


def test_work_whose_folder_is_deleted_in_part_ends_and_writes_nothing_more_into_it(run: Run) -> None:
    journal = Journal(run, io.StringIO())

    def work() -> str:
        for path in run.folder.iterdir():
            path.unlink()
        journal.set(phase="training", force=True)
        return "done"

    with pytest.raises(RunError, match="its folder was deleted"):
        journal.perform(work, describe_stop=str)
    assert list(run.folder.iterdir()) == []
