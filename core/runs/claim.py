"""Who works on a run's or a task's folder: one process, which holds the folder's lock for as long as it lives.

The lock is the system's own: it goes with the process, however that ends, and stays while the process is suspended. So
no clock decides whether a job lives. Pid and time of birth are kept in the status beside it, for those who look from
another machine's file system that knows no locks, and to find the process that is to be killed.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psutil
from filelock import FileLock, Timeout

from core.errors import RunError
from core.runs.run import ACTIVE, LAUNCHING, Run, Status, describe_self

LOCK = ".lock"
# A job on another machine (a shared folder) writes its status twice a second; silent for this long it is lost.
REMOTE_SILENCE = 120.0
# Who looks whether a lock is held has it for a moment, and who launches a job until the job is named in the status. This
# many seconds is longer than that takes on any disk; it decides only when one gives up who finds no name in the status.
_PATIENCE = 60.0


class Taken(RunError):
    """Another process works on the folder, or the work there has been done."""


@contextmanager
def hold(run: Run) -> Iterator[None]:
    """Be the only process that starts, changes or does the work of a folder.

    Raises:
        Taken: when another process does.
    """
    lock, end = FileLock(run.folder / LOCK), time.monotonic() + _PATIENCE
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            status = run.read_status()
            if _names_another(status) or time.monotonic() > end:
                raise Taken(f"{run.id} is {status.state} already: another process works on it.") from None
            time.sleep(0.02)
    try:
        yield
    finally:
        lock.release()


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


def claim_process(run: Run) -> Status:
    """Write this process down as the job of a folder, which waits; for who holds it."""
    waiting = replace(run.read_status(), state="queued", phase="waiting", message="", **describe_self())
    return run.write_status(waiting)


def is_alive(run: Run, status: Status, *, held: bool = False) -> bool:
    """Tell whether the job of a folder lives, or is on its way to its work; `held` where this process holds the folder."""
    return _is_named_alive(status) or (not held and _is_held(run))


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


def _is_held(run: Run) -> bool:
    path = run.folder / LOCK
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    except OSError:  # a folder that may only be read, or a file system without locks
        return False
    lock.release()
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
