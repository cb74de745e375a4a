"""Make, launch, watch and end the jobs of runs and tasks, each a process of its own that works on one folder."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil

from core.errors import RunError, UserError, describe_error
from core.people.acting import ADMINISTER, TRAIN, needs, now_acting
from core.people.limits import demand_room
from core.people.owner import is_own, read_owner
from core.people.roots import allow_path
from core.places import launch_command
from core.reading import open_at_once
from core.recipe.config import TrainConfig
from core.recipe.own_paths import allow_config
from core.runs.claim import (
    claim_process,
    find_process,
    hold,
    is_alive,
    is_before_restart,
    told_when_gone,
)
from core.runs.imported import refuse_imported
from core.runs.run import Run, create_run, default_root, delete_run, describe_self, list_runs
from core.stored.status import ACTIVE, LAUNCHING, Status
from core.words import format_count

_NEW_GROUP, _NO_WINDOW = 0x00000200, 0x08000000  # of Windows, where `subprocess` has names for them


@needs(TRAIN, "start", lambda config, *_: config.name or Path(config.data).name, made=lambda run: run.id)
def submit(config: TrainConfig, root: Path) -> Run:
    """Make a run and start its job process, which waits for its turn by itself; raises as `prepare`."""
    run = prepare(config, root)
    with hold(run):
        launch(run)
    return run


def prepare(config: TrainConfig, root: Path) -> Run:
    """Make a run and keep with it the fix list it is to begin from, as it is now.

    Raises:
        RunError: when a run of this name exists, or there is no such fix list; no run is made then.
        UserError: when it names a file that whoever acts may not.
    """
    allow_config(config)
    if config.weights.startswith("run:"):
        allow_path(root / config.weights.removeprefix("run:"))
    from core.dataset.fixes import keep_fixes  # brings numpy, which a job that only waits can do without

    run = create_run(config, root)
    try:
        keep_fixes(run.folder, config)
    except UserError:
        delete_run(run)
        raise
    return run


def launch(run: Run) -> None:
    """Start the job of a folder that this process holds, as a process that outlives this one.

    The job waits until the folder is let go, by when the status names it: no late write of ours can undo one of its own.

    Raises:
        OSError: when the process cannot be started; the status says so too.
    """
    status = replace(
        run.read_status(), state="queued", phase=LAUNCHING, message="", job="", **describe_self()
    )
    run.write_status(status)
    try:
        with open(run.log_path, "ab", opener=open_at_once) as log:
            process = subprocess.Popen(
                launch_command(["task", str(run.folder.resolve())]),
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **detach(),
            )
    except OSError as error:
        run.write_status(replace(status, state="failed", phase="failed", message=describe_error(error)))
        raise
    # An ended child stays a zombie until its parent has asked for its end.
    threading.Thread(target=process.wait, daemon=True, name=f"end of {run.id}").start()
    run.write_status(replace(status, phase="waiting", pid=process.pid, pid_created=_birth(process.pid)))


def environment() -> dict[str, str]:
    """Return the environment of a job: this process', with the root of all runs and what its log needs."""
    # Where a job was killed, the process that frees its semaphores would have the last word in its log.
    ignored = filter(None, (os.environ.get("PYTHONWARNINGS"), "ignore:resource_tracker"))
    return {
        **os.environ,
        "WEAKSPOT_RUNS": str(default_root()),
        "PYTHONUTF8": "1",
        "PYTHONWARNINGS": ",".join(ignored),
    }


def detach(platform: str = sys.platform) -> dict[str, Any]:
    """Return what makes a child survive the end of its parent, and a Ctrl-C in the parent's terminal."""
    if platform == "win32":
        # A console of its own that is not shown: without any, each process that loads images would open one.
        return {"creationflags": _NEW_GROUP | _NO_WINDOW}
    return {"start_new_session": True}


@needs(TRAIN, "resume", lambda run, *_, **__: run.id)
def resume(run: Run, epochs: int | None = None, devices: int | None = None) -> None:
    """Queue a run again that has ended and launch its job, which goes on from its last checkpoint. Raises as `reopen`."""
    with told_when_gone(run):
        _check_ended(run, live_status(run))
        with hold(run):  # of two who resume it at once the second finds it queued
            _reopen(run, epochs, devices)
            launch(run)


@contextmanager
def resume_here(run: Run, epochs: int | None = None, devices: int | None = None) -> Iterator[None]:
    """Queue a run again that has ended, and be its job until the end of the block. Raises as `reopen`."""
    with told_when_gone(run):
        _check_ended(run, live_status(run))
    with hold(run):
        with told_when_gone(run):
            _reopen(run, epochs, devices)
            claim_process(run)
        yield


def reopen(run: Run, epochs: int | None = None, devices: int | None = None) -> None:
    """Make a run that has ended ready to go on, to `epochs` in all and on so many `devices` where those are given.

    Its schedule is that of the new number of epochs from where it stands (see `schedules.rate_at`), and patience
    begins anew.

    Raises:
        RunError: when the run is gone or active, cannot be read, has finished and no further epoch is asked for, or
            failed by its own settings.
        LimitReached: where the user whose it is has as much on the disk as they may.
    """
    with told_when_gone(run):
        _check_ended(run, live_status(run))
        with hold(run):
            _reopen(run, epochs, devices)


