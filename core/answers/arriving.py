"""What is dropped on a page: images, and archives of them, which are unpacked in memory; nothing in them is trusted."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from core.dataset.walk import is_system
from core.errors import DataError

MAX_FILES = 5_000
MAX_FILE = 50_000_000  # bytes, as the page takes of a file that is no archive
MAX_BYTES = 500_000_000  # unpacked, of all archives together: they are held in memory
_ZIP = b"PK\x03\x04"
_ELSEWHERE = "or give the folder they lie in, as a whole test folder"


@dataclass(frozen=True)
class Arrived:
    """A file that was dropped, or that lies in an archive: its name, its bytes, and why it is not taken, if it is not."""

    name: str
    content: bytes
    problem: str = ""


def unpack_files(files: Sequence[tuple[str, bytes]]) -> tuple[Arrived, ...]:
    """Return the files dropped, by name and bytes, with what lies in each zip archive in the archive's place.

    No two have the same name. What systems leave in archives is left out without a word; what leads out of its archive,
    is a link, is encrypted, too large or damaged is told as a problem. Nothing is written anywhere.

    Raises:
        DataError: where there are more than MAX_FILES, or the archives unpack to more than MAX_BYTES.
    """
    found: list[Arrived] = []
    budget = MAX_BYTES
    for name, content in files:
        if not content.startswith(_ZIP):
            found.append(Arrived(name, content))
            continue
        inside = list(_unpack(name, content, MAX_FILES - len(found), budget))
        budget -= sum(len(one.content) for one in inside)
        found += inside
    if len(found) > MAX_FILES:
        raise DataError(f"More than {MAX_FILES:,} files. Drop fewer at a time, {_ELSEWHERE}.")
    return tuple(_name_apart(found))


def _unpack(archive: str, content: bytes, most: int, budget: int) -> Iterator[Arrived]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            members = [member for member in opened.infolist() if not _is_left_out(member)]
            # What is declared is what can come: a member is never read beyond it.
            if len(members) > most or sum(member.file_size for member in members) > budget:
                raise DataError(
                    f"{archive} is too large: all archives together may hold {MAX_FILES:,} files and unpack to "
                    f"{MAX_BYTES / 1e6:,.0f} MB. Drop a smaller one, {_ELSEWHERE}."
                )
            yield from (_take(opened, member) for member in members)
    except zipfile.BadZipFile:
        yield Arrived(archive, b"", "is a damaged zip archive")


def _take(opened: zipfile.ZipFile, member: zipfile.ZipInfo) -> Arrived:
    name = member.filename
    if problem := _find_refusal(member):
        return Arrived(name, b"", problem)
    try:
        return Arrived(name, opened.read(member))
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError):
        return Arrived(name, b"", "is damaged in its archive")
    except (NotImplementedError, RuntimeError) as error:
        return Arrived(name, b"", f"is packed in a way that cannot be read ({error})")


def _find_refusal(member: zipfile.ZipInfo) -> str:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
        return "leads out of its archive"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if member.flag_bits & 1:
        return "is encrypted"
    return f"is larger than {MAX_FILE / 1e6:.0f} MB" if member.file_size > MAX_FILE else ""


def _is_left_out(member: zipfile.ZipInfo) -> bool:
    """Tell whether a member is a folder, or was left there by a system."""
    parts = PurePosixPath(member.filename.replace("\\", "/")).parts
    return member.is_dir() or any(
        (is_system(part) and part != "..") or part.startswith("__") for part in parts
    )


def _name_apart(files: Iterable[Arrived]) -> Iterator[Arrived]:
    """Yield the files, of those with one name the later ones with a number."""
    seen: Counter[str] = Counter()
    for one in files:
        seen[one.name] += 1
        yield one if seen[one.name] == 1 else replace(one, name=f"{one.name} ({seen[one.name]})")
