"""The command `python -m core track`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from contextlib import suppress
from typing import Any

from core.cli.terminal import add_run
from core.errors import UserError, describe_error
from core.places import launch_command
from core.reading import open_at_once
from core.recipe.config import NO_TRACKER, TRACKERS
from core.runs.imported import refuse_imported
from core.runs.jobs import detach, environment, live_status
from core.runs.run import Run, default_root, find_run
from core.stored.status import ACTIVE
from core.trackers.fault import forget_fault, write_fault
from core.words import format_count

LOG = "tracker.log"
_PATIENCE = 10.0  # seconds between two looks whether a follower of the same run has ended


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "track", help="write a run's figures to TensorBoard, MLflow, Weights & Biases or Trackio"
    )
    add_run(parser)
    parser.add_argument("--to", choices=[one for one in TRACKERS if one != NO_TRACKER], required=True)
    parser.add_argument(
        "--follow",
        action="store_true",
        help="go on until the run ends; in a training, the setting `tracker` does this by itself",
    )
    parser.set_defaults(command=_track)


def start_following(run: Run) -> None:
    """Start the process that tells the tracker of a run's config what happens; where that fails the run goes on without."""
    tracker = run.read_config().tracker
    if tracker == NO_TRACKER:
        return
    forget_fault(run, tracker)
    words = launch_command(["track", run.id, "--to", tracker, "--follow"])
    try:
        with open(run.folder / LOG, "ab", opener=open_at_once) as log:
            subprocess.Popen(
                words,
                env={**environment(), "WEAKSPOT_RUNS": str(run.folder.parent.resolve())},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **detach(),
            )
    except OSError as error:
        _tell_fault(run, tracker, f"{describe_error(error)}.")


def _track(options: argparse.Namespace) -> int:
    run = find_run(options.run, default_root())
    refuse_imported(run, "no epoch to write")
    from filelock import FileLock, Timeout

    lock = FileLock(run.folder / f".tracker-{options.to}.lock", timeout=_PATIENCE)
    while True:
        with suppress(Timeout), lock:
            return _publish(run, options.to, follow=options.follow)
        # A follower of the run before it was resumed may take long to end: without another, later epochs would be lost.
        if not (options.follow and live_status(run).state in ACTIVE):
            print(f"{run.id} is already being written to {options.to}.", file=sys.stderr)
            return 0


def _publish(run: Run, kind: str, *, follow: bool) -> int:
    from core.trackers.publish import publish

    try:
        count, place = publish(run, kind, follow=follow)
    except (UserError, OSError) as error:
        if not follow:
            raise
        _tell_fault(run, kind, describe_error(error))
        return 2
    forget_fault(run, kind)
    print(f"{format_count(count, 'epoch')} written: {place}", flush=True)
    return 0


def _tell_fault(run: Run, kind: str, why: str) -> None:
    """Say in the run's log and on its page why its tracker does not get its figures."""
    write_fault(run, kind, why)
    with suppress(OSError), open(run.log_path, "a", encoding="utf-8", opener=open_at_once) as log:
        log.write(f"Not tracked: {why} The training goes on.\n")
