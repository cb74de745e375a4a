"""Behind a real nginx, below a path of its own and with sign-in: what users do comes through, and nothing else."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.people.users import add_user
from core.runs.run import Run
from dashboard.access.who import COOKIE
from tests.conftest import make_tiny_data
from tests.dashboards import Dashboard, browse, serve, settle
from tests.made_run import make_run
from tests.proxied import BASE, Proxy

pytestmark = pytest.mark.slow(30)
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("proxy")
    add_user(folder / "users.json", "ada", role="administer", password=PASSWORD)
    options = ("--base-path", BASE, "--sign-in", "password")
    with serve(folder, make_tiny_data(folder / "tiny"), *options) as server:
        yield server


@pytest.fixture(autouse=True, scope="module")
def made(dashboard: Dashboard, best_model: Path) -> Run:
    run = make_run(dashboard.runs, dashboard.data, name="made")
    run.best_path.hardlink_to(best_model)
    return run


@pytest.fixture(scope="module")
def proxy(dashboard: Dashboard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    server = Proxy(dashboard.port, tmp_path_factory.mktemp("nginx"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def page(proxy: Proxy) -> Iterator[Page]:
    with browse(proxy) as page:
        yield page


@pytest.mark.timeout(300)
def test_what_users_do_comes_through_the_proxy(page: Page, proxy: Proxy, dashboard: Dashboard) -> None:
    page.goto(f"{proxy.url}/confusion?run=made")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1, name="Confusion")).to_be_visible()
    expect(page).to_have_url(re.compile(re.escape(f"{proxy.url}/confusion?run=made")))
    settle(page)
    page.get_by_role("button", name=re.compile("taken for")).first.click()
    expect(page.locator(".ws-grid img").first).to_be_visible()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Predict").click()
    expect(page).to_have_url(re.compile(re.escape(f"{proxy.url}/predict")))
    settle(page)
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(dashboard.data / "test/1.png")
    expect(page.locator(".ws-card .ws-bars .ws-bar")).to_have_count(3, timeout=60_000)
    page.reload()
    expect(page.get_by_role("heading", level=1, name="Predict")).to_be_visible()
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert COOKIE not in {cookie["name"] for cookie in page.context.cookies()}


def test_nobody_gets_past_the_sign_in(proxy: Proxy) -> None:
    for address in ("/static/index.html", "/media/x.png", "/_stcore/upload_file/a/b", "/_stcore/host-config"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(proxy.url + address)
        assert refused.value.code == 401
    with urllib.request.urlopen(f"{proxy.url}/_stcore/health") as answer:
        assert answer.status == 200


def test_who_comes_through_a_proxy_is_nobody_of_this_machine(
    tmp_path: Path, dashboard: Dashboard, proxy: Proxy
) -> None:
    """Without sign-in all would be let in that reach the proxy."""
    with serve(tmp_path, dashboard.data) as alone:
        behind = Proxy(alone.port, tmp_path)
        try:
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"{behind.url}/")
            assert refused.value.code == 403
            assert b"a proxy passed this request on" in refused.value.read()
        finally:
            behind.stop()
