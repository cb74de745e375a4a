"""A user's share of the slots: at the limit their further runs wait, and nobody else does."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from filelock import FileLock

from core.people.acting import ADMINISTER, TRAIN, Acting, NotAllowed, Person, acting
from core.people.owner import write_owner
from core.people.users import add_user, set_limits
from core.queue.forecast import forecast_starts
from core.queue.order import move, read_line, read_place, set_held, set_priority
from core.queue.shares import Ask, count_to_end, find_over
from core.queue.slots import write_slots
from core.queue.turn import wait_for_turn
from core.runs import jobs
from core.runs.run import Run, list_runs
from tests.made_job import make_job
from tests.processes import REPOSITORY, environment, make_images, tiny_config, wait_until

MB = 10**6


@pytest.fixture(autouse=True)
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of users, of whom ada may take one slot at a time and bob as many as there are."""
    path = tmp_path / "users.json"
    monkeypatch.setenv("WEAKSPOT_USERS", str(path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for name in ("ada", "bob"):
        add_user(path, name, "train", None)
    set_limits(path, "ada", disk=None, slots=1)
    return path


def make(root: Path, name: str, owner: str, state: str = "queued") -> Run:
    run = make_job(root, name, psutil.Process(), state)
    write_owner(run.folder, owner)
    return run


def may_start(run: Run) -> bool:
    """Tell whether a run gets its turn at its first look; it waits again where it does not."""
    looks = iter(range(1))
    if wait_for_turn(run, should_stop=lambda: next(looks, None) is None, poll=0.01):
        return True
    run.write_status(replace(run.read_status(), state="queued"))
    return False


def end(run: Run, state: str = "finished") -> None:
    run.write_status(replace(run.read_status(), state=state))


def look_once(run: Run) -> str:
    """Return what a run says it waits for at its first look."""
    told: list[str] = []
    looks = iter(range(1))
    wait_for_turn(run, should_stop=lambda: next(looks, None) is None, tell=told.append, poll=0.01)
    run.write_status(replace(run.read_status(), state="queued"))
    return told[0]


def test_at_the_limit_the_next_run_waits_and_those_of_others_go_past_it(runs_root: Path) -> None:
    write_slots(runs_root, 3)
    first, second, third = (make(runs_root, name, "ada") for name in ("a1", "a2", "a3"))
    others = [make(runs_root, "b1", "bob"), make(runs_root, "n1", "")]
    assert may_start(first)
    assert not may_start(second)
    assert look_once(second) == "Waits until ada's own run a1 is done: ada may use 1 slot at a time."
    assert look_once(third) == "Waits until ada's own runs a1, a2 are done: ada may use 1 slot at a time."
    assert [may_start(run) for run in others] == [True, True]
    end(first)
    assert not may_start(third)  # the one before it is first
    assert may_start(second)


def test_a_run_says_how_many_of_its_users_own_have_to_end_first(runs_root: Path, users: Path) -> None:
    set_limits(users, "ada", disk=None, slots=2)
    write_slots(runs_root, 9)
    runs = [make(runs_root, f"a{number}", "ada") for number in range(5)]
    assert [may_start(run) for run in runs[:2]] == [True, True]
    told = [look_once(run) for run in runs[2:]]
    assert told == [
        f"Waits until {which} done: ada may use 2 slots at a time."
        for which in (
            "1 of ada's own runs (a0, a1) is",
            "2 of ada's own runs (a0, a1, a2) are",
            "3 of ada's own runs (a0, a1, a2 and 1 more) are",
        )
    ]


def test_a_run_that_waits_for_many_names_three_and_counts_the_rest(runs_root: Path) -> None:
    for number in range(5):
        make(runs_root, f"n{number}", "")
    assert look_once(make(runs_root, "b1", "bob")) == "Waiting for n0."  # users take turns
    assert look_once(make(runs_root, "n5", "")) == "Waiting for n0, b1, n1 and 3 more."


@pytest.mark.parametrize(
    ("slots", "asked", "limit", "ended"),
    [([1], 1, 1, 1), ([1, 1, 1], 1, 2, 2), ([1, 4, 1], 2, 6, 1), ([1, 1, 1, 1], 2, 4, 2), ([], 1, 1, 0)],
)
def test_the_fewest_runs_are_counted_that_make_room(
    slots: list[int], asked: int, limit: int, ended: int
) -> None:
    assert count_to_end(slots, asked, limit) == ended


def test_at_the_limit_of_the_disk_a_waiting_run_does_not_begin_until_there_is_room(
    runs_root: Path, users: Path
) -> None:
    set_limits(users, "ada", disk=80 * MB, slots=None)
    done = make(runs_root, "a0", "ada", "finished")
    with done.last_path.open("wb") as file:
        file.truncate(90 * MB)
    waits, other = make(runs_root, "a1", "ada"), make(runs_root, "b1", "bob")
    assert look_once(waits) == (
        "Waits for room on the disk: ada uses 90 MB and may use 80 MB. Delete runs that are no longer needed, or ask an "
        "administrator for more."
    )
    assert not may_start(waits)
    line = read_line(runs_root)
    assert line.find_over() == {"a1"}
    assert "a1" not in forecast_starts(line, list_runs(runs_root))
    assert may_start(other)  # it goes past
    end(other)
    done.last_path.unlink()
    assert may_start(waits)


def test_nobody_is_held_up_while_folders_are_measured(
    runs_root: Path, users: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_limits(users, "ada", disk=80 * MB, slots=None)
    measured = []

    def measure(folder: Path) -> int:
        with FileLock(runs_root / ".queue.lock", timeout=0):
            measured.append(folder.name)
        return 0

    monkeypatch.setattr("core.people.limits.measure_folder", measure)
    first, second = make(runs_root, "a1", "ada"), make(runs_root, "a2", "ada")
    assert may_start(first)
    assert set(measured) == {"a1", "a2"}
    measured.clear()
    set_held(second, True)
    assert not measured  # it changes no order


def test_without_a_limit_of_the_disk_nobodys_folders_are_measured(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("core.people.limits.measure_folder")
    assert may_start(make(runs_root, "a1", "ada"))


def test_a_run_that_waits_for_a_slot_does_not_name_those_that_it_goes_past(runs_root: Path) -> None:
    make(runs_root, "trains", "ada", "running")
    make(runs_root, "a2", "ada")
    assert look_once(make(runs_root, "b1", "bob")) == "Waiting for trains."


@pytest.mark.parametrize("state", ["crashed", "failed", "stopped", "paused"])
def test_however_a_run_ends_its_users_next_one_begins(runs_root: Path, state: str) -> None:
    """A crashed one never wrote that it ended: its process is gone."""
    first = make_job(runs_root, "a1", state="running" if state == "crashed" else state)
    write_owner(first.folder, "ada")
    assert may_start(make(runs_root, "a2", "ada"))


def test_another_limit_holds_at_the_next_look(runs_root: Path, users: Path) -> None:
    write_slots(runs_root, 3)
    runs = [make(runs_root, name, "ada") for name in ("a1", "a2", "a3")]
    assert [may_start(run) for run in runs] == [True, False, False]
    set_limits(users, "ada", disk=None, slots=2)
    assert [may_start(run) for run in runs[1:]] == [True, False]
    set_limits(users, "ada", disk=None, slots=None)
    assert may_start(runs[2])


def test_a_held_run_of_ones_own_is_gone_past(runs_root: Path) -> None:
    held, second = make(runs_root, "a1", "ada"), make(runs_root, "a2", "ada")
    set_held(held, True)
    assert may_start(second)


def test_a_user_brings_one_of_their_own_runs_forward(runs_root: Path) -> None:
    write_slots(runs_root, 2)
    first, second = make(runs_root, "a1", "ada"), make(runs_root, "a2", "ada")
    move(second, "first")
    assert [may_start(first), may_start(second)] == [False, True]


def test_no_move_gives_high_priority_to_a_run_of_who_may_not_give_it(runs_root: Path) -> None:
    high, low, other = (
        make(runs_root, "a1", "ada"),
        make(runs_root, "a2", "ada"),
        make(runs_root, "a3", "ada"),
    )
    set_priority(high, "high")
    set_priority(other, "low")
    with acting(Acting(Person("ada", TRAIN))):
        for to in ("up", "first"):
            with pytest.raises(
                NotAllowed,
                match=r"a1 has high priority, and a2 would get it too\. This needs the role administer",
            ):
                move(low, to)
        move(other, "up")  # past a usual one it takes over what that one has
    assert [read_place(run).priority for run in (high, low, other)] == [1, 0, 0]
    with acting(Acting(Person("eve", ADMINISTER))):
        move(low, "first")
    assert [read_place(run).priority for run in (high, low, other)] == [1, 1, 0]


@pytest.fixture
def crowd(runs_root: Path, users: Path) -> Path:
    """Return a root where ada, who may take all slots, has asked for twenty runs before two others asked for a few."""
    set_limits(users, "ada", disk=None, slots=None)
    for owner, count in (("ada", 20), ("bob", 3), ("cy", 2)):
        for number in range(count):
            make(runs_root, f"{owner[0]}{number}", owner)
    return runs_root


def take_next(root: Path) -> str:
    """Let the next run have its turn and end; return its id."""
    run = read_line(root).waiting[0].run
    assert may_start(run)
    end(run)
    return run.id


def test_a_bake_off_of_twenty_holds_up_nobody_for_more_than_a_turn(crowd: Path) -> None:
    turns = [take_next(crowd) for _ in range(9)]
    assert turns == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "a3"]
    make(crowd, "c2", "cy")
    assert [take_next(crowd) for _ in range(3)] == ["c2", "a4", "a5"]


def test_who_deletes_their_runs_when_these_are_done_goes_before_nobody(crowd: Path) -> None:
    for number in range(2):
        assert take_next(crowd) == f"a{number}"
        with acting(Acting(Person("ada", TRAIN))):
            jobs.delete(Run(crowd / f"a{number}"))
        assert [take_next(crowd) for _ in range(2)] == [f"b{number}", f"c{number}"]


def test_who_has_a_slot_waits_for_another_until_all_have_one(crowd: Path) -> None:
    write_slots(crowd, 4)
    started = []
    for _ in range(4):
        started.append(run := read_line(crowd).waiting[0].run)
        assert may_start(run)
    assert [run.id for run in started] == ["a0", "b0", "c0", "a1"]


def test_nobody_goes_first_by_priority_or_holds_the_runs_of_others(crowd: Path) -> None:
    bobs, adas = Run(crowd / "b2"), Run(crowd / "a0")
    with acting(Acting(Person("bob", TRAIN))):
        for act in (
            lambda: set_held(adas, True),
            lambda: move(adas, "down"),
            lambda: set_priority(bobs, "high"),
        ):
            with pytest.raises(NotAllowed, match="needs the role administer"):
                act()
        set_priority(bobs, "low")
        set_priority(bobs, "normal")
        move(bobs, "first")
    assert [take_next(crowd) for _ in range(3)] == ["a0", "b2", "c0"]
    with acting(Acting(Person("eve", ADMINISTER))):
        set_priority(Run(crowd / "a7"), "high")
    assert [take_next(crowd) for _ in range(3)] == ["a7", "b0", "c1"]


def test_a_run_that_asks_for_more_than_its_user_may_take_says_so_and_holds_up_nobody(
    runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    large, small, other = (
        make(runs_root, "a1", "ada"),
        make(runs_root, "a2", "ada"),
        make(runs_root, "b1", "bob"),
    )
    for run, devices in ((large, 2), (small, 1), (other, 1)):
        run.write_config(replace(run.read_config(), device="cuda", devices=devices))
    assert look_once(large).startswith("It asks for 2 slots, and ada may use 1 at a time.")
    assert [may_start(small), may_start(other)] == [True, True]


@pytest.mark.parametrize(
    ("asks", "taken", "over"),
    [
        ("ada1 ada1 bob1 ada1", 0, "3"),
        ("ada1 bob1", 2, "0"),
        ("ada2 ada1 bob1", 1, "01"),  # none overtakes the large one of the same user
        ("ada3 ada1 ada1", 0, "0"),  # it can never be let in, so nobody waits for it
        ("bob9 ada1", 0, ""),
    ],
)
def test_runs_of_one_user_keep_their_order_within_the_limit(asks: str, taken: int, over: str) -> None:
    line = [Ask(str(place), one[:-1], int(one[-1])) for place, one in enumerate(asks.split())]
    assert "".join(sorted(find_over(line, {"ada": taken}, {"ada": 2}))) == over


def test_starts_are_foretold_as_the_limit_will_have_them(runs_root: Path) -> None:
    write_slots(runs_root, 2)
    done = make(runs_root, "done", "", "finished")
    epochs = done.read_config().epochs
    done.write_status(replace(done.read_status(), worked=10.0 * epochs, epoch=epochs))
    trains = make(runs_root, "a1", "ada", "running")
    trains.write_status(replace(trains.read_status(), slot="CPU 1", seconds_left=100.0))
    for name, owner in (("a2", "ada"), ("b1", "bob"), ("a3", "ada"), ("b2", "bob")):
        make(runs_root, name, owner)
    each = 10.0 * epochs
    assert forecast_starts(read_line(runs_root), list_runs(runs_root)) == {
        "b1": 0.0, "b2": each, "a2": 100.0, "a3": 100.0 + each,
    }  # fmt: skip


def test_two_starts_at_once_by_real_processes_do_not_both_get_past_the_limit(
    runs_root: Path, tmp_path: Path
) -> None:
    write_slots(runs_root, 4)
    data = make_images(tmp_path / "data")
    with acting(Acting(Person("ada", TRAIN))):
        runs = [jobs.submit(tiny_config(data, f"a{number}", epochs=1), runs_root) for number in (1, 2)]
    at_once: list[int] = []

    def second_runs() -> bool:
        states = [jobs.live_status(run).state for run in runs]
        at_once.append(states.count("running"))
        return "finished" in states and "running" in states

    wait_until(second_runs, "the first is done and the second has its turn", 100)
    assert max(at_once) == 1
    for run in runs:
        jobs.kill(run)


SUBMIT = """
import sys, time
from pathlib import Path
from core.people.acting import TRAIN, Acting, Person, acting
from core.runs import jobs
from tests.processes import tiny_config
with acting(Acting(Person("ada", TRAIN))):
    jobs.submit(tiny_config(Path(sys.argv[1]), "a2", epochs=1), Path(sys.argv[2]))
time.sleep(300)
"""


@pytest.mark.scale
def test_who_waits_goes_on_waiting_when_the_process_that_started_it_is_killed(
    runs_root: Path, tmp_path: Path, sleeper: psutil.Process
) -> None:
    """As a dashboard that crashes: whose the run is and what the limit is stand on the disk."""
    write_slots(runs_root, 4)
    trains = make_job(runs_root, "a1", sleeper, "running")
    write_owner(trains.folder, "ada")
    data = make_images(tmp_path / "data")
    run = Run(runs_root / "a2")
    starter = subprocess.Popen(
        [sys.executable, "-c", SUBMIT, str(data), str(runs_root)], cwd=REPOSITORY, env=environment(runs_root)
    )
    try:
        wait_until(lambda: "ada's own run a1" in run.read_status().message, "it waits for the user's own")
    finally:
        starter.kill()
        starter.wait()
    assert jobs.live_status(run).state == "queued"
    sleeper.kill()
    wait_until(lambda: jobs.live_status(run).state == "finished", "its turn has come", 100)
