"""With sign-in on nothing of the server is had without a session: pages, sockets, uploads, media and static files."""

from __future__ import annotations

import asyncio
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlencode

import psutil
import pytest
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from core.people.actions import FILE, read_actions
from core.people.users import add_user, remove_user
from core.serve.wire import Impatient
from dashboard.access import sign_in, who
from dashboard.access.plain_page import keep_local
from dashboard.gate import Gate
from tests import wired
from tests.dashboards import Dashboard, serve

PASSWORD = "correct horse battery"
FORM = "application/x-www-form-urlencoded"


async def show(scope: Scope, receive: Receive, send: Send) -> None:
    """Be what lies behind the gate: an answer to every request, and a socket that says back what it hears."""
    if scope["type"] == "http":
        await PlainTextResponse("inside", headers={"set-cookie": "own=1; Path=/"})(scope, receive, send)
        return
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"]})


class Client:
    """A browser of another machine: it asks the gate, and keeps the cookie it is given."""

    cookie, address = "", "10.0.0.7"

    def talk(
        self, kind: str, method: str, address: str, said: Iterable[Message], **headers: str
    ) -> list[Message]:
        path, _, query = address.partition("?")
        given = {
            "host": "lab:8501",
            "cookie": self.cookie,
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        scope = {
            "type": kind, "method": method, "path": path, "query_string": query.encode(), "scheme": "http",
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": (self.address, 5000), "server": ("lab", 8501), "root_path": "",
        }  # fmt: skip
        heard: list[Message] = []
        coming = iter(said)

        async def receive() -> Message:
            if (message := next(coming, None)) is None:
                await asyncio.sleep(60)  # nothing comes
            assert message is not None
            return message

        async def send(message: Message) -> None:
            heard.append(message)

        served = ProxyHeadersMiddleware(Gate(show))  # as Streamlit's uvicorn has it
        asyncio.run(served(scope, receive, send))
        return heard

    def ask(self, method: str, address: str, body: str | None = "", **headers: str) -> Answer:
        """Send a request; one without a body never sends it to its end."""
        said: list[Message] = [
            {"type": "http.request", "body": (body or "").encode(), "more_body": body is None}
        ]
        start, *parts = self.talk("http", method, address, said, **headers)
        answer = Answer(
            start["status"],
            Headers(raw=start["headers"]),
            b"".join(part.get("body", b"") for part in parts).decode(),
        )
        if answer.code == 303 and "set-cookie" in answer.headers:
            self.cookie = answer.headers["set-cookie"].partition(";")[0]
        return answer

    def get(self, address: str, **headers: str) -> Answer:
        return self.ask("GET", address, **headers)

    def sign_in(self, password: str = PASSWORD, name: str = "ada", to: str = "/", **headers: str) -> Answer:
        form = urlencode({"name": name, "password": password})
        headers = {"content_type": FORM, **headers}
        return self.ask("POST", f"/sign-in?{urlencode({'to': to})}", form, **headers)


@dataclass
class Answer:
    code: int
    headers: Headers
    text: str


@pytest.fixture
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    file = tmp_path / "users.json"
    add_user(file, "ada", "look", PASSWORD)
    monkeypatch.setenv("WEAKSPOT_USERS", str(file))
    monkeypatch.setenv(who.MODE, who.PASSWORD)
    monkeypatch.setenv("WEAKSPOT_RUNS", str(tmp_path / "runs"))
    who.open_sessions.cache_clear()
    yield file
    who.open_sessions.cache_clear()


@pytest.fixture
def client(users: Path) -> Client:
    return Client()


def test_a_page_leads_to_the_sign_in_and_back_to_where_it_was_asked_for(client: Client) -> None:
    led = client.get("/weak?run=a%20b&class=c", accept="text/html")
    assert (led.code, led.headers["location"]) == (303, "/sign-in?to=%2Fweak%3Frun%3Da%2520b%26class%3Dc")
    form = client.get(led.headers["location"])
    assert form.code == 200
    assert 'autocomplete="current-password"' in form.text
    back = client.sign_in(to="/weak?run=a%20b&class=c")
    assert (back.code, back.headers["location"]) == (303, "/weak?run=a%20b&class=c")
    assert client.get(back.headers["location"]).text == "inside"


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    client: Client, scheme: str, secure: bool
) -> None:
    told = client.sign_in(x_forwarded_proto=scheme).headers["set-cookie"]
    words = {part.strip().lower() for part in told.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= words
    assert ("secure" in words) is secure


def test_cookies_of_streamlits_own_stay_with_https_too(client: Client) -> None:
    client.sign_in()
    told = {by: client.get("/", x_forwarded_proto=by).headers["set-cookie"] for by in ("http", "https")}
    assert told == {"http": "own=1; Path=/", "https": "own=1; Path=/; Secure"}


def test_a_wrong_password_an_unknown_name_and_no_form_sign_nobody_in(client: Client) -> None:
    assert client.sign_in("wrong wrong wrong").code == 401
    assert client.sign_in(name="eve").code == 401
    assert client.sign_in(content_type="application/json").code == 400
    assert client.sign_in("x" * 9000).code == 400
    assert client.ask("PUT", "/sign-in").code == 405
    assert client.get("/").code == 401


def test_a_page_of_another_site_can_neither_sign_in_nor_out(client: Client) -> None:
    assert client.sign_in(origin="http://evil.example").code == 403
    assert client.sign_in(origin="http://lab:8501").code == 303
    assert client.ask("POST", "/sign-out", origin="http://evil.example").code == 403
    assert client.get("/sign-out").code == 200  # asks, and does nothing
    assert client.get("/").text == "inside"


def test_too_many_tries_have_to_wait_also_with_the_right_password(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.people.sessions.check_password", lambda _, password: password == PASSWORD)
    assert [client.sign_in("wrong").code for _ in range(11)] == [401] * 10 + [429]
    assert client.sign_in().code == 429


def test_who_comes_through_a_proxy_of_this_machine_is_counted_by_the_address_that_it_tells(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.people.sessions.check_password", lambda _, password: password == PASSWORD)
    client.address = "127.0.0.1"
    codes = [client.sign_in("wrong", f"u{n}", x_forwarded_for="10.0.0.1").code for n in range(31)]
    assert codes == [401] * 30 + [429]
    assert client.sign_in("wrong", "u99", x_forwarded_for="10.0.0.1, 10.0.0.2").code == 401


def test_whoever_comes_from_elsewhere_cannot_make_up_addresses(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.people.sessions.check_password", lambda _, password: password == PASSWORD)
    codes = [client.sign_in("wrong", f"u{n}", x_forwarded_for=f"10.9.9.{n}").code for n in range(31)]
    assert codes == [401] * 30 + [429]


def test_who_came_in_left_or_tried_to_stands_in_the_record_but_nothing_typed_as_a_name(
    client: Client, tmp_path: Path
) -> None:
    client.sign_in("wrong wrong wrong")
    client.sign_in("x", name=PASSWORD)
    client.sign_in()
    client.ask("POST", "/sign-out")
    client.ask("POST", "/sign-out")
    kept = [(one.what, one.who, one.end) for one in read_actions(tmp_path / "runs" / FILE)]
    assert kept == [
        ("sign in", "ada", "failed"), ("sign in", "no user", "failed"), ("sign in", "ada", "done"), ("sign out", "ada", "done"),
    ]  # fmt: skip
    assert PASSWORD not in (tmp_path / "runs" / FILE).read_text()


def test_a_form_that_does_not_come_to_its_end_is_not_waited_for(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "_PATIENCE", 0.05)
    assert client.ask("POST", "/sign-in", None, content_type=FORM).code == 408


def test_who_hangs_up_in_the_middle_of_a_form_is_no_fault(client: Client) -> None:
    said: list[Message] = [
        {"type": "http.request", "body": b"name=a", "more_body": True},
        {"type": "http.disconnect"},
    ]
    assert client.talk("http", "POST", "/sign-in", said, content_type=FORM)[0]["status"] == 400


def test_a_file_that_does_not_fit_into_the_memory_is_refused_before_it_comes(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = "/_stcore/upload_file/session/file"
    assert client.ask("PUT", upload, content_length="9" * 5000).code == 401
    client.sign_in()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2_000_000_000))
    assert client.ask("PUT", upload, content_length="1000000000").text == "inside"
    refused = client.ask("PUT", upload, content_length="1000000001")
    assert (refused.code, "room for 1.0 GB at the moment" in refused.text) == (413, True)
    assert client.ask("PUT", upload, content_length="9" * 5000).code == 413
    assert client.ask("PUT", upload).code == 411
    assert client.ask("PUT", upload, content_length="3", transfer_encoding="chunked").code == 411
    assert client.ask("PUT", upload, host="lab/x", content_length="9" * 50).code == 413  # part of no path
    assert client.ask("DELETE", upload).text == "inside"


def test_files_on_their_way_count_for_the_memory_that_is_left(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, inside = "/_stcore/upload_file/session/file", show
    asked: list[str] = []
    answers: list[Answer] = []

    async def show_and_ask(scope: Scope, receive: Receive, send: Send) -> None:
        if not asked:
            asked.append(upload)
            for size in ("500000000", "400000000"):
                answers.append(await asyncio.to_thread(client.ask, "PUT", upload, content_length=size))
        await inside(scope, receive, send)

    client.sign_in()
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2_000_000_000))
    monkeypatch.setitem(globals(), "show", show_and_ask)
    assert client.ask("PUT", upload, content_length="600000000").text == "inside"
    assert [answer.code for answer in answers] == [413, 200]
    assert "room for 400 MB at the moment" in answers[0].text
    assert client.ask("PUT", upload, content_length="1000000000").text == "inside"


def test_signing_out_ends_the_session_for_every_later_request(client: Client) -> None:
    client.sign_in()
    cookie = client.cookie
    assert client.ask("POST", "/sign-out").code == 303
    client.cookie = cookie
    assert client.get("/media/x.png").code == 401


def test_a_socket_opens_with_a_session_alone_and_ends_with_it(client: Client, users: Path) -> None:
    def say() -> Iterator[Message]:
        yield {"type": "websocket.receive", "text": "one"}
        remove_user(users, "ada")
        yield {"type": "websocket.receive", "text": "two"}

    for path in ("/_stcore/stream", "/_stcore/health"):
        (closed,) = client.talk("websocket", "", path, [])
        assert (closed["type"], closed["code"]) == ("websocket.close", 1008)
    client.sign_in()
    heard = client.talk("websocket", "", "/_stcore/stream", say())
    assert [message.get("text") for message in heard] == [None, "one"]


def test_the_policy_names_the_socket_of_the_host_that_was_asked(client: Client) -> None:
    client.sign_in()
    assert "ws://lab:8501 wss://lab:8501" in client.get("/").headers["content-security-policy"]
    assert "script-src *" not in client.get("/", host="a;script-src *").headers["content-security-policy"]


@pytest.mark.parametrize("planted", ["<script>x</script>", '" onfocus="x', "</form>"])
def test_what_is_typed_as_a_name_is_shown_as_text(client: Client, planted: str) -> None:
    shown = client.sign_in("x", planted, to=f"/{planted}")
    assert shown.code == 401
    assert planted not in shown.text.replace(" autofocus></form>", "").replace(
        "<button>Sign in</button></form>", ""
    )
    assert "default-src 'none'" in shown.headers["content-security-policy"]


@pytest.mark.parametrize(
    "address",
    [
        "//evil.example",
        "http://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:x",
        "/\tx",
        "/\n",
        "",
    ],
)
def test_no_address_leads_away_from_this_server(address: str) -> None:
    assert keep_local(address) == "/"


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    folder = tmp_path_factory.mktemp("signed-in")
    for name in ("ada", "eve"):
        add_user(folder / "users.json", name, "look", PASSWORD)
    with serve(folder, folder, "--sign-in", "password") as server:
        yield server


def ask(url: str, method: str = "GET", **headers: str) -> int:
    opener = urllib.request.build_opener(NoRedirect)
    try:
        with opener.open(urllib.request.Request(url, headers=headers, method=method), timeout=20) as answered:
            return int(answered.status)
    except urllib.error.HTTPError as refused:
        return refused.code


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


PATHS = (
    "",
    "plotly.min.js",
    "_stcore/host-config",
    "media/x",
    "static/x.js",
    "component/x",
    "app/static/x",
    "confusion",
)


@pytest.mark.parametrize("path", PATHS)
def test_the_real_server_gives_nothing_away_before_the_sign_in(dashboard: Dashboard, path: str) -> None:
    assert ask(f"{dashboard.url}/{path}") == 401
    assert ask(f"{dashboard.url}/{path}", Accept="text/html") == 303


def test_the_real_server_takes_no_upload_and_opens_no_socket_before_the_sign_in(dashboard: Dashboard) -> None:
    assert ask(f"{dashboard.url}/_stcore/upload_file/a/b", "PUT") == 401
    asked = (
        "GET /_stcore/stream HTTP/1.1", f"Host: 127.0.0.1:{dashboard.port}", "Connection: Upgrade", "Upgrade: websocket",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", "",
    )  # fmt: skip
    with socket.create_connection(("127.0.0.1", dashboard.port), 20) as wire:
        wire.sendall("\r\n".join(asked).encode())
        assert wire.recv(100).startswith(b"HTTP/1.1 403")


def sign_in_to(dashboard: Dashboard, name: str) -> str:
    """Return the cookie of a session of the real server."""
    form = urllib.parse.urlencode({"name": name, "password": PASSWORD}).encode()
    opener = urllib.request.build_opener(NoRedirect)
    with pytest.raises(urllib.error.HTTPError) as led:
        opener.open(f"{dashboard.url}/sign-in", form, timeout=30)
    return str(led.value.headers["set-cookie"]).partition(";")[0]


def test_the_real_server_answers_a_session_and_says_at_its_start_how_users_sign_in(
    dashboard: Dashboard,
) -> None:
    cookie = sign_in_to(dashboard, "ada")
    assert ask(f"{dashboard.url}/", Cookie=cookie) == 200
    assert ask(f"{dashboard.url}/plotly.min.js", Cookie=cookie) == 200
    assert "Sign-in: by password, for 2 users of" in (dashboard.runs.parent / "dashboard.log").read_text()


def test_the_real_server_does_not_wait_for_ever_for_a_request_to_begin(dashboard: Dashboard) -> None:
    with socket.create_connection(("127.0.0.1", dashboard.port), 2 * Impatient.patience) as wire:
        assert wire.recv(1) == b""


def test_nobody_sends_a_file_to_another_users_page_or_takes_it_over(dashboard: Dashboard) -> None:
    cookies = {name: sign_in_to(dashboard, name) for name in ("ada", "eve")}
    with wired.open_socket(dashboard, cookies["ada"]) as adas:
        page = wired.find_page(adas)
        upload = f"_stcore/upload_file/{page}/file"
        for method in ("PUT", "DELETE"):
            assert wired.send(dashboard, upload, method, cookies["eve"]) == 403
            assert wired.send(dashboard, upload, method, cookies["eve"], x_weakspot_user="ada") == 403
        for method in ("PUT", "DELETE"):
            assert wired.send(dashboard, upload, method, cookies["ada"]) == 204
        with wired.open_socket(dashboard, cookies["eve"], page, x_weakspot_user="ada") as eves:
            assert wired.find_page(eves) != page
        with wired.open_socket(dashboard, cookies["ada"], page) as back:  # after a gap in her own line
            assert wired.find_page(back) == page
    with wired.open_socket(dashboard, cookies["eve"], page) as eves:
        assert wired.find_page(eves) != page
