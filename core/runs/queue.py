"""One run trains at a time on a machine: waiting for one's turn, and the runs whose waiting job was lost.

The queue is the run folders: each launched job waits in its own process, and a lock makes taking the turn atomic.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from core.runs.claim import REMOTE_SILENCE, Taken, hold, is_alive
from core.runs.jobs import launch, list_live
from core.runs.run import Run, Status


def wait_for_turn(
    run: Run, *, should_stop: Callable[[], bool], tell: Callable[[str], None] | None = None, poll: float = 1.0
) -> bool:
    """Wait until no other run trains on this machine and none older waits; False when a stop or pause came first.

    On True the run's status is `running`, set under the queue's lock, so that no two runs take the same turn.
    `tell` gets in words what it waits for, each time that changes, and that it was stopped.
    """
    root, told, next_look = run.folder.parent, "", 0.0
    while not (state := "stopped" if should_stop() else run.requested_state()):
        if (now := time.monotonic()) >= next_look:
            with FileLock(root / ".queue.lock"):
                ahead = _runs_ahead(run, root)
                if not ahead:
                    run.write_status(replace(run.read_status(), state="running", phase="starting"))
                    return True
            message = f"Waiting for {', '.join(other.id for other in ahead[:3])}."
            status = run.read_status()
            if message != status.message or time.time() - status.updated > REMOTE_SILENCE / 4:
                run.write_status(replace(status, phase="waiting", message=message))
            if tell is not None and message != told:
                tell(message)
                told = message
            # The farther back in the queue the rarer a look, else dozens of waiting runs would keep a core busy.
            next_look = now + poll * min(len(ahead), 10)
        time.sleep(poll)
    run.clear_requests()
    message = f"{state.capitalize()} before it began."
    run.write_status(replace(run.read_status(), state=state, phase=state, message=message, ended=time.time()))
    if tell is not None:
        tell(message)
    return False


def revive_queue(found: Iterable[tuple[Run, Status]]) -> list[Run]:
    """Launch again those of the runs whose waiting job is gone (the machine was restarted); they had not begun.

    `found` are runs with their statuses as written, from `list_runs`.
    """
    revived = []
    for run, status in found:
        if not _is_lost(run, status):
            continue
        try:
            with hold(run):  # of two pages that ask at once the second finds the run launched
                if _is_lost(run, run.read_status(), held=True):
                    launch(run)
                    revived.append(run)
        except Taken:
            continue  # its job came late, but it came
    return revived


def _is_lost(run: Run, status: Status, *, held: bool = False) -> bool:
    here = status.host == socket.gethostname()
    return status.state == "queued" and here and not is_alive(run, status, held=held)


def _runs_ahead(run: Run, root: Path) -> list[Run]:
    host, mine = socket.gethostname(), (run.read_status().created, run.id)
    ahead = []
    for other, status in list_live(root):
        older = (status.created, other.id) < mine
        waits = status.state == "queued" and older
        if other.id != run.id and status.host == host and (status.state == "running" or waits):
            ahead.append(other)
    return ahead[::-1]  # the oldest first, as their turns come
