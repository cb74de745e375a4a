"""The list of runs as it polls: what it reads."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from core.overview.facts import read_facts
from core.runs.claim import claim
from core.runs.notes import write_note
from core.runs.run import create_run
from dashboard.listing.sought import Sought
from dashboard.views import runs
from tests.made_run import make_run
from tests.opened import watch_opens
from tests.pages.apps import set_state
from tests.processes import tiny_config


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("streamlit").setLevel(logging.CRITICAL)  # a page outside of a server is warned about


def test_a_poll_reads_the_status_of_a_run_once_and_nothing_else_of_one_that_rests(
    runs_root: Path, tiny_data: Path
) -> None:
    for name in ("first", "second"):
        make_run(runs_root, tiny_data, name=name)
    active = create_run(tiny_config(tiny_data, "active"), runs_root)
    with claim(active):
        set_state(active, "running")  # one that waits is asked about by the queue, too
        runs.draw_list([], (True, 0), Sought(), "table")
        with watch_opens(runs_root) as opened:
            runs.draw_list([], (True, 0), Sought(), "table")
    assert {name: count for name, count in opened.items() if not name.startswith("active/")} == {
        "first/status.json": 1, "second/status.json": 1,
    }  # fmt: skip
    assert opened["active/status.json"] == 1


def test_what_is_known_of_a_run_is_read_anew_when_its_folder_changes(
    runs_root: Path, tiny_data: Path
) -> None:
    run = make_run(runs_root, tiny_data)
    before = read_facts(run)
    assert (before.note.text, before.recipe.parent) == ("", "")
    assert read_facts(run) is before
    write_note(run, text="better than all before")
    assert read_facts(run).note.text == "better than all before"
    config = run.folder / "config.json"
    config.write_text("{}broken", encoding="utf-8")  # in place, as an editor does
    assert "config.json cannot be used" in read_facts(run).recipe.damage
