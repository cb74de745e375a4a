"""What ends the loading of images, in words: an image that cannot be read, shared memory or file handles that are used up."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

from core.errors import DataError, RunError, UserError


def tell_problem(error: Exception, workers: int) -> None:
    """Raise in words what so many processes that load images met; return where there are no words for it.

    Raises:
        DataError: naming the image.
        RunError: saying what there is not enough of, and what to change.
    """
    if isinstance(error, UserError):
        # From a process it comes with the whole traceback as its text; the last line is the error itself.
        last = str(error).strip().splitlines()[-1]
        raise DataError(last.removeprefix(f"{DataError.__module__}.{DataError.__name__}: ")) from None
    if not workers:
        return
    if _lacks_handles(error):
        raise RunError(
            "Too many files are open at once: each batch of the loading processes is passed on as an open file. "
            "Allow more (ulimit -n 4096), or set workers to 0."
        ) from None
    if _is_memory_full(error):
        raise RunError(describe_full_memory()) from None


def describe_lost(workers: int) -> str:
    """Say that the system ended one of so many processes that load images, and what to do where that comes again."""
    return (
        "A process that loads images was ended by the system, most often because memory ran out. Lower workers "
        f"(now {workers}) or batch_size."
    )


def describe_full_memory() -> str:
    """Say that shared memory is full, how large it is, and what to do."""
    place = Path("/dev/shm")
    size = f" ({place}, {shutil.disk_usage(place).total / 2**20:,.0f} MB)" if place.is_dir() else ""
    return (
        f"Shared memory{size} is full: the processes that load images pass them on through it. "
        "Give it more (a container: --shm-size=1g), or set workers to 0."
    )


def _is_memory_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOSPC
    # The latter is what torch calls a piece of it.
    return isinstance(error, RuntimeError) and (
        "shared memory" in str(error) or "file </torch_" in str(error)
    )


def _lacks_handles(error: Exception) -> bool:
    # A process that loads images tells what it met as a text; the last is what one says that was handed none.
    words = ("Too many open files", "received 0 items of ancdata")
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return True
    return isinstance(error, (RuntimeError, OSError)) and any(word in str(error) for word in words)
