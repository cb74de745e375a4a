"""The list of runs as it polls: what it reads."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from core.runs.claim import claim
from core.runs.run import create_run
from dashboard.views import runs
from tests.made_run import make_run
from tests.opened import watch_opens
from tests.processes import tiny_config


@pytest.fixture(autouse=True)
def _quiet() -> None:
    logging.getLogger("streamlit").setLevel(logging.CRITICAL)  # a page outside of a server is warned about


def test_a_poll_reads_each_file_of_a_run_once(runs_root: Path, tiny_data: Path) -> None:
    for name in ("first", "second"):
        make_run(runs_root, tiny_data, name=name)
    with claim(create_run(tiny_config(tiny_data, "active"), runs_root)):
        runs.draw_list(True, "", "")
        with watch_opens(runs_root) as opened:
            runs.draw_list(True, "", "")
    assert {
        f"{name}/{file}.json" for name in ("first", "second", "active") for file in ("config", "status")
    } <= set(opened)
    assert set(opened.values()) == {1}, opened
