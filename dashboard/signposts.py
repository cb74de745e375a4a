"""Addresses that nearly name a page lead to it; where one names no page, the answer says which pages there are."""

from __future__ import annotations

import html

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dashboard.access.plain_page import show_page
from dashboard.access.who import base_path

# The pages by what their address ends in, with their titles; Start is where the address ends.
TITLES = {
    "start": "Start",
    "train": "Train",
    "live": "Live",
    "runs": "Runs",
    "bake-off": "Bake-off",
    "confusion": "Confusion",
    "weak": "Weak classes",
    "map": "Map",
    "confidence": "Confidence",
    "data": "Data",
    "predict": "Predict",
    "compare": "Compare",
    "people": "People",
}
FOR_ADMINISTRATORS = ("people",)  # shown to them alone
HOME = "home"  # what Streamlit calls the page where the address ends
_OTHERS = (
    "sign-in",
    "sign-out",
    "auth",
    "oauth2callback",
    "app",
    "static",
    "media",
    "component",
)  # are no pages


class Signposts:
    """An ASGI middleware that a browser's request for a page passes before Streamlit, which knows exact names only."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lead on, tell which pages there are, or pass the request on."""
        way = find_way(Request(scope)) if scope["type"] == "http" else None
        await (way or self.app)(scope, receive, send)


def find_way(request: Request) -> Response | None:
    """Return how a request for a page of another name is answered; None for every other."""
    base, path = base_path(), request.url.path
    name = path.removeprefix(f"{base}/").strip("/")
    if not path.startswith(f"{base}/") or not _names_page(name) or not _wants_page(request):
        return None
    page = _PLAIN.get(_simplify(name))
    if page is None:
        return _tell_pages(name)
    if path == f"{base}/{page}":
        return None
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{base}/{'' if page == 'start' else page}{query}", 307)


def _names_page(name: str) -> bool:
    return bool(name) and not any(mark in name for mark in "/.") and name[0] != "_" and name not in _OTHERS


def _wants_page(request: Request) -> bool:
    return request.method in ("GET", "HEAD") and "text/html" in request.headers.get("accept", "")


def _simplify(name: str) -> str:
    """Return a name as it may be remembered: 'Weak_Classes' as 'weakclasses'."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


_PLAIN = {
    _simplify(name): page for page, title in TITLES.items() for name in (page, title)
} | {HOME: "start"}  # fmt: skip


def _tell_pages(name: str) -> Response:
    shown = html.escape(name if len(name) <= 40 else f"{name[:40]}…")
    links = "".join(
        f'<li><a href="{base_path()}/{"" if page == "start" else page}">{html.escape(title)}</a></li>'
        for page, title in TITLES.items()
        if page not in FOR_ADMINISTRATORS
    )
    body = f'<p class="told" role="alert">There is no page “{shown}”.</p><p>These are the pages:</p><ul>{links}</ul>'
    return show_page("Page not found", body, 404)
