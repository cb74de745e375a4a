"""What of a run's large files is damaged, as far as their heads and ends tell: a list of runs looks at those of all runs.

A file that is not there is not damaged. What is inside the files is checked by whoever reads them whole.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from core.errors import describe_cause
from core.reading import open_plain, parse_json
from core.stored import records
from core.stored.status import MOST_STATUSES, Stamp

NEEDED = (
    "path",
    "true",
    "predicted",
    "confidence",
    "true_confidence",
    "loss",
)  # columns of a predictions table
_SMALL = 20_000  # bytes of a record that is read whole: of thousands of runs that takes a moment
_HEAD = 100_000  # bytes, more than the names of the columns take
_MARK = b"PAR1"  # how a Parquet file begins and ends

Stamps = tuple[Stamp | None, ...]  # of the files that are looked at; None of one that is not there

# Folders whose files were found sound, by the stamps they had then. The index beside the runs fills it in a new process.
SOUND: dict[str, Stamps] = {}


def find_file_damage(folder: Path, only: str = "") -> str:
    """Say which of the files is damaged and why; empty where none is. What was found sound is looked at when it changed.

    With `only` the file of this name alone is asked about.
    """
    name = str(folder)
    stamps = tuple(_stamp(f"{name}{os.sep}{file}") for file in _CHECKS)
    if SOUND.get(name) == stamps:
        return ""
    found = [
        problem
        for (file, check), stamp in zip(_CHECKS.items(), stamps, strict=True)
        if only in ("", file) and stamp is not None and (problem := _find_problem(folder / file, check))
    ]
    if not found and not only:
        if len(SOUND) >= MOST_STATUSES:
            SOUND.clear()
        SOUND[name] = stamps
    return "; ".join(found)


def _find_problem(path: Path, check: Callable[[IO[bytes]], None]) -> str:
    try:
        with open_plain(path) as file:
            check(file)
    except FileNotFoundError:
        return ""
    except ValueError as error:
        return f"{path.name} is damaged: {error}"
    except OSError as error:
        return f"{path.name} cannot be read: {describe_cause(error)}"
    return ""


def _check_model(file: IO[bytes]) -> None:
    if not zipfile.is_zipfile(file):  # torch.save writes one, whose list of contents is at the end
        raise ValueError("it is cut off, or not a checkpoint")


def _check_record(file: IO[bytes]) -> None:
    text = file.read(_SMALL)
    if len(text) < _SMALL:
        values = parse_json(text.decode("utf-8-sig"))
        if not isinstance(values, dict):
            raise ValueError("it is not a JSON object")
        records.check_data(values)
    else:
        file.seek(-2, os.SEEK_END)
        if not text.startswith(b"{") or b"}" not in file.read():
            raise ValueError("it is cut off, or not a JSON object")


def _check_csv(file: IO[bytes]) -> None:
    line = file.read(_HEAD).split(b"\n", 1)[0].decode("utf-8-sig")
    if missing := sorted(set(NEEDED) - set(line.strip().split(","))):
        raise ValueError(f"it is not a predictions table: it lacks the column {missing[0]}")


def _check_parquet(file: IO[bytes]) -> None:
    begin = file.read(len(_MARK))
    with suppress(OSError):  # it is shorter than the mark
        file.seek(-len(_MARK), os.SEEK_END)
    if begin != _MARK or file.read() != _MARK:
        raise ValueError("it is cut off, or not a Parquet file")


_CHECKS: dict[str, Callable[[IO[bytes]], None]] = {
    "data.json": _check_record,
    "predictions-val.csv": _check_csv,
    "predictions-val.parquet": _check_parquet,
    "best.pt": _check_model,
    "last.pt": _check_model,
}


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)  # noqa: PTH116  of thousands of runs
    except OSError:
        return None
    return Stamp(found.st_mtime_ns, found.st_ino, found.st_size)
