"""The pages to sign in by password and out on, answered before any of Streamlit's: plain HTML without a script."""

from __future__ import annotations

import html
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from core.people.sessions import LIFE, Sessions
from core.serve.gate import is_loopback
from dashboard.access.plain_page import HEADERS, SIGN_IN, SIGN_OUT, keep_local, show_page
from dashboard.access.who import COOKIE, base_path

_MOST = 8192  # bytes of a form
_FORM = """{told}<form method="post" action="{action}">
<label for="name">Name</label><input id="name" name="name" value="{name}" autocomplete="username" autocapitalize="none" spellcheck="false" required{name_focus}>
<label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" required{password_focus}>
<button>Sign in</button></form>"""


async def answer(request: Request, sessions: Sessions) -> Response:
    """Answer one of the two pages; what is done is done by a POST, of a page of this very server."""
    if request.method not in ("GET", "HEAD", "POST"):
        return Response("", 405, {**HEADERS, "allow": "GET, HEAD, POST"})
    if request.url.path == base_path() + SIGN_OUT:
        return _sign_out(request, sessions) if request.method == "POST" else _show_sign_out(request, sessions)
    if request.method == "POST":
        return await _sign_in(request, sessions)
    return _show(request)


def find_token(request: HTTPConnection) -> str:
    """Return the token that a request shows in its cookie; empty where it has none."""
    return request.cookies.get(COOKIE, "")


async def _sign_in(request: Request, sessions: Sessions) -> Response:
    form = await _read_form(request)
    if form is None:
        return _show(request, "That was not a sign-in form.", 400)
    name, password = form.get("name", "").strip(), form.get("password", "")
    address = _find_address(request)
    wait = sessions.attempts.take(name, address)
    if wait:
        minutes = max(1, round(wait / 60))
        words = f"Too many failed sign-ins. Try again in {minutes} min."
        return _show(request, words, 429, name, {"retry-after": str(int(wait) + 1)})
    token = await run_in_threadpool(sessions.sign_in, name, password, address)
    if not token:
        return _show(request, "The name or the password is wrong.", 401, name)
    sessions.sign_out(find_token(request))
    leading = RedirectResponse(
        quote(keep_local(request.query_params.get("to", "")), safe="/?&=%:,+-._~"), 303, HEADERS
    )
    leading.set_cookie(
        COOKIE,
        token,
        int(LIFE),
        path=f"{base_path()}/",
        httponly=True,
        samesite="strict",
        secure=_is_secure(request),
    )
    return leading


def _sign_out(request: Request, sessions: Sessions) -> Response:
    sessions.sign_out(find_token(request))
    leading = RedirectResponse(base_path() + SIGN_IN, 303, HEADERS)
    leading.delete_cookie(
        COOKIE, path=f"{base_path()}/", httponly=True, samesite="strict", secure=_is_secure(request)
    )
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


def _show_sign_out(request: Request, sessions: Sessions) -> Response:
    person = sessions.find_person(find_token(request))
    if person is None:
        return RedirectResponse(base_path() + SIGN_IN, 303, HEADERS)
    body = (
        f"<p>You are signed in as <b>{html.escape(person.name)}</b>, with the role {html.escape(person.role)}.</p>"
        f'<form method="post" action="{base_path()}{SIGN_OUT}"><button>Sign out</button></form>'
        f'<p><a href="{base_path()}/">Back to Weakspot</a></p>'
    )
    return show_page("Sign out", body)


async def _read_form(request: Request) -> dict[str, str] | None:
    """Return the fields of a form, the first of each name; None where it is no form, or longer than one may be."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return None
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MOST:
            return None
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=10)
    except ValueError:
        return None
    return {name: values[0] for name, values in fields.items()}


def _find_address(request: Request) -> str:
    """Return the address that a request comes from; where a proxy of this machine passed it on, the one that tells."""
    address = request.client.host if request.client else ""
    passed_on = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return passed_on if passed_on and is_loopback(address) else address


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
