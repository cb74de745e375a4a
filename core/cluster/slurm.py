"""Slurm's own programs, asked and told: sbatch, squeue, scancel and scontrol, always with lists of words and no shell."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from core.errors import RunError

PENDING = ("PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD")
ACTIVE = (
    *PENDING,
    *("RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED", "STOPPED", "STAGE_OUT", "SIGNALING", "RESIZING"),
)
HELD = ("JobHeldUser", "JobHeldAdmin")
_FRESH = 3.0  # seconds for which an answer of squeue is kept, however many pages ask
_SILENT = 30.0  # the same where Slurm did not answer, so that pages do not wait for it again and again
_PATIENCE = 10.0  # seconds that an answer may take
# What Slurm's programs say where they find no slurm.conf, and where the cluster of theirs is silent.
_NO_CLUSTER = ("Could not establish a configuration source", "cannot stat file")
_UNREACHED = "Unable to contact slurm controller"
_FIELDS = "%i|%T|%S|%N|%r"


@dataclass(frozen=True)
class SlurmJob:
    """A job as squeue lists it; `start` is when it began or is expected to, in seconds since the epoch, 0 if not known."""

    id: str
    state: str
    start: float = 0.0
    node: str = ""
    reason: str = ""

    @property
    def is_pending(self) -> bool:
        """Tell whether it waits for its nodes."""
        return self.state in PENDING

    @property
    def is_active(self) -> bool:
        """Tell whether it waits or is at work."""
        return self.state in ACTIVE


@dataclass(frozen=True)
class Answer:
    """What Slurm said of this user's jobs at a time (seconds since the epoch), or why it said nothing."""

    asked: float = 0.0
    jobs: Mapping[str, SlurmJob] = field(default_factory=dict)
    problem: str = ""


def submit_script(script: str, options: Sequence[str], env: Mapping[str, str]) -> str:
    """Hand a batch script to Slurm and return the id of the job; raises RunError in Slurm's own words where it refuses."""
    told = _call(["sbatch", "--parsable", *options], text=script, env=env, patience=60.0)
    forget_answer()
    return told.strip().splitlines()[-1].split(";")[0]  # with several clusters their name follows


def cancel(job: str) -> None:
    """Cancel a job: one that is at work gets a SIGTERM first; raises RunError."""
    _tell(["scancel", job])


def hold(job: str) -> None:
    """Let a job that waits go on waiting until it is released; raises RunError."""
    _tell(["scontrol", "uhold", job])  # `hold` of an administrator could not be released by users


def release(job: str) -> None:
    """Let a held job have its turn again; raises RunError."""
    _tell(["scontrol", "release", job])


def requeue(job: str) -> None:
    """End a job that is at work and let it wait again; raises RunError."""
    _tell(["scontrol", "requeue", job])


def list_jobs() -> Answer:
    """Return this user's jobs, also those that ended minutes ago; the answer may be seconds old."""
    with _lock:
        age = time.time() - _last.asked
        if not 0 <= age < (_SILENT if _last.problem else _FRESH):
            _keep(_ask())
        return _last


def forget_answer() -> None:
    """Ask Slurm anew the next time, since something was changed."""
    with _lock:
        _keep(Answer())


_lock = threading.Lock()
_last = Answer()


def _keep(answer: Answer) -> None:
    global _last
    _last = answer


def _ask() -> Answer:
    asked = time.time()
    try:
        told = _call(
            ["squeue", "--me", "--array", "--noheader", "--states=all", f"--format={_FIELDS}"],
            env={**os.environ, "SLURM_TIME_FORMAT": "standard"},
        )
    except RunError as error:
        return Answer(asked, problem=str(error))
    jobs = (_read_line(line) for line in told.splitlines() if line.count("|") >= 4)
    return Answer(asked, {job.id: job for job in jobs})


def _read_line(line: str) -> SlurmJob:
    job, state, start, node, reason = line.split("|", 4)
    try:
        begins = datetime.fromisoformat(start).timestamp()
    except ValueError:  # N/A
        begins = 0.0
    return SlurmJob(job.strip(), state, begins, node, "" if reason in ("None", "") else reason)


def _tell(words: Sequence[str]) -> None:
    _call(words)
    forget_answer()


def _call(
    words: Sequence[str], *, text: str = "", env: Mapping[str, str] | None = None, patience: float = _PATIENCE
) -> str:
    try:
        done = subprocess.run(
            list(words), input=text, env=env, capture_output=True, text=True, timeout=patience, check=False
        )
    except FileNotFoundError:
        raise RunError(
            f"Slurm's program {words[0]} is not on this machine. Start Weakspot on a login node of the cluster."
        ) from None
    except subprocess.TimeoutExpired as error:
        said = (error.stderr or b"").decode(errors="replace")  # bytes, though text was asked for
        raise RunError(
            _explain(words[0], said)
            or f"Slurm did not answer {words[0]} within {patience:.0f} s. Its controller may be down; try again later."
        ) from None
    if done.returncode:
        lines = (line.strip().removeprefix(f"{words[0]}: error: ") for line in done.stderr.splitlines())
        said = "; ".join(filter(None, lines)) or f"code {done.returncode}"
        raise RunError(_explain(words[0], done.stderr) or f"Slurm refused {words[0]}: {said}")
    return done.stdout


def _explain(program: str, said: str) -> str:
    """Say what is wrong and what to do where Slurm itself was not reached; empty where it was."""
    if any(words in said for words in _NO_CLUSTER):
        return (
            "This machine has Slurm's programs but knows no cluster: there is no slurm.conf (SLURM_CONF). Start Weakspot on a "
            "login node of the cluster, or set SLURM_CONF to the path of the cluster's slurm.conf."
        )
    if _UNREACHED in said:
        return (
            f"Slurm does not answer {program}: its controller (slurmctld) cannot be reached. Try again later, or ask who "
            "runs the cluster."
        )
    return ""
