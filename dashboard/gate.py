"""Who is answered: this very machine, or whoever has signed in, asking from pages of this very server."""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.people.acting import Person
from core.serve.gate import find_foreign_page, find_stranger
from dashboard.access import provider_pages, sign_in
from dashboard.access.plain_page import is_its_own, lead_to_sign_in
from dashboard.access.uploads import expect_upload, refuse_upload
from dashboard.access.who import (
    PASSWORD,
    PROVIDER,
    SENDER,
    base_path,
    open_provided,
    open_sessions,
    sign_in_mode,
)

# What a page of ours may load, and that no other page may frame it. Streamlit's own scripts make functions of text.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' ws://localhost:* ws://127.0.0.1:* blob: data:",  # not every browser's 'self' has sockets
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


_OPEN = "/_stcore/health"  # whether the server lives, for whatever watches over it
_NAME = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")  # of a host, as a policy may hold it


class Gate:
    """An ASGI middleware that answers whom it may and guards what it answers with by headers.

    Without sign-in that is this machine alone. With it everything of Streamlit's, its socket, uploads and static files
    too, is for those only who have signed in, by password or by a provider.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it: with 403 that of a stranger, with 401 one that has to sign in first."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers, mode = Headers(scope=scope), sign_in_mode()
        client = (scope.get("client") or ("",))[0]
        if scope["type"] == "http" and _came_by_https(scope, headers):
            send = _keep_to_https(send)
        refusal = find_refusal(headers, client) if not mode else " ".join(find_foreign_page(headers) or ())
        if refusal:
            await _refuse(PlainTextResponse(f"{refusal}\n", 403, HEADERS), refusal, scope, receive, send)
        elif mode and (scope["type"], scope["path"]) != ("http", base_path() + _OPEN):
            await self._answer_signed_in(mode, scope, receive, send)
        else:
            await self._let_in(scope, receive, _add_headers(send, headers.get("host", "") if mode else ""))

    async def _answer_signed_in(self, mode: str, scope: Scope, receive: Receive, send: Send) -> None:
        asked = HTTPConnection(scope)
        guarded = _add_headers(send, asked.headers.get("host", ""))
        if scope["type"] == "http":
            before = await _answer_before(mode, scope, receive)
            if before is not None:
                await before(scope, receive, send)
                return
            if mode == PROVIDER and provider_pages.is_streamlits(scope["path"]):
                await self.app(scope, receive, guarded)
                return
        person = _find_person(mode, asked)
        if person is None:
            await _refuse(*_find_way_in(mode, asked), scope, receive, send)
            return

        async def receive_signed_in() -> Message:
            message = await receive()
            if scope["type"] == "websocket" and _find_person(mode, asked) is None:
                return {"type": "websocket.disconnect", "code": 1008}
            return message

        await self._let_in(_name_sender(scope, person), receive_signed_in, guarded)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = HTTPConnection(scope)
        full = refuse_upload(asked) if scope["type"] == "http" else None
        if full is not None:
            await full(scope, receive, send)
            return
        with expect_upload(asked):
            await self.app(scope, receive, send)


def _find_person(mode: str, asked: HTTPConnection) -> Person | None:
    if mode == PROVIDER:
        return open_provided().find_person(asked.cookies, "")
    return open_sessions().find_person(sign_in.find_token(asked))


def _name_sender(scope: Scope, person: Person) -> Scope:
    """Say in a header who sends a request, whatever stood there: Streamlit gives a page back to whom it was opened for."""
    name = SENDER.encode()
    others = [(key, value) for key, value in scope["headers"] if key.lower() != name]
    return {**scope, "headers": [*others, (name, quote(person.name).encode())]}


async def _answer_before(mode: str, scope: Scope, receive: Receive) -> Response | None:
    """Return the answer of a page to sign in or out on; None for every other."""
    request, own = Request(scope, receive), is_its_own(scope["path"])
    if mode == PASSWORD:
        return await sign_in.answer(request, open_sessions()) if own else None
    if own:
        return provider_pages.answer(request, open_provided())
    if provider_pages.is_streamlits(scope["path"]):
        return provider_pages.answer_streamlits(request, open_provided())
    return provider_pages.lead_on(request, open_provided()) if _find_person(mode, request) else None


def _find_way_in(mode: str, asked: HTTPConnection) -> tuple[Response, str]:
    """Return how a request is refused, and why: a page's is led to where one signs in."""
    told = "Sign in first."
    plain = PlainTextResponse(f"{told}\n", 401, HEADERS)
    if asked.scope["type"] != "http":
        return plain, told
    mail = open_provided().find_mail(asked.cookies) if mode == PROVIDER else ""
    if mail and _wants_page(asked.headers):
        return provider_pages.refuse_unlisted(mail), told
    if mail:
        told = f"{mail} is not on the list of users."
        return PlainTextResponse(f"{told}\n", 403, HEADERS), told
    unverified = open_provided().find_unverified(asked.cookies) if mode == PROVIDER else ""
    if unverified and _wants_page(asked.headers):
        return provider_pages.refuse_unverified(unverified), told
    if asked.scope["method"] == "GET" and _wants_page(asked.headers):
        return lead_to_sign_in(asked), told
    return plain, told


def find_refusal(headers: Headers, client: str) -> str:
    """Say why a request is refused; empty where it is answered. `client` is the address it comes from."""
    return " ".join(find_stranger(headers, client) or ())


async def _refuse(answer: Response, why: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": why})
    else:
        await answer(scope, receive, send)


def _wants_page(headers: Headers) -> bool:
    return "text/html" in headers.get("accept", "")


def _add_headers(send: Send, host: str = "") -> Send:
    """Add the headers to an answer; `host` is the name that its socket is reached by where that is not this machine."""
    added = dict(HEADERS)
    if _NAME.fullmatch(host):
        sockets = f"ws://{host} wss://{host}"
        added["content-security-policy"] = POLICY.replace("ws://localhost:* ws://127.0.0.1:*", sockets)

    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in added.items():
                headers[name] = value
        await send(message)

    return send_guarded


def _came_by_https(scope: Scope, headers: Headers) -> bool:
    return scope.get("scheme") == "https" or headers.get("x-forwarded-proto") == "https"


def _keep_to_https(send: Send) -> Send:
    """Let all cookies come back over HTTPS alone: Streamlit marks its own only where it holds the certificate itself."""

    async def send_marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {
                **message,
                "headers": [(name, _mark(name, value)) for name, value in message["headers"]],
            }
        await send(message)

    return send_marked


def _mark(name: bytes, value: bytes) -> bytes:
    is_open = name.lower() == b"set-cookie" and b"; secure" not in value.lower()
    return value + b"; Secure" if is_open else value
