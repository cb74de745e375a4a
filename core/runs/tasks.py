"""Work on data that takes a while, in a process of its own: launched, watched and stopped as a run is.

A task has a folder like a run's with status.json, log and stop in it, so that `jobs` says whether it lives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from core.errors import UserError, describe_error, describe_fault
from core.runs import jobs
from core.runs.run import ACTIVE, Run, Status

_WRITE_EVERY = 0.5  # seconds between two writes of the status
Progress = Callable[[int, int], bool]


def launch_task(folder: Path, words: Sequence[str]) -> None:
    """Start `python -m core WORDS` as the task of a folder; nothing happens where it is active already."""
    task = Run(folder)
    if read_task(folder).state in ACTIVE:
        return
    folder.mkdir(parents=True, exist_ok=True)
    task.clear_requests()
    task.log_path.unlink(missing_ok=True)
    task.write_status(Status(created=time.time()))
    jobs.launch(task, words)


def read_task(folder: Path) -> Status:
    """Return a task's status, `crashed` in place of an active state whose process is gone; state '' before the first."""
    task = Run(folder)
    return jobs.live_status(task) if (folder / "status.json").exists() else Status(state="")


def stop_task(folder: Path) -> None:
    """Ask a task to keep what it has and end."""
    Run(folder).request_stop()


def perform_task(
    folder: Path, work: Callable[[Progress], str | None], *, stopped: str = "Stopped before its end."
) -> int:
    """Be the process of a task: do the work and keep its status; return 0, 1 after a stop and 2 after an error.

    `work(progress)` returns the message to end with, or None when `progress(done, total)` told it to stop by returning
    False, which ends it with `stopped`. Its errors in words become the task's message. What takes long to import it
    imports itself, since a process that has not claimed its task in time counts as gone.
    """
    task = Run(folder)
    begun = time.time()
    status = replace(jobs.claim_process(task), state="running", phase="reading", started=begun, message="")
    status = task.write_status(status)
    first: tuple[int, float] | None = None  # what was done without work, such as files known already

    def progress(done: int, total: int) -> bool:
        nonlocal status, first
        now = time.time()
        if first is None or done < first[0] or total != status.total:
            first = done, now
        if now - status.updated > _WRITE_EVERY or total != status.total:
            left = (now - first[1]) / max(1, done - first[0]) * (total - done)
            phase = "working" if done < total else "finishing"
            status = task.write_status(
                replace(status, phase=phase, done=done, total=total, seconds_left=left)
            )
        return not task.stop_requested()

    def end(state: str, message: str) -> None:
        task.write_status(
            replace(status, state=state, phase=state, message=message, seconds_left=0.0, ended=time.time())
        )

    try:
        message = work(progress)
    except (UserError, OSError) as error:
        end("failed", describe_error(error))
        return 2
    except Exception as error:
        end("failed", describe_fault(error, str(task.log_path)))
        raise
    if message is None:
        end("stopped", stopped)
        return 1
    end("finished", message)
    return 0
