"""What a user tells of the images: a CSV with the column `path` and any others, words or numbers."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import DataError
from core.reading import read_plain
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
    """Read a user's CSV file; see `parse_columns`. Raises OSError where it cannot be opened."""
    try:
        content = read_plain(path, most=_MOST)
    except ValueError as error:
        raise DataError(f"{path.name}: {error}.") from None
    return parse_columns(content, path.name, paths, root)


def parse_columns(content: bytes, name: str, paths: Sequence[str], root: Path) -> Columns:
    """Return the columns of a CSV file called `name` for the images at `paths`, relative to the data folder `root`.

    A column is of numbers where all its cells are, but for empty ones; else it is of words. Rows of other images are
    left aside, and an image without a row has empty cells.

    Raises:
        DataError: naming the line and the column that are wrong.
    """
    rows, names = _read_rows(content, name)
    wanted, cells = set(paths), dict[str, _Row]()
    for row in rows:
        image = _find_image(row.cells[PATH], root)
        if image in cells:
            raise DataError(
                f"{name}, line {row.line}, column {PATH}: {image} stands in line {cells[image].line} already. Keep one of the two."
            )
        cells[image] = row
    matched = len(wanted & cells.keys())
    if not matched:
        raise DataError(
            f"{name}: its column {PATH} names none of the {format_count(len(paths), 'judged image')}. Write them as here: "
            f"{paths[0] if paths else 'val/class/image.jpg'}"
        )
    found = [
        _make_property(column, [cells.get(image) for image in paths], list(cells.values()), name)
        for column in names
    ]
    return Columns(tuple(found), matched)


def _read_rows(content: bytes, name: str) -> tuple[list[_Row], list[str]]:
    """Return the rows of a CSV file, and the names of its columns but `path`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{name}: it is no text in UTF-8. Save it as a CSV file in UTF-8.") from None
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_find_separator(text))
    try:
        head = [cell.strip() for cell in next(reader, [])]
        _check_head(head, name)
        rows = list(_take_rows(((reader.line_num, cells) for cells in reader), head, name))
    except csv.Error as error:
        raise DataError(f"{name}, line {reader.line_num}: it cannot be read ({error}).") from None
    return rows, [column for column in head if column != PATH]


def _find_separator(text: str) -> str:
    """Return what separates the columns: spreadsheets of some languages write semicolons."""
    head = text.partition("\n")[0]
    return max(_SEPARATORS, key=head.count)


def _check_head(head: Sequence[str], name: str) -> None:
    if PATH not in head:
        raise DataError(
            f"{name}, line 1: there is no column {PATH}. The first line must name the columns: {PATH} and at least one more."
        )
    if len(head) < 2:
        raise DataError(
            f"{name}, line 1: there is no column beside {PATH}, so it tells nothing of the images."
        )
    for place, column in enumerate(head, start=1):
        if not column:
            raise DataError(f"{name}, line 1: column {place} has no name. Give it one.")
        if column in head[: place - 1]:
            raise DataError(f"{name}, line 1: two columns are called {column}. Give one another name.")


def _take_rows(lines: Iterable[tuple[int, list[str]]], head: Sequence[str], name: str) -> Iterator[_Row]:
    for line, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(head):
            missing = (
                f"its column {head[len(cells)]} is missing" if len(cells) < len(head) else "that is too many"
            )
            raise DataError(
                f"{name}, line {line}: it has {format_count(len(cells), 'cell')} in place of {len(head)}; {missing}."
            )
        row = _Row(line, dict(zip(head, (cell.strip() for cell in cells), strict=True)))
        if not row.cells[PATH]:
            raise DataError(f"{name}, line {line}, column {PATH}: it is empty. Name the image.")
        yield row


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
            f"{name}, line {slips[0].line}, column {column}: {slips[0].cells[column]!r} is no number, as the other cells of this "
            "column are. Correct it, or leave it empty where the number is not known."
        )
    return make_amount(column, np.array([float(cell) if cell else math.nan for cell in cells]))


def _read_number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
