"""What each user may take at most, and the refusal of more of the disk; nobody else has a limit."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from core.errors import Refused, UserError
from core.people.acting import now_acting
from core.people.disk import measure_folder
from core.people.known import KnownUsers
from core.people.owner import list_made, read_owner
from core.people.users import User, users_path
from core.places import uploads_folder
from core.words import format_bytes, format_count, format_size

_NAMED = 3  # of the largest folders in a refusal
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*([KMGTP])B?", re.IGNORECASE)
_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}


class LimitReached(Refused):
    """A user's folders take as much of the disk as they may; the text says how much, and what can be done."""


@dataclass(frozen=True)
class Held:
    """A folder of a user, in bytes: a run, or images that were brought here or made of others."""

    name: str
    bytes: int
    is_run: bool

    def __str__(self) -> str:
        return f"{self.name if self.is_run else f'the images {self.name}'} ({format_bytes(self.bytes)})"


def list_held(name: str, root: Path) -> list[Held]:
    """Return what lies on the disk of a user, largest first; `root` is the folder of all runs."""
    return measure_all(root, only=(name,)).get(name, []) if name else []


def measure_all(root: Path, only: Collection[str] = ()) -> dict[str, list[Held]]:
    """Return what lies on the disk of each user that owns anything, largest first; of some of them where these are named."""
    found: dict[str, list[Held]] = {}
    for folder, is_run in _list_folders(root):
        owner = read_owner(folder)
        if owner and (not only or owner in only):
            found.setdefault(owner, []).append(Held(folder.name, measure_folder(folder), is_run))
    return {owner: sorted(held, key=lambda one: -one.bytes) for owner, held in found.items()}


def _list_folders(root: Path) -> Iterator[tuple[Path, bool]]:
    for parent, is_run in ((root, True), (uploads_folder(), False)):
        try:
            with os.scandir(parent) as entries:
                names = [entry.name for entry in entries if not entry.name.startswith(".")]
        except OSError:
            continue
        yield from ((parent / name, is_run) for name in names)
    yield from (
        (folder, False) for folder in list_made(root) if folder.parent not in (root, uploads_folder())
    )


def demand_room(owner: str, root: Path, *, adding: int = 0) -> None:
    """Ask before the disk takes more for a user, so many bytes where these are known.

    Raises:
        LimitReached: where all that is the user's comes to the limit, with the largest that could be deleted.
    """
    if refusal := refusal_of_room(owner, root, adding=adding):
        raise LimitReached(refusal)


def refusal_of_room(owner: str, root: Path, *, adding: int = 0) -> str:
    """Say why the disk takes no more for a user, and what could be deleted; empty where it does."""
    limit = read_limits().get(owner, _NONE).disk
    if limit is None:
        return ""
    held = list_held(owner, root)
    used = sum(one.bytes for one in held)
    if used < limit and used + adding <= limit:
        return ""
    mine = now_acting().person.name == owner
    uses, own = ("You use", "your") if mine else (f"{owner} uses", f"{owner}'s")
    more = f"This takes {format_bytes(adding)} more. " if used < limit else ""
    largest = f" The largest: {', '.join(map(str, held[:_NAMED]))}." if held else ""
    return (
        f"{more}{uses} {format_bytes(used)} of the disk, and {own} limit is {format_size(limit)}.{largest} "
        "Delete runs that are no longer needed, or ask an administrator for more."
    )


def find_full(owners: Collection[str], root: Path) -> dict[str, str]:
    """Return what those users use and may use of the disk, in words, whose folders come to their limit."""
    most = {name: user.disk for name, user in read_limits().items() if name in owners and user.disk}
    held = measure_all(root, only=most) if most else {}
    used = {name: sum(one.bytes for one in held.get(name, ())) for name in most}
    return {
        name: f"{name} uses {format_bytes(used[name])} and may use {format_size(limit)}"
        for name, limit in most.items()
        if used[name] >= limit
    }


def read_limits() -> dict[str, User]:
    """Return the users by name, with their limits; nobody where their file cannot be read."""
    return _open(users_path()).read()


def read_slot_limits() -> dict[str, int]:
    """Return in how many slots at a time each user may train who has such a limit."""
    return {name: user.slots for name, user in read_limits().items() if user.slots is not None}


def describe_use(used: int, slots: int, user: User | None) -> str:
    """Say what a user takes of the disk (bytes) and of the slots to train in: '3.2 GB of 50 GB and 1 of 1 slot'."""
    most = None if user is None else user.slots
    second = format_count(slots, "slot") if most is None else f"{slots} of {format_count(most, 'slot')}"
    return f"{describe_disk(used, user)} and {second}"


def describe_disk(used: int, user: User | None) -> str:
    """Say what a user takes of the disk (bytes), and of how much where there is a limit: '3.2 GB of 50 GB'."""
    if user is None or user.disk is None:
        return format_bytes(used)
    return f"{format_bytes(used)} of {format_size(user.disk)}"


def parse_size(text: str) -> int:
    """Return the bytes of a size in words, in powers of a thousand: '50G', '1.5 TB', '800M'.

    Raises:
        UserError: when it is none.
    """
    match = _SIZE.fullmatch(text.strip())
    size = int(float(match[1]) * _UNITS[match[2].upper()]) if match else 0
    if size < 1:
        raise UserError(f"{text!r} is not a size. Write a number with its unit, such as 50G or 800M.")
    return size


_NONE = User("")


@cache
def _open(file: Path) -> KnownUsers:
    return KnownUsers(file)
