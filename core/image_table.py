"""The one way to keep a table with a row an image: as CSV, and of very many images as Parquet, column by column.

Both hold the same: texts, and numbers of six decimals. A million predictions are 160 MB of CSV.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.files import write_file, write_rows
from core.reading import read_plain

if TYPE_CHECKING:  # where a run's tables lie is asked without numpy
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq

    Floats = npt.NDArray[np.floating[Any]]
    Columns = Mapping[str, "Sequence[str] | Names | Floats"]

MANY = 100_000  # rows from which on a table is Parquet: smaller ones are read in a moment, and any program opens CSV
_CSV, _PACKED, _PARQUET = ".csv", ".csv.gz", ".parquet"
_DECIMALS = 6
_MOST_CELLS = 500_000_000  # of a Parquet file, a few bytes of which may stand for any number of equal ones
# How pyarrow packs columns unless it is told otherwise. In the others equal beginnings may take no room.
_PACKINGS = {"PLAIN", "RLE", "BIT_PACKED", "PLAIN_DICTIONARY", "RLE_DICTIONARY"}


@dataclass(frozen=True)
class Names:
    """A column of names, of which there are few: `codes` (N,) are indices into `names`."""

    codes: npt.NDArray[np.integer[Any]]
    names: Sequence[str]


def find_table(path: Path) -> Path:
    """Return where a table lies that is called so as CSV: there, or in the Parquet file in its place; the newer of both."""
    parquet = _rename(path, _PARQUET)
    try:
        written = parquet.stat().st_mtime_ns
    except OSError:
        return path
    try:
        return path if path.stat().st_mtime_ns > written else parquet
    except OSError:
        return parquet


def write_table(path: Path, columns: Columns) -> None:
    """Write a table whole or not at all, in the place of `path`, whichever of its names that is.

    It becomes Parquet from `MANY` rows on, else CSV, which is compressed where the name of `path` ends in .gz.

    Raises:
        OSError: when it cannot be written.
    """
    rows = _count_rows(columns)
    if rows >= MANY:
        path = _rename(path, _PARQUET)
        table = _make_arrow(columns)

        def write(file: Any) -> None:
            import pyarrow.parquet as pq

            pq.write_table(table, file, compression="zstd")

        write_file(path, write)
    else:
        path = _rename(path, _CSV) if path.suffix == _PARQUET else path
        write_rows(path, tuple(columns), zip(*map(_list_texts, columns.values()), strict=True))
    for other in _list_forms(path):
        if other != path:
            other.unlink(missing_ok=True)


def drop_table(path: Path) -> None:
    """Remove a table in whatever form it lies there."""
    for form in _list_forms(path):
        form.unlink(missing_ok=True)


def read_table(path: Path, *, most: int, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read a table of at most so many bytes; of CSV every column is text, of Parquet texts are texts and numbers float64.

    `columns` are the only ones that are wanted; all of them without.

    Raises:
        ValueError: saying why it is no table, or which of `columns` it lacks.
        EOFError, zlib.error: when it is compressed and cut off or damaged.
        OSError: when it cannot be read.
    """
    data = read_plain(path, most=most)
    if path.suffix == _PARQUET:
        return _read_parquet(data, most, columns)
    import pandas as pd

    return pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False, usecols=columns)


def _rename(path: Path, suffix: str) -> Path:
    """Return what a table is called in another form."""
    name = path.name
    for own in (_PACKED, _CSV, _PARQUET):
        name = name.removesuffix(own)
    return path.with_name(name + suffix)


def _list_forms(path: Path) -> Iterator[Path]:
    yield from (_rename(path, suffix) for suffix in (_CSV, _PACKED, _PARQUET))


def _count_rows(columns: Columns) -> int:
    first = next(iter(columns.values()))
    return len(first.codes if isinstance(first, Names) else first)


def _list_texts(column: Sequence[str] | Names | Floats) -> Sequence[str]:
    if isinstance(column, Names):
        return [column.names[code] for code in column.codes.tolist()]
    import numpy as np

    if isinstance(column, np.ndarray):
        return [f"{value:.{_DECIMALS}f}" for value in column.tolist()]
    return column


def _make_arrow(columns: Columns) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    found: dict[str, Any] = {}
    for name, column in columns.items():
        if isinstance(column, Names):
            codes = pa.array(column.codes.astype(np.int32))
            found[name] = pa.DictionaryArray.from_arrays(codes, pa.array(list(column.names), pa.string()))
        elif isinstance(column, np.ndarray):
            # As CSV has them, so that a table says the same in either form.
            found[name] = pa.array(np.round(column.astype(np.float64), _DECIMALS))
        else:
            found[name] = pa.array(list(column), pa.string())
    return pa.table(found)


def _read_parquet(data: bytes, most: int, columns: Sequence[str] | None) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(pa.BufferReader(data)) as file:
            _refuse_large(file.metadata, most)
            names = file.schema_arrow.names
            texts = [field.name for field in file.schema_arrow if pa.types.is_string(field.type)]
        # As the different ones and which of them each is, since a file of kilobytes may say a long one a million times.
        with pq.ParquetFile(pa.BufferReader(data), read_dictionary=texts) as file:
            if missing := sorted(set(columns or ()) - set(names)):
                raise ValueError(f"it lacks the column {missing[0]}")
            table = file.read(columns)
        table.validate(full=True)  # else a text that is none would be met much later
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(str(error) or "it is no Parquet file") from None
    if len(set(table.column_names)) < table.num_columns:
        raise ValueError("two of its columns have one name")
    left, plain = most, {}
    for name in table.column_names:
        left -= _count_bytes(table[name])
        if left < 0:
            raise ValueError(f"with the column {name} its texts come to more than {most:,} bytes")
        plain[name] = _take_column(name, table[name])
    frame: pd.DataFrame = pa.table(plain).to_pandas()
    return frame


def _refuse_large(about: pq.FileMetaData, most: int) -> None:
    """Raise ValueError where a file says that it holds more than so many bytes, or packs them as no table of ours is."""
    if about.num_rows * about.num_columns > _MOST_CELLS:
        raise ValueError(f"it has {about.num_rows:,} rows of {about.num_columns} columns")
    groups = [about.row_group(number) for number in range(about.num_row_groups)]
    parts = [group.column(number) for group in groups for number in range(group.num_columns)]
    if sum(part.total_uncompressed_size for part in parts) > most:
        raise ValueError(f"it unpacks to more than {most:,} bytes")
    if odd := {packing for part in parts for packing in part.encodings} - _PACKINGS:
        raise ValueError(f"it is packed in a way that is not read ({min(odd)})")


def _count_bytes(column: pa.ChunkedArray) -> int:
    """Return how many bytes the texts of a column come to, one a row; 0 of a column that holds none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_dictionary(column.type) and pa.types.is_string(column.type.value_type)):
        return 0
    lengths = (pc.binary_length(chunk.dictionary).take(chunk.indices) for chunk in column.chunks)
    return sum(pc.sum(one).as_py() or 0 for one in lengths)


def _take_column(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column as texts or as float64; raises ValueError where it is neither."""
    import pyarrow as pa

    kind = column.type
    if column.null_count:
        raise ValueError(f"the column {name} has rows without a value")
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return column.cast(pa.float64(), safe=False)
    if not (pa.types.is_dictionary(kind) and pa.types.is_string(kind.value_type)):
        raise ValueError(f"the column {name} holds {kind}")
    return column.cast(pa.large_string())
