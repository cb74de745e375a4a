"""What was measured of files, kept on disk for as long as a file keeps its size and times, so that none is read twice."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.arrays import read_arrays
from core.files import write_file
from core.shards.members import stamp_member

_MOST = 4_000_000_000  # bytes of such a file: ten million images


@dataclass(frozen=True)
class Kept:
    """The file where rows of a dtype are kept by path; those of another version are forgotten.

    The dtype has the fields `bytes` and `mtime_ns`, as `stamp_file` gives them, and `measured`, which tells a row that
    says something from one that is still zero.
    """

    path: Path
    dtype: np.dtype[np.void]
    version: int

    def take(self, root: Path, paths: Sequence[str]) -> tuple[npt.NDArray[Any], list[str], list[int]]:
        """Return the rows (N,) and notes of files below `root`, and the indices of those not known: their rows are zero."""
        kept = self._read()
        values, notes, missing = np.zeros(len(paths), self.dtype), [""] * len(paths), []
        for index, path in enumerate(paths):
            known = kept.get(path)
            try:
                same = known is not None and stamp_file(root, path) == known[:2]
            except OSError:
                same = False
            if known is not None and same:
                values[index], notes[index] = known[2], known[3]
            else:
                missing.append(index)
        return values, notes, missing

    def save(self, root: Path, paths: Sequence[str], notes: Sequence[str], values: npt.NDArray[Any]) -> None:
        """Keep the rows that are measured, and those kept before of other files that are still there."""
        chosen = np.flatnonzero(values["measured"]).tolist()
        asked = set(paths)
        others = {p: row for p, row in self._read().items() if p not in asked and _is_there(root, p)}
        names = [paths[i] for i in chosen] + list(others)
        rows = np.concatenate([values[chosen], np.array([row[2] for row in others.values()], self.dtype)])
        told = [notes[i] for i in chosen] + [row[3] for row in others.values()]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_file(
            self.path,
            lambda file: np.savez(
                file,
                version=self.version,
                paths=np.array(names, dtype=np.str_),
                problems=np.array(told, dtype=np.str_),
                values=rows,
            ),
        )

    def _read(self) -> dict[str, tuple[int, int, np.void, str]]:
        try:
            file = read_arrays(self.path, most=_MOST)
            values = file["values"]
            if int(file["version"]) != self.version or values.dtype != self.dtype:
                return {}
            stamps = zip(values["bytes"].tolist(), values["mtime_ns"].tolist(), strict=True)
            rows = zip(file["paths"].tolist(), stamps, values, file["problems"].tolist(), strict=True)
            return {path: (*stamp, row, note) for path, stamp, row, note in rows}
        except (OSError, ValueError, KeyError, TypeError):  # none yet, or damaged
            return {}


def stamp_file(root: Path, path: str) -> tuple[int, int]:
    """Return a file's size in bytes and the time of its last change in nanoseconds; raises OSError, also for no file.

    The time of its inode counts too, since a copy that keeps times sets back the other. An image inside a shard has the
    shard's times.
    """
    try:
        found = os.stat(f"{root}/{path}")  # noqa: PTH116  many thousands at a time
    except (FileNotFoundError, NotADirectoryError):
        if (stamp := stamp_member(Path(root, path))) is None:
            raise
        return stamp
    if not stat.S_ISREG(found.st_mode):  # to open a pipe would wait for ever
        raise OSError(errno.EINVAL, "it is not a file")
    return found.st_size, max(found.st_mtime_ns, found.st_ctime_ns)


def _is_there(root: Path, path: str) -> bool:
    try:
        stamp_file(root, path)
    except OSError:
        return False
    return True


def name_data(data: Path) -> str:
    """Return what the files about a data folder are called in the folder of all runs."""
    return hashlib.sha256(os.fsencode(data.resolve())).hexdigest()[:16]
