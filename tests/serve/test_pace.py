"""How many requests one address may make: refused beyond that, with when to come again, and no address for another."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.serve import pace as room
from core.serve.pace import Pace
from tests.serve.serving import encode, make_served, paint, serving


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_an_address_has_its_requests_of_a_minute_and_gets_them_back_over_the_next() -> None:
    clock = Clock()
    pace = Pace(3, clock=clock)
    assert [pace.find_refusal("10.0.0.1") for _ in range(3)] == [None] * 3
    refused = pace.find_refusal("10.0.0.1")
    assert refused is not None
    assert (refused.status, refused.headers) == (429, {"Retry-After": "20"})
    assert "3 requests within a minute" in refused.error
    assert pace.find_refusal("10.0.0.2") is None
    clock.now += 20
    assert pace.find_refusal("10.0.0.1") is None
    assert pace.find_refusal("10.0.0.1") is not None
    clock.now += 3600  # a long rest saves up no more than a minute's
    assert [pace.find_refusal("10.0.0.1") is None for _ in range(4)] == [True, True, True, False]


def test_without_a_limit_nobody_is_counted() -> None:
    pace = Pace(0, clock=Clock())
    assert {pace.find_refusal("10.0.0.1") for _ in range(1000)} == {None}


def test_addresses_made_up_by_the_thousand_take_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_ADDRESSES", 5)
    pace = Pace(1, clock=Clock())
    for number in range(50):
        assert pace.find_refusal(f"10.0.0.{number}") is None
    assert len(pace._seen) == 5
    assert pace.find_refusal("10.0.0.49") is not None


def test_a_server_with_a_limit_says_when_to_come_again_and_still_tells_its_health(tmp_path: Path) -> None:
    with serving(make_served(tmp_path), rate=2) as server:
        assert [server.predict(encode(paint("red"))).status for _ in range(3)] == [200, 200, 429]
        refused = server.ask("GET", "/model")
        assert (refused.status, refused.headers["retry-after"]) == (429, "30")
        assert "several images in one request" in refused.json()["fix"]
        assert server.ask("GET", "/healthz").status == 200
