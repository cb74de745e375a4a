"""Who is answered: pages of this very server, asked for on this very machine. Everyone else is told why not."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("localhost", "127.0.0.1", "::1")
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
}


class Gate:
    """An ASGI middleware that answers this machine's own pages and guards what it answers with by headers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with 403."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = find_refusal(Headers(scope=scope), (scope.get("client") or ("",))[0])
        if not refusal:
            await self.app(scope, receive, _add_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": refusal})
        else:
            await PlainTextResponse(f"{refusal}\n", 403, HEADERS)(scope, receive, send)


def find_refusal(headers: Headers, client: str) -> str:
    """Say why a request is refused; empty where it is answered. `client` is the address it comes from.

    A name that points here (DNS rebinding) shows in Host, a page of another site or of another local port in Origin.
    """
    if client and not _is_loopback(client):
        return "Weakspot answers this machine only. From another one, forward the port with ssh -L."
    host = headers.get("host", "")
    if _name_of(f"//{host}") not in HOSTS:
        return f"Weakspot does not answer to the name {host or '(none)'}. Open it as http://127.0.0.1 with its port."
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.casefold() != host.casefold():
        return f"Weakspot answers its own pages only, not those of {origin}."
    return ""


def _is_loopback(client: str) -> bool:
    try:
        address = ip_address(client)
    except ValueError:  # a name, such as the one of a test
        return client in HOSTS
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _name_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""


def _add_headers(send: Send) -> Send:
    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
        await send(message)

    return send_guarded
