"""Images in tar archives, as WebDataset has them: files of one key beside each other, `0001.jpg` and `0001.cls`."""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import IO

from core.file_names import IMAGE_ENDINGS, SPLIT_NAMES
from core.reading import parse_json
from core.shards.rows import MOST_OF_ONE, DamagedShard, Row
from core.words import format_count, shorten

_LABEL_ENDINGS = ("cls", "cls.txt", "label", "label.txt")
_IN_JSON = ("label", "cls", "class", "target")  # keys of a sample's JSON that may have its label
_SPLITS = frozenset(name for names in SPLIT_NAMES.values() for name in names)
_MOST_OF_LABEL = 1_000_000  # bytes of the file of a label
_MOST_FILES = 1_000  # of a sample
_PIECE = 1 << 16  # bytes that are read at a time; no header of an entry is as long
_DIGITS = 18  # of a label that is a number; no number of more is that of a class
_UNREADABLE = (tarfile.TarError, OSError, EOFError, ValueError)


def iter_samples(
    path: Path, classes: Sequence[str] = (), start: int = 0, *, with_data: bool = True
) -> Iterator[Row]:
    """Yield the samples of an archive from one on, each with its image; `classes` name the labels that are numbers.

    A sample without a label of its own is of the class that its folder is called, unless that is the name of a split. Nothing is unpacked by a name that the archive has, so none can lead out of a folder. Links and other odd entries are
    left out, and so are samples without an image.

    Raises:
        DataError: when it is damaged, naming the sample it can be read up to.
    """
    number, size = 0, max(1, path.stat().st_size)
    try:
        with path.open("rb") as file, tarfile.open(mode="r:", fileobj=_InPieces(file)) as archive:  # type: ignore[call-overload]
            members = _iter_files(archive)
            for key, group in groupby(members, key=lambda member: _split_name(member.name)[0]):
                parts = _list_parts(group)
                image = _find_image(parts)
                if not image:
                    continue
                if number >= start:
                    share = min(1.0, archive.offset / size)
                    yield _read_sample(
                        archive, number, key, parts, image, classes, share, with_data=with_data
                    )
                number += 1
            _refuse_half(path, archive.offset)
    except _UNREADABLE as error:
        raise DamagedShard(
            f"{path} is cut off or damaged after {format_count(number, 'image')} ({shorten(str(error))}). "
            "Get this file again."
        ) from None


class _InPieces:
    """A file that is never read by more than a piece: an entry's header may say that it is as long as the whole archive."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.tell, self.seek = file, file.tell, file.seek

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _PIECE:
            raise tarfile.ReadError(f"the header of an entry says that it has {size:,} bytes")
        return self._file.read(size)


def _iter_files(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Yield the plain files of an archive; those before are let go, of which there may be millions.

    A file with holes is none: in a few bytes it may say that it has any number of zeros.

    Raises:
        TarError: where an entry says that the next one lies before it, as older releases of Python would read for ever.
    """
    end = 0
    while (member := archive.next()) is not None:
        if archive.offset <= end:
            raise tarfile.ReadError("an entry ends before it begins")
        end = archive.offset
        archive.members.clear()  # type: ignore[attr-defined]  # where tarfile keeps all it has met
        if member.isfile() and not member.issparse():
            yield member


def _list_parts(members: Iterable[tarfile.TarInfo]) -> dict[str, tarfile.TarInfo]:
    """Return the files of a sample by their endings."""
    parts: dict[str, tarfile.TarInfo] = {}
    for member in members:
        parts[_split_name(member.name)[1]] = member
        if len(parts) > _MOST_FILES:
            raise tarfile.ReadError(f"a sample has more than {_MOST_FILES:,} files")
    return parts


def _split_name(name: str) -> tuple[str, str]:
    """Return a file's key and what follows it, in small letters: ('a/0001', 'seg.png') of 'a/0001.seg.png'."""
    folder, slash, file = name.rpartition("/")
    key, _, rest = file.partition(".")
    return f"{folder}{slash}{key}", rest.lower()


def _refuse_half(path: Path, end: int) -> None:
    """Raise where the mark of an archive's end is missing: one cut off between two files could be read without an error."""
    with path.open("rb") as file:
        file.seek(end)
        if file.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
            raise EOFError("unexpected end of data")


def _find_image(endings: Iterable[str]) -> str:
    """Return the ending of a sample's image: 'jpg' before 'seg.png', which may be a mask; empty where there is none."""
    found = [ending for ending in endings if f".{ending.rsplit('.', 1)[-1]}" in IMAGE_ENDINGS]
    return min(found, key=lambda ending: ending.count("."), default="")


def _read_sample(
    archive: tarfile.TarFile,
    number: int,
    key: str,
    parts: dict[str, tarfile.TarInfo],
    image: str,
    classes: Sequence[str],
    share: float,
    *,
    with_data: bool,
) -> Row:
    member = parts[image]
    name = f"{key}.{image}"
    label, why = _read_label(archive, parts, classes, key)
    if member.size > MOST_OF_ONE:
        why = f"has more than {MOST_OF_ONE // 10**6} MB"
    data = _read(archive, member) if with_data and not why else b""
    return Row(number, name, label, data, share, why, member.offset_data, member.size)


def _read_label(
    archive: tarfile.TarFile, parts: dict[str, tarfile.TarInfo], classes: Sequence[str], key: str
) -> tuple[str | None, str]:
    """Return the name of a sample's class, None without one, and why it has none that there is."""
    ending = next((name for name in (*_LABEL_ENDINGS, "json") if name in parts), "")
    if not ending:
        return _name_folder(key), ""
    if parts[ending].size > _MOST_OF_LABEL:
        return None, f"has a label of more than {_MOST_OF_LABEL:,} bytes"
    try:
        text = _read(archive, parts[ending]).decode("utf-8-sig").strip()
        value = _find_in_json(text) if ending == "json" else text
    except UnicodeDecodeError:
        return None, "has a label that is not UTF-8"
    except ValueError as error:
        return None, f"has a JSON file that cannot be read ({error})"
    if not value or value == "-1":
        return None, ""
    if not classes or not value.isdecimal():
        return value, ""
    if len(value) > _DIGITS or int(value) >= len(classes):
        return None, f"has the label {shorten(value)}, and there are {len(classes):,} classes, from 0 on"
    return classes[int(value)], ""


def _name_folder(key: str) -> str | None:
    """Return the folder that a sample lies in, which may be its class; None where there is none, or it is a split's."""
    folder = key.rpartition("/")[0].rpartition("/")[2].strip()
    return None if folder in ("", ".", "..") or folder.casefold() in _SPLITS else folder


def _find_in_json(text: str) -> str:
    values = parse_json(text)
    if not isinstance(values, dict):
        return ""
    found = next((values[key] for key in _IN_JSON if key in values), "")
    return str(found).strip() if isinstance(found, (str, int)) else ""


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    data = b"".join(iter(lambda: file.read(_PIECE), b"")) if file is not None else b""
    if len(data) != member.size:
        raise EOFError("unexpected end of data")
    return data
