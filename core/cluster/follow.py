"""Keeps the runs that Slurm has to what it says of them: waits and why, goes on after a requeue, or has ended.

A run's own job writes its status while it is at work. Before, between and after nobody of ours is there to write it, so
whoever looks at runs calls `follow` first, as with `revive_queue`. All runs together cost one call of squeue.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from core.cluster import slurm
from core.cluster.slurm import Answer, SlurmJob
from core.cluster.submit import read_request, resume
from core.errors import UserError
from core.people.acting import TRAIN, needs
from core.runs import jobs
from core.runs.claim import Taken, hold, is_held
from core.runs.run import Run
from core.stored.status import ACTIVE, ON_HOLD_IN_SLURM, Status
from core.words import format_rough

REASONS = {
    "Resources": "no node that fits is free",
    "Priority": "other jobs go first",
    "Dependency": "another job has to end first",
    "BeginTime": "Slurm lets two minutes pass before a job that was moved goes on",
    "ReqNodeNotAvail": "its nodes are down or reserved",
    "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions": "its nodes are down or reserved",
    "PartitionNodeLimit": "it asks for more than this partition has",
    "PartitionTimeLimit": "it asks for more time than this partition allows",
    "QOSMaxJobsPerUserLimit": "you already have as many jobs running as you may",
    "AssocMaxJobsLimit": "your account already has as many jobs running as it may",
    "QOSMaxGRESPerUser": "you already use as many GPUs as you may",
}
_ENDS = {
    "TIMEOUT": "Slurm ended it at its time limit before it had saved. Ask for more time.",
    "OUT_OF_MEMORY": "It used more memory than it asked Slurm for. Ask for more memory.",
    "NODE_FAIL": "The node it trained on failed.",
    "BOOT_FAIL": "The node it was to train on did not start.",
    "PREEMPTED": "A job of higher priority took its place.",
    "DEADLINE": "Slurm ended it at its deadline.",
    "FAILED": "Its job failed without saying why; the log may say more. The run folder must be on a disk that the node can reach too.",
}


def follow(found: Iterable[tuple[Run, Status]]) -> bool:
    """Write down what Slurm says of those of the runs that it has; tell whether a status changed.

    `found` are runs with their statuses as written, from `list_runs`. Slurm is asked only where it has one of them.
    """
    its = [(run, status) for run, status in found if status.job and status.state in ACTIVE]
    if not its:
        return False
    answer = slurm.list_jobs()
    return any([_follow_one(run, status, answer) for run, status in its])


def follow_run(run: Run) -> None:
    """Write down what Slurm says of one run."""
    follow([(run, run.read_status())])


def _follow_one(run: Run, status: Status, answer: Answer) -> bool:
    if is_held(run) or not _says_other(run, status, answer):
        return False
    try:
        with hold(run):
            fresh = run.read_status()
            if fresh.job != status.job or fresh.state not in ACTIVE:
                return False
            changed = _judge(run, fresh, answer)
            if changed is None:
                return False
            run.write_status(changed)
            if changed.state not in ACTIVE:
                run.clear_requests()
            return True
    except (Taken, OSError, UserError):
        return False  # its job is at work, or the folder is gone


def _says_other(run: Run, status: Status, answer: Answer) -> bool:
    """Tell without a lock whether there may be something to write, so that most looks take none."""
    return _judge(run, status, answer, act=False) is not None


def _judge(run: Run, status: Status, answer: Answer, *, act: bool = True) -> Status | None:
    """Return the status that a run without a job at work has by what Slurm says; None where it stays."""
    if answer.problem:
        return _wait(status, answer.problem) if status.state == "queued" else None
    if answer.asked < status.updated:
        return None  # it was written since Slurm was asked
    job = answer.jobs.get(status.job)
    if job is None or not job.is_active:
        return _end(run, status, job)
    if job.is_pending:
        if asked := run.requested_state():
            return _cancel(status, asked) if act else status
        return _wait(status, describe_wait(job))
    if status.state == "queued":
        return _wait(status, f"Slurm job {job.id} starts{f' on {job.node}' if job.node else ''}.")
    return None


def _wait(status: Status, message: str) -> Status | None:
    changed = replace(status, state="queued", phase="waiting", message=message, seconds_left=0.0)
    return None if changed == status else changed


def _cancel(status: Status, state: str) -> Status | None:
    try:
        slurm.cancel(status.job)
    except UserError:
        return None  # the next look tries again
    began = "before it began" if not status.started else "while it waited to go on"
    return replace(
        status, state=state, phase=state, message=f"{state.capitalize()} {began}.", ended=time.time()
    )


def _end(run: Run, status: Status, job: SlurmJob | None) -> Status:
    """Return the status of a run whose job of Slurm's is over although it did not say so itself."""
    saved = " Resume goes on from its last checkpoint." if run.last_path.exists() else ""
    if job is not None and job.state == "CANCELLED":
        state, message = "stopped", f"Slurm job {status.job} was cancelled."
    elif job is None:
        state = "crashed"
        message = f"Slurm no longer knows job {status.job}, which ended without saying why."
    else:
        state, message = "crashed", _ENDS.get(job.state, f"Slurm job {job.id} ended: {job.state}.")
    return replace(
        status, state=state, phase=state, message=message + saved, ended=time.time(), seconds_left=0.0
    )


def describe_wait(job: SlurmJob, now: float | None = None) -> str:
    """Say in words why a job waits and when it is expected to begin; `now` is in seconds since the epoch."""
    if job.reason == "JobHeldUser":
        return ON_HOLD_IN_SLURM
    if job.reason == "JobHeldAdmin":
        return f"Slurm job {job.id} is held by an administrator."
    reason = job.reason.strip("()")
    why = REASONS.get(reason) or REASONS.get(reason.split(",")[0]) or reason
    words = f"Slurm job {job.id} waits{f': {why}' if why else ' for its turn'}."
    left = job.start - (time.time() if now is None else now)
    return f"{words} Slurm expects it to start in {format_rough(left)}." if left > 0 else words


@needs(TRAIN, "stop in Slurm", lambda run: run.id)
def end_now(run: Run) -> None:
    """End a run's job whether it answers or not: by scancel where Slurm has it, else as `jobs.kill`; raises RunError."""
    status = run.read_status()
    if status.job and status.state in ACTIVE:
        slurm.cancel(status.job)
    else:
        jobs.kill(run)


@needs(TRAIN, "hold or release in Slurm", lambda run, *_, **__: run.id)
def set_held(run: Run, held: bool) -> None:
    """Hold a run's job back in Slurm, or let it have its turn again; raises RunError where Slurm refuses."""
    job = run.read_status().job
    (slurm.hold if held else slurm.release)(job)
    with suppress(OSError):
        follow_run(run)


@needs(TRAIN, "resume", lambda run, *_, **__: run.id)
def go_on(run: Run, epochs: int | None = None) -> None:
    """Resume a run where it trained last: in Slurm as it asked then, or on this machine. Raises as `jobs.reopen`."""
    if run.read_status().job and (request := read_request(run)) is not None:
        resume(run, epochs, request=request)
    else:
        jobs.resume(run, epochs)
