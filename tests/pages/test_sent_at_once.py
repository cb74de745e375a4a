"""Two windows that send images at the same moment: of one user the second waits, of two users none does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.arrivals.sources import keep_sent, open_sent
from core.errors import RunError
from core.people.acting import TRAIN, Acting, Person, acting
from core.runs.run import Run
from core.runs.tasks import read_order
from dashboard.launch import arrivals_panel

Send = Callable[[str, str], str]


@pytest.fixture
def send(runs_root: Path, no_jobs: None, monkeypatch: pytest.MonkeyPatch) -> Send:
    """Return what sends a file of this name as this user, at the same moment as another, and returns why not."""
    both = threading.Barrier(2, timeout=10)

    def keep_and_wait(files: Iterable[tuple[str, bytes]], folder: Path) -> None:
        keep_sent(files, folder)
        both.wait()

    monkeypatch.setattr(arrivals_panel, "keep_sent", keep_and_wait)

    def send(who: str, name: str) -> str:
        file = SimpleNamespace(name=name, size=1, getvalue=name.encode)
        with acting(as_(who)):
            try:
                arrivals_panel._send([file], name)  # type: ignore[list-item]
            except RunError as refused:
                return str(refused)
        return ""

    return send


def as_(who: str) -> Acting:
    return Acting(Person(who, TRAIN), None, None)


def find_sent(who: str) -> list[str]:
    """Return the names of the files that a user's task has, beside which nothing else that was sent may be left."""
    with acting(as_(who)):
        folder = arrivals_panel.task_folder()
    _, order = read_order(folder)
    assert order["owner"] == who
    assert [path.name for path in folder.glob(".sent*")] == [Path(order["sent"]).name]
    with open_sent(Path(order["sent"])) as items:
        return [item.name for item in items]


def test_of_two_windows_of_one_user_one_is_refused_and_the_other_has_only_its_own(send: Send) -> None:
    names = ("a.png", "b.png")
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(send, ("ada", "ada"), names))
    assert sorted(told)[0] == ""
    assert sorted(told)[1].startswith("Other images are being brought in.")
    assert find_sent("ada") == [names[told.index("")]]


def test_two_users_send_at_once_and_neither_waits_or_gets_the_others_images(send: Send) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(send, ("ada", "bob"), ("a.png", "b.png"))) == ["", ""]
    assert (find_sent("ada"), find_sent("bob")) == (["a.png"], ["b.png"])


def test_what_was_sent_for_a_task_that_was_killed_goes_when_the_next_begins(
    runs_root: Path, no_jobs: None
) -> None:
    file = SimpleNamespace(name="a.png", size=1, getvalue="a".encode)
    with acting(as_("ada")):
        for name in ("first", "second"):
            arrivals_panel._send([file], name)  # type: ignore[list-item]
            task = Run(arrivals_panel.task_folder())
            task.write_status(replace(task.read_status(), state="crashed"))
    assert find_sent("ada") == ["a.png"]
    with acting(as_("ada")):
        arrivals_panel.begin("unpack", images=str(runs_root), name="shards")
        assert not list(arrivals_panel.task_folder().glob(".sent*"))
