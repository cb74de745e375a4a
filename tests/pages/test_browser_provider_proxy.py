"""Signing in by a provider behind a real nginx, below a path of its own: there, back to the page asked for, and out."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.dashboards import settle
from tests.provided import Provided, serve_provided, signed_in
from tests.proxied import BASE, Proxy, find_port

pytestmark = pytest.mark.slow(20)


@pytest.fixture
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provided]:
    port = find_port()
    shown = f"http://127.0.0.1:{port}{BASE}"
    with serve_provided(tmp_path_factory.mktemp("provided"), "--base-path", BASE, shown=shown) as server:
        proxy = Proxy(server.port, tmp_path_factory.mktemp("nginx"), port)
        try:
            yield server
        finally:
            proxy.stop()


def test_a_provider_signs_in_and_out_below_the_path_of_a_proxy(dashboard: Provided) -> None:
    with signed_in(dashboard, "ada", "runs?view=table") as page:
        expect(page).to_have_url(f"{dashboard.shown}/runs?view=table")
        settle(page)  # the socket is open: its Origin is the proxy's
        expect(page.get_by_test_id("stSidebar").get_by_text("ada@lab.example · look")).to_be_visible()
        own = {one["name"]: one for one in page.context.cookies(dashboard.shown)}
        user = own["_streamlit_user"]
        assert (user["path"], user["httpOnly"], user["sameSite"]) == (BASE, True, "Lax")
        assert "weakspot-to" not in own  # it has led back, and is gone
        page.get_by_role("link", name="Sign out").click()
        page.get_by_role("link", name="Sign out").click()
        page.wait_for_url(f"{dashboard.provider}/**")
        assert "_streamlit_user" not in {one["name"] for one in page.context.cookies(dashboard.shown)}
        request = urllib.request.Request(f"{dashboard.shown}/media/x.png")
        request.add_header("Cookie", f"{user['name']}={user['value']}")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(request, timeout=20)
