"""Training jobs as real processes that start in no time: forked from a server that has loaded torch already."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from core.runs.run import Run

Start = Callable[..., ForkServerProcess]
_CONTEXT = multiprocessing.get_context("forkserver")


@contextmanager
def fork_server() -> Iterator[Start]:
    """Give a function that starts a run's job as a process, or lets one that ended go on, to `epochs` in all.

    Those still alive at the end are killed.
    """
    _CONTEXT.set_forkserver_preload(["core.job.job", "pytorch_optimizer"])
    started: list[ForkServerProcess] = []

    def start(run: Run, epochs: int | None = None) -> ForkServerProcess:
        process = _CONTEXT.Process(target=work, args=(run.folder, epochs))
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


def work(folder: Path, epochs: int | None) -> None:
    """Be the job of the run in a folder, as a process that was launched is."""
    from core.cli.task import do_work
    from core.errors import UserError, describe_error
    from core.runs import jobs
    from core.runs.claim import claim

    run = Run(folder)
    try:
        with claim(run) if run.read_status().state == "queued" else jobs.resume_here(run, epochs):
            do_work(run, None)
    except (UserError, OSError) as error:  # another one is its job, or the folder cannot be worked on
        print(f"{type(error).__name__}: {describe_error(error)}", file=sys.stderr)
