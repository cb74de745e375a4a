"""What a request may hold, and what is refused of it, in words."""

from __future__ import annotations

import random
import socket
import struct
import time
import zlib
from collections import Counter
from pathlib import Path

import pytest

from tests.processes import wait_until
from tests.serve.serving import FORM, Server, encode, make_form, make_served, paint, serving

HEAD = b"POST /predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("said", ["image/anything", "application/octet-stream", ""])
def test_an_image_of_any_kind_may_be_sent_as_it_is(server: Server, kind: str, said: str) -> None:
    headers = {"Content-Type": said} if said else {}
    answer = server.ask("POST", "/predict", encode(paint("blue"), kind), **headers)
    assert answer.status == 200
    assert answer.json()["images"][0]["classes"][0]["name"] == "35"


GOOD = encode(paint("red"))


@pytest.mark.parametrize(
    ("body", "kind", "status", "error", "fix"),
    [
        (b"", "image/png", 400, "The body is empty.", "Send the bytes of an image"),
        (b"no image at all", "image/png", 422, "is not an image of a supported kind", "Leave out or repair"),
        (GOOD[:-30], "image/png", 422, "damaged", "Leave out or repair"),
        (b"x" * 20_001, "image/png", 413, "larger than 0.02 MB", "Send a smaller image"),
        (b"{}", "application/json", 415, "application/json is not accepted", "multipart/form-data"),
        (b"x", "multipart/form-data", 400, "Missing boundary", "curl -F"),
        (b"no form", FORM, 400, "form", "curl -F"),
        (make_form(), FORM, 400, "no image", "curl -F"),
        (make_form(("a.png", b"")), FORM, 400, "a.png is empty", "Send the bytes"),
        (make_form(("a.png", GOOD), ("b.png", b"x")), FORM, 422, "b.png is not an image", "Leave out or repair"),
        (make_form(*[("a.png", b"x")] * 5), FORM, 413, "more than 4 images", "at most 4 images"),
        (make_form(("a.png", b"x" * 20_001)), FORM, 413, "larger than 0.02 MB", "smaller"),
        (make_form(("a.png", b"x" * 100_000)), FORM, 413, "larger than 0.1 MB", "fewer"),
        (make_form(("a", GOOD)).replace(b'; filename="a"', b""), FORM, 400, "image of the form is not a file", "-F"),
    ],
)  # fmt: skip
def test_what_cannot_be_predicted_is_refused_with_the_reason_and_the_fix(
    server: Server, body: bytes, kind: str, status: int, error: str, fix: str
) -> None:
    answer = server.ask("POST", "/predict", body, Content_Type=kind)
    told = answer.json()
    assert answer.status == status, told
    assert set(told) == {"error", "fix"}
    assert error in told["error"]
    assert fix in told["fix"]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_an_image_of_too_many_pixels_is_refused_by_its_header(server: Server) -> None:
    size = struct.pack(">II", 11_000, 10_000)
    header = b"IHDR" + size + GOOD[24:29]
    answer = server.predict(GOOD[:12] + header + struct.pack(">I", zlib.crc32(header)) + GOOD[33:])
    assert answer.status == 422
    assert "has 11000 × 10000 pixels; the limit is 100,000,000" in answer.json()["error"]


def test_a_compressed_body_is_refused(server: Server) -> None:
    answer = server.predict(GOOD, Content_Encoding="gzip")
    assert (answer.status, answer.json()["fix"]) == (415, "Send it without Content-Encoding.")


def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(HEAD + b"Content-Length: 99999999\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_of_unknown_length_is_refused_once_it_is_too_large(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"2710\r\n%b\r\n" % (b"x" * 10_000) * 3)
        assert client.recv(100).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("drips", [False, True])
def test_a_body_that_comes_too_slowly_is_refused_and_its_connection_closed(
    server: Server, drips: bool
) -> None:
    """Also one that never pauses for long, but never ends."""
    begun, told, closed = time.monotonic(), b"", False
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.1) as client:
        client.sendall(HEAD + b"Content-Length: 1000\r\n\r\nx")
        while not closed and time.monotonic() < begun + 10:
            try:
                got = client.recv(4096)
                told, closed = told + got, not got
            except TimeoutError:
                if drips and not told:
                    client.sendall(b"x")
    assert closed
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b"The body came too slowly." in told


def test_a_client_that_leaves_in_the_middle_of_its_body_takes_no_place(server: Server) -> None:
    def list_held() -> tuple[float, float]:
        metrics = server.read_metrics()
        return metrics["weakspot_requests_inside"], metrics["weakspot_held_bytes"]

    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(HEAD + b"Content-Length: 1000\r\n\r\nx")
        wait_until(lambda: list_held() == (1, 1), "the body has begun", timeout=10)
    wait_until(lambda: list_held() == (0, 0), "nothing of it is left", timeout=10)


def test_more_bytes_than_may_be_held_are_refused_until_others_are_answered(tmp_path: Path) -> None:
    with serving(make_served(tmp_path), held_bytes=1000) as server:
        refused = server.predict(b"x" * 1001)
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        assert server.predict(GOOD).status == 200


def test_whatever_is_sent_the_server_never_fails_and_goes_on(server: Server, chance: random.Random) -> None:
    def mangle(body: bytes) -> bytes:
        mangled = bytearray(body)
        for _ in range(chance.randrange(8)):
            mangled[chance.randrange(len(mangled))] = chance.randrange(256)
        return bytes(mangled[: chance.choice([len(mangled), chance.randrange(len(mangled))])])

    letters = "/.%aZ0?&=_-~:@!$'()*+,;"
    kinds = [
        "image/png",
        FORM,
        FORM,
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="',
        ";",
    ]
    statuses = Counter[int]()
    for _ in range(150):
        made_up = "/" + "".join(chance.choices(letters, k=chance.randrange(30)))
        path = chance.choice(["/predict", "/predict", "/predict?a=%ff", made_up])
        method = chance.choice(["POST", "POST", "POST", "GET", "PUT", "OPTIONS", "BREW"])
        body, kind = mangle(chance.choice([make_form(("a.png", GOOD)), GOOD])), chance.choice(kinds)
        answer = server.ask(method, path, body, Content_Type=kind)
        statuses[answer.status] += 1
        assert answer.status < 500, (method, path, kind, body, answer)
        if answer.status != 200:
            assert set(answer.json()) == {"error", "fix"}
    assert len(statuses) > 3, statuses
    assert server.predict(GOOD).status == 200


@pytest.mark.parametrize("charset", ["utf-7", "unicode_escape"])
def test_a_name_of_half_characters_is_told_with_question_marks(server: Server, charset: str) -> None:
    half = b"+2AA-.png" if charset == "utf-7" else b"\\ud800.png"
    body = make_form(("name", GOOD)).replace(b'filename="name"', b'filename="' + half + b'"')
    answer = server.ask("POST", "/predict", body, Content_Type=f"{FORM}; charset={charset}")
    assert answer.status == 200
    assert answer.json()["images"][0]["name"].endswith("?.png")
