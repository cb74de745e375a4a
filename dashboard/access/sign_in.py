"""The pages to sign in and out on, answered before any of Streamlit's: plain HTML without a script."""

from __future__ import annotations

import html
from urllib.parse import parse_qs, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core.people.sessions import LIFE, Sessions
from core.serve.gate import is_loopback
from dashboard.access.who import COOKIE, base_path

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"  # below the base path
_MOST = 8192  # bytes of a form
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Weakspot</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }}
body {{ margin: 0; min-height: 100vh; display: grid; place-items: center; background: light-dark(#F3F5F8, #11161D);
  color: light-dark(#101822, #E3E8EF); }}
main {{ box-sizing: border-box; width: min(24rem, 100vw - 2rem); padding: 2rem; border-radius: 14px;
  background: light-dark(#FFFFFF, #1A212B); border: 1px solid light-dark(#D9DFE7, #2E3845); }}
h1 {{ margin: 0 0 1rem; font-size: 1.5rem; }}
label {{ display: block; margin: 1rem 0 .25rem; font-weight: 600; }}
input {{ box-sizing: border-box; width: 100%; padding: .6rem .7rem; font: inherit; color: inherit; border-radius: 8px;
  border: 1px solid light-dark(#7A8696, #7A8696); background: light-dark(#FFFFFF, #11161D); }}
button {{ width: 100%; margin-top: 1.5rem; padding: .65rem; font: inherit; font-weight: 600; color: #FFFFFF;
  background: #2A76C6; border: 0; border-radius: 8px; cursor: pointer; }}
:focus-visible {{ outline: 3px solid #2A76C6; outline-offset: 2px; }}
.told {{ padding: .6rem .8rem; border-radius: 8px; color: light-dark(#8F1D14, #FFB4AB); background: light-dark(#FDECEA, #3B1613); }}
a {{ color: light-dark(#1F66B0, #6FB1F2); }}
</style></head><body><main><h1>{title}</h1>{body}</main></body></html>
"""
_FORM = """{told}<form method="post" action="{action}">
<label for="name">Name</label><input id="name" name="name" value="{name}" autocomplete="username" autocapitalize="none" spellcheck="false" required{name_focus}>
<label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" required{password_focus}>
<button>Sign in</button></form>"""


def is_its_own(path: str) -> bool:
    """Tell whether a path is that of one of the two pages."""
    return path in (base_path() + SIGN_IN, base_path() + SIGN_OUT)


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


def lead_to_sign_in(request: HTTPConnection) -> Response:
    """Lead a page's request to the sign-in, from where it goes on to that page."""
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"{base_path()}{SIGN_IN}?to={quote(asked, safe='')}", 303, HEADERS)


def keep_local(address: str) -> str:
    """Return an address where it is a path of this server; the start page else."""
    plain = address.isprintable() and address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if plain and "\\" not in address else f"{base_path()}/"


async def _sign_in(request: Request, sessions: Sessions) -> Response:
    form = await _read_form(request)
    if form is None:
        return _show(request, "That was no sign-in form.", 400)
    name, password = form.get("name", "").strip(), form.get("password", "")
    address = _find_address(request)
    wait = sessions.attempts.take(name, address)
    if wait:
        minutes = max(1, round(wait / 60))
        words = f"Too many failed sign-ins. Try again in {minutes} min."
        return _show(request, words, 429, name, {"retry-after": str(int(wait) + 1)})
    token = await run_in_threadpool(sessions.sign_in, name, password, address)
    if not token:
        return _show(request, "Name and password do not go together.", 401, name)
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
    return HTMLResponse(_PAGE.format(title="Sign in", body=form), code, {**HEADERS, **(headers or {})})


def _show_sign_out(request: Request, sessions: Sessions) -> Response:
    person = sessions.find_person(find_token(request))
    if person is None:
        return RedirectResponse(base_path() + SIGN_IN, 303, HEADERS)
    body = (
        f"<p>You are signed in as <b>{html.escape(person.name)}</b>, with the role {html.escape(person.role)}.</p>"
        f'<form method="post" action="{base_path()}{SIGN_OUT}"><button>Sign out</button></form>'
        f'<p><a href="{base_path()}/">Back to Weakspot</a></p>'
    )
    return HTMLResponse(_PAGE.format(title="Sign out", body=body), 200, HEADERS)


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
