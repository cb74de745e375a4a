"""What a user tells of the images: a CSV with the column `path` and any others, words or numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.csv_table import Table, read_table
from core.errors import DataError
from core.slices.properties import Property, make_amount, make_sort
from core.words import format_count

PATH = "path"
_MOST = 200_000_000  # bytes of a file
_SEPARATORS = ",;\t"
_MOSTLY = 0.9  # of the cells: where so many are numbers, the others are slips


@dataclass(frozen=True, eq=False)
class Columns:
    """A user's columns as properties of the judged images, and how many of these have a row."""

    properties: tuple[Property, ...]
    matched: int


@dataclass(frozen=True)
class _Row:
    line: int
    cells: dict[str, str]


def read_columns(path: Path, paths: Sequence[str], root: Path) -> Columns:
    """Read a user's CSV file; see `take_columns`. Raises DataError where it cannot be read, too."""
    return take_columns(read_table(path), paths, root)


def take_columns(table: Table, paths: Sequence[str], root: Path) -> Columns:
    """Return the columns of a table for the images at `paths`, relative to the data folder `root`.

    A column is of numbers where all its cells are, but for empty ones; else it is of words. Rows of other images are
    left aside, and an image without a row has empty cells.

    Raises:
        DataError: naming the line and the column that are wrong.
    """
    name, rows = table.name, _list_rows(table)
    names = [column for column in table.head if column != PATH]
    wanted, cells = set(paths), dict[str, _Row]()
    for row in rows:
        image = _find_image(row.cells[PATH], root)
        if image in cells:
            raise DataError(
                f"{name}, line {row.line}, column {PATH}: {image} is already in line {cells[image].line}. Keep one of the two."
            )
        cells[image] = row
    matched = len(wanted & cells.keys())
    if not matched:
        raise DataError(
            f"{name}: its column {PATH} names none of the {format_count(len(paths), 'judged image')}. Write paths like this one: "
            f"{paths[0] if paths else 'val/class/image.jpg'}"
        )
    found = [
        _make_property(column, [cells.get(image) for image in paths], list(cells.values()), name)
        for column in names
    ]
    return Columns(tuple(found), matched)


def _list_rows(table: Table) -> list[_Row]:
    """Return the rows of a table, each of which names an image."""
    _check_head(table.head, table.name)
    rows = []
    for line, cells in table.list_rows():
        if not cells[PATH]:
            raise DataError(f"{table.name}, line {line}, column {PATH}: the cell is empty. Name the image.")
        rows.append(_Row(line, cells))
    return rows


def _check_head(head: Sequence[str], name: str) -> None:
    if PATH not in head:
        raise DataError(
            f"{name}, line 1: there is no column {PATH}. The first line must name the columns: {PATH} and at least one more."
        )
    if len(head) < 2:
        raise DataError(
            f"{name}, line 1: there is no column besides {PATH}, so the table says nothing about the images. Add one."
        )
    if "" in head:
        raise DataError(f"{name}, line 1: column {head.index('') + 1} has no name. Give it one.")


def _find_image(path: str, root: Path) -> str:
    """Return a path as predictions tables have it: relative to the data folder, with slashes."""
    plain = path.replace("\\", "/").removeprefix("./")
    return plain.removeprefix(f"{root.as_posix()}/")


def _make_property(
    column: str, rows: Sequence[_Row | None], everything: Sequence[_Row], name: str
) -> Property:
    """Return a column as a property of the images whose rows these are, None for an image without one."""
    cells = tuple("" if row is None else row.cells[column] for row in rows)
    told = [row for row in everything if row.cells[column]]
    slips = [row for row in told if _read_number(row.cells[column]) is None]
    if not told or len(told) - len(slips) < _MOSTLY * len(told):
        return make_sort(column, cells)
    if slips:
        raise DataError(
            f"{name}, line {slips[0].line}, column {column}: {slips[0].cells[column]!r} is not a number, as the other cells of this "
            "column are. Correct it, or leave it empty where the number is not known."
        )
    return make_amount(column, np.array([float(cell) if cell else math.nan for cell in cells]))


def _read_number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
