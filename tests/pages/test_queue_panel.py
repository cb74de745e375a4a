"""The line of waiting runs on the Runs page: places and starts, and what its buttons change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from streamlit.testing.v1 import AppTest

from core.people.acting import Person
from core.people.owner import write_owner
from core.queue.order import read_line, read_place, set_held, set_priority
from core.queue.slots import goes_on_after_restart, read_slots
from core.runs.run import Run
from core.stored.status import ON_HOLD
from dashboard.access import who
from tests.made_job import make_job
from tests.pages.apps import Open, words


@pytest.fixture
def waiting(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Return three runs that wait behind one that trains for a minute more, as one like them did."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done, trains = (
        make_job(runs_root, "done", state="finished"),
        make_job(runs_root, "trains", psutil.Process()),
    )
    done.write_status(
        replace(done.read_status(), worked=600.0 * done.read_config().epochs, epoch=done.read_config().epochs)
    )
    trains.write_status(replace(trains.read_status(), state="running", slot="CPU 1", seconds_left=60.0))
    return [make_job(runs_root, f"wait_{name}", psutil.Process()) for name in "abc"]


def sign_in(monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    monkeypatch.setenv(who.MODE, who.PASSWORD)
    monkeypatch.setattr(who, "_find_signed_in", lambda: Person("ada", role, "10.0.0.7"))


def names(root: Path) -> str:
    return "".join(one.run.id[-1] for one in read_line(root).waiting)


def test_who_waits_is_told_with_place_and_start_and_moved_by_buttons(
    open_page: Open, runs_root: Path, waiting: list[Run]
) -> None:
    app = open_page("runs")
    text = words(app)
    assert "Queue: 1 run training, 3 waiting" in [expander.label for expander in app.expander]
    assert r"1\. **wait\_a**" in text or r"1. **wait\_a**" in text
    assert "starts in 60 s" in text
    assert "starts in 10 min" not in text  # of all its epochs, not of one
    assert app.button("queue-up-wait_a").disabled
    assert app.button("queue-down-wait_c").disabled
    app.button("queue-first-wait_c").click().run()
    assert names(runs_root) == "cab"
    app.button("queue-down-wait_c").click().run()
    assert names(runs_root) == "acb"
    app.button("queue-hold-wait_a").click().run()
    assert read_place(waiting[0]).held
    assert "on hold" in words(app)
    app.button("queue-hold-wait_a").click().run()
    assert not read_place(waiting[0]).held
    app.button("queue-cancel-wait_b").click().run()
    assert waiting[1].stop_requested()
    app.checkbox("queue-restart").uncheck().run()
    assert not goes_on_after_restart(runs_root)


def test_a_run_that_began_meanwhile_cannot_be_moved_and_the_page_says_so(
    open_page: Open, waiting: list[Run]
) -> None:
    app = open_page("runs")
    waiting[1].write_status(replace(waiting[1].read_status(), state="finished"))
    app.button("queue-up-wait_b").click().run()
    (toast,) = app.toast
    assert "is not waiting for its turn" in toast.value


def test_the_number_of_runs_at_a_time_is_kept(open_page: Open, runs_root: Path, waiting: list[Run]) -> None:
    app = open_page("runs")
    app.number_input("queue-slots").set_value(2).run()
    assert read_slots(runs_root).cpu == 2
    assert not any(error.value for error in app.error)


def test_a_cancelled_run_is_no_longer_waited_for_whatever_the_others_last_wrote(
    open_page: Open, runs_root: Path, waiting: list[Run]
) -> None:
    last = waiting[2]
    last.write_status(
        replace(last.read_status(), phase="waiting", message="Waiting for trains, wait_a, wait_b.")
    )
    app = open_page("runs")
    assert "Waiting for trains, wait_a, wait_b." in words(app).replace("\\", "")
    app.button("queue-cancel-wait_b").click().run()
    assert "Waiting for trains, wait_a." in words(app).replace("\\", "")
    assert names(runs_root) == "ac"
    assert "queue-up-wait_b" not in [button.key for button in app.button]


def list_queues(app: AppTest) -> list[str]:
    return [one.label for one in app.expander if one.label.startswith("Queue")]


def test_the_slots_are_set_where_nothing_trains_or_waits_too(
    open_page: Open, run: Run, runs_root: Path
) -> None:
    app = open_page("runs")
    assert list_queues(app) == ["Queue: no run trains or waits"]
    app.number_input("queue-slots").set_value(2).run()
    assert read_slots(runs_root).cpu == 2


def test_the_slots_are_set_before_there_is_any_run(open_page: Open, runs_root: Path) -> None:
    app = open_page("runs")
    app.number_input("queue-slots").set_value(2).run()
    assert read_slots(runs_root).cpu == 2


def test_who_may_not_set_the_slots_sees_no_empty_line(
    open_page: Open, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(monkeypatch, "train")
    assert list_queues(open_page("runs")) == []


def test_a_priority_is_shown_and_set(open_page: Open, waiting: list[Run]) -> None:
    app = open_page("runs")
    assert "priority]" not in words(app)
    app.radio("queue-priority-wait_b").set_value("high").run()
    assert read_place(waiting[1]).priority == 1
    assert ":orange-badge[high priority]" in words(app)
    assert "Move up and take over high priority" in app.button("queue-up-wait_a").help
    app.radio("queue-priority-wait_b").set_value("low").run()
    assert read_place(waiting[1]).priority == -1
    assert ":gray-badge[low priority]" in words(app)


def test_who_may_not_give_high_priority_gains_it_by_no_button(
    open_page: Open, waiting: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_priority(waiting[2], "high")
    for run in waiting:
        write_owner(run.folder, "ada")
    sign_in(monkeypatch, "train")
    app = open_page("runs")
    assert app.button("queue-up-wait_a").disabled
    assert "needs the role administer" in app.button("queue-up-wait_a").help
    assert not app.button("queue-down-wait_a").disabled
    assert app.radio("queue-priority-wait_a").options == ["Normal", "Low"]
    app.radio("queue-priority-wait_a").set_value("low").run()
    assert read_place(waiting[0]).priority == -1


def test_a_held_run_is_released_where_it_is_watched(open_page: Open, waiting: list[Run]) -> None:
    set_held(waiting[0], True)
    waiting[0].write_status(replace(waiting[0].read_status(), message=ON_HOLD))
    app = open_page("live", run="wait_a")
    app.button("live-release").click().run()
    assert not read_place(waiting[0]).held
