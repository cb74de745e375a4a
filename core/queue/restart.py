"""What trained here when the machine was restarted: whether it goes on by itself."""

from __future__ import annotations

from contextlib import suppress

from core.errors import UserError
from core.queue.slots import goes_on_after_restart
from core.reading import open_at_once
from core.runs.claim import is_alive, is_before_restart
from core.runs.run import Run
from core.stored.status import Status

TOLD = "The machine was restarted. The training goes on by itself from its last save."


def is_to_go_on(run: Run, status: Status, *, held: bool = False) -> bool:
    """Tell whether a run is to go on that trained here when the machine went down; `held` as in `claim.is_alive`.

    Not one that was killed, or asked to stop; nor one that had saved nothing since it began: if it was what brought the
    machine down, that ends there.
    """
    if status.state != "running" or not is_before_restart(status) or is_alive(run, status, held=held):
        return False
    if run.requested_state() or not _has_saved(run, status) or not goes_on_after_restart(run.folder.parent):
        return False
    with suppress(UserError):  # a job that cannot read it would end where nobody looks
        run.read_config()
        return True
    return False


def _has_saved(run: Run, status: Status) -> bool:
    try:
        return run.last_path.stat().st_mtime > status.pid_created
    except OSError:
        return False


def tell_of_restart(run: Run) -> None:
    """Say in a run's log that it goes on by itself."""
    with open(run.log_path, "a", encoding="utf-8", opener=open_at_once) as log:
        log.write(f"{TOLD}\n")
