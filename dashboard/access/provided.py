"""Whom an OpenID provider has signed in: what stands in the cookie that Streamlit signs, and how long that holds."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from streamlit.auth_util import get_cookie_with_chunks
from streamlit.web.server.server_util import get_cookie_secret
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from core.people.acting import Person
from core.people.known import KnownUsers
from core.people.sessions import LIFE

_DAY = 86400.0  # seconds


class Provided:
    """The users whom a provider signed in; any thread may ask.

    The cookie is the one that `st.login` sets, signed with the secret of secrets.toml and read as Streamlit reads it.
    Streamlit's own holds for 30 days and cannot be taken back: here it ends after `LIFE`, and by signing out.
    """

    def __init__(self, file: Path, clock: Callable[[], float] = time.time) -> None:
        self._users, self._clock = KnownUsers(file), clock
        self._lock, self._ended = threading.Lock(), dict[str, float]()

    def find_person(self, cookies: Mapping[str, str], address: str) -> Person | None:
        """Return who shows these cookies; None where nobody is signed in, or is not on the list of users."""
        mail = self.find_mail(cookies)
        user = self._users.read().get(mail) if mail else None
        return None if user is None else Person(mail, user.role, address)

    def find_mail(self, cookies: Mapping[str, str]) -> str:
        """Return the mail address that the provider vouches for; empty where nobody is signed in."""
        mail, vouched = self._find_told(cookies)
        return mail if vouched else ""

    def find_unverified(self, cookies: Mapping[str, str]) -> str:
        """Return the mail address of who is signed in, where the provider says that it was never verified; empty else."""
        mail, vouched = self._find_told(cookies)
        return "" if vouched else mail

    def _find_told(self, cookies: Mapping[str, str]) -> tuple[str, bool]:
        """Return the mail address that stands in cookies, and whether the provider vouches for it."""
        signed = _read_signed(cookies)
        with self._lock:
            if _digest(signed) in self._ended:
                return "", False
        try:
            told = json.loads(signed)
        except (ValueError, RecursionError):
            return "", False
        if not isinstance(told, dict) or told.get("is_logged_in") is not True:
            return "", False
        mail = told.get("email")
        vouched = told.get("email_verified") not in (
            False,
            "false",
        )  # some say it in letters, some not at all
        return (mail, vouched) if isinstance(mail, str) else ("", False)

    def sign_out(self, cookies: Mapping[str, str]) -> None:
        """Let these cookies sign nobody in any more, whoever may have a copy of them."""
        signed, now = _read_signed(cookies), self._clock()
        if not signed:
            return
        with self._lock:
            self._ended = {key: ends for key, ends in self._ended.items() if ends > now}
            self._ended[_digest(signed)] = now + LIFE


def _read_signed(cookies: Mapping[str, str]) -> bytes:
    """Return what was signed, put together of as many cookies as it was sent in; empty where it is not, or too old."""
    secret = get_cookie_secret()

    def read_one(name: str) -> bytes | None:
        # latin-1 is how the letters of a header were read.
        value = cookies.get(name, "").encode("latin-1", errors="replace")
        return decode_signed_value(secret, name, value, max_age_days=LIFE / _DAY)

    return get_cookie_with_chunks(read_one, USER_COOKIE_NAME) or b""


def _digest(signed: bytes) -> str:
    return hashlib.sha256(signed).hexdigest()
