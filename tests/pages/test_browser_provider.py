"""Users sign in by a real OpenID provider on this machine: there and back, their role, refusals in words, and out again."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from core.people.users import add_user, remove_user
from tests import wired
from tests.dashboards import settle
from tests.provided import Provided, serve_provided, signed_in


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provided]:
    with serve_provided(tmp_path_factory.mktemp("provided")) as server:
        yield server


def ask(url: str, method: str = "GET", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, headers=named, method=method), timeout=20
        ) as got:
            return int(got.status)
    except urllib.error.HTTPError as refused:
        return refused.code


def cookies(page: Page) -> str:
    return "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())


FORGED = "_streamlit_user=eyJpc19sb2dnZWRfaW4iOnRydWV9.aSmPxQ.AAAA"
INSIDE = (
    ("GET", ""),
    ("GET", "media/x.png"),
    ("PUT", "_stcore/upload_file/a/b"),
    ("GET", "_stcore/stream"),
    ("GET", "_stcore/host-config"),
    ("GET", "static/x.js"),
    ("GET", "component/x"),
    ("GET", "plotly.min.js"),
)


@pytest.mark.parametrize(("method", "path"), INSIDE)
def test_nothing_is_had_before_the_sign_in(dashboard: Provided, method: str, path: str) -> None:
    assert ask(f"{dashboard.url}/{path}", method) == 401
    assert ask(f"{dashboard.url}/{path}", method, Cookie=FORGED) == 401


def test_no_socket_opens_before_the_sign_in(dashboard: Provided) -> None:
    for headers in ({}, {"Cookie": FORGED}):
        with pytest.raises(InvalidStatus, match="403"):
            connect(f"ws://127.0.0.1:{dashboard.port}/_stcore/stream", additional_headers=headers, proxy=None)


def test_a_user_comes_back_to_the_page_asked_for_with_their_role_and_signs_out(dashboard: Provided) -> None:
    with signed_in(dashboard, "ada", "runs?view=table") as page:
        expect(page).to_have_url(f"{dashboard.url}/runs?view=table")
        settle(page)
        expect(page.get_by_test_id("stSidebar").get_by_text("ada@lab.example · look")).to_be_visible()
        kept = cookies(page)
        assert ask(f"{dashboard.url}/plotly.min.js", Cookie=kept) == 200
        assert ask(f"{dashboard.url}/auth/logout", Cookie=kept, Sec_Fetch_Site="cross-site") == 403
        assert ask(f"{dashboard.url}/plotly.min.js", Cookie=kept, Origin="http://evil.example") == 403
        page.get_by_role("link", name="Sign out").click()
        page.get_by_role("link", name="Sign out").click()
        page.wait_for_url(f"{dashboard.provider}/**")
        page.goto(f"{dashboard.url}/runs")
        expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        assert ask(f"{dashboard.url}/plotly.min.js", Cookie=kept) == 401  # whoever has kept the cookie too


def test_nobody_sends_a_file_to_another_users_page_or_takes_it_over(dashboard: Provided) -> None:
    for name in ("bob", "cy"):
        add_user(dashboard.users, f"{name}@lab.example", "look", None)
    bob, cy = sign(dashboard, "bob"), sign(dashboard, "cy")
    with wired.open_socket(dashboard, bob) as bobs:
        page = wired.find_page(bobs)
        upload = f"_stcore/upload_file/{page}/file"
        assert [wired.send(dashboard, upload, "PUT", cookie) for cookie in (cy, bob)] == [403, 204]
        assert [wired.send(dashboard, upload, "DELETE", cookie) for cookie in (cy, bob)] == [403, 204]
        with wired.open_socket(dashboard, cy, page) as cys:
            assert wired.find_page(cys) != page


def sign(dashboard: Provided, name: str) -> str:
    """Return the cookie that Streamlit gives whom the provider has vouched for."""
    told = {"is_logged_in": True, "email": f"{name}@lab.example", "origin": dashboard.url}
    signed = create_signed_value("for this test alone, and long", "_streamlit_user", json.dumps(told))
    return f"_streamlit_user={signed.decode()}"


def test_whoever_is_not_on_the_list_is_told_so_and_gets_nothing(dashboard: Provided) -> None:
    with signed_in(dashboard, "eve") as page:
        told = "eve@lab.example is not on the list of users of this server."
        expect(page.get_by_role("alert")).to_have_text(told)
        assert ask(f"{dashboard.url}/media/x.png", Cookie=cookies(page)) == 403


def test_a_mail_address_that_the_provider_has_not_checked_signs_nobody_in_and_is_told(
    dashboard: Provided,
) -> None:
    with signed_in(dashboard, "mallory") as page:
        told = "mallory@lab.example has not been verified, so you cannot sign in with it yet."
        expect(page.get_by_role("alert")).to_have_text(told)
        page.goto(f"{dashboard.url}/sign-in")
        expect(page.get_by_role("alert")).to_have_text(told)
        expect(page.get_by_role("link", name="Sign out")).to_be_visible()
        assert ask(f"{dashboard.url}/media/x.png", Cookie=cookies(page)) == 401


def test_a_user_who_is_removed_is_out_at_once(dashboard: Provided) -> None:
    with signed_in(dashboard, "ada") as page:
        settle(page)
        remove_user(dashboard.users, "ada@lab.example")
        assert ask(f"{dashboard.url}/media/x.png", Cookie=cookies(page)) == 403
        page.reload()
        expect(page.get_by_role("alert")).to_contain_text("is not on the list of users")
