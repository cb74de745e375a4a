"""What Streamlit serves: the app, and beside it plotly.js straight out of the installed package."""

from __future__ import annotations

import importlib
import pkgutil
import threading
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse
from starlette.routing import Route

from core.people.acting import demand_names
from dashboard.access.who import base_path, sign_in_mode
from dashboard.components import library
from dashboard.gate import Gate
from dashboard.signposts import Signposts

VIEWS = Path(__file__).with_name("views")


async def send_library(_: Request) -> FileResponse:
    """Answer with plotly.js; its type is said here, since Windows' registry may know another one."""
    kept = {"cache-control": "public, max-age=31536000, immutable"}  # its address carries its version
    return FileResponse(library.find_library(), media_type="text/javascript", headers=kept)


def load_pages() -> None:
    """Import all pages, so that the first one that anybody opens does not wait for that."""
    for module in pkgutil.iter_modules([str(VIEWS)]):
        importlib.import_module(f"dashboard.views.{module.name}")


if sign_in_mode():
    demand_names()  # whatever should forget to ask who acts is refused rather than done
app = st.App(
    Path(__file__).with_name("app.py"),
    routes=[Route(f"{base_path()}/{library.ADDRESS}", send_library)],
    middleware=[Middleware(Gate), Middleware(Signposts)],
)
threading.Thread(target=load_pages, name="load-pages", daemon=True).start()
