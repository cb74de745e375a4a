"""The paths there are, who is answered on them, and what becomes of a request when the network is slow or fails."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from core.errors import RunError
from tests.serve.serving import Server, Slow, encode, make_predictor, make_served, paint, serving

TOKEN = "a-token-of-some-length"
RED = encode(paint("red"))


def test_health_is_told(server: Server) -> None:
    answer = server.ask("GET", "/healthz")
    assert (answer.status, answer.json()) == (200, {"status": "ok"})


def test_what_there_is_is_described_for_programs_and_for_people(server: Server) -> None:
    described = server.ask("GET", "/openapi.json").json()
    page = server.ask("GET", "/docs")
    assert page.headers["content-type"].startswith("text/html")
    for path, ways in described["paths"].items():
        assert path in page.body.decode()
        for method in ways:
            assert server.ask(method.upper(), path).status not in (404, 405)
    for outside in (b"http:", b"https:", b"<script", b"src="):
        assert outside not in page.body


@pytest.mark.parametrize(
    ("method", "path", "status", "error", "fix"),
    [
        ("GET", "/", 404, "This server has no /.", "/docs"),
        ("POST", "/predict/", 404, "This server has no /predict/.", "/docs"),
        ("GET", "/../etc/passwd", 404, "This server has no", "/docs"),
        ("GET", "/predict", 405, "/predict takes no GET.", "It takes POST."),
        ("DELETE", "/model", 405, "/model takes no DELETE.", "It takes GET."),
    ],
)
def test_a_path_or_method_that_there_is_not_is_refused_in_words(
    server: Server, method: str, path: str, status: int, error: str, fix: str
) -> None:
    answer = server.ask(method, path)
    assert answer.status == status
    assert error in answer.json()["error"]
    assert fix in answer.json()["fix"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "["},
        {"Origin": "http://evil.example"},
        {"Origin": "http://["},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/model", "/healthz", "/nonsuch"])
def test_a_page_of_another_site_is_refused_on_every_path(
    server: Server, headers: dict[str, str], path: str
) -> None:
    answer = server.ask("POST" if path == "/predict" else "GET", path, **headers)
    assert answer.status == 403
    assert set(answer.json()) == {"error", "fix"}


def test_where_there_is_a_token_only_who_sends_it_is_answered(tmp_path: Path) -> None:
    with serving(make_served(tmp_path), token=TOKEN) as server:
        assert server.predict(RED).status == 200
        known = server.ask("GET", "/model", Authorization=f"bearer  {TOKEN}", Host="flowers.example")
        assert known.status == 200
        for shown in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é"):
            for path in ("/predict", "/model", "/metrics", "/nonsuch"):
                refused = server.ask("POST" if path == "/predict" else "GET", path, Authorization=shown)
                assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")
                assert "Authorization: Bearer" in refused.json()["fix"]
            for path in ("/healthz", "/docs", "/openapi.json"):
                assert server.ask("GET", path, Authorization=shown).status == 200


def test_every_answer_carries_the_headers_that_keep_browsers_from_guessing(server: Server) -> None:
    for path, host in (("/docs", "localhost"), ("/", "localhost"), ("/", "evil.example")):
        answer = server.ask("GET", path, Host=host)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers


def test_requests_are_counted_by_path_and_status_and_paths_made_up_as_one(tmp_path: Path) -> None:
    with serving(make_served(tmp_path)) as server:
        for path in ("/a", "/b", "/c"):
            server.ask("GET", path)
        server.predict(RED)
        server.predict(b"x")
        server.ask("GET", "/model", Host="evil.example")
        metrics = server.read_metrics()
    assert metrics['weakspot_requests_total{path="other",code="404"}'] == 3
    assert metrics['weakspot_requests_total{path="/predict",code="200"}'] == 1
    assert metrics['weakspot_requests_total{path="/predict",code="422"}'] == 1
    assert metrics['weakspot_requests_total{path="/model",code="403"}'] == 1
    assert metrics["weakspot_images_total"] == 1
    for name in ("waiting", "forward", "predict"):
        assert metrics[f"weakspot_{name}_seconds_count"] == 1
        assert metrics[f'weakspot_{name}_seconds_bucket{{le="+Inf"}}'] == 1


def test_an_answer_that_takes_too_long_is_told_so_and_the_next_is_given(tmp_path: Path) -> None:
    slow = Slow()
    with serving(make_served(tmp_path, make_predictor(slow)), wait=0.3) as server:
        late = server.predict(RED)
        assert (late.status, late.json()["error"]) == (
            504,
            "There was no answer within 0.3 s: the server is too busy.",
        )
        slow.may.set()
        assert server.predict(RED).status == 200
        assert server.read_metrics()["weakspot_requests_inside"] == 0


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (ValueError("a secret"), 500, "The server failed on this request"),
        (RunError("Too little memory."), 503, "Too little memory."),
    ],
)
def test_where_the_network_fails_the_next_request_is_answered_all_the_same(
    tmp_path: Path, error: Exception, status: int, told: str
) -> None:
    class Faulty(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            if images.mean() > 0:
                raise error
            return torch.zeros(len(images), 3)

    with serving(make_served(tmp_path, make_predictor(Faulty()))) as server:
        failed = server.predict(encode(paint("white")))
        assert failed.status == status
        assert told in failed.json()["error"]
        assert b"secret" not in failed.body
        assert server.predict(encode(paint("black"))).status == 200
