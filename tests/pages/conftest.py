"""What the tests of the pages share: a page opened without a browser, a run on disk, and jobs that do not start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from core.cli.kinds import KINDS
from core.runs import jobs
from core.runs.run import Run
from core.runs.tasks import read_order
from dashboard.components import gallery, plot
from tests.pages.apps import Open

if TYPE_CHECKING:
    from playwright.sync_api import Page

APP = Path(__file__).resolve().parents[2] / "dashboard" / "app.py"


@pytest.fixture
def open_page(runs_root: Path, tiny_data: Path, quick_apps: None, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Return a function that opens a page by its name in the address, on the tiny data and an empty root of runs."""
    monkeypatch.setenv("WEAKSPOT_DATA", str(tiny_data))
    st.cache_data.clear()
    st.cache_resource.clear()

    def open_page(name: str = "", **query: str) -> AppTest:
        for component in (plot.component, gallery.component):
            component.cache_clear()  # each AppTest has a server of its own, where the component is to be registered
        app = AppTest.from_file(str(APP), default_timeout=60)
        if name:
            app._page_hash = calc_hash(name)  # switch_page() knows only pages that are files
        app.query_params.update(query)
        return app.run()

    return open_page


@pytest.fixture(scope="module")
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    """Return a page of a browser on the dashboard of the file, which has a fixture of that name."""
    from tests.dashboards import browse  # most files of this folder do without a browser

    with browse(request.getfixturevalue("dashboard")) as page:
        yield page


@pytest.fixture
def run(runs_root: Path, tiny_data: Path) -> Run:
    """Return a run that has finished, without a model."""
    from tests.made_run import make_run  # loads torch, which most files of this folder do without

    return make_run(runs_root, tiny_data)


@pytest.fixture
def run_with_model(run: Run, best_model: Path) -> Run:
    """Return the same run with a model."""
    run.best_path.hardlink_to(best_model)
    return run


@pytest.fixture
def no_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no job process start: a run that is launched stays queued, as if this process were its job."""

    def pretend(run: Run) -> None:
        me = psutil.Process()
        run.write_status(
            replace(run.read_status(), state="queued", message="", pid=me.pid, pid_created=me.create_time())
        )

    monkeypatch.setattr(jobs, "launch", pretend)


@pytest.fixture
def jobs_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each task be done at once, in this process, in place of one of its own."""

    def work(task: Run) -> None:
        kind, parameters = read_order(task.folder)
        message = KINDS[kind](task.folder, lambda *_: True, **parameters)
        task.write_status(replace(task.read_status(), state="finished", message=message or ""))

    monkeypatch.setattr(jobs, "launch", work)
