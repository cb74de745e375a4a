"""What was sent, one file after the other: those of a zip archive, or those that a browser sent by themselves."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from core.arrivals.archive import Item, list_items, open_archive
from core.files import discard_folder

SENT = "sent.json"  # beside the files as they came, the names their sender has for them
ARCHIVE = ".zip"


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
                archive = open_archive(path, name)
                archives.append(archive)
                items += list_items(archive)
            else:
                items.append(Item(name, path.stat().st_size, _opener(path)))
        yield items
    finally:
        for archive in archives:
            archive.close()


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")
