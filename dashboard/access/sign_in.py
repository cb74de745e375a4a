"""The pages to sign in by password and out on, answered before any of Streamlit's: plain HTML without a script."""

from __future__ import annotations

import asyncio
import html
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from core.people.sessions import LIFE, Sessions
from dashboard.access.plain_page import HEADERS, SIGN_IN, SIGN_OUT, keep_local, show_page, show_sign_out
from dashboard.access.who import COOKIE, base_path, keep_sign

_MOST, _PATIENCE = 8192, 10.0  # bytes of a form, and seconds in which it has to come
_checks = asyncio.Semaphore(
    2
)  # of passwords at a time: the others wait here, not in the threads that pages are read by
_FORM = """{told}<form method="post" action="{action}">
<label for="name">Name</label><input id="name" name="name" value="{name}" autocomplete="username" autocapitalize="none" spellcheck="false" required{name_focus}>
<label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" required{password_focus}>
<button>Sign in</button></form>"""
_STRANGER = "no user"  # in the record, for a name that is none
_SIGN_OUT_BUTTON = '<form method="post"><button>Sign out</button></form>'  # to the page it stands on


async def answer(request: Request, sessions: Sessions) -> Response:
    """Answer one of the two pages; what is done is done by a POST, of a page of this very server."""
    if request.method not in ("GET", "HEAD", "POST"):
        return Response("", 405, {**HEADERS, "allow": "GET, HEAD, POST"})
    if request.scope["path"] == base_path() + SIGN_OUT:
        if request.method == "POST":
            return _sign_out(request, sessions)
        return show_sign_out(sessions.find_person(find_token(request)), _SIGN_OUT_BUTTON)
    if request.method == "POST":
        return await _sign_in(request, sessions)
    return _show(request)


def find_token(request: HTTPConnection) -> str:
    """Return the token that a request shows in its cookie; empty where it has none."""
    return request.cookies.get(COOKIE, "")


async def _sign_in(request: Request, sessions: Sessions) -> Response:
    try:
        form = await asyncio.wait_for(_read_form(request), _PATIENCE)
    except asyncio.TimeoutError:
        return _show(request, "The form came too slowly.", 408, headers={"connection": "close"})
    if form is None:
        return _show(request, "That was not a sign-in form.", 400)
    name, password = form.get("name", "").strip(), form.get("password", "")
    address = _find_address(request)
    wait = sessions.attempts.take(name, address)
    if wait:
        minutes = max(1, round(wait / 60))
        words = f"Too many failed sign-ins. Try again in {minutes} min."
        return _show(request, words, 429, name, {"retry-after": str(int(wait) + 1)})
    async with _checks:
        token = await run_in_threadpool(sessions.sign_in, name, password, address)
    # A password that somebody typed as a name is not for the record.
    who = name if sessions.knows(name) else _STRANGER
    keep_sign("sign in", who, address, "done" if token else "failed")
    if not token:
        return _show(request, "The name or the password is wrong.", 401, name)
    sessions.sign_out(find_token(request))
    leading = RedirectResponse(
        quote(keep_local(request.query_params.get("to", "")), safe="/?&=%:,+-._~"), 303, HEADERS
    )
    leading.set_cookie(COOKIE, token, int(LIFE), path=f"{base_path()}/", httponly=True, samesite="strict")
    return leading


def _sign_out(request: Request, sessions: Sessions) -> Response:
    if person := sessions.find_person(find_token(request)):
        keep_sign("sign out", person.name, _find_address(request))
    sessions.sign_out(find_token(request))
    leading = RedirectResponse(base_path() + SIGN_IN, 303, HEADERS)
    leading.delete_cookie(COOKIE, path=f"{base_path()}/", httponly=True, samesite="strict")
    return leading


def _show(
    request: Request, told: str = "", code: int = 200, name: str = "", headers: dict[str, str] | None = None
) -> Response:
    to = keep_local(request.query_params.get("to", ""))
    form = _FORM.format(
        told=f'<p class="told" role="alert">{html.escape(told)}</p>' if told else "",
        action=html.escape(f"{base_path()}{SIGN_IN}?to={quote(to, safe='')}"),
        name=html.escape(name[:100]),
        name_focus="" if name else " autofocus",
        password_focus=" autofocus" if name else "",
    )
    return show_page("Sign in", form, code, headers)


def _find_address(request: Request) -> str:
    return request.client.host if request.client else ""  # of who is behind a proxy that uvicorn trusts


async def _read_form(request: Request) -> dict[str, str] | None:
    """Return the fields of a form, the first of each name; None where it is no form, or longer than one may be."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return None
    body = b""
    try:
        async for part in request.stream():
            body += part
            if len(body) > _MOST:
                return None
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=10)
    except (ClientDisconnect, ValueError):
        return None
    return {name: values[0] for name, values in fields.items()}
