"""Who is answered: whoever has the token, and where there is none, this very machine alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import compare_digest
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from core.addresses import HOSTS, is_loopback
from core.errors import UserError
from core.serve.refusals import Refusal

OPEN = ("/healthz", "/docs", "/openapi.json")  # they tell nothing of a model
TOKEN = "WEAKSPOT_TOKEN"
# What a proxy adds: behind one every request comes from this machine, whoever sent it.
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
_SHORTEST = 16  # characters of a token


@dataclass(frozen=True)
class Gate:
    """Whom a server answers: with a token whoever sends it, without one only this machine, by its own names."""

    token: str = field(default="", repr=False)

    def find_refusal(self, scope: Scope) -> Refusal | None:
        """Return why a request is refused; None where it is answered."""
        headers = Headers(scope=scope)
        if not self.token:
            stranger = find_stranger(headers, (scope.get("client") or ("",))[0])
            return Refusal(403, *stranger) if stranger else None
        if scope["path"] in OPEN or self._is_shown(headers.get("authorization", "")):
            return None
        return Refusal(
            401, "This server only answers requests that send its token.", "Send the header Authorization: Bearer TOKEN.",
            {"WWW-Authenticate": "Bearer"},
        )  # fmt: skip

    def _is_shown(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        return scheme.casefold() == "bearer" and compare_digest(given.strip().encode(), self.token.encode())


def find_stranger(headers: Headers, client: str) -> tuple[str, str] | None:
    """Say why a request is not one of this machine's own, and what to do; None where it is. `client` is its address.

    A name that points here (DNS rebinding) shows in Host, a page of another site or of another local port in Origin, and
    whoever comes through a proxy of this machine in what that adds.
    """
    if client and not is_loopback(client):
        return "Weakspot answers this machine only.", "From another one, forward the port with ssh -L."
    if any(name in headers for name in _FORWARDED):
        why = "Weakspot answers this machine only, and a proxy passed this request on."
        return why, "Have its users sign in: see docs/security.md, “Behind a proxy”."
    host = headers.get("host", "")
    if (_split(f"//{host}").hostname or "") not in HOSTS:
        why = f"Weakspot does not answer to the name {host or '(none)'}."
        return why, "Open it as http://127.0.0.1 with its port."
    return find_foreign_page(headers)


def find_foreign_page(headers: Headers) -> tuple[str, str] | None:
    """Say why a request is not one of this server's own pages, and what to do; None where it is, or of no page at all."""
    origin = headers.get("origin")
    if origin is not None and _split(origin).netloc.casefold() != headers.get("host", "").casefold():
        return (
            f"Weakspot answers its own pages only, not those of {origin}.",
            "Ask it from a program instead.",
        )
    return None


def read_token(file: Path | None, environment: Mapping[str, str]) -> str:
    """Return the token of a file, else of the environment; empty where there is none.

    Raises:
        UserError: for one that could be guessed or that no header can hold.
        OSError: when the file cannot be read.
    """
    if file is not None:
        source, token = str(file), file.read_text(encoding="utf-8", errors="replace").strip()
    else:
        source, token = TOKEN, environment.get(TOKEN, "").strip()
        if not token:
            return ""
    if len(token) < _SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise UserError(
            f"{source}: a token needs at least {_SHORTEST} plain letters, digits or symbols, without spaces. "
            'Make one with: python3 -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    return token


def refuse_exposure(address: str, token: str) -> None:
    """Refuse to listen where other machines could reach the server, without a token.

    Raises:
        UserError: saying how to give one.
    """
    if not token and not is_loopback(address):
        raise UserError(
            f"{address} can be reached from other machines, so the server needs a token. "
            f"Put one into a file and name it with --token-file, or set {TOKEN}."
        )


def _split(address: str) -> SplitResult:
    """Return the parts of an address, all of them empty where it is none."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")
