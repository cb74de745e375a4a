"""A table as any program wrote it, CSV in what is called so: its encoding, its separator, its rows with their lines."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from core.errors import DataError, describe_cause
from core.reading import open_plain, read_plain
from core.words import format_count

_SEPARATORS = (",", ";", "\t", "|")
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
# What is often handed in in place of a text, by how it begins.
_OTHER = {
    b"PK\x03\x04": "an Excel workbook or an archive",
    b"PAR1": "a Parquet file",
    b"\x89HDF": "an HDF5 file",
}
_LONGEST = 10_000_000  # characters of a cell
_LONGEST_HEAD = 1_000_000  # bytes in which the first line ends
_MOST = 2 * 10**9  # bytes of a file


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

    def list_rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield each row as its line and its cells by their columns, without space around them."""
        for line, row in zip(self.lines, self.rows, strict=True):
            yield line, dict(zip(self.head, (cell.strip() for cell in row), strict=True))

    def refuse(self, row: int, column: str, what: str) -> DataError:
        """Return the error about a cell: `row` counts from 0, `what` says what is wrong and what to do."""
        return DataError(f"{self.name}, line {self.lines[row]}, column {column!r}: {what}")


def read_table(path: Path, name: str = "") -> Table:
    """Read a table from a file, which its user may know by another `name`.

    Raises:
        DataError: as `parse_table`, and where there is no such file, or none that can be read.
    """
    try:
        return parse_table(name or path.name, read_plain(path, most=_MOST))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({describe_cause(error)}).") from None
    except ValueError as error:
        raise DataError(f"{path.name}: {error}.") from None


def read_head(path: Path) -> tuple[str, ...]:
    """Return the names of the columns of a table, of which no more is read; raises as `read_table`."""
    try:
        with open_plain(path) as file:
            text = _decode(path.name, file.read(_LONGEST_HEAD), whole=False)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({describe_cause(error)}).") from None
    first = _find_first_line(text)
    row = next((row for row, _ in _read_rows(path.name, first, _find_separator(first))), [])
    return _read_head(path.name, row)


def parse_table(name: str, data: bytes) -> Table:
    """Make a table of the bytes of a CSV file: UTF-8, UTF-16 with its mark or Latin-1; by comma, semicolon, tab or bar.

    Raises:
        DataError: naming the line that does not fit the first one, or what the file is instead.
    """
    text = _decode(name, data)
    separator = _find_separator(text)
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
                f"{name}, line {line} has {format_count(len(row), 'cell')}, but the first line names "
                f"{format_count(len(head), 'column')}. Put double quotes around a cell that contains the separator."
            )
        rows.append(row)
        lines.append(line)
    if not rows:
        raise DataError(
            f"{name} has no rows. The first line names the columns, such as image,label; each line after it is an image."
        )
    return Table(name, head, rows, lines)


def _decode(name: str, data: bytes, *, whole: bool = True) -> str:
    """Return the text of a file's bytes; of those that are not the `whole` the last character may be cut off."""
    for begin, kind in _OTHER.items():
        if data.startswith(begin):
            raise DataError(f"{name} is {kind}. Save the table as CSV.")
    encoding = next((code for mark, code in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(data, final=whole)
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")  # what Latin-1 means outside of standards
    if "\0" in text:
        raise DataError(f"{name} is not text. Save the table as CSV.")
    return text


def _find_separator(text: str) -> str:
    """Return what separates the columns, by the first line: spreadsheets of some languages write semicolons."""
    return max(_SEPARATORS, key=_find_first_line(text).count)


def _find_first_line(text: str) -> str:
    """Return the first line that holds anything."""
    return text.lstrip("\r\n").partition("\n")[0]


def _read_rows(name: str, text: str, separator: str) -> Iterator[tuple[list[str], int]]:
    csv.field_size_limit(_LONGEST)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for row in reader:
            yield row, reader.line_num
    except csv.Error as error:
        raise DataError(
            f"{name}, line {reader.line_num} is not valid CSV ({error}). Check its double quotes."
        ) from None


def _read_head(name: str, row: list[str]) -> tuple[str, ...]:
    head = tuple(cell.strip() for cell in row)
    for column in head:
        if column and head.count(column) > 1:
            raise DataError(f"{name} has two columns called {column!r}. Rename one of them.")
    return head
