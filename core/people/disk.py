"""How much of the disk a folder takes, walked again only where it has changed."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

# Sizes in bytes as they were measured, each with all folders that were walked, when each of these was changed, and until
# when that holds: a link to a file that is made or removed elsewhere changes no folder of these.
_KNOWN: dict[str, tuple[list[tuple[str, int]], int, float]] = {}
_MOST_KNOWN = 50_000
_LINKED = 60.0  # seconds for which a size with linked files in it holds
_SETTLED = 2_000_000_000  # nanoseconds: of two changes sooner after each other the clock may show one


def measure_folder(folder: Path) -> int:
    """Return the bytes of all files below a folder; symbolic links are not followed.

    A file with several names (hard links) counts in equal parts where each of them lies, so that all folders together
    come to what the disk holds. A file that only grows is seen with the next change of the folder that it lies in.
    """
    key = str(folder)
    known = _KNOWN.get(key)
    if (
        known is not None
        and time.monotonic() < known[2]
        and all(_stamp(path) == changed for path, changed in known[0])
    ):
        return known[1]
    walked, size, is_linked = _walk(key)
    if max(changed for _, changed in walked) < time.time_ns() - _SETTLED:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[key] = walked, size, time.monotonic() + _LINKED if is_linked else math.inf
    return size


def _walk(top: str) -> tuple[list[tuple[str, int]], int, bool]:
    """Return the folders with when each was changed, the bytes of their files, and whether any of these has other names."""
    walked: list[tuple[str, int]] = []
    size, is_linked, left = 0, False, [top]
    while left:
        path = left.pop()
        walked.append(
            (path, _stamp(path))
        )  # before it is listed, so that a change meanwhile is seen next time
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        whole, names = _measure(entry)
                        size += whole // names
                        is_linked |= names > 1
        except OSError:
            continue  # it is gone, or may not be looked into
    return walked, size, is_linked


def _measure(entry: os.DirEntry[str]) -> tuple[int, int]:
    """Return the bytes of a file, and how many names it has."""
    try:
        found = entry.stat(follow_symlinks=False)
    except OSError:  # it is being replaced
        return 0, 1
    return found.st_size, max(1, found.st_nlink)  # Windows does not tell it here


def _stamp(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_mtime_ns  # noqa: PTH116
    except OSError:
        return 0
