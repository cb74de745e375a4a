"""Which files are opened while something is done, and how often each."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_watched: list[tuple[Path, Counter[str]]] = []
_hooked: list[bool] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _watched and isinstance(arguments[0], str):
        for folder, counts in _watched:
            if arguments[0].startswith(str(folder)):
                counts[str(Path(arguments[0]).relative_to(folder))] += 1


@contextmanager
def watch_opens(folder: Path) -> Iterator[Counter[str]]:
    """Count in the block how often each file under a folder is opened."""
    if not _hooked:  # an audit hook stays as long as the process
        sys.addaudithook(_note)
        _hooked.append(True)
    entry = (folder, Counter[str]())
    _watched.append(entry)
    try:
        yield entry[1]
    finally:
        _watched.remove(entry)
