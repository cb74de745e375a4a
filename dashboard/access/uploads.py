"""Whether a file may come: the page is its sender's, and it fits into the memory there is, where Streamlit keeps it whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response
from streamlit import runtime

from core.words import format_bytes
from dashboard.access.who import SENDER, base_path, sign_in_mode

_PATH = "/_stcore/upload_file/"
_COPIES = 2  # of a file while it comes: as it is received, where /tmp is memory too, and as it is kept
_COMING: list[int] = []  # the bytes of each file that is on its way


def refuse_upload(asked: HTTPConnection) -> Response | None:
    """Refuse a file for another user's page, or one that would take the memory of everybody's work; None where it may come."""
    method, path = asked.scope.get("method"), asked.scope.get("path", "")
    if method not in ("PUT", "DELETE") or not path.startswith(base_path() + _PATH):
        return None
    page = path.removeprefix(base_path() + _PATH).partition("/")[0]
    if sign_in_mode() and not _is_of_sender(page, asked):
        return PlainTextResponse("This page is another user's.\n", 403)
    if method == "DELETE":
        return None
    told = asked.headers.get("content-length", "")
    if not told.isdecimal() or "transfer-encoding" in asked.headers:  # which would count in its place
        return PlainTextResponse("Say in Content-Length how large the file is.\n", 411)
    free = max(0, psutil.virtual_memory().available - _COPIES * sum(_COMING))
    if _COPIES * int(told[:20]) <= free:
        return None
    words = f"The server has room for {format_bytes(free // _COPIES)} at the moment, and this is larger. Try again later.\n"
    return PlainTextResponse(words, 413)


@contextmanager
def expect_upload(asked: HTTPConnection) -> Iterator[None]:
    """Keep the memory for a file that was not refused from all others, as long as it is on its way."""
    method, path = asked.scope.get("method"), asked.scope.get("path", "")
    is_file = method == "PUT" and path.startswith(base_path() + _PATH)
    size = int(asked.headers["content-length"][:20]) if is_file else 0
    _COMING.append(size)
    try:
        yield
    finally:
        _COMING.remove(size)


def _is_of_sender(page: str, asked: HTTPConnection) -> bool:
    """Tell whether the open page of an id was opened by who sends this; one that is not open Streamlit refuses itself."""
    client = runtime.get_instance().get_client(page) if runtime.exists() else None
    if client is None or client.client_context is None:
        return client is None
    opened = {name.lower(): value for name, value in client.client_context.headers}
    return opened.get(SENDER) == asked.headers.get(SENDER)
