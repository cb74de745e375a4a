"""How users of a server sign in, decided before it starts: nobody else's address is listened on without it."""

from __future__ import annotations

import importlib.util
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from core.addresses import is_loopback
from core.errors import UserError
from core.people.acting import ADMINISTER
from core.people.users import read_users, users_path
from core.places import HOUSE, is_installed, own_command
from core.words import format_count
from dashboard.access.who import PASSWORD, PROVIDER

_EVERY = ("0.0.0.0", "::")
_SHORTEST = 16  # letters of the secret that cookies are signed with
_NEEDED = ("client_id", "client_secret", "server_metadata_url", "redirect_uri", "cookie_secret")


@dataclass(frozen=True)
class SignIn:
    """Where a server listens and how its users sign in: `kind` is empty where nobody does, `words` say it at the start."""

    kind: str
    address: str
    words: str

    @property
    def shown(self) -> str:
        """Return the name to type into a browser."""
        name = socket.gethostname() if self.address in _EVERY else self.address
        return f"[{name}]" if ":" in name else name


def choose_sign_in(address: str, asked: str, base_path: str = "") -> SignIn:
    """Return how users sign in to a server on an address, its pages below a path; `asked` is a way, empty for that set up.

    Raises:
        UserError: where it could be reached by others and nobody can sign in, with the command that changes that.
        OSError: when the users cannot be read.
    """
    if is_loopback(address) and not asked:
        return SignIn("", address, "Sign-in: none, since only this machine is answered.")
    users = read_users(users_path())
    by_password = [name for name, user in users.items() if user.digest]
    kind = asked or (PASSWORD if by_password else PROVIDER if read_provider() else "")
    if kind == PROVIDER:
        refuse_unready(list(users), base_path)
        told = f"Sign-in: by the OpenID provider, for {format_count(len(users), 'email address')}"
    elif by_password:
        told = f"Sign-in: by password, for {format_count(len(by_password), 'user')}"
    else:
        others = "" if is_loopback(address) else f"{address} can be reached from other machines, and "
        raise UserError(
            f"{others}nobody can sign in yet. Add the first user: {own_command()} users add NAME --role {ADMINISTER}"
        )
    plain = "" if is_loopback(address) else (
        " What is sent can be read on the way: put a proxy with HTTPS in front."
    )  # fmt: skip
    return SignIn(kind, address, f"{told} of {users_path()}.{plain}")


def read_provider() -> dict[str, object]:
    """Return what Streamlit's secrets.toml says under [auth], where the server will read it; empty where there is none."""
    from streamlit import config
    from streamlit.runtime.secrets import Secrets

    # Not that of the folder where this is started, which may be one of images: the server leaves it.
    folders = (Path.home(), *(() if is_installed() else (HOUSE,)))
    config.set_option("secrets.files", [str(folder / ".streamlit" / "secrets.toml") for folder in folders])
    secrets = Secrets()
    if not secrets.load_if_toml_exists() or "auth" not in secrets:
        return {}
    return {str(name): value for name, value in dict(secrets["auth"]).items()}


def refuse_unready(users: list[str], base_path: str = "") -> None:
    """Refuse to start where a provider could sign nobody in, or anybody; raises UserError with what is missing."""
    known = read_provider()
    missing = [name for name in _NEEDED if not known.get(name)]
    if missing:
        raise UserError(
            f"Streamlit's secrets.toml lacks {', '.join(missing)} under [auth]. See docs/security.md, “By a provider”."
        )
    callback = f"{base_path}/oauth2callback"
    if urlsplit(str(known["redirect_uri"])).path != callback:
        raise UserError(
            f"redirect_uri in Streamlit's secrets.toml must be the address that users open and then {callback}, such as "
            f"https://lab.example{callback}, but it is {known['redirect_uri']}."
        )
    if len(str(known["cookie_secret"])) < _SHORTEST:
        raise UserError(
            "cookie_secret in Streamlit's secrets.toml could be guessed, and whoever knows it is any user. "
            'Make one with: python3 -c "import secrets; print(secrets.token_urlsafe(32))"'
        )
    if any(importlib.util.find_spec(name) is None for name in ("authlib", "httpx")):
        what = "'weakspot[provider]'" if is_installed() else "-r requirements-provider.txt"
        raise UserError(f"Signing in by a provider needs Authlib and httpx. Install them: pip install {what}")
    if not any("@" in name for name in users):
        raise UserError(
            f"No email address may sign in yet. Add the first: {own_command()} users add EMAIL --provider --role {ADMINISTER}"
        )
