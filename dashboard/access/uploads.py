"""Whether a file that a page sends fits into the memory there is: Streamlit keeps it there whole, and limits only its size."""

from __future__ import annotations

import psutil
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, Response

from core.words import format_bytes
from dashboard.access.who import base_path

_PATH = "/_stcore/upload_file/"
_COPIES = 2  # of a file while it comes: as it is received, where /tmp is memory too, and as it is kept


def refuse_upload(asked: HTTPConnection) -> Response | None:
    """Refuse a file that would take the memory of everybody's work; None where it may come, or nothing is sent."""
    if asked.scope.get("method") != "PUT" or not asked.scope["path"].startswith(base_path() + _PATH):
        return None
    told = asked.headers.get("content-length", "")
    if not told.isdecimal() or "transfer-encoding" in asked.headers:  # which would count in its place
        return PlainTextResponse("Say in Content-Length how large the file is.\n", 411)
    free = psutil.virtual_memory().available
    if _COPIES * int(told[:20]) <= free:
        return None
    words = f"The server has room for {format_bytes(free // _COPIES)} at the moment, and this is larger. Try again later.\n"
    return PlainTextResponse(words, 413)
