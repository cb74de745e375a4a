"""A table of predictions as another program wrote it: its encoding, its separator, its rows with their lines."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import DataError, describe_cause

_SEPARATORS = (",", ";", "\t", "|")
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# What is often handed in in place of a text, by how it begins.
_OTHER = {
    b"PK\x03\x04": "an Excel workbook or an archive",
    b"PAR1": "a Parquet file",
    b"\x89HDF": "an HDF5 file",
}
_LONGEST = 10_000_000  # characters of a cell


@dataclass(frozen=True)
class Table:
    """The columns of a file and its rows, each with as many cells as there are columns and the line it ends on, from 1."""

    name: str
    head: tuple[str, ...]
    rows: list[list[str]]
    lines: list[int]

    def read_column(self, column: str) -> list[str]:
        """Return the cells of a column, without space around them."""
        place = self.head.index(column)
        return [row[place].strip() for row in self.rows]

    def refuse(self, row: int, column: str, what: str) -> DataError:
        """Return the error about a cell: `row` counts from 0, `what` says what is wrong and what to do."""
        return DataError(f"{self.name}, line {self.lines[row]}, column {column!r}: {what}")


def read_table(path: Path) -> Table:
    """Read a table of predictions from a file; raises DataError as `parse_table` does, and where there is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({describe_cause(error)}).") from None
    return parse_table(path.name, data)


def parse_table(name: str, data: bytes) -> Table:
    """Make a table of the bytes of a CSV file: UTF-8, UTF-16 with its mark or Latin-1; by comma, semicolon, tab or bar.

    Raises:
        DataError: naming the line that does not fit the first one, or what the file is instead.
    """
    text = _decode(name, data)
    first = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count)
    rows: list[list[str]] = []
    lines: list[int] = []
    head: tuple[str, ...] = ()
    for row, line in _read_rows(name, text, separator):
        if not any(cell.strip() for cell in row):
            continue
        if not head:
            head = _read_head(name, row)
            continue
        if len(row) != len(head):
            raise DataError(
                f"{name}, line {line}: has {len(row)} cells where the first line names {len(head)} columns. "
                "Put double quotes around a cell that holds a separator."
            )
        rows.append(row)
        lines.append(line)
    if not rows:
        raise DataError(
            f"{name}: holds no row of predictions. The first line names the columns, each other is an image."
        )
    return Table(name, head, rows, lines)


def _decode(name: str, data: bytes) -> str:
    for begin, kind in _OTHER.items():
        if data.startswith(begin):
            raise DataError(f"{name}: is {kind}. Save the table as CSV.")
    encoding = next((code for mark, code in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")  # what Latin-1 means outside of standards
    if "\0" in text:
        raise DataError(f"{name}: is no text. Save the table as CSV.")
    return text


def _read_rows(name: str, text: str, separator: str) -> Iterator[tuple[list[str], int]]:
    csv.field_size_limit(_LONGEST)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for row in reader:
            yield row, reader.line_num
    except csv.Error as error:
        raise DataError(
            f"{name}, line {reader.line_num}: is no CSV ({error}). Check its double quotes."
        ) from None


def _read_head(name: str, row: list[str]) -> tuple[str, ...]:
    head = tuple(cell.strip() for cell in row)
    for column in head:
        if column and head.count(column) > 1:
            raise DataError(f"{name}: has two columns called {column!r}. Rename one of them.")
    return head
