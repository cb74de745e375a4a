"""What is dropped on a page: images, and archives of them, which are unpacked in memory; nothing in them is trusted."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from core.arrivals.archive import (
    MAGIC,
    UNREADABLE,
    BadArchive,
    Item,
    describe_unreadable,
    list_items,
    open_archive,
)
from core.errors import DataError

MAX_FILES = 5_000
MAX_FILE = 50_000_000  # bytes, as the page takes of a file that is no archive
MAX_BYTES = 500_000_000  # unpacked, of all archives together: they are held in memory
_NO_MEMBERS = b"PK\5\6"  # how an archive begins that has none
_ELSEWHERE = "or give their folder under “A whole test folder”"


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
        if not content.startswith(MAGIC):
            found.append(Arrived(name, content, _find_fault(name, content)))
            continue
        inside = list(_unpack(name, content, MAX_FILES - len(found), budget))
        budget -= sum(len(one.content) for one in inside)
        found += inside
    if len(found) > MAX_FILES:
        raise DataError(f"There are more than {MAX_FILES:,} files. Drop fewer at a time, {_ELSEWHERE}.")
    return tuple(_name_apart(found))


def _find_fault(name: str, content: bytes) -> str:
    """Say why a file that holds no members cannot be the archive that its name promises; empty where it promises none."""
    if not name.lower().endswith(".zip"):
        return ""
    if content.startswith(_NO_MEMBERS):
        return "is a zip archive without files in it"
    return "is not a zip archive, whatever its name says" if content else "is an empty file"


def _unpack(archive: str, content: bytes, most: int, budget: int) -> Iterator[Arrived]:
    try:
        opened = open_archive(io.BytesIO(content), archive)
    except BadArchive:
        yield Arrived(archive, b"", "is a damaged zip archive")
        return
    with opened:
        items = list_items(opened)
        # What is declared is what can come: a member is never read beyond it.
        if len(items) > most or sum(item.size for item in items) > budget:
            raise DataError(
                f"{archive} is too large: all archives together may hold {MAX_FILES:,} files and unpack to "
                f"{MAX_BYTES / 1e6:,.0f} MB. Drop a smaller one, {_ELSEWHERE}."
            )
        yield from (_take(item, archive) for item in items)


def _take(item: Item, archive: str) -> Arrived:
    too_large = f"is larger than {MAX_FILE / 1e6:.0f} MB" if item.size > MAX_FILE else ""
    if problem := item.refusal or too_large:
        return Arrived(item.name, b"", problem)
    try:
        with item.open() as file:
            content = file.read()
        nested = content.startswith((MAGIC, _NO_MEMBERS))
        problem = f"is an archive inside the archive {archive}; unpack it first" if nested else ""
        return Arrived(item.name, b"" if nested else content, problem)
    except (*UNREADABLE, OSError) as error:
        return Arrived(item.name, b"", describe_unreadable(error))


def _name_apart(files: Iterable[Arrived]) -> Iterator[Arrived]:
    """Yield the files, of those with one name the later ones with a number."""
    seen: Counter[str] = Counter()
    for one in files:
        seen[one.name] += 1
        yield one if seen[one.name] == 1 else replace(one, name=f"{one.name} ({seen[one.name]})")
