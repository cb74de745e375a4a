"""Limits in a real browser: refused to who may only look, set by an administrator's mouse, and obeyed by a start."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from playwright.sync_api import Page, expect

from core.people.owner import write_owner
from core.people.users import add_user, read_users
from core.queue.slots import write_slots
from core.runs.run import Run
from tests.conftest import make_tiny_data
from tests.dashboards import Dashboard, choose, field, fill, open_page, serve, settle, show_all_settings
from tests.made_job import make_job

pytestmark = pytest.mark.slow(45)
PASSWORD = "correct horse battery"
ROLES = {"lou": "look", "ada": "train", "eve": "administer"}


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("people")
    for name, role in ROLES.items():
        add_user(folder / "users.json", name, role, PASSWORD)
    with serve(folder, make_tiny_data(folder / "tiny"), "--sign-in", "password") as server:
        yield server


@pytest.fixture(scope="module")
def trains(dashboard: Dashboard) -> Run:
    """Return a run of ada's that trains, by its status, in one of three slots; the dashboard's end ends its process."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    dashboard.runs.mkdir(exist_ok=True)
    write_slots(dashboard.runs, 3)
    run = make_job(dashboard.runs, "first", psutil.Process(process.pid), "running")
    write_owner(run.folder, "ada")
    return run


@contextmanager
def signed_in(page: Page, dashboard: Dashboard, name: str) -> Iterator[None]:
    page.goto(f"{dashboard.url}/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    settle(page)
    yield
    page.context.clear_cookies()


@pytest.mark.timeout(240)
def test_a_limit_is_refused_to_lookers_set_by_an_administrator_and_obeyed(
    page: Page, dashboard: Dashboard, trains: Run
) -> None:
    sidebar = page.get_by_test_id("stSidebarNav")
    with signed_in(page, dashboard, "lou"):
        expect(sidebar.get_by_role("link", name="Runs")).to_be_visible()
        expect(sidebar.get_by_role("link", name="People")).to_have_count(0)
        open_page(page, dashboard, "people")
        expect(page.get_by_text("This needs the role administer; lou has the role look.")).to_be_visible()
        expect(page.get_by_text("Who did what")).to_have_count(0)
    with signed_in(page, dashboard, "eve"):
        sidebar.get_by_role("link", name="People").click()
        expect(page.get_by_role("heading", level=1, name="People")).to_be_visible()
        settle(page)
        choose(page, "Limits of", "ada")
        fill(page, "Slots at a time", "1")
        page.get_by_role("button", name="Set the limits").click()
        expect(page.get_by_role("button", name="Set the limits")).to_be_disabled()
        settle(page)
        expect(field(page, "Slots at a time")).to_have_value("1")
        assert read_users(dashboard.users)["ada"].slots == 1
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save as CSV").click()
        assert "eve,127.0.0.1,set limits,ada: 1 slot at a time,done" in saved.value.path().read_text()
    with signed_in(page, dashboard, "ada"):
        open_page(page, dashboard, "train")
        page.get_by_role("radio", name="Digits from scratch").click()
        settle(page)
        show_all_settings(page)
        fill(page, "Name of the run", "second")
        page.get_by_role("button", name="Start training").click()
        told = "Waits until ada's own run first is done: ada may use 1 slot at a time."
        expect(page.get_by_text(told).first).to_be_visible()
        open_page(page, dashboard, "runs?view=cards")
        expect(page.get_by_text("and 1 of 1 slot.")).to_be_visible()
