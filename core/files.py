"""The one way to write a file or a folder: whole or not at all, whoever else writes it at the same time."""

from __future__ import annotations

import csv
import errno
import gzip
import hashlib
import io
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, TypeVar

import psutil
from filelock import FileLock, Timeout

from core.errors import RunError, describe_cause

_T = TypeVar("_T")
_PREFIX = 40  # characters of a name, at most 160 bytes: with what is added it stays a valid name
DRAFT = ".draft"  # how the names end of what is being made or thrown away
_REPLACED = "replaced~"  # how what holds a folder is called while another is put in its place
LEFT_OVER = 3600.0  # seconds; a draft of another machine that was not touched for so long has lost its maker
_LONGEST = 10.0  # seconds to wait for who changes a file, which takes a moment
_OWNED = re.compile(
    rf"@([0-9a-f]{{8}})-(\d+)\.[^.]*{re.escape(DRAFT)}"
)  # how a name says by whom: machine and pid
# Windows refuses to replace a file, or to move a folder, while another process has it open, which takes moments.
_PATIENCE = 2.0 if os.name == "nt" else 0.0


def write_file(path: Path, write: Callable[[IO[bytes]], None], *, private: bool = False) -> None:
    """Let `write` fill a draft and put it in the place of `path`: a reader sees the old file or the new one, never half.

    A `private` file is one that its owner alone can read.

    Drafts have names of their own, so writers in many threads and processes cannot break each other's; the last wins.

    Raises:
        OSError: naming the file and why it cannot be written; the old one is still there.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=_name_draft(path.name), suffix=DRAFT, dir=path.parent)
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            if not private:  # mkstemp makes a file for its owner alone
                draft.chmod(0o666 & ~_UMASK)
            insist(lambda: draft.replace(path))
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        # Of a draft, or of a write, the system does not say which file it was to be.
        raise OSError(error.errno, f"cannot be written ({describe_cause(error)})", str(path)) from error


@contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`, to be filled and renamed to it; what is left of it at the end is removed."""
    draft = make_draft(path.parent, path.name)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Be the only one who reads a file and writes it anew, in any thread or process, until the end of the block.

    The lock is a file beside it, and goes with the process that holds it.

    Raises:
        OSError: when the folder is not there, or another process holds the file for longer than any change takes.
    """
    path.parent.stat()  # or the lock would make an empty folder of one that is gone
    try:
        with FileLock(path.with_name(f".{path.name.lstrip('.')}.lock"), timeout=_LONGEST, poll_interval=0.01):
            yield
    except Timeout:
        why = "another process holds it and does not let it go; let that go on, or end it"
        raise OSError(errno.EBUSY, why, str(path)) from None


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Refuse a file that would be replaced unasked; raises RunError, which names the option."""
    if path.is_file() and not overwrite:
        raise RunError(f"{path} already exists. Add --overwrite to replace it, or choose another file.")


def write_bytes(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a file whole or not at all."""
    write_file(path, lambda file: _write_all(file, data), private=private)


def write_text(path: Path, text: str, *, private: bool = False) -> None:
    """Write a text file whole or not at all; compressed where its name ends in .gz, the same text to the same bytes."""
    data = text.encode()
    write_bytes(
        path,
        gzip.compress(data, compresslevel=5, mtime=0) if path.suffix == ".gz" else data,
        private=private,
    )


def write_in_place(path: Path, text: str) -> None:
    """Write over a short text file that is there: the last resort of a full disk, where no new file can be begun.

    It takes no more room than the old text had on the disk, and a reader may meet half of it for a moment.
    """
    with path.open("r+b") as file:
        file.write(text.encode())
        file.truncate()


def write_rows(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file whole or not at all, as `format_rows` has it."""
    write_text(path, format_rows(head, rows))


def format_rows(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return the text of a CSV file, its lines ending in a newline alone."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()


def make_draft(parent: Path, name: str) -> Path:
    """Make an empty folder with a name of its own, in which something is made whole before it is moved to its place."""
    folder = Path(tempfile.mkdtemp(prefix=_name_draft(name), suffix=DRAFT, dir=parent))
    folder.chmod(0o777 & ~_UMASK)  # mkdtemp makes a folder for its owner alone
    return folder


def replace_folder(draft: Path, target: Path) -> None:
    """Put a draft in the place of a folder, or where there is none yet; where it cannot be put there, the old one stays.

    After a kill in between a later `sweep_drafts` puts it back.
    """
    replaced = make_draft(target.parent, _REPLACED)
    old = replaced / target.name
    try:
        if target.exists():
            insist(lambda: target.rename(old))
        try:
            insist(lambda: draft.rename(target))
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    finally:
        shutil.rmtree(replaced, ignore_errors=True)


def discard_folder(folder: Path) -> None:
    """Remove a folder: it is gone from its place at once; what cannot be removed yet goes with a later `sweep_drafts`."""
    trash = make_draft(folder.parent, "trash")
    try:
        insist(lambda: folder.rename(trash / folder.name))
    finally:
        shutil.rmtree(trash, ignore_errors=True)


def sweep_drafts(parent: Path, *, untouched: float = LEFT_OVER) -> None:
    """Remove the drafts in a folder whose makers ended before they were done, and what was not thrown away to its end.

    A draft names its maker: one whose process is gone from this machine is removed, and one of another that lives stays.
    Of all others, this process' own among them, those are removed that were `untouched` for so many seconds. A folder that
    was to be replaced when its maker was killed is put back where nothing has taken its place.
    """
    for path in parent.glob(f".*{DRAFT}"):
        try:
            lost = _has_lost_its_maker(path, untouched)
            if lost and path.name.startswith(f".{_REPLACED}.@"):
                _put_back(path)
            if lost and path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif lost:
                path.unlink(missing_ok=True)
        except OSError:
            continue  # it has just become what it was made for, or is not ours to remove


def _put_back(replaced: Path) -> None:
    for old in replaced.iterdir():
        if not (replaced.parent / old.name).exists():
            old.rename(replaced.parent / old.name)


def delete_oldest(folder: Path, pattern: str, *, keep: Path, limit: int) -> None:
    """Delete the files of a pattern used longest ago until all together take at most `limit` bytes; never that to `keep`.

    Another process may delete some of them at the same time.
    """
    found = []
    for path in folder.glob(pattern):
        with suppress(FileNotFoundError):
            known = path.stat()
            found.append((path == keep, known.st_mtime, known.st_size, path))
    total = 0
    for kept, _, size, path in sorted(found, reverse=True):
        total += size
        if total > limit and not kept:
            path.unlink(missing_ok=True)


def _name_draft(name: str) -> str:
    """Return what the name of a draft begins with; it says which process of which machine makes it."""
    return f".{name[:_PREFIX]}.@{_machine()}-{os.getpid()}."


@cache
def _machine() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]


def _has_lost_its_maker(path: Path, untouched: float) -> bool:
    owner = _OWNED.search(path.name)
    # In this process other threads may be at work; what they could not throw away goes by its age too.
    if owner is None or owner[1] != _machine() or int(owner[2]) == os.getpid():
        return time.time() - path.stat().st_mtime >= untouched
    return not psutil.pid_exists(int(owner[2]))


def insist(act: Callable[[], _T]) -> _T:
    """Do something to a file or folder, on Windows again for a moment while another process has it open."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return act()
        except PermissionError:
            if time.monotonic() >= end:
                raise
        time.sleep(0.01)


def _write_all(file: IO[bytes], data: bytes) -> None:
    file.write(data)


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _read_umask()  # read once: reading it sets it for a moment, for every thread
