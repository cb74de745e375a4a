"""A job's phases: each is timed anew, and what is told of the time left is of the phase at hand."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from core.runs import journal as room
from core.runs.journal import Journal
from core.runs.run import create_run
from dashboard.state.status_words import describe_phase
from tests.processes import tiny_config


def test_each_phase_tells_its_own_time_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = create_run(tiny_config(tmp_path, "first"), tmp_path / "runs")
    journal, clock = Journal(run, io.StringIO()), [1000.0]
    monkeypatch.setattr(room.time, "monotonic", lambda: clock[0])
    journal.begin("listing images")
    assert describe_phase(run.read_status()) == "listing images"
    journal.count_done(4096, 0)
    assert describe_phase(journal.status) == "listing images · 4,096 so far"
    for phase, seconds in (("checking images", 10.0), ("recording images", 2.0)):
        journal.begin(phase)
        journal.count_done(50, 100)  # known already, so no work
        clock[0] += seconds
        journal.count_done(75, 100)
        assert journal.status.phase_left == pytest.approx(seconds)
        assert describe_phase(journal.status) == f"{phase} · 75 % · about {seconds:.0f} s left of this part"
    journal.set(phase="training", seconds_left=30.0)
    assert journal.status.phase_left == 0
    assert "about 30 s left" in describe_phase(journal.status)


def test_a_stop_is_heard_whenever_progress_is_told(tmp_path: Path) -> None:
    run = create_run(tiny_config(tmp_path, "first"), tmp_path / "runs")
    journal = Journal(run, io.StringIO())
    assert journal.count_done(1, 2)
    run.request_stop()
    assert not journal.count_done(2, 2)
    assert journal.asked() == "stopped"
