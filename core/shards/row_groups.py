"""One image of a Parquet file, where some hundred are compressed together: what was unpacked last is kept for its neighbours."""

from __future__ import annotations

import errno
import os
import threading
from bisect import bisect_right
from collections import OrderedDict
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import DataError
from core.shards.tables import read_table_head

_MOST = 64 * 10**6  # bytes of row groups that a process keeps; the one that is asked for always
_FILES_KNOWN = 64  # whose beginnings are at hand


class _Groups:
    """The row groups that were asked for last, in the order in which they were."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._kept: OrderedDict[tuple[Path, int, int], Any] = OrderedDict()
        self._bytes = 0

    def find(self, path: Path, changed_ns: int, group: int) -> Any:
        """Return the images of a row group as a column of Arrow; called with the lock held."""
        key = (path, changed_ns, group)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        column = _read_group(path, changed_ns, group)
        self._kept[key] = column
        self._bytes += column.nbytes
        while self._bytes > _MOST and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return column


_groups = _Groups()


def find_groups(path: Path, changed_ns: int) -> tuple[int, ...]:
    """Return the number of the first row of each row group of a Parquet file; raises as `read_table_head`."""
    return _read_head(path, changed_ns)[2]


def read_parquet_image(path: Path, changed_ns: int, row: int) -> bytes:
    """Return the bytes of the image in a row of a Parquet file that last changed at a time (ns); raises OSError."""
    try:
        _, _, starts = _read_head(path, changed_ns)
        group = bisect_right(starts, row) - 1
        with _groups.lock:
            value = _groups.find(path, changed_ns, group)[row - starts[group]]
        data = value["bytes"] if isinstance(value, pa.StructScalar) else value
        return bytes(data.as_buffer())
    except (pa.ArrowException, DataError, IndexError, AttributeError, ValueError) as error:
        raise OSError(errno.EIO, f"its shard is damaged ({error})", str(path)) from None


@lru_cache(maxsize=_FILES_KNOWN)
def _read_head(path: Path, changed_ns: int) -> tuple[pq.FileMetaData, str, tuple[int, ...]]:  # noqa: ARG001
    """Return what a file says of itself, the column to read, and the first row of each row group."""
    table = read_table_head(path)
    with pq.ParquetFile(path) as file:
        known = file.metadata
    counts = [known.row_group(number).num_rows for number in range(known.num_row_groups)]
    column = table.image if table.is_bare else f"{table.image}.bytes"
    return known, column, (0, *accumulate(counts[:-1]))


def _read_group(path: Path, changed_ns: int, group: int) -> Any:
    known, column, _ = _read_head(path, changed_ns)
    with pq.ParquetFile(path, metadata=known, pre_buffer=False) as file:
        found = file.read_row_group(group, columns=[column], use_threads=False).column(0)
    found.validate(full=True)
    return found


def _renew() -> None:
    globals()["_groups"] = _Groups()


if hasattr(os, "register_at_fork"):  # a child must not wait for a thread that it does not have
    os.register_at_fork(after_in_child=_renew)
