"""The command `python -m core task FOLDER`: be the job of a folder, of a training or of any other work that takes a while."""

from __future__ import annotations

import argparse
import inspect
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from core.cli.kinds import KINDS, STOPPED
from core.cli.models.track import start_following
from core.cli.terminal import Tee
from core.errors import ConfigError, RunError
from core.files import LEFT_OVER, sweep_drafts
from core.reading import open_at_once
from core.runs.claim import Taken, claim
from core.runs.journal import Interrupted, Journal
from core.runs.run import Run
from core.runs.tasks import TASK, read_order
from core.runs.watchdog import end_when_stuck
from core.stored.status import Status

EXIT_CODES = {"finished": 0, "stopped": 1, "paused": 1}  # of a job by the state it ends in; 2 for any other


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    task = commands.add_parser(
        "task",
        help="do the work of a folder, as the dashboard starts it: a queued run, or what its task.json says",
    )
    task.add_argument("folder", type=Path, metavar="FOLDER")
    task.set_defaults(command=_be_job)


def _be_job(options: argparse.Namespace) -> int:
    run = Run(options.folder)
    if not any((run.folder / name).is_file() for name in ("config.json", TASK)):
        raise RunError(f"{run.folder} holds no work: it has neither config.json nor {TASK}.")
    try:
        with claim(run):
            return do_work(run, None)
    except Taken as taken:
        print(f"This process ends without doing anything. {taken}", file=sys.stderr, flush=True)
        return 1


def do_work(run: Run, terminal: TextIO | None) -> int:
    """Do the work of a folder that this process has claimed, and tell how it ended; return the exit code.

    The log gets all that the terminal gets. A Ctrl-C or SIGTERM asks for a stop.
    """
    is_task = (run.folder / TASK).is_file()
    # In a run's folder pages write too; what is half made in a task's was left by a job that was killed.
    sweep_drafts(run.folder, untouched=0.0 if is_task else LEFT_OVER)
    with (
        obey_signals() as should_stop,
        open(run.log_path, "a", encoding="utf-8", opener=open_at_once) as log,
    ):
        console = Tee(log, terminal)
        if is_task:
            status = _do_task(Journal(run, console, should_stop))
        else:
            status = _train(run, console, terminal, should_stop)
    return EXIT_CODES.get(status.state, 2)


@contextmanager
def obey_signals() -> Iterator[Callable[[], bool]]:
    """Yield what tells whether a signal has asked for a stop."""
    asked: list[int] = []

    def ask_stop(number: int, _: FrameType | None) -> None:
        if asked:  # a second Ctrl-C means now
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _train(run: Run, console: Tee, terminal: TextIO | None, should_stop: Callable[[], bool]) -> Status:
    from core.queue.slots import find_lacks, read_slots
    from core.queue.turn import keep_to_slot, wait_for_turn

    config = run.read_config()
    if lacks := find_lacks(config, read_slots(run.folder.parent)):
        journal = Journal(run, console)
        journal.end("failed", f"{ConfigError(lacks)}.")
        return journal.status
    tell = None if terminal is None else lambda line: print(line, file=terminal, flush=True)
    if not wait_for_turn(run, should_stop=should_stop, tell=tell):
        return run.read_status()
    keep_to_slot(run)
    start_following(run)
    if config.devices > 1:
        from core.cli.rank import launch_ranks

        return launch_ranks(run, console, should_stop, config.devices, on_terminal=terminal is not None)
    from core.job.job import TrainingJob  # torch is loaded only when it is this run's turn

    return TrainingJob(run, console, should_stop).execute()


def _do_task(journal: Journal) -> Status:
    folder, kind = journal.run.folder, ""

    def work() -> str:
        nonlocal kind
        kind, parameters = read_order(folder)
        if kind not in KINDS:
            raise RunError(f"{kind!r} is not a kind of task; the kinds are: {', '.join(KINDS)}.")
        try:
            inspect.signature(KINDS[kind]).bind(folder, journal.count_all, **parameters)
        except TypeError as error:
            raise RunError(f"{folder / TASK} does not say what {kind} needs: {error}.") from None
        message = KINDS[kind](folder, journal.count_all, **parameters)
        if message is None:
            raise Interrupted(journal.asked() or "stopped")
        return message

    with end_when_stuck(journal):
        return journal.perform(work, describe_stop=lambda _: STOPPED.get(kind, "Stopped before its end."))
