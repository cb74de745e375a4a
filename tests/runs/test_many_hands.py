"""Three people do anything to the same runs at once, each with a dashboard: every action answers in words, and nothing is lost."""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from core.errors import RunError
from core.queue.order import move
from core.queue.turn import revive_queue
from core.runs import jobs, notes
from core.runs.claim import Gone, hold
from core.runs.run import Run, list_runs
from tests.hands import ACTS, find_faults, work_together
from tests.made_job import make_job

pytestmark = pytest.mark.slow(12)


def test_whatever_several_do_at_once_is_told_in_words_and_loses_nothing(
    tmp_path: Path, chance: random.Random
) -> None:
    root = tmp_path / "runs"
    root.mkdir()
    deeds = work_together(root, chance)
    assert not find_faults(root, deeds)
    assert {deed.end for deed in deeds} == {"done", "words"}
    assert len({deed.what for deed in deeds}) == len(ACTS)


@pytest.mark.parametrize("act", ["archive", "take out", "rename", "hold", "move up", "give priority"])
def test_what_was_just_deleted_is_said_to_be_gone(runs_root: Path, act: str) -> None:
    run = make_job(runs_root, "one", state="stopped")
    jobs.delete(run)
    with pytest.raises(Gone, match=r"^one is no longer there: it was deleted or renamed"):
        ACTS[act](run, "two")
    assert [path.name for path in runs_root.iterdir() if path.name != ".queue.lock"] == []


@pytest.mark.parametrize("act", ["archive", "rename"])
def test_nobody_puts_away_or_renames_a_run_that_another_resumes_meanwhile(
    runs_root: Path, sleeper: psutil.Process, act: str
) -> None:
    run = make_job(runs_root, "one", state="stopped")
    with ThreadPoolExecutor(1) as pool:
        with hold(run):  # as who resumes it does
            acting = pool.submit(ACTS[act], run, "two")
            time.sleep(0.3)
            resumed = make_job(runs_root, "other", sleeper).read_status()
            run.write_status(resumed)
        with pytest.raises(RunError, match=r"one is (already )?queued"):
            acting.result(20)
    assert {known.id for known, _ in list_runs(runs_root)} == {"other", "one"}
    assert notes.read_note(run) == notes.Note()


def test_a_name_that_another_run_has_taken_meanwhile_is_refused_and_nothing_is_changed(
    runs_root: Path,
) -> None:
    run, other = (make_job(runs_root, name, state="stopped") for name in ("one", "other"))
    with pytest.raises(RunError, match="A run named other already exists"):
        notes.rename(run, other.id)
    assert run.read_config().name == "one"


def test_a_run_deleted_by_another_does_not_keep_those_behind_it_from_moving(
    runs_root: Path, sleeper: psutil.Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (make_job(runs_root, name, sleeper) for name in ("first", "second"))
    line = order_line(runs_root, monkeypatch, gone=first)
    move(second, "first")
    assert line == ["first", "second"]
    assert not first.folder.exists()


def order_line(root: Path, monkeypatch: pytest.MonkeyPatch, *, gone: Run) -> list[str]:
    """Delete a run as soon as the line was read; return the names in the line."""
    from core.queue import order
    from core.runs.run import delete_run

    names: list[str] = []
    read_line = order.read_line

    def read_and_delete(*asked: Any) -> order.Line:
        line = read_line(*asked)
        names.extend(one.run.id for one in line.waiting)
        delete_run(gone)
        return line

    monkeypatch.setattr(order, "read_line", read_and_delete)
    return names


def test_a_lost_run_that_is_deleted_or_cannot_be_launched_keeps_nobody_from_looking_at_the_others(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost, deleted = (make_job(runs_root, name) for name in ("lost", "deleted"))
    found = list_runs(runs_root)
    jobs.delete_run(deleted)

    def refuse(_: Run) -> None:
        raise OSError(30, "Read-only file system", str(lost.folder / "status.json"))

    monkeypatch.setattr("core.queue.turn.launch", refuse)
    assert revive_queue(found) == []
