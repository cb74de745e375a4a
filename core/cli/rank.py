"""One run in several processes: the command `rank`, which each of them is on this machine, and `train` under torchrun.

Where `devices` says so a job starts its processes by itself. Started by torchrun on one or several machines, each process
is a `train` of its own; the first of them makes the run or goes on with it, and so does each restart.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from core.cli.task import EXIT_CODES, obey_signals
from core.cli.terminal import Tee
from core.errors import ConfigError, RunError, UserError
from core.places import launch_command
from core.reading import open_at_once
from core.recipe.config import TrainConfig
from core.runs.claim import REMOTE_SILENCE, claim
from core.runs.jobs import live_status, prepare, resume_here
from core.runs.journal import Console, Journal
from core.runs.run import Run, default_root
from core.stored.status import ACTIVE, Status

if TYPE_CHECKING:
    from core.parallel.group import Group

_LOOK = 1.0  # seconds between two looks at a run whose last process is not known to be gone yet


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    rank = commands.add_parser("rank", help="be one of the processes of a run, as its job starts them")
    rank.add_argument("folder", type=Path, metavar="FOLDER")
    rank.add_argument(
        "--on-terminal", action="store_true", help="show what goes to the log on the terminal too"
    )
    rank.set_defaults(command=_be_rank)


def launch_ranks(
    run: Run, console: Console, should_stop: Callable[[], bool], devices: int, *, on_terminal: bool
) -> Status:
    """Train a run that this process has claimed in so many processes of this machine; return its last status."""
    from core.parallel.launcher import launch_group

    words = launch_command(["rank", str(run.folder.resolve()), *(["--on-terminal"] if on_terminal else [])])
    failure = launch_group(run, words, devices, should_stop=should_stop)
    return tell_end(run, console, failure.why if failure else "")


def tell_end(run: Run, console: Console, why: str) -> Status:
    """Return the last status of a run whose processes have ended; where none of them told it, it failed, and says `why`."""
    status = run.read_status()
    if status.state not in ACTIVE:  # the leading process has told it
        return status
    journal = Journal(run, console)
    journal.end("failed", why or "Its processes ended without saying why.")
    return journal.status


def is_under_torchrun() -> bool:
    """Tell whether torchrun has started this process, as one of several or alone."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def train_under_torchrun(config: TrainConfig) -> NoReturn:
    """Train as one of torchrun's processes, and end this one.

    The run of the config's name is made, or goes on where an earlier start of the same left it.
    """
    if not config.name:
        raise ConfigError({"name": "is needed under torchrun, so that each start finds the same run"})
    if config.head_only:
        raise ConfigError({"head_only": "trains on one device; leave torchrun out"})
    config = replace(config, devices=int(os.environ["WORLD_SIZE"]))
    _leave(join_run(Run(default_root() / config.name), config, sys.stderr))


def _be_rank(options: argparse.Namespace) -> NoReturn:
    _leave(join_run(Run(options.folder), None, sys.stderr if options.on_terminal else None))


def join_run(run: Run, config: TrainConfig | None, terminal: TextIO | None) -> int:
    """Train a run in a group; with a config the leader opens the run first, else its launcher holds it. Return the exit code."""
    from core.parallel.launcher import end_with_parent

    end_with_parent()
    from core.parallel.group import PeerLost, join_group
    from core.parallel.launcher import IN_WORDS, LOST, tell_failure
    from core.training.engine import choose_compute

    group = None
    try:
        asked = config or run.read_config()
        group = join_group(choose_compute(asked.device).device.type)
        return _train(run, config, terminal, group)
    except PeerLost:
        return LOST
    except (UserError, OSError) as error:
        if config is not None and (group is None or group.leads):
            raise
        tell_failure(error)
        return IN_WORDS


def _train(run: Run, config: TrainConfig | None, terminal: TextIO | None, group: Group) -> int:
    from core.job.job import TrainingJob
    from core.parallel.group import Left

    if not group.leads:
        try:
            if config is not None:
                group.lead(lambda: None)
        except Left:
            return 0
        from core.parallel.follower import Silence

        with obey_signals():  # the leader obeys for all
            TrainingJob(run, Silence(), group=group).execute()
        return 0
    with ExitStack() as held:
        if config is not None:
            try:
                group.lead(lambda: held.enter_context(_open(run, config)))
            except _Finished:
                print(f"{run.id} has already finished.", flush=True)
                return 0
            print(run.id, flush=True)
        return _lead(run, terminal, group)


def _lead(run: Run, terminal: TextIO | None, group: Group) -> int:
    from core.job.job import TrainingJob

    # torchrun's own signal to end must save; a launcher of ours asks by the run's folder.
    with (
        obey_signals() as should_stop,
        open(run.log_path, "a", encoding="utf-8", opener=open_at_once) as log,
    ):
        status = TrainingJob(run, Tee(log, terminal), should_stop, group=group).execute()
    # To a launcher any end that was told is one; torchrun is to start anew what failed.
    return 0 if status.state in EXIT_CODES else 2


@contextmanager
def _open(run: Run, config: TrainConfig) -> Iterator[None]:
    """Be the job of the run of a config, which is made, or goes on where an earlier start left it."""
    if not run.folder.is_dir():
        with claim(prepare(config, default_root())):
            yield
        return
    if run.read_status().state == "finished":
        raise _Finished
    if replace(run.read_config(), devices=config.devices) != config:
        raise RunError(f"{run.id} already exists with other settings. Give this run another name.")
    end = time.monotonic() + 2 * REMOTE_SILENCE
    while live_status(run).state in ACTIVE and time.monotonic() < end:
        time.sleep(_LOOK)  # where its last process was on a machine that is gone, only its silence tells
    with resume_here(run, devices=config.devices):
        yield


class _Finished(Exception):
    """There is nothing left to do for the run."""


def _leave(code: int) -> NoReturn:
    """End this process without waiting for connections whose other ends may be gone."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
