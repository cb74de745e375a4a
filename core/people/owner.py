"""Whose a folder is, of a run or of images that were made here: its maker's, whose name is written into it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from core.files import write_text
from core.people.acting import now_acting
from core.reading import read_object, read_plain

FILE = ".owner.json"
MADE = ".made-folders"  # beside the runs: the folders of users that lie elsewhere than runs and uploads, one a line
_MOST = 10_000  # bytes
_MOST_MADE = 10_000_000
# Names as they were read, by file, each with when that was changed and which it is: a list of runs asks for all of them.
_KNOWN: dict[str, tuple[tuple[int, int], str]] = {}
_MOST_KNOWN = 100_000


def write_owner(folder: Path, name: str) -> None:
    """Write down whose a folder is; nothing where nobody was signed in, as at the command line."""
    if name:
        write_text(folder / FILE, json.dumps({"name": name}) + "\n")


def keep_made(folder: Path, root: Path) -> None:
    """Write down beside the runs, in `root`, that a user's folder lies somewhere else; a line is added whole."""
    with (root / MADE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(str(folder)) + "\n")


def list_made(root: Path) -> list[Path]:
    """Return the folders that were written down by `keep_made`, whether they are still there or not."""
    try:
        lines = read_plain(root / MADE, most=_MOST_MADE).decode().splitlines()
        return [Path(json.loads(line)) for line in dict.fromkeys(lines)]
    except (OSError, ValueError, TypeError):
        return []


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
