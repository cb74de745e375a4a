"""Who is signed in: random tokens in the browser, their digests here, until they expire or their user is changed."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.people.acting import Person
from core.people.attempts import Attempts
from core.people.known import KnownUsers
from core.people.users import User, check_password

LIFE = 12 * 3600.0  # seconds from signing in; a restart of the server ends all sessions too
_MOST_OF_ONE = 20  # sessions of one user; the oldest end first


@dataclass(frozen=True)
class _Session:
    name: str
    user: User  # as it was: with another role or password the session ends
    address: str
    ends: float


class Sessions:
    """The sessions of one server; any thread may ask."""

    def __init__(self, file: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.attempts = Attempts(clock)
        self._lock, self._found = threading.Lock(), dict[str, _Session]()
        self._users = KnownUsers(file)

    def sign_in(self, name: str, password: str, address: str) -> str:
        """Return the token of a new session, or an empty text where name and password do not go together (about 0.2 s, 32 MB).

        Whether there may be a try now is asked of `attempts` before.
        """
        user = self._users.read().get(name)
        if not check_password(user, password) or user is None:
            return ""
        self.attempts.forgive(name, address)
        token = secrets.token_urlsafe(32)
        with self._lock:
            now = self._clock()
            self._found = {key: one for key, one in self._found.items() if one.ends > now}
            own = [key for key, one in self._found.items() if one.name == name]
            for key in own[: max(0, len(own) - _MOST_OF_ONE + 1)]:
                del self._found[key]
            self._found[_digest(token)] = _Session(name, user, address, now + LIFE)
        return token

    def knows(self, name: str) -> bool:
        """Tell whether there is a user of a name."""
        return name in self._users.read()

    def find_person(self, token: str) -> Person | None:
        """Return whose session a token is of; None where it has expired, was ended, or the user was changed since."""
        if not token:
            return None
        with self._lock:
            session = self._found.get(_digest(token))
        if session is None or session.ends <= self._clock():
            return None
        user = self._users.read().get(session.name)
        if user is None or not user.signs_in_like(session.user):
            return None
        return Person(session.name, session.user.role, session.address)

    def sign_out(self, token: str) -> None:
        """End the session of a token."""
        with self._lock:
            self._found.pop(_digest(token), None)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
