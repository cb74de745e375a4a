"""Each role may do what it is for and nothing more, wherever the action is asked for, and all of it is kept."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from core.errors import RunError
from core.marks.marks import Mark, add_marks, read_marks
from core.people import acting as acting_module
from core.people.acting import LOOK, ROLES, TRAIN, Acting, NotAllowed, Person, acting, demand_names
from core.people.actions import FILE, Action, keep_action, read_actions
from core.queue.slots import write_slots
from core.recipe.config import TrainConfig
from core.runs import jobs, notes
from core.runs.run import Run, create_run
from core.runs.tasks import launch_task


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = create_run(TrainConfig(data=str(tmp_path), name="first"), tmp_path / "runs")
    made.write_status(made.read_status().__class__(state="finished", phase="finished"))
    return made


def as_(role: str, run: Run) -> Acting:
    return Acting(Person("ada", role, "10.0.0.7"), None, run.folder.parent / FILE)


ACTIONS: dict[str, tuple[str, Callable[[Run], object]]] = {
    "start a training": (
        "train",
        lambda run: jobs.submit(TrainConfig(data="x", name="first"), run.folder.parent),
    ),
    "resume": ("train", lambda run: jobs.resume(run)),
    "stop": ("train", lambda run: jobs.stop(run)),
    "pause": ("train", lambda run: jobs.pause(run)),
    "kill": ("train", lambda run: jobs.kill(run)),
    "write a note": ("train", lambda run: notes.write_note(run, text="x" * 3000)),
    "rename": ("train", lambda run: notes.rename(run, "")),
    "mark": ("train", lambda run: add_marks(run.folder / "config.json" / "marks", [])),
    "start a scan": ("train", lambda run: launch_task(run.folder / "config.json", "audit")),
    "archive": ("administer", lambda run: notes.archive([run])),
    "delete": ("administer", lambda run: jobs.delete(run)),
    "change the slots": ("administer", lambda run: write_slots(run.folder.parent, 0)),
}


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("role", ["", *ROLES])
def test_an_action_is_refused_to_every_role_below_its_own(name: str, role: str, run: Run) -> None:
    least, act = ACTIONS[name]
    told = ""
    with acting(as_(role, run)):
        try:
            act(run)
        except NotAllowed as error:
            told = str(error)
        except Exception:
            pass  # it was let through, and then failed at what it was given
    if role not in ROLES:
        assert "Sign in again" in told
    elif ROLES.index(role) < ROLES.index(least):
        assert f"needs the role {least}" in told
    else:
        assert told == ""


def test_what_was_done_and_refused_is_kept_with_who_and_from_where(run: Run) -> None:
    with acting(as_(LOOK, run)), pytest.raises(NotAllowed, match="needs the role train"):
        jobs.stop(run)
    with acting(as_(TRAIN, run)):
        with pytest.raises(RunError, match="is not running"):
            jobs.stop(run)
        notes.write_note(run, text="good")
    with acting(as_("administer", run)):
        notes.archive([run])  # writes a note, which is a part of it and not kept on its own
    kept = [
        (one.who, one.address, one.what, one.of, one.end) for one in read_actions(run.folder.parent / FILE)
    ]
    who = ("ada", "10.0.0.7")
    assert kept == [
        (*who, "stop", "first", "refused"),
        (*who, "stop", "first", "failed"),
        (*who, "note", "first", "done"),
        (*who, "archive or take out", "first", "done"),
    ]


def test_a_start_is_kept_with_the_name_of_the_run_or_where_none_was_made_with_the_images(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "launch", lambda _: None)
    config = TrainConfig(data=str(tmp_path))
    with acting(as_(TRAIN, run)):
        started = jobs.submit(config, run.folder.parent)
    with acting(as_(LOOK, run)), pytest.raises(NotAllowed):
        jobs.submit(config, run.folder.parent)
    kept = [(one.what, one.of, one.end) for one in read_actions(run.folder.parent / FILE)]
    assert kept == [("start", started.id, "done"), ("start", tmp_path.name, "refused")]
    assert started.id != tmp_path.name


def test_marks_are_written_by_who_may_and_a_refusal_changes_nothing(run: Run) -> None:
    path = run.folder.parent / ".marks" / "x.jsonl"
    with acting(as_(LOOK, run)), pytest.raises(NotAllowed):
        add_marks(path, [Mark("a.png", "cat", "drop", "")])
    assert not path.exists()
    with acting(as_(TRAIN, run)):
        add_marks(path, [Mark("a.png", "cat", "drop", "")])
    assert list(read_marks(path).marks) == ["a.png"]


def test_the_command_line_acts_as_administrator_and_keeps_nothing(run: Run) -> None:
    jobs.delete(run)
    assert not run.folder.exists()
    assert not (run.folder.parent / FILE).exists()


def test_where_names_are_demanded_a_thread_that_names_nobody_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting_module, "_otherwise", Acting())
    demand_names()
    caught: list[str] = []

    def forget() -> None:
        try:
            jobs.delete(run)
        except NotAllowed as error:
            caught.append(str(error))

    with acting(as_("administer", run)):
        thread = threading.Thread(target=forget)
        thread.start()
        thread.join()
    assert caught == ["You are no longer signed in. Sign in again."]
    assert run.folder.exists()


def test_the_file_of_actions_is_closed_to_others_and_begins_anew_at_its_limit(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = run.folder.parent / FILE
    monkeypatch.setattr("core.people.actions.MOST", 300)
    with acting(as_(TRAIN, run)):
        for number in range(4):
            notes.write_note(run, text=str(number))
    assert file.stat().st_mode & 0o077 == 0
    assert file.stat().st_size < 400
    assert 2 <= len(list(read_actions(file))) <= 4


def test_a_name_with_line_ends_stays_one_line_and_a_damaged_line_is_left_out(run: Run) -> None:
    file = run.folder.parent / FILE
    with acting(as_(TRAIN, run)), pytest.raises(RunError):
        jobs.stop(Run(run.folder.parent / 'x\n{"at": 1}\u2028‮'))
    assert len(file.read_bytes().splitlines()) == 1
    with file.open("a") as more:
        more.write('half of a li\n[1]\n{"at": "x"}\n')
    assert [one.of for one in read_actions(file)] == ['x {"at": 1}']
    assert json.loads(file.read_text().splitlines()[0])["end"] == "failed"


def test_a_line_that_a_full_disk_cut_off_costs_none_of_those_after_it(tmp_path: Path) -> None:
    file = tmp_path / "actions.jsonl"
    for number in range(3):
        keep_action(file, Action.now("ada", "::1", "stop", f"run-{number}"))
        if number == 0:
            with file.open("ab") as half:
                half.write(b'{"at": 17')
    assert [action.of for action in read_actions(file)] == ["run-0", "run-1", "run-2"]


def test_of_two_who_find_the_file_full_at_once_only_one_puts_it_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the second put the new file in the place of the old one, and thousands of actions were gone."""
    file = tmp_path / "actions.jsonl"
    for number in range(5):
        keep_action(file, Action.now("ada", "::1", "stop", f"run-{number}"))
    monkeypatch.setattr("core.people.actions.MOST", file.stat().st_size)
    both = threading.Barrier(2)

    def wait_for_the_other(act: Callable[[], object]) -> object:
        with suppress(threading.BrokenBarrierError):
            both.wait(0.3)
        return act()

    monkeypatch.setattr("core.people.actions.insist", wait_for_the_other)
    threads = [
        threading.Thread(target=keep_action, args=(file, Action.now("bob", "::1", "stop", f"late-{number}")))
        for number in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = {action.of for action in read_actions(file)}
    assert kept == {*(f"run-{number}" for number in range(5)), "late-0", "late-1"}


@pytest.mark.parametrize("at", ["NaN", "1e300", "-1e18", "Infinity"])
def test_a_line_with_a_time_that_no_clock_shows_is_left_out(tmp_path: Path, at: str) -> None:
    file = tmp_path / "actions.jsonl"
    line = '{"at": TIME, "who": "ada", "address": "", "what": "stop", "of": "TEXT", "end": "done"}\n'
    file.write_text(line.replace("TIME", at) + line.replace("TIME", "1").replace("TEXT", "\\ud800"))
    keep_action(file, Action.now("ada", "::1", "stop", "first"))
    assert [action.list_cells()[4] for action in read_actions(file)] == ["first"]
