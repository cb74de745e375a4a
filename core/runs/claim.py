"""Who works on a run's or a task's folder: one process, which holds the folder's lock for as long as it lives.

The lock is the system's own: it goes with the process, however that ends, and stays while the process is suspended. So
no clock decides whether a job lives. Pid and time of birth are kept in the status beside it, for those who look from
another machine's file system that knows no locks, and to find the process that is to be killed.
"""

from __future__ import annotations

import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import psutil
from filelock import FileLock, Timeout, lock_descriptor, unlock_descriptor

from core.errors import RunError
from core.runs.run import Run, describe_self
from core.stored.status import ACTIVE, LAUNCHING, Status

LOCK = ".lock"
# A job on another machine (a shared folder) writes its status twice a second; silent for this long it is lost.
REMOTE_SILENCE = 120.0
# Who looks whether a lock is held has it for a moment, and who launches a job until the job is named in the status. This
# many seconds is longer than that takes on any disk; it decides only when one gives up who finds no name in the status.
_PATIENCE = 60.0
_CLOCK = 60.0  # seconds by which a clock that was set right may move the time of this machine's start
_MOMENT = 10.0  # the same of a folder that nobody works on: who has it changes or deletes it


class Taken(RunError):
    """Another process works on the folder, or the work there has been done."""


class Gone(RunError):
    """The folder is not there any more: it was deleted, moved or renamed."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"{run.id} is no longer there: it was deleted or renamed.")


@contextmanager
def hold(run: Run) -> Iterator[None]:
    """Be the only process that starts, changes or does the work of a folder.

    Raises:
        Gone: when there is no such folder, or it is deleted while it is waited for.
        Taken: when another process does.
        OSError: when the system does not let the folder be locked.
    """
    lock, begun = FileLock(run.folder / LOCK), time.monotonic()
    while True:
        folder = _identify(run)
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            status = run.read_status()
            patience = _PATIENCE if status.state in ACTIVE else _MOMENT
            if _names_another(status) or time.monotonic() > begun + patience:
                raise Taken(
                    f"{run.id} is already {status.state}: another process is working on it."
                ) from None
            time.sleep(0.02)
        except FileNotFoundError:
            raise Gone(run) from None
    try:
        _refuse_other_folder(run, folder)
        yield
    finally:
        lock.release()


@contextmanager
def told_when_gone(run: Run) -> Iterator[None]:
    """Tell of a folder that is gone that it is, whatever of it was missed first.

    Raises:
        Gone: in place of any error of a folder that is not there.
    """
    _identify(run)
    try:
        yield
    except (RunError, OSError):
        _identify(run)
        raise


def _identify(run: Run) -> tuple[int, int]:
    """Return what tells a folder from another that takes its place; raises Gone where there is none."""
    try:
        found = run.folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise Gone(run) from None
    if not stat.S_ISDIR(found.st_mode):
        raise Gone(run)
    return found.st_dev, found.st_ino


def _refuse_other_folder(run: Run, folder: tuple[int, int]) -> None:
    """Raise Gone where the folder that is locked is not the one that was to be: to lock makes an empty one of what is gone."""
    if _identify(run) == folder:
        return
    if {path.name for path in run.folder.iterdir()} == {LOCK}:
        (run.folder / LOCK).unlink(missing_ok=True)
        with suppress(OSError):
            run.folder.rmdir()
    raise Gone(run)


@contextmanager
def claim(run: Run) -> Iterator[None]:
    """Be the job of a folder, whose work is queued, until the end of the block.

    Raises:
        Taken: when another process is its job, or the work is queued no more: this process came too late.
    """
    with hold(run):
        state = run.read_status().state
        if state != "queued":
            raise Taken(f"{run.id} is not queued: it is {state}.")
        claim_process(run)
        yield


def claim_process(run: Run, *, job: str = "") -> Status:
    """Write this process down as the job of a folder, which waits, and as which job of a cluster's; for who holds it."""
    waiting = replace(
        run.read_status(), state="queued", phase="waiting", message="", job=job, **describe_self()
    )
    return run.write_status(waiting)


def is_alive(run: Run, status: Status, *, held: bool = False) -> bool:
    """Tell whether the job of a folder lives, or is on its way to its work; `held` where this process holds the folder.

    One that a cluster has lives until the cluster says otherwise, which `core.cluster.follow` writes down: its process is
    of another machine, and may be none at all while the cluster moves it.
    """
    return bool(status.job) or _is_named_alive(status) or (not held and is_held(run))


def is_before_restart(status: Status) -> bool:
    """Tell whether the process that a status names is of a time before the last start of this machine, or container."""
    here = status.host == socket.gethostname() and not status.job
    return here and 0 < status.pid_created < _find_start() - _CLOCK


def _find_start() -> float:
    """Return when the first of all processes that can live here began, in seconds since 1970.

    A container starts long after its machine: its first process, which all others end with, has the number 1.
    """
    with suppress(psutil.Error):  # Windows has none of this number
        return float(max(psutil.boot_time(), psutil.Process(1).create_time()))
    return float(psutil.boot_time())


def find_process(status: Status) -> psutil.Process | None:
    """Return the job's process that a status names; None when it has ended, is on another machine or to come."""
    return None if status.phase == LAUNCHING else _find_named(status)


def _find_named(status: Status) -> psutil.Process | None:
    try:
        process = psutil.Process(status.pid)
        # Pids are reused: only the same pid with the same birth is the same process.
        same = abs(process.create_time() - status.pid_created) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def is_held(run: Run) -> bool:
    """Tell whether a process holds a folder now, as far as its file system knows locks."""
    # Not by FileLock, which makes a folder that has just been deleted anew.
    try:
        handle = os.open(str(run.folder / LOCK), os.O_RDWR | getattr(os, "O_NONBLOCK", 0))
    except OSError:  # no lock yet, or a folder that may only be read
        return False
    try:
        if not lock_descriptor(handle, blocking=False):
            return True
        unlock_descriptor(handle)
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(handle)
    return False


def _is_named_alive(status: Status) -> bool:
    if status.host and status.host != socket.gethostname():
        return time.time() - status.updated < REMOTE_SILENCE
    return bool(status.pid) and _find_named(status) is not None


def _names_another(status: Status) -> bool:
    # While a job is launched the status names who launches it, for whom the job has to wait. On Windows the process that
    # was launched in a virtual environment only starts the one that works, and is its parent.
    mine = status.phase == LAUNCHING or status.pid in (os.getpid(), os.getppid())
    return status.state in ACTIVE and not mine and _is_named_alive(status)
