"""A real Slurm of a test's own on this machine: munged, slurmctld and slurmd, ended by their ids."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from core.cluster.follow import follow
from core.runs import jobs
from core.runs.run import Run, list_runs
from core.stored.status import Status
from tests.programs import find

_CONFIG = """
ClusterName=weakspot
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,bf_interval=1,sched_interval=1,sched_min_interval=0
MinJobAge=300
JobRequeue=1
ReturnToService=2
SlurmdTimeout=10
KillWait=10
CompleteWait=0
MpiDefault=none
SwitchType=switch/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 Port={node_port} CPUs=2 RealMemory=2000 State=UNKNOWN
NodeName={other} NodeHostname={other} NodeAddr=127.0.0.1 Port={other_port} CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName={both} Nodes={host},{other} MaxTime=INFINITE State=UP
"""


OTHER, BOTH = "other", "both"  # the second node, and the partition that has it


@dataclass
class Slurm:
    """A cluster with a node of two cores, and a second one for who asks for both; `environment` is what its programs need."""

    folder: Path
    host: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "WEAKSPOT_SLURM": str(self.folder / "slurm.yaml"),
        }

    def start(self, name: str, *words: str, node: str = "") -> None:
        key = name + node
        log = (self.folder / f"{key}.out").open("ab")
        with log:
            self.processes[key] = subprocess.Popen(
                [find(name), *words], env={**os.environ, **self.environment}, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def end(self, name: str, *, force: bool = False) -> None:
        process = self.processes.pop(name)
        (process.kill if force else process.terminate)()
        process.wait(30)

    def tell(self, *words: str) -> str:
        """Run one of its programs and return what it printed."""
        done = subprocess.run(
            [find(words[0]), *words[1:]], env={**os.environ, **self.environment}, capture_output=True, text=True,
            check=False, timeout=30,
        )  # fmt: skip
        return done.stdout + done.stderr

    def wait_for(self, state: str, *words: str, seconds: float = 60) -> None:
        """Wait until a program's answer has a word in it."""
        end = time.monotonic() + seconds
        while state not in (told := self.tell(*words)):
            assert time.monotonic() < end, f"{words} said {told!r}, not {state}\n{self.read_logs()}"
            time.sleep(0.1)

    def read_logs(self) -> str:
        logs = [*self.folder.glob("*.log"), *self.folder.glob("*.out"), self.folder / "munge" / "log"]
        return "\n".join(f"{p.name}: {p.read_text(errors='replace')[-1500:]}" for p in logs if p.is_file())


def wait_for(run: Run, holds: Callable[[Status], object], slurm: Slurm, seconds: float = 90) -> Status:
    end = time.monotonic() + seconds
    while True:
        follow(list_runs(run.folder.parent))
        status = jobs.live_status(run)
        if holds(status):
            return status
        assert time.monotonic() < end, (
            f"{status}\n{run.read_log(30)}\n{slurm.tell('squeue', '-t', 'all')}{slurm.read_logs()}"
        )
        time.sleep(0.1)


def hurry(slurm: Slurm, job: str) -> None:
    """Let a job that was queued again begin at once, where Slurm lets two minutes pass."""
    slurm.wait_for("PENDING", "squeue", "--noheader", "--format=%T", f"--jobs={job}")
    slurm.tell(
        "scontrol", "update", f"JobId={job}", "StartTime=now+2seconds"
    )  # in the second of its end its node refuses it


def in_state(state: str) -> Callable[[Status], bool]:
    return lambda status: status.state == state


@contextmanager
def start_slurm(folder: Path) -> Iterator[Slurm]:
    """Run a Slurm whose files lie in a folder; no job of it outlives the block."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("state", "munge"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    key = folder / "munge" / "key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    slurm = Slurm(folder, socket.gethostname().split(".")[0])
    ports = _find_ports(3)
    text = _CONFIG.format(
        host=slurm.host, other=OTHER, both=BOTH, folder=folder,
        controller_port=ports[0], node_port=ports[1], other_port=ports[2],
    )  # fmt: skip
    (folder / "slurm.conf").write_text(text, encoding="utf-8")
    files = [f"--{n}={folder}/munge/{f}" for n, f in
             (("key-file", "key"), ("socket", "socket"), ("pid-file", "pid"), ("log-file", "log"), ("seed-file", "seed"))]  # fmt: skip
    try:
        # Forced, since the folders of tests lie in one that anybody may write to.
        slurm.start("munged", "--foreground", "--force", *files)
        slurm.start("slurmctld", "-D")
        slurm.start("slurmd", "-D")
        slurm.start("slurmd", "-D", "-N", OTHER, node=OTHER)
        for node in (slurm.host, OTHER):
            slurm.wait_for("idle", "sinfo", "--noheader", "--format=%t", f"--nodes={node}")
        yield slurm
        slurm.tell("scancel", "--full", "--signal=KILL", "--user=root")
        slurm.tell("scancel", "--user=root")
    finally:
        for name in list(slurm.processes)[::-1]:
            slurm.end(name)


def _find_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
