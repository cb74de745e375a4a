"""Whether a tree of folders is small, and whether it is as it was: by the times of its folders, which change with what they hold."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.shards.shards import KINDS

SMALL = 20_000  # entries; so many are counted in a fraction of a second
PATIENCE = 0.5  # seconds in which a small tree has to be looked through
SMALL_SHARDS = 50_000_000  # bytes; the images in so many are found in a fraction of a second
_MOST_FOLDERS = 20_000  # whose times are looked at again; the look at more would be waited for
_TRUE_FOR = 600.0  # seconds that a count of more folders is taken to be true
_SHARDS = tuple(KINDS)


@dataclass(frozen=True)
class Stamps:
    """The folders of a tree, relative to its root, each with when its entries last changed (ns), and how many entries in all.

    Among the folders are the shards in them, whose images are counted too. `taken` is the time (s) when the first was looked at.
    """

    folders: tuple[tuple[str, int], ...]
    entries: int
    taken: float


def is_small(root: Path) -> bool:
    """Tell whether a tree holds few entries, and can be looked through in no time; one that cannot be opened is small.

    Shards of a size are not: which images are in them is not known without reading them.
    """
    end, count, inside = time.monotonic() + PATIENCE, 0, 0
    for _, entries in _walk(root):
        for entry in entries:
            count += 1
            if entry.name.lower().endswith(_SHARDS):
                inside += _read_size(entry.path)
            if count > SMALL or inside > SMALL_SHARDS or (count % 256 == 0 and time.monotonic() > end):
                return False
        if time.monotonic() > end:
            return False
    return True


def stamp_tree(root: Path) -> Stamps:
    """Return the stamps of a tree; what changes in it from the call on is seen by `is_unchanged`."""
    taken = time.time()
    folders: list[tuple[str, int]] = []
    count = 0
    for folder, entries in _walk(root):
        folders.append((os.path.relpath(folder, root), _read_time(folder)))
        for entry in entries:
            count += 1
            if entry.name.lower().endswith(_SHARDS):
                folders.append((os.path.relpath(entry.path, root), _read_time(entry.path)))
    return Stamps(tuple(folders), count, taken)


def is_unchanged(root: Path, stamps: Stamps) -> bool:
    """Tell whether no file or folder has come or gone since; of very many folders only whether it was some minutes ago."""
    if len(stamps.folders) > _MOST_FOLDERS:
        return time.time() - stamps.taken < _TRUE_FOR
    return all(_read_time(os.path.join(root, folder)) == stamp for folder, stamp in stamps.folders)  # noqa: PTH118


def _walk(root: Path) -> Iterator[tuple[str, Iterator[os.DirEntry[str]]]]:
    """Yield each folder of a tree once, links followed, with its entries, which have to be gone through before the next."""
    todo, seen = [str(root)], set[tuple[int, int]]()
    while todo:
        folder = todo.pop()
        try:
            known = os.stat(folder)  # noqa: PTH116  many thousands at a time
            with os.scandir(folder) as entries:
                if (known.st_dev, known.st_ino) not in seen:
                    seen.add((known.st_dev, known.st_ino))
                    yield folder, _note_folders(entries, todo)
        except (OSError, ValueError):  # locked, gone meanwhile, or a name that no folder can have
            continue


def _note_folders(entries: Iterator[os.DirEntry[str]], folders: list[str]) -> Iterator[os.DirEntry[str]]:
    for entry in entries:
        try:
            if entry.is_dir():
                folders.append(entry.path)
        except OSError:  # a link that leads to itself
            pass
        yield entry


def _read_size(path: str) -> int:
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0


def _read_time(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116
    except OSError:
        return -1
