"""What Streamlit serves: the app, and beside it plotly.js straight out of the installed package."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.people.acting import demand_names
from dashboard.access.who import sign_in_mode
from dashboard.components import library
from dashboard.gate import Gate

# The pages that begin with a chart.
WITH_CHARTS = ("live", "confusion", "weak", "map", "confidence", "compare")


async def send_library(_: Request) -> FileResponse:
    """Answer with plotly.js; its type is said here, since Windows' registry may know another one."""
    kept = {"cache-control": "public, max-age=31536000, immutable"}  # its address carries its version
    return FileResponse(library.find_library(), media_type="text/javascript", headers=kept)


class Preload:
    """An ASGI middleware that lets the browser fetch plotly.js beside a page that draws with it, not after."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; the document of a page with charts names the library in a header."""

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["link"] = f"<{library.ADDRESS}>; rel=preload; as=script"
            await send(message)

        drawn = scope["type"] == "http" and scope["path"].rpartition("/")[2] in WITH_CHARTS
        await self.app(scope, receive, send_named if drawn else send)


if sign_in_mode():
    demand_names()  # whatever should forget to ask who acts is refused rather than done
app = st.App(
    Path(__file__).with_name("app.py"),
    routes=[Route(f"/{library.ADDRESS}", send_library)],
    middleware=[Middleware(Gate), Middleware(Preload)],
)
