"""A page of another site can neither open the socket, nor send a file, nor show or read what the server has."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from dashboard.gate import HEADERS, POLICY
from tests.dashboards import Dashboard, serve

EVIL = "http://evil.example"
UPLOAD = "_stcore/upload_file/session/file"


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("foreign")
    with serve(folder, folder) as server:
        yield server


def ask(
    dashboard: Dashboard, path: str, method: str = "GET", **headers: str
) -> tuple[int, str, dict[str, str]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"{dashboard.url}/{path}", headers=named, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as got:
            return (
                got.status,
                got.read().decode(errors="replace"),
                {k.lower(): v for k, v in got.headers.items()},
            )
    except urllib.error.HTTPError as refused:
        told = refused.read().decode(errors="replace")
        return refused.code, told, {k.lower(): v for k, v in refused.headers.items()}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "media/x.png"),
        ("PUT", UPLOAD),
        ("DELETE", UPLOAD),
        ("OPTIONS", UPLOAD),
        ("GET", "_stcore/host-config"),
    ],
)
@pytest.mark.parametrize("origin", [EVIL, "null", "http://127.0.0.1:1"])
def test_a_foreign_page_is_refused_and_allowed_nothing(
    dashboard: Dashboard, method: str, path: str, origin: str
) -> None:
    code, told, headers = ask(dashboard, path, method, Origin=origin)
    assert code == 403
    assert "answers its own pages only" in told
    assert not [name for name in headers if name.startswith("access-control-")]


def test_a_foreign_page_opens_no_socket_and_our_own_does(dashboard: Dashboard) -> None:
    address = f"ws://127.0.0.1:{dashboard.port}/_stcore/stream"
    with pytest.raises(InvalidStatus, match="403"):
        connect(address, additional_headers={"Origin": EVIL}, proxy=None)
    with connect(address, additional_headers={"Origin": dashboard.url}, proxy=None) as opened:
        assert opened.ping()


def test_a_file_is_taken_only_with_the_token_that_our_own_page_was_given(dashboard: Dashboard) -> None:
    """A form of another site sends cookies along, but cannot read them: so it has no token to send."""
    _, _, headers = ask(dashboard, "_stcore/host-config")
    _, _, health = ask(dashboard, "_stcore/health")
    cookie = (headers.get("set-cookie") or health["set-cookie"]).partition(";")[0]
    token = cookie.partition("=")[2].strip('"')
    for given in ({}, {"Cookie": cookie}, {"Cookie": cookie, "X_Xsrftoken": "2|00|00|1"}):
        code, told, _ = ask(dashboard, UPLOAD, "PUT", Origin=dashboard.url, **given)
        assert (code, "XSRF" in told) == (403, True)
    code, told, _ = ask(dashboard, UPLOAD, "PUT", Origin=dashboard.url, Cookie=cookie, X_Xsrftoken=token)
    assert code == 400  # it is let through, and there is no such session
    assert "session_id" in told


def test_no_answer_may_be_read_or_shown_by_a_page_of_another_site(dashboard: Dashboard) -> None:
    for path in ("", "media/x.png", "_stcore/health", "plotly.min.js"):
        _, _, headers = ask(dashboard, path)
        assert headers.get("access-control-allow-origin") != "*"
        assert {name: headers[name] for name in HEADERS} == HEADERS
    assert HEADERS["cross-origin-resource-policy"] == "same-origin"


def test_the_policy_names_no_source_but_this_server() -> None:
    own = {"'self'", "'none'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}
    own |= {"ws://localhost:*", "ws://127.0.0.1:*"}
    assert {source for part in POLICY.split("; ") for source in part.split()[1:]} == own
