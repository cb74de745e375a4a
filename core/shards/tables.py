"""Images in tables, as Hugging Face `datasets` writes them to Parquet and Arrow files: which columns, and their rows.

A column of images holds the bytes and the path of each, one of labels numbers whose names stand beside the table's schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from core.errors import DataError
from core.reading import parse_json
from core.shards.rows import MOST_AT_ONCE, MOST_OF_ONE, DamagedShard, Row
from core.words import format_count, shorten

_IMAGES = ("image", "img", "jpg", "png", "picture", "photo")  # usual names, the likeliest first
_LABELS = ("label", "labels", "fine_label", "class", "cls", "category", "target")
_AT_ONCE = 32  # rows in memory
_BUFFER = 1 << 20
_HUGGING_FACE = b"huggingface"


@dataclass(frozen=True)
class Table:
    """How a table holds images: its columns, and the names of the labels where these are numbers that have names.

    `label` is empty where there is not a column of labels. `is_bare` tells that the images are bytes alone, without paths.
    """

    image: str
    label: str
    classes: tuple[str, ...]
    is_bare: bool


def read_table_head(path: Path, *, image: str = "", label: str = "", must: bool = True) -> Table:
    """Return how a table holds images, by the columns that are named or have a usual name.

    A column of labels that is named `must` be there.

    Raises:
        DataError: when it is damaged, or naming the columns there are where none fits.
    """
    with told(path), _open(path) as (schema, _):
        features = _read_features(schema)
        found = _choose_image(path, schema, features, image)
        named = _choose_label(path, schema, features, label, must=must)
        names = features.get(named, {}).get("names") if named else None
        return Table(found, named, _take_names(path, names), not pa.types.is_struct(schema.field(found).type))


def iter_rows(path: Path, table: Table, start: int = 0) -> Iterator[Row]:
    """Yield the rows of a table from one on, a few in memory at a time.

    Raises:
        DataError: when it is damaged, naming the row it can be read up to.
    """
    number = start
    with told(path, lambda: number), _open(path) as (_, source):
        for batch, share in source(columns_of(table), start):
            batch.validate(
                full=True
            )  # of a damaged Arrow file a place outside of it would be read, which ends the process
            for place in range(batch.num_rows):
                yield read_row(batch, place, table, number, share)
                number += 1


def columns_of(table: Table) -> list[str]:
    return [table.image, *filter(None, [table.label])]


@contextmanager
def told(path: Path, place: Callable[[], int] | None = None) -> Iterator[None]:
    """Say of an error of pyarrow which file it was in, and after how many rows."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        read = f" after {format_count(place(), 'row')}" if place is not None else ""
        raise DamagedShard(
            f"{path} is cut off or damaged{read} ({shorten(str(error))}). Get this file again."
        ) from None


@contextmanager
def _open(path: Path) -> Iterator[tuple[pa.Schema, Any]]:
    """Yield a table's schema, and what yields its record batches from a row on, each with the share read by its end."""
    if path.suffix.lower() == ".parquet":
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER) as file:
            yield file.schema_arrow, lambda columns, start: _iter_parquet(file, columns, start)
        return
    with pa.OSFile(str(path)) as source:
        reader = open_arrow(source)
        yield reader.schema, lambda columns, start: _iter_arrow(reader, source, columns, start)


def open_arrow(source: pa.NativeFile) -> Any:
    """Open an Arrow file of either format: `datasets` writes streams, and other programs files that can be sought in."""
    is_file = source.read(6) == b"ARROW1"
    source.seek(0)
    return pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source)


def _iter_parquet(file: pq.ParquetFile, columns: list[str], start: int) -> Iterator[tuple[Any, float]]:
    total, before, groups = file.metadata.num_rows, 0, list(range(file.num_row_groups))
    while groups and before + file.metadata.row_group(groups[0]).num_rows <= start:
        before += file.metadata.row_group(groups.pop(0)).num_rows
    if not groups:
        return
    skipped = start - before
    for group in groups:
        rows = _count_at_once(file.metadata.row_group(group), columns)
        for batch in file.iter_batches(rows, row_groups=[group], columns=columns, use_threads=False):
            before += batch.num_rows
            kept = batch.slice(min(skipped, batch.num_rows))
            skipped -= batch.num_rows - kept.num_rows
            yield kept, before / total


