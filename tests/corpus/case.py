"""One case of bad input: how it is made, what is to be said of it, and the bounds of time and memory that it is held to."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError

LONGEST = 10.0  # seconds of the processor that one case may take
MOST_MEMORY = 1_500_000_000  # bytes that one case may take beyond what the process has: 15 of each pixel of the largest image
LONGEST_WORDS = 3000  # letters of an error
REFUSED = "Refused: "


@dataclass(frozen=True)
class Case:
    """An input, and what must stand in what is said of it: of one that is refused its name and the remedy are among it.

    `make` writes the input into an empty folder and returns what the product is to read. Of a `locked` one the reader is
    no administrator, whom no rights hold back.
    """

    make: Callable[[Path], Path]
    says: tuple[str, ...]
    locked: bool = False


def judge(case: Case, read: Callable[[Path], str], folder: Path) -> None:
    """Read a case; AssertionError where something else is said, or it takes too long or too much.

    `read` returns what it read in words. Any error but a UserError is the program's fault and goes on.
    """
    source = case.make(folder)
    begun, before = time.process_time(), _start_measuring()
    try:
        with _without_rights() if case.locked else _as_is():
            said = read(source)
    except UserError as error:
        said = f"{REFUSED}{error}"
    taken = _measure_peak() - before
    assert time.process_time() - begun < LONGEST
    assert not said.startswith(REFUSED) or len(said) < LONGEST_WORDS
    assert taken < MOST_MEMORY, f"it took {taken / 1e6:.0f} MB"
    lacking = [words for words in case.says if words not in said]
    assert not lacking, f"{lacking} not in: {said}"


def write(name: str, content: bytes) -> Callable[[Path], Path]:
    """Return what makes a case of one file."""

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def _start_measuring() -> int:
    """Return the bytes of memory that this process has, and let the system measure its peak from now on."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:  # not Linux: only the time is held to
        return 0
    return _measure_peak()


def _measure_peak() -> int:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@contextmanager
def _as_is() -> Iterator[None]:
    yield


@contextmanager
def _without_rights() -> Iterator[None]:
    """Give up the rights of an administrator for a while."""
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)
