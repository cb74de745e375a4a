"""Training jobs as real processes that start in no time: forked from a server that has loaded torch already."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from core.runs.run import Run

_CONTEXT = multiprocessing.get_context("forkserver")


@contextmanager
def fork_server() -> Iterator[Callable[[Run], ForkServerProcess]]:
    """Give a function that starts a run's job as a process; those still alive at the end are killed."""
    _CONTEXT.set_forkserver_preload(["core.train", "pytorch_optimizer"])
    started: list[ForkServerProcess] = []

    def start(run: Run) -> ForkServerProcess:
        process = _CONTEXT.Process(target=work, args=(run.folder,))
        process.start()
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            if process.is_alive():
                process.kill()
            process.join()


def work(folder: Path) -> None:
    """Be the job of the run in a folder."""
    from core.runs.claim import claim
    from core.train import TrainingJob

    run = Run(folder)
    with claim(run), run.log_path.open("a", encoding="utf-8") as log:
        TrainingJob(run, log).execute()
