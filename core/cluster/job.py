"""Being the job that Slurm starts for a run: taking the run over, obeying Slurm's signals, and giving the run back to it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import FrameType

from core.cluster.request import SAVE_SECONDS
from core.cluster.slurm import requeue
from core.errors import UserError
from core.runs.claim import Taken, claim_process, hold
from core.runs.run import Run
from core.stored.status import Status
from core.words import format_duration

_OVER = ("finished", "stopped", "paused", "failed")


@dataclass
class Signals:
    """What Slurm has asked this process for so far; 0 where nothing."""

    number: int = 0
    obeyed: bool = False

    @property
    def at_limit(self) -> bool:
        """Tell whether its time limit is near."""
        return self.number == signal.SIGUSR1

    def ask(self, run: Run) -> bool:
        """Tell whether the work has to end for Slurm's sake; what its user asks goes before that."""
        if not self.number or run.requested_state():
            return False
        self.obeyed = True
        return True


def own_id(environment: Mapping[str, str]) -> str:
    """Return the id of the job of Slurm's that this process is, as squeue writes it; empty where it is none."""
    if array := environment.get("SLURM_ARRAY_JOB_ID", ""):
        return f"{array}_{environment.get('SLURM_ARRAY_TASK_ID', '')}"
    return environment.get("SLURM_JOB_ID", "")


@contextmanager
def claim_for(run: Run, job: str) -> Iterator[None]:
    """Be the job of a run until the end of the block, also where an earlier start of it was cut off.

    Raises:
        Taken: when the run is not the work of this job of Slurm's, or is over.
    """
    with hold(run):
        status = run.read_status()
        if not job or status.job != job:
            raise Taken(f"{run.id} is not the work of Slurm job {job or '(none)'}.")
        if status.state in _OVER:
            raise Taken(f"{run.id} has already ended: it is {status.state}.")
        claim_process(run, job=job)
        yield


@contextmanager
def obey_slurm() -> Iterator[Signals]:
    """Yield what notes Slurm's signals: USR1 comes before the time limit, TERM where the job is to make room or end."""
    asked = Signals()

    def note(number: int, _: FrameType | None) -> None:
        asked.number = asked.number or number

    before = {number: signal.signal(number, note) for number in (signal.SIGUSR1, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def keep_to_share() -> None:
    """Let this process compute on the cores that Slurm gave it; before torch is loaded, which reads it once."""
    if cores := os.environ.get("SLURM_CPUS_PER_TASK"):
        os.environ.setdefault("OMP_NUM_THREADS", cores)


def give_back(run: Run, status: Status, asked: Signals, *, saved: bool) -> Status:
    """Write down that a run waits in Slurm again after a signal was obeyed; `saved` tells whether it got on since its start.

    At a time limit the job queues itself again (`ask_again` does it, once the folder is let go). Else Slurm does that, or
    has cancelled the job; which of the two `follow` learns from it.
    """
    if asked.at_limit and not saved:
        message = (
            f"Its time limit in Slurm is too short: a run saves {format_duration(SAVE_SECONDS)} before the limit, and by then "
            "there was nothing to save yet. Start it again with more time."
        )
        return run.write_status(replace(status, state="failed", phase="failed", message=message))
    why = "saved before its time limit" if asked.at_limit else "ended by Slurm"
    message = f"Slurm job {status.job} was {why}, and waits to go on."
    return run.write_status(
        replace(status, state="queued", phase="waiting", message=message, ended=0.0, seconds_left=0.0)
    )


def ask_again(run: Run, job: str) -> None:
    """Let Slurm queue this very job again; where it refuses, the run is stopped and says so."""
    try:
        requeue(job)
    except UserError as error:
        with hold(run):
            status = run.read_status()
            if status.state == "queued":
                message = (
                    f"Saved before its time limit. It was not queued again: {error} Resume goes on from here."
                )
                run.write_status(replace(status, state="stopped", phase="stopped", message=message))
