"""Two processes change different parts of one file at once: what either has said is still there when both are done."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from core.people import users
from core.queue import slots
from core.runs.notes import read_note, write_note
from core.runs.run import Run, create_run
from core.trackers import publish
from tests.processes import tiny_config

ROUNDS = 40

Step = tuple[
    Callable[[Path, int], object], Callable[[Path, int], bool]
]  # says a number; tells whether it is still said


def track(kind: str) -> Step:
    return (
        lambda folder, n: publish._write_record(Run(folder), kind, kind, n),
        lambda folder, n: publish._read_record(Run(folder), kind) == (kind, n),
    )


def limit(name: str) -> Step:
    return (
        lambda folder, n: users.set_limits(folder / "users.json", name, disk=None, slots=n + 1),
        lambda folder, n: users.read_users(folder / "users.json")[name].slots == n + 1,
    )


FILES: dict[str, tuple[Step, Step]] = {
    "trackers": (track("mlflow"), track("wandb")),
    "notes": (
        (
            lambda folder, n: write_note(Run(folder), text=str(n)),
            lambda folder, n: read_note(Run(folder)).text == str(n),
        ),
        (
            lambda folder, n: write_note(Run(folder), archived=bool(n % 2)),
            lambda folder, n: read_note(Run(folder)).archived is bool(n % 2),
        ),
    ),
    "slots": (
        (
            lambda folder, n: slots.write_slots(folder, n % 60 + 1),
            lambda folder, n: slots._read_kept(folder).cpu == n % 60 + 1,
        ),
        (
            lambda folder, n: slots.write_after_restart(folder, bool(n % 2)),
            lambda folder, n: slots.goes_on_after_restart(folder) is bool(n % 2),
        ),
    ),
    "users": (limit("ada"), limit("bob")),
}


def change(name: str, side: int, folder: Path, barrier: Barrier, lost: Queue[int]) -> None:
    say, is_said = FILES[name][side]
    barrier.wait(60)
    found = 0
    for number in range(ROUNDS):
        say(folder, number)
        found += not is_said(folder, number)
    lost.put(found)


@pytest.mark.parametrize("name", FILES)
def test_what_one_of_two_processes_has_said_is_not_lost_by_the_others_writing(
    tmp_path: Path, name: str
) -> None:
    run = create_run(tiny_config(tmp_path, "shared"), tmp_path)
    for user in ("ada", "bob"):
        users.add_user(run.folder / "users.json", user, "look", None)
    context = multiprocessing.get_context(
        "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    )
    barrier, lost = context.Barrier(2), context.Queue()
    both = [context.Process(target=change, args=(name, side, run.folder, barrier, lost)) for side in (0, 1)]
    for process in both:
        process.start()
    try:
        assert [lost.get(timeout=60) for _ in both] == [0, 0]
    finally:
        for process in both:
            process.kill()
            process.join()
