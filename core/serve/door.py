"""What every request passes: the pace, the gate, the count of answers, and the headers that all of these carry."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.serve.gate import Gate
from core.serve.metrics import Metrics
from core.serve.pace import Pace

HEALTH = "/healthz"
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Door:
    """An ASGI application that lets the requests of `gate` through to another and counts each by its path and status."""

    def __init__(
        self, app: ASGIApp, *, gate: Gate, pace: Pace, metrics: Metrics, paths: Sequence[str]
    ) -> None:
        self._app, self._gate, self._pace = app, gate, pace
        self._metrics, self._paths = metrics, frozenset(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        # A name for each path that is made up would pile up.
        path = scope["path"] if scope["path"] in self._paths else "other"

        async def send_counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.count_request(path, message["status"])
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        # Before the gate, so that tokens cannot be guessed faster either; who asks whether it is up is no burden.
        address = (scope.get("client") or ("",))[0]
        refusal = None if path == HEALTH else self._pace.find_refusal(address)
        refusal = refusal or self._gate.find_refusal(scope)
        answer = self._app if refusal is None else refusal.respond()
        await answer(scope, receive, send_counted)
