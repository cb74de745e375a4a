"""A job of Slurm's on several nodes: which they are, and one command that srun runs on each of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from core.errors import RunError
from core.runs.run import Run

_MARK = "weakspot-end "  # what a node says when its part has failed stands behind this
_GONE = "Its processes could not be started on one of the nodes, or were ended there."
_LOOK = 0.2  # seconds between two looks


@dataclass(frozen=True)
class NodeFailure:
    """Why the processes of a node ended too early, in words; `lost` where only since others were gone; `time` since the epoch."""

    why: str
    lost: bool
    time: float

    def write(self) -> str:
        """Return it as the line by which a node tells it."""
        return _MARK + json.dumps(asdict(self))


@dataclass(frozen=True)
class Place:
    """Which node this process is on, from 0, and the address of the first one, at which they meet."""

    number: int
    address: str


def count_nodes(environment: Mapping[str, str]) -> int:
    """Return how many nodes the job of Slurm's has that this process belongs to."""
    count = environment.get("SLURM_JOB_NUM_NODES", "")
    return int(count) if count.isdecimal() else 1


def list_nodes(environment: Mapping[str, str]) -> str:
    """Return the names of the job's nodes as Slurm writes them, such as n[1-2]; empty where it has one."""
    return environment.get("SLURM_JOB_NODELIST", "") if count_nodes(environment) > 1 else ""


def find_place(environment: Mapping[str, str]) -> Place:
    """Return where srun has started this process.

    Raises:
        RunError: when it was not srun that did.
    """
    try:
        return Place(int(environment["SLURM_PROCID"]), environment["SLURM_LAUNCH_NODE_IPADDR"])
    except (KeyError, ValueError):
        raise RunError("This command is started by srun, on each node of a job of Slurm's.") from None


def find_port() -> int:
    """Return a port that is free on this node, at which the others find it."""
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


def run_on_nodes(run: Run, words: Sequence[str], nodes: int, *, should_stop: Callable[[], bool]) -> str:
    """Run a command once on each node of this job until all have ended; return why the first of them failed, if one did.

    `should_stop` is passed on as a request in the run's folder, which the leading process obeys.
    """
    # What fails on a node is told in words, with the code 0: any other is of a node that the rest would wait for in vain.
    options = [
        f"--nodes={nodes}",
        f"--ntasks={nodes}",
        "--ntasks-per-node=1",
        "--kill-on-bad-exit=1",
        "--quiet",
    ]
    if cores := os.environ.get("SLURM_CPUS_PER_TASK"):
        options.append(f"--cpus-per-task={cores}")  # a step does not take that over from its job
    asked = False
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as told:
        try:
            process = subprocess.Popen(["srun", *options, *words], stdin=subprocess.DEVNULL, stdout=told)
        except FileNotFoundError:
            return "Slurm's program srun is not on the node that the job began on."
        try:
            while process.poll() is None:
                time.sleep(_LOOK)
                if not asked and should_stop():
                    asked = True
                    run.request_stop()
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait()
        told.seek(0)
        if process.returncode:
            return f"{_GONE} The log says more."
        return find_cause(told.read().splitlines())


def find_cause(lines: Sequence[str]) -> str:
    """Return why the first node failed whose processes did not end only since others were gone."""
    found = [NodeFailure(**json.loads(line.removeprefix(_MARK))) for line in lines if line.startswith(_MARK)]
    return min(found, key=lambda one: (one.lost, one.time)).why if found else ""
