"""Queue, launch, stop and liveness of runs on this machine. One run trains at a time; the others wait their turn."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
from filelock import FileLock

from core.dataset.fixes import keep_fixes
from core.errors import RunError, UserError
from core.places import launch_command
from core.recipe.config import TrainConfig
from core.runs.run import ACTIVE, Run, Status, create_run, default_root, delete_run, iter_runs

# A job on another machine (a shared folder) writes its status twice a second; silent for this long it is lost.
REMOTE_SILENCE = 120.0
_LAUNCH_GRACE = 30.0  # seconds a launched process may take to write its first status
_children: list[subprocess.Popen[bytes]] = []


def submit(config: TrainConfig, root: Path) -> Run:
    """Make a run and start its job process, which waits for its turn by itself; raises as `prepare`."""
    run = prepare(config, root)
    launch(run)
    return run


def prepare(config: TrainConfig, root: Path) -> Run:
    """Make a run and keep with it the fix list it is to begin from, as it is now.

    Raises:
        RunError: when a run of this name exists, or there is no such fix list; no run is made then.
    """
    run = create_run(config, root)
    try:
        keep_fixes(run.folder, config)
    except UserError:
        delete_run(run)
        raise
    return run


def launch(run: Run, words: Sequence[str] = ()) -> None:
    """Start a run's job, or the command of these words, as a process of its own that outlives this one."""
    _queue(run)
    command = launch_command(words or ("job", str(run.folder.resolve())))
    with run.log_path.open("ab") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, "WEAKSPOT_RUNS": str(default_root())},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # it must survive the dashboard's end and a Ctrl-C in its terminal
        )
    _children.append(process)
    # Only the job writes the status from here on, so that no late write of ours can undo one of its own.


def resume(run: Run, epochs: int | None = None, *, here: bool = False) -> None:
    """Queue a run again that has ended; it goes on from its last checkpoint. Raises as `reopen`.

    Its job is a process launched for it, or with `here` this one, which then has to wait for its turn.
    """
    # Under the lock, since of two who resume it at once the second must find it queued.
    with FileLock(run.folder.parent / ".queue.lock"):
        reopen(run, epochs)
        if here:
            claim_process(run)
        else:
            launch(run)


def reopen(run: Run, epochs: int | None = None) -> None:
    """Make a run that has ended ready to go on, to `epochs` in all where that is given.

    Its schedule is that of the new number of epochs from where it stands (see `schedules.rate_at`), and patience
    begins anew.

    Raises:
        RunError: when the run is active, or has finished and no further epoch is asked for.
    """
    status = live_status(run)
    if status.state in ACTIVE:
        raise RunError(f"{run.id} is {status.state} already.")
    if epochs is not None:
        if epochs <= status.epoch:
            raise RunError(f"{run.id} has done {status.epoch} epochs already; ask for more than that in all.")
        run.write_config(replace(run.read_config(), epochs=epochs))
        run.write_status(replace(run.read_status(), epochs=epochs, extended_from=status.epoch))
    elif status.state == "finished":
        raise RunError(
            f"{run.id} has finished; to go on, say to how many epochs in all (it did {status.epoch})."
        )
    run.clear_requests()


def live_status(run: Run) -> Status:
    """Return a run's status, `crashed` in place of an active state whose process is gone."""
    for child in _children[:]:  # a dead child stays a zombie, alive to a look at its pid, until it is polled
        if child.poll() is not None:
            _children.remove(child)
    status = run.read_status()
    if status.state not in ACTIVE or _is_alive(status):
        return status
    if (fresh := run.read_status()) != status:  # it ended between our two looks
        return live_status(run)
    message = "The job's process is gone without having said why: it was killed, or the machine went down."
    return replace(fresh, state="crashed", phase="crashed", message=message)


def stop(run: Run) -> None:
    """Ask a run to finish its step, save and end; raises RunError when it is not active."""
    _check_active(run)
    run.request_stop()


def pause(run: Run) -> None:
    """Ask a run to finish its step, save and free the machine; raises RunError when it is not active."""
    _check_active(run)
    run.request_pause()


def _check_active(run: Run) -> None:
    status = live_status(run)
    if status.state not in ACTIVE:
        raise RunError(f"{run.id} is not running: it is {status.state}.")


def kill(run: Run) -> None:
    """End a run's process tree at once, without saving: for a job that does not answer a stop."""
    status = live_status(run)
    if status.state in ACTIVE and (process := _find_process(status)) is not None:
        family = [process, *process.children(recursive=True)]
        for member in family:
            try:
                member.kill()
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(family, timeout=10)


def delete(run: Run) -> None:
    """Delete a run's folder; raises RunError while it is active."""
    status = live_status(run)
    if status.state in ACTIVE:
        raise RunError(f"{run.id} is {status.state}; stop it before deleting it.")
    delete_run(run)


def claim_process(run: Run) -> Status:
    """Write this process down as that of a run that waits, so that others can tell whether it lives."""
    me = psutil.Process()
    return _queue(run, me.pid, me.create_time())


def _queue(run: Run, pid: int = 0, pid_created: float = 0.0) -> Status:
    return run.write_status(
        replace(
            run.read_status(), state="queued", phase="waiting", message="", pid=pid, pid_created=pid_created,
            host=socket.gethostname(),
        )
    )  # fmt: skip


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


def revive_queue(root: Path) -> list[Run]:
    """Launch again the queued runs whose process is gone (the machine was restarted); they had not begun."""
    if not _orphans(root):
        return []
    # Two pages may ask at once: under the lock the second finds the runs launched already.
    with FileLock(root / ".queue.lock"):
        orphans = _orphans(root)
        for run in orphans:
            launch(run)
    return orphans


def _orphans(root: Path) -> list[Run]:
    here = socket.gethostname()
    statuses = [(run, run.read_status()) for run in iter_runs(root)]
    return [run for run, s in statuses if s.state == "queued" and s.host == here and not _is_alive(s)]


def _runs_ahead(run: Run, root: Path) -> list[Run]:
    host, mine = socket.gethostname(), (run.read_status().created, run.id)
    ahead = []
    for other in iter_runs(root):
        if other.id == run.id:
            continue
        status = live_status(other)
        older = (status.created, other.id) < mine
        if status.host == host and (status.state == "running" or (status.state == "queued" and older)):
            ahead.append(other)
    return ahead[::-1]  # the oldest first, as their turns come


def _is_alive(status: Status) -> bool:
    if status.host and status.host != socket.gethostname():
        return time.time() - status.updated < REMOTE_SILENCE
    if not status.pid:
        return time.time() - status.updated < _LAUNCH_GRACE
    return _find_process(status) is not None


def _find_process(status: Status) -> psutil.Process | None:
    try:
        process = psutil.Process(status.pid)
        # Pids are reused: only the same pid with the same birth is the same process.
        same = abs(process.create_time() - status.pid_created) < 1.0
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None
