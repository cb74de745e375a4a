"""Addresses that nearly name a page, and those that name none."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from dashboard.access.who import BASE
from dashboard.signposts import FOR_ADMINISTRATORS, TITLES, Signposts, find_way

PAGE = "text/html,application/xhtml+xml,*/*;q=0.8"


def ask(path: str, *, query: str = "", accept: str = PAGE, method: str = "GET") -> Request:
    """Return a request as a browser sends it."""
    return Request(
        {
            "type": "http", "method": method, "path": path, "query_string": query.encode(), "scheme": "http",
            "server": ("127.0.0.1", 8501), "headers": [(b"host", b"127.0.0.1:8501"), (b"accept", accept.encode())],
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        ("/Train", "/train"),
        ("/weak_classes", "/weak"),
        ("/Weak classes", "/weak"),
        ("/BAKEOFF", "/bake-off"),
        ("/bake_off", "/bake-off"),
        ("/runs/", "/runs"),
        ("/home", "/"),
        ("/Start", "/"),
    ],
)
def test_an_address_that_nearly_names_a_page_leads_to_it_with_what_it_asks(path: str, leads: str) -> None:
    way = find_way(ask(path, query="run=a&class=10"))
    assert way is not None
    assert (way.status_code, way.headers["location"]) == (307, f"{leads}?run=a&class=10")


@pytest.mark.parametrize("name", TITLES)
def test_a_page_is_found_by_its_name_and_by_its_title(name: str) -> None:
    assert find_way(ask(f"/{name}")) is None
    way = find_way(ask(f"/{TITLES[name].upper()}"))
    assert way is not None
    assert way.headers["location"] == ("/" if name == "start" else f"/{name}")


@pytest.mark.parametrize(
    "request_",
    [
        ask("/"),
        ask("/_stcore/health"),
        ask("/static/js/index.js"),
        ask("/favicon.png"),
        ask("/oauth2callback"),
        ask("/Train", accept="application/json"),
        ask("/Train", method="POST"),
    ],
    ids=lambda request: f"{request.method} {request.url.path}",
)
def test_what_is_no_request_for_a_page_passes(request_: Request) -> None:
    assert find_way(request_) is None


def test_an_address_of_no_page_is_told_and_every_page_named() -> None:
    way = find_way(ask("/trian<b>"))
    assert way is not None
    assert way.status_code == 404
    told = bytes(way.body).decode()
    assert "There is no page “trian&lt;b&gt;”." in told
    for name, title in TITLES.items():
        link = f'<a href="/{"" if name == "start" else name}">{title}</a>'
        assert (link in told) == (name not in FOR_ADMINISTRATORS)


def test_below_a_base_path_pages_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BASE, "/weakspot")
    way = find_way(ask("/weakspot/Map"))
    assert way is not None
    assert way.headers["location"] == "/weakspot/map"
    assert find_way(ask("/Map")) is None
    nowhere = find_way(ask("/weakspot/nowhere"))
    assert nowhere is not None
    assert b'href="/weakspot/train"' in bytes(nowhere.body)


def test_a_socket_and_all_that_passes_are_answered_by_the_app_behind() -> None:
    passed: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        passed.append(scope["type"])

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        passed.append(str(message.get("status")))

    for scope in ({"type": "websocket", "path": "/Train"}, ask("/train").scope, ask("/Train").scope):
        asyncio.run(Signposts(app)(scope, receive, send))
    assert passed == ["websocket", "http", "307", "None"]


def test_the_signposts_know_every_page_of_the_dashboard() -> None:
    text = (Path(__file__).resolve().parents[2] / "dashboard/app.py").read_text(encoding="utf-8")
    named = re.findall(r'^(?:PEOPLE =)? +(?:"": \[)?\("([a-z-]+)", [a-z_]+\.render, ', text, re.MULTILINE)
    assert named == list(TITLES)
