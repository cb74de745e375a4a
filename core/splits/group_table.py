"""A table of groups, CSV with a line an image: which images belong together, as whoever took them knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from core.csv_table import Table, read_table
from core.errors import DataError
from core.places import expand_home
from core.reading import is_there
from core.words import format_count

IMAGE, GROUP = "image", "group"  # its columns


def read_groups(named: str, paths: Sequence[str], others: Iterable[str] = ()) -> dict[str, str]:
    """Return the group of each path that a table names; `named` is its path, with #COLUMN where that is not `group`.

    An image stands there by its path in the data folder or, where only one is called so, by its file name with or without
    the ending. `others` are images of the data set that may stand there too. Empty groups are none.

    Raises:
        DataError: naming the column that is missing, or the row and column that is wrong.
    """
    place, _, column = named.partition("#")
    column = column or GROUP
    table = _read(expand_home(place))
    for name in (IMAGE, column):
        if name not in table.head:
            raise DataError(
                f"group_by: {Path(place).name} has no column {name!r}; it has {', '.join(table.head)}. The first line must name "
                f"the columns {IMAGE} and {GROUP}; to use another column than {GROUP}, add its name to the path, such as "
                f"{Path(place).name}#patient."
            )
    known = set(paths)
    by_name = _index([*paths, *others])
    groups: dict[str, str] = {}
    for line, row in table.list_rows():
        image, group = row[IMAGE], row[column]
        where = f"group_by: {Path(place).name}, line {line}, column"
        found = by_name.get(image, [])
        if not found:
            raise DataError(
                f"{where} {IMAGE}: {image!r} is not an image of this data. Correct or remove the line."
            )
        if len(found) > 1:
            raise DataError(
                f"{where} {IMAGE}: {format_count(len(found), 'image')} are called {image!r}. Give the path in the data folder, "
                f"such as {found[0]}."
            )
        if groups.get(found[0], group) != group:
            raise DataError(
                f"{where} {column}: {image!r} is in the group {group!r} here and in {groups[found[0]]!r} earlier. Keep one."
            )
        if group:
            groups[found[0]] = group
    return {path: group for path, group in groups.items() if path in known}


def _read(place: Path) -> Table:
    if not is_there(place):
        raise DataError(
            f"group_by: there is no file {place}. Give copies, name, none or the path of a CSV with the columns {IMAGE} and {GROUP}."
        )
    try:
        return read_table(place)
    except DataError as error:
        raise DataError(f"group_by: {error}") from None


def _index(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the paths by all that may name them: a whole path names one, a file name perhaps several."""
    found: dict[str, list[str]] = {}
    for path in paths:
        pure = PurePosixPath(path)
        for name in {path, pure.name, pure.stem}:
            found.setdefault(name, []).append(path)
    return found | {path: [path] for names in list(found.values()) for path in names}
