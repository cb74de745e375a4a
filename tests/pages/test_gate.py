"""Who is answered by the server, and by which headers other sites are kept out."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from dashboard.gate import HEADERS, Gate, find_refusal
from tests.dashboards import Dashboard, serve

OWN = {"host": "127.0.0.1:8501"}


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        (OWN, "127.0.0.1"),
        (OWN, "::1"),
        (OWN, "::ffff:127.0.0.1"),
        ({"host": "localhost:8501"}, "127.0.0.1"),
        ({"host": "LOCALHOST"}, "127.0.0.1"),
        ({"host": "[::1]:8501"}, "::1"),
        ({**OWN, "origin": "http://127.0.0.1:8501"}, "127.0.0.1"),
    ],
)
def test_pages_of_this_server_on_this_machine_are_answered(headers: dict[str, str], client: str) -> None:
    assert find_refusal(Headers(headers), client) == ""


@pytest.mark.parametrize(
    ("headers", "client", "why"),
    [
        ({}, "127.0.0.1", "the name (none)"),
        ({"host": "evil.example"}, "127.0.0.1", "the name evil.example"),
        ({"host": "localhost.evil.example"}, "127.0.0.1", "the name localhost.evil.example"),
        ({"host": "127.0.0.1@evil.example"}, "127.0.0.1", "the name"),
        ({"host": "["}, "127.0.0.1", "the name ["),
        ({**OWN, "origin": "http://evil.example"}, "127.0.0.1", "those of http://evil.example"),
        ({**OWN, "origin": "http://127.0.0.1:9999"}, "127.0.0.1", "those of http://127.0.0.1:9999"),
        ({**OWN, "origin": "http://localhost:8501"}, "127.0.0.1", "those of http://localhost:8501"),
        ({**OWN, "origin": "null"}, "127.0.0.1", "those of null"),
        ({**OWN, "origin": "http://["}, "127.0.0.1", "those of http://["),
        ({"host": "localhost:8501"}, "192.168.1.7", "this machine only"),
        ({"host": "localhost:8501"}, "::ffff:10.0.0.1", "this machine only"),
        ({"host": "localhost:8501"}, "somewhere", "this machine only"),
    ],
)
def test_everyone_else_is_told_why_not(headers: dict[str, str], client: str, why: str) -> None:
    assert why in find_refusal(Headers(headers), client)


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


def ask(kind: str, headers: dict[str, str]) -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(Gate(answer)({"type": kind, "headers": raw, "client": ("127.0.0.1", 1)}, receive, send))
    return sent


def test_an_answer_may_not_be_framed_nor_guessed_at() -> None:
    (start,) = ask("http", OWN)
    headers = Headers(raw=start["headers"])
    assert {name: headers[name] for name in HEADERS} == HEADERS
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_a_socket_of_a_foreign_page_is_closed_before_it_opens() -> None:
    (closed,) = ask("websocket", {**OWN, "origin": "http://evil.example"})
    assert (closed["type"], closed["code"]) == ("websocket.close", 1008)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("gate")
    with serve(folder, folder) as server:
        yield server


@pytest.mark.parametrize("path", ["", "_stcore/health", "static/nonsuch.js", "plotly.min.js", "confusion"])
def test_the_real_server_refuses_foreign_names_on_every_path(dashboard: Dashboard, path: str) -> None:
    request = urllib.request.Request(f"{dashboard.url}/{path}", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=20)
    assert refused.value.code == 403
    assert "does not answer to the name evil.example" in refused.value.read().decode()


def test_the_real_server_sends_the_headers(dashboard: Dashboard) -> None:
    with urllib.request.urlopen(dashboard.url, timeout=20) as answered:
        assert {name: answered.headers[name] for name in HEADERS} == HEADERS


def test_no_outside_address_is_looked_up_for_a_foreign_page(dashboard: Dashboard) -> None:
    """Streamlit asks the network for this machine's own address where an Origin is foreign: here it never gets to see one."""
    request = urllib.request.Request(
        f"{dashboard.url}/_stcore/health", headers={"Origin": "http://evil.example"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)
    assert refused.value.code == 403
