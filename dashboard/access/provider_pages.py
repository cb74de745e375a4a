"""The pages where an OpenID provider signs in: they lead to it and back, and tell whoever is not on the list of users."""

from __future__ import annotations

import html
from urllib.parse import quote, unquote

from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from streamlit.auth_util import encode_provider_token

from dashboard.access.plain_page import HEADERS, SIGN_IN, SIGN_OUT, keep_local, show_page, show_sign_out
from dashboard.access.provided import Provided
from dashboard.access.who import base_path, keep_sign

_LOGIN, _LOGOUT, _BACK = (
    "/auth/login",
    "/auth/logout",
    "/oauth2callback",
)  # Streamlit's own, below the base path
_TO = "weakspot-to"  # the cookie that remembers which page was asked for until the provider has led back
_PATIENCE = 600  # seconds to sign in within


def is_streamlits(path: str) -> bool:
    """Tell whether a path is one that Streamlit signs in or out by: open to whoever is not signed in yet."""
    return path in tuple(base_path() + one for one in (_LOGIN, _LOGOUT, _BACK))


def answer_streamlits(asked: HTTPConnection, provided: Provided) -> Response | None:
    """Refuse what a page of another site leads to; a sign-out ends the session here too. None: Streamlit goes on."""
    if asked.scope["path"] != base_path() + _LOGOUT:
        return None
    if asked.headers.get("sec-fetch-site") == "cross-site":
        return show_page("Sign out", "<p>A page of another site asked for this.</p>", 403)
    if mail := provided.find_mail(asked.cookies):
        keep_sign("sign out", mail, asked.client.host if asked.client else "")
    provided.sign_out(asked.cookies)
    return None


def answer(request: Request, provided: Provided) -> Response:
    """Answer the page to sign in or out on."""
    if request.method not in ("GET", "HEAD"):
        return Response("", 405, {**HEADERS, "allow": "GET, HEAD"})
    to = keep_local(request.query_params.get("to", ""))
    if request.scope["path"] == base_path() + SIGN_OUT:
        return show_sign_out(provided.find_person(request.cookies, ""), _sign_out_button())
    if "by" in request.query_params:  # a fresh token: Streamlit takes one for two minutes only
        token = quote(encode_provider_token("default"), safe="")
        leading = RedirectResponse(f"{base_path()}{_LOGIN}?provider={token}", 303, HEADERS)
        leading.set_cookie(_TO, quote(to), _PATIENCE, path=f"{base_path()}/", httponly=True, samesite="lax")
        return leading
    mail = provided.find_mail(request.cookies)
    if mail and provided.find_person(request.cookies, "") is None:
        return refuse_unlisted(mail)
    if unverified := provided.find_unverified(request.cookies):
        return refuse_unverified(unverified)
    address = html.escape(f"{base_path()}{SIGN_IN}?by=provider&to={quote(to, safe='')}")
    body = f'<p>Your organization asks who you are.</p><a class="button" href="{address}">Sign in</a>'
    return show_page("Sign in", body)


def refuse_unlisted(mail: str) -> Response:
    """Tell somebody whom the provider knows, and the list of users does not."""
    body = (
        f'<p class="told" role="alert">{html.escape(mail)} is not on the list of users of this server.</p>'
        "<p>Ask an administrator to add this email address, or sign in with another.</p>"
        f"{_sign_out_button()}"
    )
    return show_page("Not allowed", body, 403)


def refuse_unverified(mail: str) -> Response:
    """Tell somebody whose mail address the provider knows, but has never seen proof of."""
    body = (
        f'<p class="told" role="alert">{html.escape(mail)} has not been verified, so you cannot sign in with it yet.</p>'
        "<p>Confirm the address where your organization manages accounts, often by a link in a mail. Then sign out here "
        "and sign in again.</p>"
        f"{_sign_out_button()}"
    )
    return show_page("Not verified", body, 403)


def lead_on(asked: HTTPConnection, provided: Provided) -> Response | None:
    """Lead whoever comes back from the provider to the page they had asked for; None where that is this one."""
    if asked.scope["path"] != f"{base_path()}/" or _TO not in asked.cookies:
        return None
    keep_sign("sign in", provided.find_mail(asked.cookies), asked.client.host if asked.client else "")
    to = keep_local(unquote(asked.cookies[_TO]))
    leading = RedirectResponse(quote(to, safe="/?&=%:,+-._~"), 303, HEADERS)
    leading.delete_cookie(_TO, path=f"{base_path()}/", httponly=True, samesite="lax")
    return leading


def _sign_out_button() -> str:
    return f'<a class="button" href="{base_path()}{_LOGOUT}">Sign out</a>'
