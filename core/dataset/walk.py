"""The one look into folders of images: what is taken, what no one means as data, and what cannot be taken and why."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from core.dataset.images import BadImage, find_obstacle
from core.file_names import is_system, natural_key
from core.words import show_path

Watch = Callable[[int], None]  # is told how many files were found so far; what it raises ends the walk

MISNAMED = "has a name that is not UTF-8 and must be renamed"


@dataclass
class Found:
    """What lies in a folder, as paths relative to the data folder; nothing of it is a system's.

    `files` are plain files. `odd` are files that are none or whose name cannot be written down, `dead` are links that
    lead nowhere, `closed` folders that cannot be looked into, each with the reason. `folders` are the subfolders of a
    folder that was not walked through.
    """

    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    odd: list[BadImage] = field(default_factory=list)
    dead: list[BadImage] = field(default_factory=list)
    closed: list[BadImage] = field(default_factory=list)

    def add(self, other: Found) -> None:
        """Add what lies in another folder, but for its subfolders."""
        self.files += other.files
        self.odd += other.odd
        self.dead += other.dead
        self.closed += other.closed


def look_into(root: Path, folder: str = "") -> Found:
    """Return what lies directly in a folder, which is given relative to the data folder; subfolders are only listed."""
    found = Found()
    try:
        with os.scandir(root / folder) as entries:
            for entry in entries:
                if not is_system(entry.name):
                    _add_entry(found, entry, f"{folder}/{entry.name}" if folder else entry.name)
    except OSError as error:
        return Found(closed=[BadImage(show_path(folder or root), f"cannot be opened ({error.strerror})")])
    return found


def walk_through(root: Path, folder: str = "", watch: Watch | None = None) -> Found:
    """Return what lies in a folder and in all folders below it, the files sorted as people count.

    Links to folders are followed, but for those back to a folder they lie in. `watch` is called after each folder.
    """
    start, found = root / folder, Found()
    above = frozenset(map(_identify, {*start.parents, *start.resolve().parents}))
    todo = [(folder, above)]
    while todo:
        place, chain = todo.pop()
        own = _identify(root / place)
        if own in chain:
            found.odd.append(BadImage(place, "is a link to a folder that contains it"))
            continue
        inside = look_into(root, place)
        found.add(inside)
        if watch is not None:
            watch(len(found.files))
        todo += [(name, chain | {own}) for name in inside.folders]
    cut = len(folder) + 1 if folder else 0
    found.files.sort(key=lambda path: natural_key(path[cut:]))
    for faults in (found.odd, found.dead, found.closed):
        faults.sort(key=lambda item: natural_key(item.path))
    return found


def name_some(names: Iterable[str], most: int = 8) -> str:
    """Return the first of some names in quotes, and how many more there are."""
    quoted = [repr(name) for name in names]
    more = f" and {len(quoted) - most} more" if len(quoted) > most else ""
    return ", ".join(quoted[:most]) + more


def _add_entry(found: Found, entry: os.DirEntry[str], path: str) -> None:
    try:
        is_folder, is_file = entry.is_dir(), entry.is_file()
    except OSError:  # a link that leads to itself
        is_folder = is_file = False
    if is_folder and entry.name.startswith("__"):
        return
    shown = show_path(path)
    if shown != path:
        (found.closed if is_folder else found.odd).append(BadImage(shown, MISNAMED))
    elif is_file:
        found.files.append(path)
    elif is_folder:
        found.folders.append(path)
    else:
        why = find_obstacle(Path(entry.path)) or "changed while it was being looked at"
        (found.dead if _leads_nowhere(entry) else found.odd).append(BadImage(path, why))


def _leads_nowhere(entry: os.DirEntry[str]) -> bool:
    try:
        entry.stat()
    except OSError:
        return True
    return False


def _identify(folder: Path) -> tuple[int, int]:
    try:
        found = folder.stat()
    except OSError:  # gone since, or locked: looking into it will tell
        return (-1, hash(folder))
    return found.st_dev, found.st_ino
