"""Starts the processes of one run on this machine, as torchrun does, passes a stop on, and says why they ended early."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psutil
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from core.runs.run import Run

IN_WORDS = 3  # exit code of a process that left its error in words
LOST = 4  # of one whose others are gone
_HERE = "127.0.0.1"
_LOOK = 0.2  # seconds between two looks
_PATIENCE = 900  # seconds that launchers of several nodes wait for each other
_FAREWELL = 10  # seconds that processes have to end in, once another of them has failed


@dataclass(frozen=True)
class Failure:
    """Why processes ended too early, in words; `lost` where only since others were gone; `time` in seconds since the epoch."""

    why: str
    lost: bool = False
    time: float = 0.0


@dataclass(frozen=True)
class Meeting:
    """Where the launchers of several nodes find each other, and which of them this one is; the first one is node 0."""

    address: str
    port: int
    node: int
    nodes: int


def launch_group(
    run: Run,
    words: Sequence[str],
    devices: int,
    *,
    should_stop: Callable[[], bool],
    meeting: Meeting | None = None,
) -> Failure | None:
    """Run a command once for each device of this machine until all have ended; return why they did too early, if so.

    With a `meeting` these are the processes of one node of several. `should_stop` is passed on as a request in the run's
    folder, which the leading process obeys. None of the processes outlives this one: each watches it.
    """
    failures: list[BaseException] = []
    with tempfile.TemporaryDirectory(prefix="weakspot-") as notes, _quiet(), _own_threads(devices):
        config = LaunchConfig(
            min_nodes=1, max_nodes=1, nproc_per_node=devices, run_id=run.id, max_restarts=0, monitor_interval=_LOOK,
            rdzv_backend="c10d", rdzv_endpoint=f"{_HERE}:0", local_addr=_HERE, shutdown_timeout=_FAREWELL,
            rdzv_configs={"is_host": True}, logs_specs=DefaultLogsSpecs(log_dir=notes),
        )  # fmt: skip
        if meeting is not None:  # who is there is known, so nothing has to be found out
            config.min_nodes = config.max_nodes = meeting.nodes
            config.rdzv_backend, config.local_addr = "static", None
            config.rdzv_endpoint = f"{meeting.address}:{meeting.port}"
            config.rdzv_configs = {"rank": meeting.node, "timeout": _PATIENCE}

        def work() -> None:
            try:
                elastic_launch(config, words[0])(*words[1:])
            except BaseException as error:
                failures.append(error)

        # In the main thread torch would take the signals for itself and end all processes without a save.
        thread = threading.Thread(target=work, name="launcher")
        thread.start()
        try:
            _attend(thread, run, should_stop)
        except BaseException:
            _kill_children()
            thread.join()
            raise
    return _describe_end(failures[0], devices * (meeting.nodes if meeting else 1)) if failures else None


def _attend(thread: threading.Thread, run: Run, should_stop: Callable[[], bool]) -> None:
    asked = False
    while thread.is_alive():
        thread.join(_LOOK)
        if should_stop() and not asked:
            asked = True
            run.request_stop()


def _kill_children() -> None:
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            child.kill()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch's launcher says of itself out of the run's log: what matters of it is told in words."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _own_threads(devices: int) -> Iterator[None]:
    """Share the cores that this process may use among as many as are started meanwhile."""
    before = os.environ.get("OMP_NUM_THREADS")
    threads = int(before) if before and before.isdigit() else os.cpu_count() or 1
    os.environ["OMP_NUM_THREADS"] = str(max(1, threads // devices))
    try:
        yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _describe_end(error: BaseException, devices: int) -> Failure:
    if not isinstance(error, ChildFailedError):
        why = f"The processes could not be started ({type(error).__name__}: {error})."
        return Failure(why, time=time.time())
    rank, failure = _find_first(error)
    return Failure(
        _describe_failure(rank, failure, devices), failure.exitcode == LOST, float(failure.timestamp)
    )


def _describe_failure(rank: int, failure: ProcessFailure, devices: int) -> str:
    if failure.exitcode == IN_WORDS:
        # What was raised there, behind the name of its kind.
        message = str(failure.message)
        return message.partition(": ")[2] or message
    how = f"ended with the code {failure.exitcode}"
    if failure.exitcode < 0:
        with suppress(ValueError):
            how = f"was ended by the system or by somebody ({signal.Signals(-failure.exitcode).name})"
    return (
        f"Process {rank + 1} of {devices} {how}, so the others ended too. "
        "What was saved is kept: resume goes on from there."
    )


def _find_first(error: ChildFailedError) -> tuple[int, ProcessFailure]:
    """Return the process whose end was the cause: none that ended since another was gone."""
    causes = {rank: failure for rank, failure in error.failures.items() if failure.exitcode != LOST}
    found = causes or error.failures
    return min(found.items(), key=lambda item: item[1].timestamp)


def end_with_parent() -> None:
    """End this process, with its children, when the one that started it is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent and psutil.pid_exists(parent):
            time.sleep(_LOOK)
        _kill_children()
        os._exit(LOST)

    threading.Thread(target=watch, daemon=True, name="parent").start()


def tell_failure(error: Exception) -> None:
    """Leave an error for the launcher to tell, in words."""
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler

    get_error_handler().record_exception(error)
