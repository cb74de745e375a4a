"""All that the pages write, done on a disk without room: whole or not at all, and told in words."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from core.confidence.threshold import write_threshold
from core.errors import UserError
from core.files import DRAFT
from core.marks.marks import Mark, add_marks, list_path, read_marks
from core.people.users import add_user, read_users
from core.queue.order import read_place, set_priority
from core.queue.slots import read_slots, write_slots
from core.runs import jobs, notes
from core.runs.run import Run, iter_runs
from tests.looks import dashboard_on, look_at_all
from tests.made_job import make_job
from tests.made_run import make_run
from tests.processes import tiny_config

_BLOCK = 4096  # bytes by which a disk gives room
_TIMES = 6  # each act, with another bit of room


@dataclass(frozen=True)
class Act:
    """Something that a page writes, and what can be read of it."""

    name: str
    write: Callable[[int], object]
    read: Callable[[], Any]


def act_on_full_disk(root: Path, data: Path, chance: random.Random) -> None:
    """Do each act again and again with less than a few blocks of room on the small disk at a root."""
    run, waiting = make_run(root, data, name="made"), make_job(root, "waiting", psutil.Process())
    acts = list_acts(root, data, run, waiting)
    for act in acts:
        act.write(0)
    filler = root / ".filler"
    for number in range(1, _TIMES + 1):
        chance.shuffle(acts)
        for act in acts:
            fill(filler, chance.randint(0, 3))
            act_whole_or_not(act, number)
    fill(filler, 0)
    with dashboard_on(root, data):
        look_at_all(["start", "runs", "train", "live", "confusion", "data", "compare"], run=run.id)
    filler.unlink()
    for act in acts:
        before = act.read()
        act.write(_TIMES + 1)
        assert act.read() != before, f"{act.name} is not done although there is room again"
    drafts = [str(path) for path in root.rglob(f"*{DRAFT}")]
    assert not drafts, f"left behind: {drafts}"
    assert not run.find_damage() + waiting.find_damage()


def act_whole_or_not(act: Act, number: int) -> None:
    """Do an act; AssertionError where it is half done, or done and told that it is not."""
    before = act.read()
    try:
        act.write(number)
    except (UserError, OSError) as error:
        words = str(error)
        assert "full" in words or "No space" in words, f"{act.name} says {words}"
        after = act.read()
        assert after == before, f"{act.name} was told as not done, and has changed {before} to {after}"
    else:
        assert act.read() != before, f"{act.name} was told as done, and has changed nothing"


def fill(path: Path, blocks: int) -> None:
    """Fill the disk but for so many blocks."""
    path.unlink(missing_ok=True)
    size = 0
    with path.open("wb", buffering=0) as file:
        try:
            while written := file.write(b"\0" * _BLOCK):
                size += written
        except OSError:
            file.truncate(max(0, size - blocks * _BLOCK))


def list_acts(root: Path, data: Path, run: Run, waiting: Run) -> list[Act]:
    """Return the acts; each is given a number and writes something that no other number does."""
    marks, users, word = list_path(data, root), root / "users.json", "much longer than "

    def give_priority(_: int) -> None:
        set_priority(waiting, "low" if read_place(waiting).priority > 0 else "high")

    def mark(number: int) -> None:
        add_marks(marks, [Mark(f"{number}.png", "2", "relabel", "10", tags=(word * 40,))])

    def read_ids() -> list[str]:
        return sorted(one.id for one in iter_runs(root))

    return [
        Act("a note", lambda n: notes.write_note(run, text=f"{word * 80}{n}"), lambda: notes.read_note(run)),
        Act("a mark", mark, lambda: read_marks(marks)),
        Act("a priority", give_priority, lambda: read_place(waiting)),
        Act("the slots", lambda n: write_slots(root, n % 60 + 1), lambda: read_slots(root)),
        Act("a user", lambda n: add_user(users, f"user-{n}", "look", "correct horse battery"), lambda: read_users(users)),
        Act("a threshold", lambda n: write_threshold(run, n / 100, temperature=1.0), lambda: run.read_json("threshold.json")),
        Act("a new run", lambda n: jobs.prepare(tiny_config(data, f"new-{n}"), root), read_ids),
    ]  # fmt: skip
