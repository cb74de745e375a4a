"""The record of actions read from its end, a part at a time: newest first, of one person or one kind of action."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.people.actions import Action, list_files, parse_action
from core.reading import open_plain

_BLOCK = 64_000  # bytes; no line of ours is nearly as long
LOOK = 2_000_000  # bytes that one look goes through at most, some 12,000 actions


@dataclass(frozen=True)
class Reached:
    """Where a look ended: in which file, by its number on the disk, and before which byte of it."""

    file: int
    before: int


@dataclass(frozen=True)
class Found:
    """The actions that a look found, newest first, and where the next one goes on; None where there is nothing before."""

    actions: tuple[Action, ...]
    further: Reached | None = None


@dataclass(frozen=True)
class SoughtActions:
    """Which actions are looked for: by whom and of which kind, each a part of the name in any case, empty for all."""

    who: str = ""
    what: str = ""

    def finds(self, action: Action) -> bool:
        """Tell whether an action is looked for."""
        return (
            self.who.casefold() in action.name.casefold() and self.what.casefold() in action.what.casefold()
        )


def find_actions(
    file: Path, sought: SoughtActions, *, most: int, after: Reached | None = None, look: int = LOOK
) -> Found:
    """Return the newest actions that are looked for, at most so many, after those of an earlier look.

    No more than `look` bytes are read, so a record of any size costs the same: where little was found, look further.
    """
    found: list[Action] = []
    read = 0
    for path in list_files(file):
        try:
            with open_plain(path) as lines:
                own = os.fstat(lines.fileno())
                if after is not None and after.file != own.st_ino:
                    continue  # it was read, or another has taken its place
                end = own.st_size if after is None else min(after.before, own.st_size)
                after = None
                for at, line in _read_back(lines, end):
                    if len(found) >= most or read >= look:
                        return Found(tuple(found), Reached(own.st_ino, at + len(line)))
                    read += len(line)
                    action = parse_action(line)
                    if action is not None and sought.finds(action):
                        found.append(action)
        except OSError:
            continue
    return Found(tuple(found))


def _read_back(file: IO[bytes], end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the lines before a byte of a file, the last first, each with where it begins."""
    rest = b""
    while end > 0:
        begin = max(0, end - _BLOCK)
        file.seek(begin)
        block = file.read(end - begin) + rest
        # The first line of a block may begin before it; one that is longer than a block is none of ours.
        cut = 0 if begin == 0 else block.find(b"\n") + 1
        at = begin + len(block)
        for line in reversed(io.BytesIO(block[cut:]).readlines()):
            at -= len(line)
            yield at, line
        rest = block[:cut] if cut <= _BLOCK else b""
        end = begin
