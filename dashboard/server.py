"""What Streamlit serves: the app, and beside it plotly.js straight out of the installed package."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

from dashboard.components import library
from dashboard.gate import Gate


async def send_library(_: Request) -> FileResponse:
    """Answer with plotly.js; its type is said here, since Windows' registry may know another one."""
    return FileResponse(library.find_library(), media_type="text/javascript")


app = st.App(
    Path(__file__).with_name("app.py"),
    routes=[Route(f"/{library.ADDRESS}", send_library)],
    middleware=[Middleware(Gate)],
)
