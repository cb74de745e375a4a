"""What was sent, one file after the other: those of a zip archive, or those that a browser sent by themselves."""

from __future__ import annotations

import json
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.errors import DataError
from core.files import discard_folder

SENT = "sent.json"  # beside the files as they came, the names their sender has for them
ARCHIVE = ".zip"
_ENCRYPTED = 0x1  # of a zip entry's flags


@dataclass(frozen=True)
class Item:
    """A file that was sent: its sender's name for it, the bytes it says it has, and why it cannot be opened, if so."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]
    refusal: str = ""


def keep_sent(files: Iterable[tuple[str, bytes]], folder: Path) -> None:
    """Write files into a folder, in place of what lay there, under names of our own: a process of its own looks at them.

    Raises:
        OSError: when one cannot be written.
    """
    if folder.exists():
        discard_folder(folder)
    folder.mkdir(parents=True)
    names = []
    for number, (name, data) in enumerate(files):
        (folder / f"{number:06d}").write_bytes(data)
        names.append(name)
    (folder / SENT).write_text(json.dumps(names), encoding="utf-8")


@contextmanager
def open_sent(folder: Path) -> Iterator[list[Item]]:
    """Yield what `keep_sent` wrote, the files of archives in place of these.

    Raises:
        DataError: when an archive is damaged or of a kind that is not read.
    """
    names: list[str] = json.loads((folder / SENT).read_text(encoding="utf-8"))
    items: list[Item] = []
    archives: list[zipfile.ZipFile] = []
    try:
        for number, name in enumerate(names):
            path = folder / f"{number:06d}"
            if name.lower().endswith(ARCHIVE):
                archive = _open_archive(path, name)
                archives.append(archive)
                items += [_read_entry(archive, entry) for entry in archive.infolist() if not entry.is_dir()]
            else:
                items.append(Item(name, path.stat().st_size, _opener(path)))
        yield items
    finally:
        for archive in archives:
            archive.close()


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _open_archive(path: Path, name: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise DataError(
            f"{name} is no zip archive that can be read ({error}). Pack the folder again."
        ) from None


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Item:
    refusal = ""
    mode = entry.external_attr >> 16
    if entry.flag_bits & _ENCRYPTED:
        refusal = "is encrypted"
    elif stat.S_ISLNK(mode):
        refusal = "is a link"
    elif mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode):
        refusal = "is no plain file"
    return Item(entry.filename, entry.file_size, lambda: archive.open(entry), refusal)
