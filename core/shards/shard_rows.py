"""The rows of shards of any kind, and the classes that all of them have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.errors import DataError
from core.reading import read_plain
from core.shards.rows import Row
from core.shards.shards import Shard, Shards
from core.shards.table_places import iter_table_places
from core.shards.tables import Table, iter_rows, read_table_head
from core.shards.tar_samples import iter_samples

# Beside tar archives, whose labels are numbers: a line for each class.
_CLASS_LISTS = ("classes.txt", "classnames.txt", "class_names.txt", "labels.txt")
_MOST = 10_000_000  # bytes of such a list


@dataclass(frozen=True)
class Reader:
    """What reads the rows of some shards; `classes` are the names of labels that are numbers, where they have names."""

    root: Path
    classes: tuple[str, ...]
    tables: Mapping[str, Table]

    def iter_rows(self, shard: Shard, start: int) -> Iterator[Row]:
        """Yield a shard's rows from one on; raises DataError where it is damaged."""
        if shard.path in self.tables:
            return iter_rows(self.root / shard.path, self.tables[shard.path], start)
        return iter_samples(self.root / shard.path, self.classes, start)

    def iter_places(self, shard: Shard) -> Iterator[Row]:
        """Yield a shard's rows with where their images lie, as `Row` has it; raises as `iter_rows`."""
        if shard.path in self.tables:
            return iter_table_places(self.root / shard.path, self.tables[shard.path])
        return iter_samples(self.root / shard.path, self.classes, with_data=False)


def open_shards(shards: Shards, *, image: str = "", label: str = "") -> Reader:
    """Look at the beginning of each shard, and return what reads them.

    Raises:
        DataError: when one is damaged, has no images, or has other classes than one before it; for training, no labels.
    """
    if shards.files[0].ending == ".tar":
        return Reader(shards.root, _read_class_list(shards.root), {})
    tables: dict[str, Table] = {}
    named = ""
    for shard in shards.files:
        path = shards.root / shard.path
        table = read_table_head(path, image=image, label=label, must=shard.split != "test")
        tables[shard.path] = table
        if not table.label and shard.split != "test":
            raise DataError(f"{path} has no column of labels that is recognised. Name it.")
        if table.classes and named and table.classes != tables[named].classes:
            raise DataError(
                f"{path} has other classes than {named}. Unpack each data set from a folder of its own."
            )
        named = named or (shard.path if table.classes else "")
    return Reader(shards.root, tables[named].classes if named else (), tables)


def has_class_list(root: Path) -> bool:
    """Tell whether a folder has the names of labels that are numbers, a line for each."""
    return _find_class_list(root) is not None


def _find_class_list(root: Path) -> Path | None:
    return next((root / name for name in _CLASS_LISTS if (root / name).is_file()), None)


def _read_class_list(root: Path) -> tuple[str, ...]:
    place = _find_class_list(root)
    if place is None:
        return ()
    try:
        lines = read_plain(place, most=_MOST).decode("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        raise DataError(f"{place} cannot be read: {error}. Repair or remove it.") from None
    return tuple(line.strip() for line in lines if line.strip())
