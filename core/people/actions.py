"""What was done, by whom, from where and when: lines appended to a file beside the runs."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from filelock import FileLock, Timeout

from core.errors import cut
from core.files import insist
from core.reading import open_plain, parse_json, take

FILE = ".actions.jsonl"  # beside the run folders; the one before it has .old at its end
MOST = 5_000_000  # bytes of a file, about 30,000 actions; then it becomes the old one
_LONGEST = 200  # letters of a name
_LATEST = 32_503_680_000.0  # seconds, the year 3000: no clock shows a later time, and not every system can write one
_PATIENCE = 5.0  # seconds for who puts a file aside, which takes a moment
UNNAMED = "not signed in"  # who acted at the command line, or where nobody signs in
HEAD = ("time", "who", "address", "action", "of", "end", "why")  # of a table of actions


@dataclass(frozen=True)
class Action:
    """One action: `who` is empty for whoever sits at the machine, `end` is done, failed or refused, and `why` not done."""

    at: float
    who: str
    address: str
    what: str
    of: str
    end: str = "done"
    why: str = ""

    @classmethod
    def now(cls, who: str, address: str, what: str, of: str) -> Action:
        """Return an action that is being done, its texts short and on one line."""
        return cls(round(time.time(), 3), *(_tidy(text) for text in (who, address, what, of)))

    def ended(self, end: str, why: str) -> Action:
        """Return this action as one that was not done, with the reason, short and on one line."""
        return replace(self, end=end, why=_tidy(why))

    def of_made(self, of: str) -> Action:
        """Return this action as one that made something, by its name, short and on one line."""
        return replace(self, of=_tidy(of))

    @property
    def name(self) -> str:
        """Return who did it, in words where that is nobody who signed in."""
        return self.who or UNNAMED

    def list_cells(self) -> tuple[str, ...]:
        """Return the row of a table, its columns those of HEAD; the time is this machine's."""
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.at))
        return when, self.name, self.address, self.what, self.of, self.end, self.why


def keep_action(file: Path | None, action: Action) -> None:
    """Append an action; what cannot be kept is logged and stops nobody's work, since a full disk must still be cleared."""
    if file is None:
        return
    line = json.dumps(asdict(action), ensure_ascii=False) + "\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _put_aside(file)
        # One write of one line at the end of the file: those of several processes do not mix.
        handle = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            if _is_cut_off(handle):  # by a disk that was full: its line is lost, and this one is not
                line = f"\n{line}"
            os.write(handle, line.encode(errors="replace"))
        finally:
            os.close(handle)
    except OSError as error:
        logging.getLogger("weakspot").warning("An action could not be kept: %s", error)


def read_actions(file: Path) -> Iterator[Action]:
    """Yield the actions kept in a file and the one before it, oldest first; a damaged line is left out."""
    for path in reversed(list_files(file)):
        try:
            with open_plain(path) as lines:
                text = lines.read(2 * MOST)
        except OSError:
            continue
        for line in text.decode(errors="replace").splitlines():
            if (action := parse_action(line)) is not None:
                yield action


def parse_action(line: str | bytes) -> Action | None:
    """Return the action that a line holds; None where it is damaged."""
    try:
        action = take(Action, parse_json(line.decode() if isinstance(line, bytes) else line))
    except ValueError:
        return None
    return action if 0 <= action.at <= _LATEST else None  # so written, NaN is none


def list_files(file: Path) -> tuple[Path, Path]:
    """Return the files that actions are kept in: the newest, and the one before it."""
    return file, _old(file)


def _put_aside(file: Path) -> None:
    """Make a file that is full the old one; of two who come at once only one, or the second would put an empty one there."""
    if not _is_full(file):
        return
    # Where nobody gets the lock, the file grows on: no action is lost for it.
    with suppress(Timeout), FileLock(file.with_name(f"{file.name}.lock"), timeout=_PATIENCE):
        if _is_full(file):
            insist(lambda: file.replace(_old(file)))


def _is_full(file: Path) -> bool:
    try:
        return file.stat().st_size >= MOST
    except FileNotFoundError:
        return False


def _is_cut_off(handle: int) -> bool:
    if not os.lseek(handle, 0, os.SEEK_END):
        return False
    os.lseek(handle, -1, os.SEEK_END)
    return os.read(handle, 1) != b"\n"


def _old(file: Path) -> Path:
    return file.with_name(f"{file.name}.old")


def _tidy(text: str) -> str:
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return cut(" ".join(shown.split()))[:_LONGEST]
