"""What is measured of every image file for the audit of a data set, kept on disk so that no file is read twice."""

from __future__ import annotations

import hashlib
import os
import time
import warnings
import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image

from core.images import ImageProblem, read_image

THUMB = 16  # pixels a side of the grey picture that near duplicates are compared by
SAVE_EVERY = 10.0  # seconds between two savings of what is measured
_CHUNK = 32  # files measured as one piece of work
_VERSION = 1  # raise it when the same file would give other facts
_FACT = np.dtype(
    [
        ("bytes", "<i8"),
        ("mtime_ns", "<i8"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("contrast", "<f4"),
        ("pixels", "<u8"),
        ("look", "<u8"),
        ("thumb", "u1", (THUMB, THUMB)),
        ("measured", "?"),
    ]
)


@dataclass(frozen=True)
class Facts:
    """The facts of N files, in the order of `paths` (relative to the data folder).

    `problems` says why a file is no readable image, or is empty. `values` (N,) is a structured array: `width` and
    `height` in upright pixels; `contrast`, the standard deviation of the grey values (0..128); `pixels`, a digest of
    size and decoded RGB pixels; `look`, a perceptual hash of 64 bits; `thumb` (16, 16) uint8, grey. Files with a problem
    have zeros there.
    """

    paths: tuple[str, ...]
    problems: tuple[str, ...]
    values: npt.NDArray[Any]


def measure_images(
    root: Path,
    paths: Sequence[str],
    *,
    cache: Path,
    progress: Callable[[int, int], bool] | None = None,
) -> Facts | None:
    """Measure every file, but for those that `cache` holds and that have kept size and time; None when stopped.

    What is measured is saved to `cache` now and then and at the end, also of a stop or an error, so that the next
    call goes on from there. `progress(done, total)` is called now and then and ends it early by returning False.
    """
    values, problems, missing = _take_known(root, paths, cache)
    chunks = [missing[at : at + _CHUNK] for at in range(0, len(missing), _CHUNK)]
    done, saved, going = len(paths) - len(missing), time.monotonic(), True
    # Pillow warns of what is told here anyway. The filters are the whole process's: not one for each thread.
    with warnings.catch_warnings(), ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        warnings.simplefilter("ignore")
        results = pool.map(lambda chunk: [_measure_file(root / paths[index]) for index in chunk], chunks)
        try:
            for chunk, found in zip(chunks, results, strict=True):
                for index, (fact, problem) in zip(chunk, found, strict=True):
                    values[index], problems[index] = fact, problem
                done += len(chunk)
                if progress is not None and done < len(paths) and not progress(done, len(paths)):
                    going = False
                    break
                if time.monotonic() - saved > SAVE_EVERY:
                    _save(cache, paths, problems, values)
                    saved = time.monotonic()
        finally:
            pool.shutdown(cancel_futures=True)
            if missing:
                _save(cache, paths, problems, values)
    if not going or (progress is not None and not progress(len(paths), len(paths))):
        return None
    return Facts(tuple(paths), tuple(problems), values)


def describe_image(image: Image.Image) -> tuple[float, int, int, npt.NDArray[np.uint8]]:
    """Return contrast, digest of the pixels, perceptual hash and thumbnail of an RGB image, as `Facts` has them."""
    grey = image.convert("L")
    counts = np.asarray(grey.histogram(), dtype=np.float64)
    levels = np.arange(256)
    mean = (counts * levels).sum() / counts.sum()
    contrast = float(np.sqrt((counts * (levels - mean) ** 2).sum() / counts.sum()))
    digest = hashlib.blake2b(f"{image.width}×{image.height}".encode(), digest_size=8)
    digest.update(image.tobytes())
    look = np.packbits(imagehash.phash(grey).hash)
    thumb = np.asarray(grey.resize((THUMB, THUMB), Image.Resampling.BOX), dtype=np.uint8)
    return (
        contrast,
        int.from_bytes(digest.digest(), "little"),
        int.from_bytes(look.tobytes(), "little"),
        thumb,
    )


def _measure_file(path: Path) -> tuple[npt.NDArray[Any], str]:
    fact = np.zeros((), _FACT)
    try:
        found = path.stat()
        fact["bytes"], fact["mtime_ns"], fact["measured"] = found.st_size, found.st_mtime_ns, True
        image = read_image(path)
    except FileNotFoundError:
        return np.zeros((), _FACT), "was removed while the folder was looked at"
    except ImageProblem as problem:
        return fact, str(problem)
    fact["width"], fact["height"] = image.size
    fact["contrast"], fact["pixels"], fact["look"], fact["thumb"] = describe_image(image)
    return fact, ""


def _take_known(
    root: Path, paths: Sequence[str], cache: Path
) -> tuple[npt.NDArray[Any], list[str], list[int]]:
    """Return facts and problems with those known filled in, and the indices of the files to measure."""
    kept = _read(cache)
    values, problems = np.zeros(len(paths), _FACT), [""] * len(paths)
    missing = []
    for index, path in enumerate(paths):
        known = kept.get(path)
        if known is not None:
            try:
                found = (root / path).stat()
            except OSError:
                found = None
            fact, problem = known
            if found is not None and (int(fact["bytes"]), int(fact["mtime_ns"])) == (
                found.st_size,
                found.st_mtime_ns,
            ):
                values[index], problems[index] = fact, problem
                continue
        missing.append(index)
    return values, problems, missing


def _read(cache: Path) -> dict[str, tuple[npt.NDArray[Any], str]]:
    try:
        with np.load(cache) as file:
            if int(file["version"]) != _VERSION:
                return {}
            rows = zip(file["paths"].tolist(), file["values"], file["problems"].tolist(), strict=True)
            return {path: (fact, problem) for path, fact, problem in rows}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # none yet, or damaged
        return {}


def _save(cache: Path, paths: Sequence[str], problems: Sequence[str], values: npt.NDArray[Any]) -> None:
    """Save atomically what is measured so far."""
    chosen = np.flatnonzero(values["measured"]).tolist()
    cache.parent.mkdir(parents=True, exist_ok=True)
    draft = cache.with_name(f".{cache.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            np.savez(
                file,
                version=_VERSION,
                paths=np.array([paths[i] for i in chosen], dtype=np.str_),
                problems=np.array([problems[i] for i in chosen], dtype=np.str_),
                values=values[chosen],
            )
            file.flush()
            os.fsync(file.fileno())
        draft.replace(cache)
    finally:
        draft.unlink(missing_ok=True)
