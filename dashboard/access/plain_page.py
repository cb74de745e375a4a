"""How the pages before Streamlit's look, where they lie, and how a request is led to the one to sign in on."""

from __future__ import annotations

import html
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from core.people.acting import Person
from dashboard.access.who import base_path

SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"  # below the base path
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
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
button, a.button {{ box-sizing: border-box; display: block; width: 100%; text-align: center; text-decoration: none; margin-top: 1.5rem; padding: .65rem; font: inherit; font-weight: 600; color: #FFFFFF;
  background: #2A76C6; border: 0; border-radius: 8px; cursor: pointer; }}
:focus-visible {{ outline: 3px solid #2A76C6; outline-offset: 2px; }}
.told {{ padding: .6rem .8rem; border-radius: 8px; color: light-dark(#8F1D14, #FFB4AB); background: light-dark(#FDECEA, #3B1613); }}
a {{ color: light-dark(#1F66B0, #6FB1F2); }}
</style></head><body><main><h1>{title}</h1>{body}</main></body></html>
"""


def is_its_own(path: str) -> bool:
    """Tell whether a path is that of one of the two pages."""
    return path in (base_path() + SIGN_IN, base_path() + SIGN_OUT)


def lead_to_sign_in(request: HTTPConnection) -> Response:
    """Lead a page's request to the sign-in, from where it goes on to that page."""
    query = request.scope["query_string"].decode("latin-1")
    asked = request.scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse(f"{base_path()}{SIGN_IN}?to={quote(asked, safe='')}", 303, HEADERS)


def keep_local(address: str) -> str:
    """Return an address where it is a path of this server; the start page else."""
    plain = address.isprintable() and address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if plain and "\\" not in address else f"{base_path()}/"


def show_page(title: str, body: str, code: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a page; `body` is HTML whose texts are escaped already."""
    return HTMLResponse(_PAGE.format(title=title, body=body), code, {**HEADERS, **(headers or {})})


def show_sign_out(person: Person | None, button: str) -> Response:
    """Ask whoever is signed in whether to sign out; `button` is the HTML that does it. Nobody is led to the sign-in."""
    if person is None:
        return RedirectResponse(base_path() + SIGN_IN, 303, HEADERS)
    body = (
        f"<p>You are signed in as <b>{html.escape(person.name)}</b>, with the role {html.escape(person.role)}.</p>"
        f'{button}<p><a href="{base_path()}/">Back to Weakspot</a></p>'
    )
    return show_page("Sign out", body)
