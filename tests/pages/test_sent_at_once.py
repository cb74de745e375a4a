"""Two who send images at the same moment: one of them waits, and neither gets the other's images."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.arrivals.sources import keep_sent, open_sent
from core.errors import RunError
from core.people.acting import TRAIN, Acting, Person, acting
from core.runs.tasks import read_order
from dashboard.launch import arrivals_panel


def test_of_two_who_send_at_once_one_is_refused_and_the_other_has_only_their_own(
    runs_root: Path, no_jobs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=10)

    def keep_and_wait(files: Iterable[tuple[str, bytes]], folder: Path) -> None:
        keep_sent(files, folder)
        both.wait()

    monkeypatch.setattr(arrivals_panel, "keep_sent", keep_and_wait)

    def send(who: str) -> str:
        file = SimpleNamespace(name=f"{who}.png", size=1, getvalue=who.encode)
        with acting(Acting(Person(who, TRAIN), None, None)):
            try:
                arrivals_panel._send([file], who)  # type: ignore[list-item]
            except RunError as refused:
                return str(refused)
        return ""

    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(send, ("ada", "bob")))
    assert sorted(told)[0] == ""
    assert sorted(told)[1].startswith("Other images are being brought in.")
    _, order = read_order(arrivals_panel.task_folder())
    assert order["owner"] == ("ada", "bob")[told.index("")]
    with open_sent(Path(order["sent"])) as items:
        assert [item.name for item in items] == [f"{order['owner']}.png"]
    left = [path.name for path in arrivals_panel.task_folder().glob(".sent*")]
    assert left == [Path(order["sent"]).name]