def _reopen(run: Run, epochs: int | None, devices: int | None = None) -> None:
    refuse_imported(run, "no training to go on with")
    status = live_status(run, held=True)
    _check_ended(run, status)
    if now_acting().person.name:  # whoever sits at the machine may go on with any run
        demand_room(read_owner(run.folder), run.folder.parent)
    run.read_config()  # a job that cannot read it would end where nobody looks
    if status.hopeless:
        raise RunError(
            f"{run.id} would fail again at the same point, since a run resumes exactly as it was. {status.message} "
            "Start a new run with that changed."
        )
    if epochs is not None:
        if epochs <= status.epoch:
            raise RunError(
                f"{run.id} has already done {format_count(status.epoch, 'epoch')}; ask for more than that in total."
            )
        if (
            status.has_best and not run.last_path.exists()
        ):  # it would begin anew, in the place of its best model
            raise RunError(
                f"{run.id} has a best model but no last.pt to resume from. Start a new run from its weights, run:{run.id}."
            )
        run.write_config(replace(run.read_config(), epochs=epochs))
        run.write_status(replace(run.read_status(), epochs=epochs, extended_from=status.epoch))
    elif status.state == "finished":
        raise RunError(
            f"{run.id} has finished. To train it further, say how many epochs it should reach in total (it did {status.epoch})."
        )
    if devices is not None:
        run.write_config(replace(run.read_config(), devices=devices))
    run.clear_requests()


def _check_ended(run: Run, status: Status) -> None:
    if status.state in ACTIVE:
        raise RunError(f"{run.id} is already {status.state}.")


def live_status(run: Run, *, held: bool = False) -> Status:
    """Return a run's status, `crashed` in place of an active state whose job is gone; `held` as in `claim.is_alive`."""
    return judge_status(run, run.read_status(), held=held)


def judge_status(run: Run, status: Status, *, held: bool = False) -> Status:
    """Return a status that was read just now, `crashed` in place of an active state whose job is gone."""
    if status.state not in ACTIVE or is_alive(run, status, held=held):
        return status
    if (fresh := run.read_status()) != status:  # it ended between our two looks
        return judge_status(run, fresh, held=held)
    message = "The job's process is gone without saying why: it was killed, or the machine went down."
    if is_before_restart(fresh):
        message = "The machine was restarted meanwhile."
    return replace(fresh, state="crashed", phase="crashed", message=message)


def list_live(root: Path) -> list[tuple[Run, Status]]:
    """Return the runs under a root, newest first, each with its `live_status`; each status is read once."""
    return [(run, judge_status(run, status)) for run, status in list_runs(root)]


@needs(TRAIN, "stop", lambda run: run.id)
def stop(run: Run) -> None:
    """Ask a run to finish its step, save and end; raises RunError when it is not active, or gone."""
    with told_when_gone(run):
        _check_active(run)
        run.request_stop()


@needs(TRAIN, "pause", lambda run: run.id)
def pause(run: Run) -> None:
    """Ask a run to finish its step, save and free the machine; raises RunError when it is not active, or gone."""
    with told_when_gone(run):
        _check_active(run)
        run.request_pause()


def _check_active(run: Run) -> None:
    status = live_status(run)
    if status.state not in ACTIVE:
        raise RunError(f"{run.id} is not running: it is {status.state}.")


@needs(TRAIN, "kill", lambda run: run.id)
def kill(run: Run) -> None:
    """End a run's process tree at once, without saving: for a job that does not answer a stop."""
    status = live_status(run)
    if status.state in ACTIVE and (process := find_process(status)) is not None:
        family = [process]
        with suppress(psutil.NoSuchProcess):  # it may end by itself at any moment
            family += process.children(recursive=True)
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=10)


def role_to_delete(run: Run) -> str:
    """Return the role that it takes to delete a run: less for one's own, or nobody could keep to a limit by themselves."""
    return TRAIN if is_own(run.folder) else ADMINISTER


@needs(role_to_delete, "delete", lambda run: run.id)
def delete(run: Run) -> None:
    """Delete a run's folder; raises RunError while it is active, or when it is gone already."""
    with told_when_gone(run):
        _check_deletable(run, live_status(run))
        with hold(run):  # nobody resumes it meanwhile
            _check_deletable(run, live_status(run, held=True))
            if os.name != "nt":
                delete_run(run)
                return
        delete_run(
            run
        )  # Windows moves no folder with an open file in it, neither ours nor that of who resumes it


def _check_deletable(run: Run, status: Status) -> None:
    if status.state in ACTIVE:
        raise RunError(f"{run.id} is {status.state}; stop it before deleting it.")


def _birth(pid: int) -> float:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:  # it has ended already
        return 0.0
