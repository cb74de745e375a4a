"""An image inside a shard by a path of its own, `train-000.tar/beagle/0001.jpg`: opened and looked at as a plain file is."""

from __future__ import annotations

import errno
import io
import os
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from core.errors import DataError
from core.reading import open_plain
from core.shards.index import PLACES, Stamp, digest_name, make_index, read_places, stamp_shard
from core.shards.row_groups import read_parquet_image
from core.shards.rows import MOST_OF_ONE
from core.shards.shard_rows import has_class_list, open_shards
from core.shards.shards import FOLDERS_DEEP, KINDS, Shard, Shards, split_of

_ENDINGS = tuple(KINDS)
_DEEPEST = 2  # a class and a name
_SHARDS_KNOWN = 1024  # whose tables of places are at hand in a process


class Member(NamedTuple):
    """An image in a shard: where its bytes lie there, as `Row` has it, and when the shard last changed (ns)."""

    shard: Path
    place: int
    size: int
    changed_ns: int


def open_image(path: Path) -> IO[bytes]:
    """Open an image to read its bytes: a plain file, or one in a shard; raises OSError as `open_plain` does."""
    try:
        return open_plain(path)
    except (FileNotFoundError, NotADirectoryError):
        if (member := find_member(path)) is None:
            raise
    if member.shard.name.lower().endswith(".parquet"):
        return io.BytesIO(read_parquet_image(member.shard, member.changed_ns, member.place))
    with open_plain(member.shard) as file:
        file.seek(member.place)
        data = file.read(member.size)
    if len(data) != member.size:
        raise OSError(errno.EIO, "the file that it lies in is cut off", str(path))
    return io.BytesIO(data)


def stamp_member(path: Path) -> tuple[int, int] | None:
    """Return the size of an image in a shard and when that last changed (ns); None where there is none of this path."""
    member = find_member(path)
    return None if member is None else (member.size, member.changed_ns)


def find_member(path: Path) -> Member | None:
    """Return where an image lies in a shard; None where its path leads into none, or there is no such image.

    The index of a shard that changed, or whose index was removed, is made anew.

    Raises:
        OSError: where the shard cannot be read.
    """
    shard = _find_shard(path)
    if shard is None:
        return None
    stamp, name = stamp_shard(shard), path.relative_to(shard).as_posix()
    row = _look_up(_read_places(shard, stamp), name)
    if row is None:  # it may have been listed anew, with other classes
        _read_places.cache_clear()
        row = _look_up(_read_places(shard, stamp), name)
    if row is None:
        return None
    place, size = int(row["place"]), int(row["size"])
    if place < 0 or not 0 <= size <= MOST_OF_ONE:
        raise OSError(errno.EINVAL, "the index of its shard is damaged", str(path))
    return Member(shard, place, size, stamp.changed_ns)


def _find_shard(path: Path) -> Path | None:
    for above in list(path.parents)[:_DEEPEST]:
        if above.name.lower().endswith(_ENDINGS) and above.is_file():
            return above
    return None


def _look_up(places: npt.NDArray[Any], name: str) -> Any:
    wanted = np.uint64(digest_name(name))
    at = int(np.searchsorted(places["name"], wanted))
    return places[at] if at < len(places) and places["name"][at] == wanted else None


@lru_cache(maxsize=_SHARDS_KNOWN)
def _read_places(shard: Path, stamp: Stamp) -> npt.NDArray[Any]:
    try:
        return read_places(stamp)
    except (OSError, ValueError):  # removed, or the shard has changed since it was listed
        _index_anew(shard, stamp)
    try:
        return read_places(stamp)
    except ValueError:
        return np.zeros(0, PLACES)


def _index_anew(path: Path, stamp: Stamp) -> None:
    """Make the index of one shard, by the classes that lie beside or above it; raises OSError where it cannot be read.

    `path` is as it was asked for: what a link leads to may have another name, as in the cache of Hugging Face.
    """
    above = path.parents[: FOLDERS_DEEP + 1]
    folder = next((folder for folder in above if has_class_list(folder)), path.parent)
    split = split_of("/".join(path.parts[-1 - FOLDERS_DEEP :]))
    shard = Shard(path.relative_to(folder).as_posix(), split, stamp.size, stamp.changed_ns)
    try:
        reader = open_shards(Shards(folder, (shard,)))
        make_index(stamp, reader.iter_places(shard), reader.classes)
    except DataError as error:
        raise OSError(errno.EIO, str(error), os.fspath(path)) from None
