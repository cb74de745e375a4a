"""How much of the disk a folder takes, walked again only where it has changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

# Sizes in bytes as they were measured, each with all folders that were walked and when each of these was changed.
_KNOWN: dict[str, tuple[list[tuple[str, int]], int]] = {}
_MOST_KNOWN = 50_000
_SETTLED = 2_000_000_000  # nanoseconds: of two changes sooner after each other the clock may show one


def measure_folder(folder: Path) -> int:
    """Return the bytes of all files below a folder; links are not followed.

    A file that only grows is seen with the next change of the folder that it lies in.
    """
    key = str(folder)
    known = _KNOWN.get(key)
    if known is not None and all(_stamp(path) == changed for path, changed in known[0]):
        return known[1]
    walked, size = _walk(key)
    if max(changed for _, changed in walked) < time.time_ns() - _SETTLED:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[key] = walked, size
    return size


def _walk(top: str) -> tuple[list[tuple[str, int]], int]:
    walked: list[tuple[str, int]] = []
    size, left = 0, [top]
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
                        size += _size(entry)
        except OSError:
            continue  # it is gone, or may not be looked into
    return walked, size


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:  # it is being replaced
        return 0


def _stamp(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_mtime_ns  # noqa: PTH116
    except OSError:
        return 0
