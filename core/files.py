"""The one way to write a file or a folder: whole or not at all, whoever else writes it at the same time."""

from __future__ import annotations

import csv
import gzip
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from core.errors import describe_cause

_PREFIX = 40  # characters of a name, at most 160 bytes: with what mkstemp adds it stays a valid name


def write_file(path: Path, write: Callable[[IO[bytes]], None]) -> None:
    """Let `write` fill a draft and put it in the place of `path`: a reader sees the old file or the new one, never half.

    Drafts have names of their own, so writers in many threads and processes cannot break each other's; the last wins.

    Raises:
        OSError: naming the file and why it cannot be written; the old one is still there.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:_PREFIX]}.", dir=path.parent)
        draft = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            draft.chmod(0o666 & ~_UMASK)  # mkstemp makes a file for its owner alone
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        # Of a draft, or of a write, the system does not say which file it was to be.
        raise OSError(error.errno, f"cannot be written ({describe_cause(error)})", str(path)) from error


@contextmanager
def draft_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder beside `path`, to be filled and renamed to it; what is left of it at the end is removed."""
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name[:_PREFIX]}.", dir=path.parent))
    try:
        draft.chmod(0o777 & ~_UMASK)  # as write_file does
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all; compressed where its name ends in .gz, the same text to the same bytes."""
    data = text.encode()
    if path.suffix == ".gz":
        data = gzip.compress(data, compresslevel=5, mtime=0)
    write_file(path, lambda file: _write_all(file, data))


def write_rows(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file whole or not at all, its lines ending in a newline alone."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _write_all(file: IO[bytes], data: bytes) -> None:
    file.write(data)


def _read_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _read_umask()  # read once: reading it sets it for a moment, for every thread
