"""Who may sign in: a file of names, roles and salted digests of passwords, which its owner alone can read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from core.errors import UserError
from core.files import changing, write_text
from core.people.acting import ADMINISTER, ROLES, needs
from core.places import own_command, own_folder
from core.reading import read_object, take
from core.words import format_count, format_size

SHORTEST, LONGEST = 10, 1000  # letters of a password
LARGEST = 10**18  # of a limit: a million TB, and a number that the file can hold
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}")
_MOST = 5_000_000  # bytes of the file
# About 0.1 s and 32 MB a try: OWASP's password storage cheat sheet, scrypt with N = 2**15, r = 8, p = 3 or dearer.
_COST, _BLOCK, _LANES = 2**15, 8, 3
_MEMORY = 64 * 2**20


@dataclass(frozen=True)
class User:
    """One who may sign in; `salt` and `digest` are hexadecimal, empty for who signs in by a provider.

    `disk` (bytes) and `slots` (slots to train in at a time) are limits, None for as much as there is.
    """

    role: str
    salt: str = ""
    digest: str = ""
    disk: int | None = None
    slots: int | None = None

    def signs_in_like(self, other: User) -> bool:
        """Tell whether role and password are those of another: a session goes on where only limits were changed."""
        return (self.role, self.salt, self.digest) == (other.role, other.salt, other.digest)

    def describe_limits(self) -> str:
        """Say what the user may take at most: '50 GB, 1 slot at a time'."""
        disk = [] if self.disk is None else [format_size(self.disk)]
        slots = [] if self.slots is None else [f"{format_count(self.slots, 'slot')} at a time"]
        return ", ".join([*disk, *slots]) or "no limit"


@dataclass(frozen=True)
class _Kept:
    users: dict[str, User]


def users_path() -> Path:
    """Return the file of users: $WEAKSPOT_USERS, else in our own folder, never in that of the runs."""
    return Path(os.environ.get("WEAKSPOT_USERS") or own_folder() / "users.json").absolute()


def read_users(file: Path) -> dict[str, User]:
    """Return the users by name; none where there is no file.

    Raises:
        UserError: when it is damaged, or others than its owner may read it.
        OSError: when it cannot be read.
    """
    try:
        mode = file.stat().st_mode
        if os.name != "nt" and mode & 0o077:
            raise UserError(f"{file} can be read by others on this machine. Protect it: chmod 600 {file}")
        users = take(_Kept, read_object(file, most=_MOST)).users
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{file} is damaged: {error}. Restore a copy, or delete it.") from None
    for name, user in users.items():
        if user.role not in ROLES:
            raise UserError(
                f"{file}: {name} has the role {user.role!r}, which must be one of {', '.join(ROLES)}."
            )
        if any(limit is not None and limit < 1 for limit in (user.disk, user.slots)):
            raise UserError(f"{file}: a limit of {name} is below 1. Leave it out for none.")
    return users


def add_user(file: Path, name: str, role: str, password: str | None) -> None:
    """Add a user, or give the one there is another role and password; without a password they sign in by a provider.

    Limits that the user had stay.

    Raises:
        UserError: for a name or a password that cannot be taken.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name[:100]!r} is not a valid user name. Use letters, digits and . _ @ + -, beginning with a letter or digit."
        )
    if role not in ROLES:
        raise UserError(f"{role!r} is not a role. The roles are {', '.join(ROLES)}.")
    user = User(role)
    if password is not None:
        refuse_weak(password, name)
        salt = secrets.token_bytes(16)
        user = replace(user, salt=salt.hex(), digest=_digest(password, salt).hex())
    with _change(file) as users:
        known = users.get(name, user)
        users[name] = replace(user, disk=known.disk, slots=known.slots)


def remove_user(file: Path, name: str) -> None:
    """Remove a user, whose sessions end with that; raises UserError where there is none of the name."""
    with _change(file) as users:
        find_user(users, name)
        del users[name]


@needs(ADMINISTER, "set limits", lambda _, name, **limits: f"{name}: {User('', **limits).describe_limits()}")
def set_limits(file: Path, name: str, *, disk: int | None, slots: int | None) -> None:
    """Limit what a user may take: bytes on the disk, and slots to train in at a time; None for as much as there is.

    Raises:
        UserError: where there is no such user, or a limit is below 1 or larger than any machine.
    """
    asked = [limit for limit in (disk, slots) if limit is not None]
    if any(limit < 1 for limit in asked):
        raise UserError("A limit is 1 or more. To let somebody train nothing, give them the role look.")
    if any(limit > LARGEST for limit in asked):
        raise UserError(
            "That is more than any machine has. Set no limit to let somebody take as much as there is."
        )
    with _change(file) as users:
        users[name] = replace(find_user(users, name), disk=disk, slots=slots)


def refuse_weak(password: str, name: str) -> None:
    """Refuse a password that is quickly guessed; raises UserError saying why."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise UserError(
            f"The password must have at least {SHORTEST} characters. A few words are easy to remember."
        )
    if name.casefold() in password.casefold() or len(set(password)) < 5:
        raise UserError(
            "This password is easy to guess. Choose one without the user name and with many different characters."
        )


def check_password(user: User | None, password: str) -> bool:
    """Tell whether a password is a user's; it takes as long for a name that is not known."""
    known = user is not None and bool(user.salt and user.digest)
    try:
        salt = bytes.fromhex(user.salt) if user is not None and known else b"nobody's own salt"
        wanted = bytes.fromhex(user.digest) if user is not None and known else bytes(64)
    except ValueError:
        salt, wanted, known = b"nobody's own salt", bytes(64), False
    given = _digest(password[:LONGEST], salt)
    return secrets.compare_digest(given, wanted) and known


def _digest(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        password.encode(errors="surrogatepass"), salt=salt, n=_COST, r=_BLOCK, p=_LANES, maxmem=_MEMORY
    )


def find_user(users: dict[str, User], name: str) -> User:
    """Return a user by name; raises UserError where there is none."""
    if name not in users:
        raise UserError(f"There is no user {name}. See them with: {own_command()} users list")
    return users[name]


@contextmanager
def _change(file: Path) -> Iterator[dict[str, User]]:
    """Yield the users to be changed, and write them; two that change them at once do so one after the other."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with changing(file):
        users = read_users(file)
        yield users
        # Limits that are none are left out, so that a version without them reads the file too.
        kept = {
            name: {key: value for key, value in asdict(user).items() if value is not None}
            for name, user in users.items()
        }
        write_text(file, json.dumps({"users": kept}, indent=2) + "\n", private=True)
