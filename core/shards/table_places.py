"""Where the images of a table lie: in an Arrow file, which is not compressed, as bytes in a row; in a Parquet file by their row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from core.errors import DataError
from core.shards.row_groups import find_groups
from core.shards.rows import MOST_AT_ONCE, Row
from core.shards.tables import Table, columns_of, iter_rows, open_arrow, read_row, told
from core.words import format_bytes

_BEGINNING = 32  # bytes of an image by which its kind is known


def iter_table_places(path: Path, table: Table) -> Iterator[Row]:
    """Yield the rows of a table with where their images lie, and of their bytes the beginning alone.

    Raises:
        DataError: when it is damaged, naming the row it can be read up to, its columns are compressed though it is an Arrow file,
            or it is a Parquet file of which one image cannot be read without unpacking gigabytes.
    """
    if path.suffix.lower() == ".parquet":
        yield from _iter_parquet_places(path, table)
        return
    number = 0
    with told(path, lambda: number), pa.memory_map(str(path)) as source:
        whole = source.read_buffer()
        for batch, share in _iter_batches(whole, columns_of(table)):
            batch.validate(full=True)  # as in `iter_rows`
            begins = _find_bytes(batch.column(table.image), whole, table, path)
            for place in range(batch.num_rows):
                row = read_row(batch, place, table, number, share, with_data=False)
                number += 1
                begin, size = int(begins[place]), int(begins[place + 1] - begins[place])
                data = bytes(whole[begin : begin + min(size, _BEGINNING)])
                yield row if row.refusal else replace(row, data=data, place=begin, size=size)


def _iter_parquet_places(path: Path, table: Table) -> Iterator[Row]:
    with told(path):
        starts = set(find_groups(path, path.stat().st_mtime_ns))
    first = together = 0
    for row in iter_rows(path, table):
        if row.number in starts:
            first, together = row.number, 0
        together += row.size
        if together > MOST_AT_ONCE:
            raise DataError(
                f"{path}: the images from row {first:,} to row {row.number:,} are compressed together and come to more than "
                f"{format_bytes(MOST_AT_ONCE)}, too much to read one of them where it lies. Unpack the file into a folder, or write it "
                "anew with at most 100 rows in a group."
            )
        yield replace(row, place=row.number, data=row.data[:_BEGINNING])


def _iter_batches(whole: pa.Buffer, columns: list[str]) -> Iterator[tuple[Any, float]]:
    """Yield the record batches of an Arrow file that lie in memory as in the file, each with the share read by its end."""
    source = pa.BufferReader(whole)
    reader = open_arrow(source)
    if isinstance(reader, pa.RecordBatchReader):
        for batch in reader:
            yield batch.select(columns), min(1.0, source.tell() / max(1, whole.size))
        return
    for number in range(reader.num_record_batches):
        yield reader.get_batch(number).select(columns), (number + 1) / reader.num_record_batches


def _find_bytes(column: Any, whole: pa.Buffer, table: Table, path: Path) -> npt.NDArray[np.int64]:
    """Return where in the file the bytes of each row of a batch begin, and where those of the last end (rows + 1,)."""
    values = column if table.is_bare else column.field("bytes")
    kind = np.dtype(np.int64 if pa.types.is_large_binary(values.type) else np.int32)
    _, ends, data = values.buffers()
    found: npt.NDArray[np.int64] = np.frombuffer(
        ends, kind, len(values) + 1, values.offset * kind.itemsize
    ).astype(np.int64)
    if data is None or not data.size:  # of images without bytes
        return found * 0
    first = data.address - whole.address
    if not 0 <= first <= whole.size - data.size:
        raise DataError(
            f"{path} is compressed, so the images in it cannot be read where they lie. Unpack it into a folder."
        )
    found += first
    return found
