"""Whoever connects and is silent, or sends a letter a minute, is not waited for; whoever asks and goes on asking is."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from core.serve.wire import Impatient
from tests.serve.serving import Server, encode, make_served, paint, serving

PATIENCE = 0.5  # seconds; in use it is longer
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(Impatient, "patience", PATIENCE)
    with serving(make_served(tmp_path)) as made:
        yield made


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), 20)


@pytest.mark.parametrize("said", [b"", b"GET /hea", b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: b"])
def test_a_request_that_does_not_begin_or_whose_head_does_not_end_is_hung_up_on(
    server: Server, said: bytes
) -> None:
    with connect(server) as wire:
        wire.sendall(said)
        assert wire.recv(100) == b""


def hear(wire: socket.socket, word: bytes) -> None:
    """Read on until a word of the answer has come."""
    heard = b""
    while word not in heard:
        came = wire.recv(5000)
        assert came, heard
        heard += came


def drip(wire: socket.socket) -> None:
    """Send a request a letter at a time, for as long as somebody listens."""
    for letter in HEALTH * 100:
        wire.sendall(bytes([letter]))
        time.sleep(PATIENCE / 5)


def test_a_letter_now_and_then_does_not_hold_a_connection(server: Server) -> None:
    begun = time.monotonic()
    with connect(server) as wire, pytest.raises(OSError, match=r"\w"):
        drip(wire)
    assert time.monotonic() - begun < 10 * PATIENCE


def test_a_second_request_of_a_connection_is_not_waited_for_longer(server: Server) -> None:
    with connect(server) as wire:
        wire.sendall(HEALTH)
        hear(wire, b'"status":"ok"')
        wire.sendall(HEALTH[:20])
        assert wire.recv(100) == b""


def test_requests_that_come_whole_are_answered_however_many_and_a_body_may_take_its_time(
    server: Server,
) -> None:
    image = encode(paint("red"))
    head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(image)}\r\n\r\n".encode()
    with connect(server) as wire:
        for _ in range(3):
            wire.sendall(HEALTH)
            hear(wire, b'"status":"ok"')
            time.sleep(PATIENCE / 2)
        wire.sendall(head + image[:10])
        time.sleep(2 * PATIENCE)
        wire.sendall(image[10:])
        hear(wire, b'"confidence"')


def test_the_server_gets_on_with_others_while_many_connections_are_silent(server: Server) -> None:
    silent = [connect(server) for _ in range(50)]
    assert server.ask("GET", "/healthz").status == 200
    deadline = time.monotonic() + 20
    for wire in silent:
        wire.settimeout(max(0.1, deadline - time.monotonic()))
        assert wire.recv(1) == b""
        wire.close()


def test_uvicorn_takes_it_by_the_name_that_the_dashboard_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"{Impatient.__module__}:{Impatient.__qualname__}"
    monkeypatch.setitem(uvicorn.config.HTTP_PROTOCOLS, "auto", name)
    config = uvicorn.Config(lambda: None, http="auto")
    config.load()
    assert config.http_protocol_class is Impatient
