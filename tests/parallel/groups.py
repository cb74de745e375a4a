"""Train a run in several processes that start in no time, forked from a server that has loaded torch already."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Iterator, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from core.runs.claim import claim
from core.runs.jobs import resume_here
from core.runs.run import Run

PATIENCE = 120  # seconds
_CONTEXT = multiprocessing.get_context("forkserver")


def train_in(run: Run, processes: int, *, again: bool = False, epochs: int | None = None) -> list[int | None]:
    """Train a new run, or go on with one, in so many processes; return their exit codes."""
    with claim(run) if not again else resume_here(run, epochs, processes):
        return list(end_all(start_all(run, processes)))


def start_all(run: Run, processes: int) -> list[ForkServerProcess]:
    _CONTEXT.set_forkserver_preload(["core.job.job", "core.cli.rank", "core.parallel.launcher"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = []
    for rank in range(processes):
        process = _CONTEXT.Process(target=_be_rank, args=(run.folder, rank, processes, port))
        process.start()
        started.append(process)
    return started


def end_all(started: Sequence[ForkServerProcess]) -> Iterator[int | None]:
    for process in started:
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
            process.join()
        yield process.exitcode


def _be_rank(folder: Path, rank: int, world: int, port: int) -> None:
    from core.cli.rank import join_run

    os.environ.update(
        RANK=str(rank), WORLD_SIZE=str(world), LOCAL_RANK=str(rank), LOCAL_WORLD_SIZE=str(world),
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port),
    )  # fmt: skip
    os._exit(join_run(Run(folder), None, None))
