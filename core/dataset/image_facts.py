"""What is measured of every image file, for the audit of a data set and for kinds of images, kept so that none is read twice."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.ndimage import laplace

from core.dataset.images import ImageProblem, read_image
from core.dataset.kept import Kept, stamp_file
from core.errors import DataError

THUMB = 16  # pixels a side of the grey picture that near duplicates are compared by
SAVE_EVERY = 10.0  # seconds between two savings of what is measured
_SAVING_SHARE = (
    30  # times as long as a saving takes, at least, between two: that of a million rows takes seconds
)
PROCESSES_FROM = 1000  # files; fewer are read before processes have started
MOST_PROCESSES = 60  # Windows can wait for no more
_SMALL = 128  # pixels of the shorter side that hash and thumbnail are made from: quicker than from all
_SHARP = 256  # pixels of the shorter side, at most, that sharpness is measured at: about what a network sees
COLOURS = ("grey, black or white", "red", "orange or brown", "yellow", "green", "blue", "purple or pink")
_HUES = (15, 45, 70, 165, 260, 345)  # degrees at which one of these ends; red goes on from the last
_PALE, _BLACK = 64, 48  # saturation and value, of 255, below which a pixel shows no hue
_CHUNK = 32  # files measured as one piece of work
_VERSION = 2  # raise it when the same file would give other facts
_FACT = np.dtype(
    [
        ("bytes", "<i8"),
        ("mtime_ns", "<i8"),
        ("width", "<i4"),
        ("height", "<i4"),
        ("brightness", "<f4"),
        ("contrast", "<f4"),
        ("sharpness", "<f4"),
        ("colour", "u1"),
        ("pixels", "<u8"),
        ("look", "<u8"),
        ("thumb", "u1", (THUMB, THUMB)),
        ("measured", "?"),
    ]
)


@dataclass(frozen=True)
class ImageFacts:
    """The facts of N files, in the order of `paths` (relative to the data folder).

    `problems` says why a file is not a readable image, or is empty. `values` (N,) is a structured array: `width` and
    `height` in upright pixels; `contrast`, the standard deviation of the grey values (0..128); `pixels`, a digest of
    size and decoded RGB pixels; `look`, a perceptual hash of 64 bits; `thumb` (16, 16) uint8, grey; `brightness`, the mean
    grey value (0..255); `sharpness`, the variance of its Laplacian (grey levels squared, at 256 pixels a side at most);
    `colour`, which of COLOURS most pixels have. Files with a problem have zeros there.
    """

    paths: tuple[str, ...]
    problems: tuple[str, ...]
    values: npt.NDArray[Any]


def measure_images(
    root: Path,
    paths: Sequence[str],
    *,
    cache: Path,
    processes: bool = True,
    progress: Callable[[int, int], bool] | None = None,
) -> ImageFacts | None:
    """Measure every file, but for those that `cache` holds and that have kept size and time; None when stopped.

    What is measured is saved to `cache` now and then and at the end, also of a stop or an error, so that the next
    call goes on from there. `progress(done, total)` is called now and then and ends it early by returning False. Without
    `processes` many files too are measured by threads alone.

    Raises:
        DataError: when the system has ended a process that measures.
    """
    kept = Kept(cache, _FACT, _VERSION)
    values, problems, missing = kept.take(root, paths)
    chunks = [missing[at : at + _CHUNK] for at in range(0, len(missing), _CHUNK)]
    done, saved, took, going = len(paths) - len(missing), time.monotonic(), 0.0, True
    # Pillow warns of what is told here anyway. The filters are the whole process's: not one for each thread.
    with warnings.catch_warnings(), _open_pool(len(missing) if processes else 0) as pool:
        warnings.simplefilter("ignore")
        work = partial(_measure_files, root)
        try:
            results = pool.map(work, ([paths[index] for index in chunk] for chunk in chunks))
            for chunk, (facts, told) in zip(chunks, results, strict=True):
                values[chunk] = facts
                for index, problem in zip(chunk, told, strict=True):
                    problems[index] = problem
                done += len(chunk)
                if progress is not None and done < len(paths) and not progress(done, len(paths)):
                    going = False
                    break
                if (now := time.monotonic()) - saved > max(SAVE_EVERY, _SAVING_SHARE * took):
                    kept.save(root, paths, problems, values)
                    saved = time.monotonic()
                    took = saved - now
        except BrokenExecutor:
            raise DataError(
                "A process that measures images was ended by the system, most often because memory ran out. Start again: "
                "what was measured is kept."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)
            if missing:
                kept.save(root, paths, problems, values)
    if not going or (progress is not None and not progress(len(paths), len(paths))):
        return None
    return ImageFacts(tuple(paths), tuple(problems), values)


def list_unproven(root: Path, paths: Sequence[str], cache: Path) -> list[str]:
    """Return the files of which `cache` does not know that they are readable images, as they are now."""
    values, problems, _ = Kept(cache, _FACT, _VERSION).take(root, paths)
    rows = zip(paths, values["measured"].tolist(), problems, strict=True)
    return [path for path, measured, problem in rows if problem or not measured]


def describe_image(image: Image.Image) -> tuple[int, int, npt.NDArray[np.uint8]]:
    """Return digest of the pixels, perceptual hash and thumbnail of an RGB image, as `ImageFacts` has them."""
    digest = hashlib.sha1(f"{image.width}×{image.height}".encode(), usedforsecurity=False)
    digest.update(image.tobytes())
    grey = image.convert("L")
    small = grey.reduce(max(1, min(grey.size) // _SMALL))
    look = np.packbits(imagehash.phash(small).hash)
    thumb = np.asarray(small.resize((THUMB, THUMB), Image.Resampling.BOX), dtype=np.uint8)
    return int.from_bytes(digest.digest()[:8], "little"), int.from_bytes(look.tobytes(), "little"), thumb


def describe_light(image: Image.Image) -> tuple[float, float, float, int]:
    """Return brightness, contrast, sharpness and colour of an RGB image, as `ImageFacts` has them.

    Source of the measure of sharpness: J. L. Pech-Pacheco, G. Cristóbal, J. Chamorro-Martínez, J. Fernández-Valdivia,
    "Diatom autofocusing in brightfield microscopy: a comparative study", ICPR 2000.
    """
    grey = image.convert("L")
    counts = np.asarray(grey.histogram(), dtype=np.float64)
    levels = np.arange(256)
    mean = float((counts * levels).sum() / counts.sum())
    contrast = float(np.sqrt((counts * (levels - mean) ** 2).sum() / counts.sum()))
    scale = max(1.0, min(grey.size) / _SHARP)
    size = round(grey.width / scale), round(grey.height / scale)
    seen = grey.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0) if scale > 1 else grey
    sharpness = float(laplace(np.asarray(seen, dtype=np.float32)).var())
    return mean, contrast, sharpness, _find_colour(image)


def _find_colour(image: Image.Image) -> int:
    """Return which of COLOURS most pixels of an RGB image have."""
    small = image.reduce(max(1, min(image.size) // THUMB)).convert("HSV")
    hue, saturation, value = np.moveaxis(np.asarray(small, dtype=np.float64), 2, 0)
    named = 1 + np.searchsorted(_HUES, hue * (360 / 255), side="right") % len(_HUES)
    plain = (saturation < _PALE) | (value < _BLACK)
    return int(np.bincount(np.where(plain, 0, named).ravel()).argmax())


def _open_pool(count: int) -> Executor:
    """Return what measures `count` files at once: processes where many, for threads share Python's lock."""
    cores = os.cpu_count() or 1
    if count < PROCESSES_FROM or cores == 1:
        return ThreadPoolExecutor(max_workers=cores)
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
    return ProcessPoolExecutor(
        max_workers=min(cores, MOST_PROCESSES), mp_context=context, initializer=_start_worker
    )


def _start_worker() -> None:
    """Make a process leave Ctrl-C to its parent, and end with it even where that is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warnings.simplefilter("ignore")
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _measure_files(root: Path, paths: Sequence[str]) -> tuple[npt.NDArray[Any], list[str]]:
    facts = np.zeros(len(paths), _FACT)
    problems = [_measure_file(root, path, fact) for path, fact in zip(paths, facts, strict=True)]
    return facts, problems


def _measure_file(root: Path, path: str, fact: np.void) -> str:
    """Fill in a file's facts and return its problem."""
    try:
        fact["bytes"], fact["mtime_ns"] = stamp_file(root, path)
    except OSError as error:
        return f"cannot be opened ({error.strerror})"
    fact["measured"] = True
    try:
        image = read_image(root / path)
    except ImageProblem as problem:
        return str(problem)
    fact["width"], fact["height"] = image.size
    fact["pixels"], fact["look"], fact["thumb"] = describe_image(image)
    light = describe_light(image)
    fact["brightness"], fact["contrast"], fact["sharpness"], fact["colour"] = light
    return ""
