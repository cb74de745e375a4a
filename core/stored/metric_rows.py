"""The figures of a run, metrics.jsonl: one JSON object a line, appended as a training goes on and read on while it does."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from core.files import write_file
from core.reading import open_at_once, open_plain, parse_json
from core.stored import records

_BLOCK = 16_000_000  # bytes that are copied at a time: longer than any line of ours


def append_row(path: Path, row: dict[str, Any]) -> None:
    """Append one row; a reader never sees half of it as a row."""
    with open(path, "a", encoding="utf-8", opener=open_at_once) as file:
        file.write(_text_of(row))


def read_block(path: Path, offset: int, most: int) -> tuple[bytes, int]:
    """Read whole lines from a byte offset on, at most so many bytes; return them and where to read on from.

    There are none at the end, and where the file was cut: then the offset comes back as 0. A line that is longer than
    `most`, which none of ours is, comes in parts.

    Raises:
        OSError: when the file cannot be read; one that is not there yet has no lines.
        ValueError: when it is far larger than figures ever are.
    """
    try:
        with open_plain(path) as file:
            size = file.seek(0, os.SEEK_END)
            if size < offset:
                return b"", 0
            if size > records.FIGURES:
                raise ValueError(f"it has {size:,} bytes, and never more than {records.FIGURES:,}")
            file.seek(offset)
            chunk = file.read(most)
    except FileNotFoundError:
        return b"", 0
    end = chunk.rfind(b"\n") + 1 or (len(chunk) if len(chunk) == most else 0)
    return chunk[:end], offset + end


def keep_rows(path: Path, *, step: int, epoch: int) -> None:
    """Drop the rows after this step and epoch; raises as `read_block` does."""
    if not path.exists():
        return
    last = {"step": step, "epoch": epoch}

    def copy(file: IO[bytes]) -> None:
        offset = 0
        while True:
            block, offset = read_block(path, offset, _BLOCK)
            if not block:
                return
            rows = (row for row in parse_rows(block.splitlines()) if row[row["kind"]] <= last[row["kind"]])
            file.write("".join(map(_text_of, rows)).encode())

    write_file(path, copy)


def parse_rows(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the rows that lines hold; a line that holds none is passed over."""
    for line in lines:
        if not records.is_line(line):
            continue
        try:
            row = parse_json(line.decode())
        except ValueError:
            continue  # a line cut off by a crash of the machine; the rows around it are whole
        # What is no row of ours is passed over too: a figure of it would be read by name.
        if records.is_row(row):
            yield row


def _text_of(row: dict[str, Any]) -> str:
    return json.dumps(row, separators=(",", ":")) + "\n"
