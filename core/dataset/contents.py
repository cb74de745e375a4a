"""What the image files of a data set contain, as digests: by them a run's data is known again and features are kept."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from core.dataset.folders import ImageFolders
from core.dataset.images import find_obstacle
from core.dataset.kept import Kept, name_data, stamp_file
from core.errors import DataError, describe_cause
from core.reading import open_at_once
from core.shards.members import open_image

FOLDER = ".contents"  # in the folder of all runs
_CHUNK = 64  # files read as one piece of work
_BLOCK = 1 << 20  # bytes read at a time
_VERSION = 1  # raise it when the same file would give another digest
_FACT = np.dtype([("bytes", "<i8"), ("mtime_ns", "<i8"), ("digest", "<u8"), ("measured", "?")])
# Where a system counts time in seconds, a file may be written again under the same time as before.
_YOUNG = 2_000_000_000  # nanoseconds

Progress = Callable[[int, int], bool]


class Content(NamedTuple):
    """A file's size in bytes and the digest of its bytes, 16 hexadecimal digits."""

    size: int
    digest: str


def read_contents(
    root: Path, paths: Sequence[str], runs_root: Path, progress: Progress | None = None
) -> dict[str, Content] | None:
    """Return the contents of files below `root` by path; None when `progress(done, total)` ended it by returning False.

    A file is read only where it is new or has another size or time than when it was read last; `progress` is called
    while files are read. What was read is kept under `runs_root`, the folder of all runs, also of a stop.

    Raises:
        DataError: naming a file that is gone or cannot be read.
    """
    kept = Kept(runs_root / FOLDER / f"{name_data(root)}.npz", _FACT, _VERSION)
    values, notes, missing = kept.take(root, paths)
    going, begun = True, time.time_ns()
    try:
        for done in _digest_missing(root, paths, values, missing):
            if progress is not None and not progress(len(paths) - len(missing) + done, len(paths)):
                going = False
                break
    finally:
        if missing:
            sure = values.copy()
            sure["measured"] &= abs(sure["mtime_ns"] - begun) > _YOUNG
            kept.save(root, paths, notes, sure)
    if not going:
        return None
    rows = zip(paths, values["bytes"].tolist(), values["digest"].tolist(), strict=True)
    return {path: Content(size, f"{digest:016x}") for path, size, digest in rows}


def fingerprint(folders: ImageFolders, contents: Mapping[str, Content]) -> str:
    """Return a digest of classes, file names, contents and split: equal on a copy on another machine."""
    digest = hashlib.sha256(json.dumps(folders.classes).encode())
    for split in (folders.train, folders.val, *([folders.held] if folders.held else [])):
        for sample in split:
            digest.update(f"{sample.path}\0{sample.target}\0{contents[sample.path].digest}\n".encode())
        digest.update(b"\0split\0")
    return digest.hexdigest()[:16]


def read_fingerprint(folders: ImageFolders, runs_root: Path, progress: Progress | None = None) -> str | None:
    """Return the fingerprint of a data set as it is now; None when `progress` ended it. Raises as `read_contents`."""
    contents = read_contents(folders.root, folders.files, runs_root, progress)
    return None if contents is None else fingerprint(folders, contents)


def _digest_missing(
    root: Path, paths: Sequence[str], values: npt.NDArray[Any], missing: Sequence[int]
) -> Iterator[int]:
    """Fill in the rows that are missing, and yield now and then how many are."""
    chunks = [missing[at : at + _CHUNK] for at in range(0, len(missing), _CHUNK)]

    def work(chunk: Sequence[int]) -> list[tuple[int, int, int]]:
        return [_digest_file(root, paths[index]) for index in chunk]

    done = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        try:
            for chunk, found in zip(chunks, pool.map(work, chunks), strict=True):
                for index, (size, stamp, digest) in zip(chunk, found, strict=True):
                    values[index] = (size, stamp, digest, True)
                done += len(chunk)
                yield done
        finally:
            pool.shutdown(cancel_futures=True)


def _open_raw(root: Path, path: str) -> IO[bytes]:
    try:
        return open(f"{root}/{path}", "rb", buffering=0, opener=open_at_once)
    except (FileNotFoundError, NotADirectoryError):
        return open_image(Path(root, path))


def _digest_file(root: Path, path: str) -> tuple[int, int, int]:
    """Return a file's size, its time and the digest of its bytes; raises DataError where it cannot be read."""
    digest = hashlib.blake2b(digest_size=8)
    try:
        size, stamp = stamp_file(root, path)
        with _open_raw(root, path) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        why = find_obstacle(root / path) or f"cannot be read ({describe_cause(error)})"
        raise DataError(f"{root}/{path} {why}. Put it back as it was.") from None
    return size, stamp, int.from_bytes(digest.digest(), "little")
