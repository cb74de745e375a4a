"""A choice of runs offers the newest, those that must be among them, and says where the others are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.runs.notes import write_note
from core.runs.run import Run
from dashboard.state import offered
from dashboard.state.offered import offer_runs

NEWEST = ["run-5", "run-4", "run-3"]


@pytest.fixture(autouse=True)
def runs(runs_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make six runs, of which a choice offers three."""
    monkeypatch.setattr(offered, "MOST", len(NEWEST))
    for number in range(6):
        folder = runs_root / f"run-{number}"
        folder.mkdir(parents=True)
        (folder / "status.json").write_text(json.dumps({"state": "finished", "created": 1.0 + number}))


def names(**wanted: object) -> list[str]:
    return [run.id for run in offer_runs(**wanted).runs]  # type: ignore[arg-type]


def test_the_newest_are_offered_and_the_others_told_of() -> None:
    assert names() == NEWEST
    assert offer_runs().note == "The newest 3 runs. Older ones open from the page Runs."


def test_one_to_be_kept_is_offered_however_old_it_is() -> None:
    assert names(keep=["run-0"]) == [*NEWEST, "run-0"]


def test_an_archived_run_makes_room_for_another_unless_it_is_kept(runs_root: Path) -> None:
    write_note(Run(runs_root / "run-5"), archived=True)
    assert names() == ["run-4", "run-3", "run-2"]
    assert names(keep=["run-5"]) == NEWEST


def test_only_runs_that_fit_count() -> None:
    assert names(fits=lambda run: run.id < "run-2") == ["run-1", "run-0"]
    assert offer_runs(fits=lambda run: run.id < "run-2").note == ""