def _count_at_once(group: pq.RowGroupMetaData, columns: list[str]) -> int:
    """Return how many rows of a group are read at a time: each may hold all that the group says once, such as one giant image."""
    chunks = (group.column(number) for number in range(group.num_columns))
    size = sum(max(0, c.total_uncompressed_size) for c in chunks if c.path_in_schema.split(".")[0] in columns)
    return max(1, min(_AT_ONCE, MOST_AT_ONCE // 4 // max(1, int(size))))


def _iter_arrow(
    reader: Any, source: pa.NativeFile, columns: list[str], start: int
) -> Iterator[tuple[Any, float]]:
    batches = (
        reader
        if isinstance(reader, pa.RecordBatchReader)
        else (reader.get_batch(number) for number in range(reader.num_record_batches))
    )
    size, skipped = max(1, source.size()), start
    for batch in batches:
        kept = batch.slice(min(skipped, batch.num_rows)).select(columns)
        skipped -= batch.num_rows - kept.num_rows
        yield kept, min(1.0, source.tell() / size)


def read_row(
    batch: Any, place: int, table: Table, number: int, share: float, *, with_data: bool = True
) -> Row:
    """Return a row of a batch, with the bytes of its image where these are asked for; `number` is its place in the whole table."""
    value = batch.column(table.image)[place]
    data, name = (value, "") if table.is_bare else _open_struct(value)
    label, why = _read_label(batch, place, table)
    size = data.as_buffer().size if data is not None and data.is_valid else -1
    if size < 0:
        why = f"has no bytes, only the path {shorten(name)!r}" if name else "has no bytes"
    elif size > MOST_OF_ONE:
        why = f"has more than {MOST_OF_ONE // 10**6} MB"
    content = data.as_py() if with_data and not why else b""
    return Row(number, name, label, content, share, why, size=max(0, size))


def _open_struct(value: Any) -> tuple[Any, str]:
    """Return the bytes of an image as a value of Arrow, and its path, empty where it is none that can be read."""
    if not value.is_valid:
        return None, ""
    path = value["path"] if "path" in value.type.names else None
    try:
        name = path.as_py() if path is not None else None
    except UnicodeDecodeError:
        name = None
    return value["bytes"], name if isinstance(name, str) else ""


def _read_label(batch: Any, place: int, table: Table) -> tuple[str | None, str]:
    """Return the name of a row's class, None without one, and why it has none that there is."""
    if not table.label:
        return None, ""
    try:
        value = batch.column(table.label)[place].as_py()
    except UnicodeDecodeError:
        return None, "has a label that is not UTF-8"
    if value is None or value == -1:  # as `datasets` writes the labels of a test split that are kept secret
        return None, ""
    if not table.classes:
        return str(value), ""
    if not 0 <= value < len(table.classes):
        return None, f"has the label {value}, and there are {len(table.classes):,} classes, from 0 on"
    return table.classes[value], ""


def _read_features(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    """Return what `datasets` says of the columns, beside their types; nothing where another program wrote the table."""
    told = (schema.metadata or {}).get(_HUGGING_FACE)
    if told is None:
        return {}
    try:
        features = parse_json(told.decode())["info"]["features"]
        return {name: one for name, one in features.items() if isinstance(one, dict)}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _choose_image(path: Path, schema: pa.Schema, features: Mapping[str, Any], asked: str) -> str:
    fitting = _list_fitting(schema, _holds_images)
    declared = [name for name in fitting if features.get(name, {}).get("_type") == "Image"]
    if asked:
        if asked not in fitting:
            raise DataError(f"{path}: {asked!r} is not a column of images. {_list_columns(schema)}")
        return asked
    usual = [name for name in _IMAGES if name in fitting]
    structs = [name for name in fitting if pa.types.is_struct(schema.field(name).type)]
    for names in (usual, declared, structs):
        if names:
            return names[0]
    raise DataError(f"{path} has no column of images, with their bytes. {_list_columns(schema)}")


def _choose_label(
    path: Path, schema: pa.Schema, features: Mapping[str, Any], asked: str, *, must: bool
) -> str:
    fitting = _list_fitting(schema, _holds_labels)
    if asked:
        if asked not in fitting and must:
            raise DataError(f"{path}: {asked!r} is not a column of labels. {_list_columns(schema)}")
        return asked if asked in fitting else ""
    declared = [name for name in fitting if features.get(name, {}).get("_type") == "ClassLabel"]
    usual = [name for name in _LABELS if name in fitting]
    return next(iter([*(name for name in usual if name in declared), *declared, *usual]), "")


def _list_fitting(schema: pa.Schema, fits: Callable[[pa.DataType], bool]) -> list[str]:
    """Return the columns whose type fits, by name; which is meant by a name that two have, nobody knows."""
    return [field.name for field in schema if fits(field.type) and schema.names.count(field.name) == 1]


def _holds_images(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        names = [field.name for field in kind]
        alone = names.count("bytes") == 1 and names.count("path") <= 1
        return alone and _is_bytes(kind.field("bytes").type)
    return _is_bytes(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _holds_labels(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _list_columns(schema: pa.Schema) -> str:
    names = ", ".join(shorten(name, 40) for name in schema.names[:20])
    return f"Its columns are {names}. Name the right ones." if names else "It has no columns."


def _take_names(path: Path, names: Any) -> tuple[str, ...]:
    if names is None:
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(f"{path}: the names of its classes are not a list of texts.")
    return tuple(names)
