"""Whose a folder is, of a run or of images that were brought here: its maker's, whose name is written into it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from core.files import write_text
from core.people.acting import now_acting
from core.reading import read_object

FILE = ".owner.json"
_MOST = 10_000  # bytes
# Names as they were read, by file, each with when that was changed and which it is: a list of runs asks for all of them.
_KNOWN: dict[str, tuple[tuple[int, int], str]] = {}
_MOST_KNOWN = 100_000


def write_owner(folder: Path, name: str) -> None:
    """Write down whose a folder is; nothing where nobody was signed in, as at the command line."""
    if name:
        write_text(folder / FILE, json.dumps({"name": name}) + "\n")


def read_owner(folder: Path) -> str:
    """Return the name of the user whose a folder is; empty where it is nobody's, or that cannot be read."""
    path = os.path.join(folder, FILE)  # noqa: PTH118  thousands at a time
    try:
        found = os.stat(path)  # noqa: PTH116
        stamp = found.st_mtime_ns, found.st_ino
        known = _KNOWN.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        name = read_object(Path(path), most=_MOST).get("name")
    except (OSError, ValueError):
        return ""
    if len(_KNOWN) >= _MOST_KNOWN:
        _KNOWN.clear()
    owner = name if isinstance(name, str) and name.isprintable() else ""
    _KNOWN[path] = stamp, owner
    return owner


def is_own(folder: Path) -> bool:
    """Tell whether a folder is that of whoever acts."""
    name = now_acting().person.name
    return bool(name) and read_owner(folder) == name
