"""The one reader of zip archives: what lies in one, by names that can be read, and why a file in it is not to be opened."""

from __future__ import annotations

import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from core.arrivals.names import leads_out
from core.errors import DataError
from core.file_names import is_litter

MOST_ENTRIES = (
    600_000  # files, folders and what systems leave: each takes memory as soon as an archive is opened
)
MAGIC = b"PK\x03\x04"
_ENTRY = b"PK\x01\x02"  # with which each begins in an archive's directory
_LONGEST = 300  # bytes of an entry there on average, more than any that is meant as data
_ENCRYPTED, _UTF8 = 0x1, 0x800  # of an entry's flags
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, UnicodeError)
UNREADABLE = (*_DAMAGED, NotImplementedError, RuntimeError)  # what reading a file in an archive may raise


class BadArchive(DataError):
    """A file that is not a zip archive, or not one that can be read."""


@dataclass(frozen=True)
class Item:
    """A file that was sent: its sender's name for it, the bytes it says it has, and why it cannot be opened, if so.

    No more is read of one in an archive than it says it has.
    """

    name: str
    size: int
    open: Callable[[], IO[bytes]]
    refusal: str = ""


def open_archive(file: Path | IO[bytes], name: str) -> zipfile.ZipFile:
    """Open an archive that its sender calls by a name.

    Raises:
        BadArchive: when it is damaged or of a kind that is not read.
        DataError: when it has more entries than any that is meant as data.
    """
    try:
        if isinstance(file, Path):
            with file.open("rb") as opened:
                entries = _count_entries(opened)
        else:
            entries = _count_entries(file)
        if entries > MOST_ENTRIES:
            raise DataError(f"{name} has more than {MOST_ENTRIES:,} entries. Send fewer files at a time.")
        return zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
        raise BadArchive(f"{name} cannot be read as a zip archive ({error}). Zip the folder again.") from None


def list_items(archive: zipfile.ZipFile) -> list[Item]:
    """Return the files in an archive, without folders and what systems leave there."""
    files = (entry for entry in archive.infolist() if not entry.filename.endswith("/"))
    named = ((_read_name(entry), entry) for entry in files)
    return [_read_entry(archive, name, entry) for name, entry in named if not is_litter(name)]


def describe_unreadable(error: BaseException) -> str:
    """Say of one of the UNREADABLE, or of an OSError, what is wrong with the file that was to be read."""
    if isinstance(error, (*_DAMAGED, OSError)):  # bz2 has no error of its own
        return "is damaged in its archive"
    return f"is packed in a way that cannot be read ({error})"


def _count_entries(file: IO[bytes]) -> int:
    """Return how many entries an archive has at least, more than MOST_ENTRIES where its directory is too large to count."""
    # What ZipFile itself begins with, so that both mean the same directory. There is no public way to ask for its size
    # before each entry has become an object, of which a few hundred MB of archive can hold millions.
    record = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    if not record:
        raise zipfile.BadZipFile("File is not a zip file")
    size, place = record[zipfile._ECD_SIZE], record[zipfile._ECD_LOCATION]  # type: ignore[attr-defined]
    if size > MOST_ENTRIES * _LONGEST:
        return MOST_ENTRIES + 1
    # The directory ends where its record begins, or a second record of 76 bytes that large archives have.
    file.seek(max(0, place - size - 76))
    count = file.read(size + 76).count(_ENTRY)
    file.seek(0)
    return count


def _read_name(entry: zipfile.ZipInfo) -> str:
    """Return an entry's name; one that says nothing of its letters is mostly UTF-8 all the same, where it can be."""
    if not entry.filename:  # one that begins with NUL comes out so
        return "(an entry)"
    if entry.flag_bits & _UTF8:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode()
    except UnicodeError:
        return entry.filename


def _read_entry(archive: zipfile.ZipFile, name: str, entry: zipfile.ZipInfo) -> Item:
    return Item(name, entry.file_size, lambda: archive.open(entry), _find_refusal(name, entry))


def _find_refusal(name: str, entry: zipfile.ZipInfo) -> str:
    mode = entry.external_attr >> 16
    if not entry.filename:
        return "has no name"
    if leads_out(name):
        return "leads out of its archive"
    if entry.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if entry.header_offset < 0:  # bytes are missing before it, and to look there is an error of the system's
        return "is damaged in its archive"
    if stat.S_ISLNK(mode):
        return "is a link"
    return "is not a regular file" if mode and not stat.S_ISREG(mode) and stat.S_IFMT(mode) else ""
