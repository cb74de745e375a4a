"""A run's figures to a tracker: all that it has not had yet, once or for as long as the run goes on.

It reads the run's folder as every page does, in a process of its own, so no tracker can hold up or end a training.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from core.addresses import hide_user
from core.errors import RunError, UserError, describe_error
from core.files import changing, write_text
from core.reading import read_object
from core.recipe.config import NO_TRACKER, TRACKERS
from core.runs.jobs import live_status
from core.runs.notes import read_note
from core.runs.run import Run
from core.stored.status import ACTIVE
from core.trackers.mlflow_log import MLflow
from core.trackers.seam import FIGURES, TITLES, About, Tracker
from core.trackers.tensorboard_log import TensorBoard
from core.trackers.trackio_log import Trackio
from core.trackers.wandb_log import WandB
from core.words import shorten

KINDS: dict[str, type[Tracker]] = {
    "tensorboard": TensorBoard,
    "mlflow": MLflow,
    "wandb": WandB,
    "trackio": Trackio,
}
assert (NO_TRACKER, *KINDS) == TRACKERS
RECORD = "trackers.json"  # in the run's folder: what each tracker calls it, and which epoch it had last
_MOST = 100_000  # bytes of it
_LOOK = 2.0  # seconds between two looks at a run that goes on


def publish(run: Run, kind: str, *, follow: bool = False) -> tuple[int, str]:
    """Give a tracker the epochs of a run that it has not had; return how many those were, and where they are.

    With `follow` that goes on until the run does not.

    Raises:
        RunError: where the tracker cannot be written to, with why.
        TrackerMissing: where its package is not installed.
    """
    tracker, (known, last) = KINDS[kind](), _read_record(run, kind)
    try:
        identity, count = tracker.begin(_describe(run), known), 0
        _write_record(
            run, kind, identity, last
        )  # at once, so that one killed from here on goes on in the same record
        for epoch, figures in _iter_epochs(run, last, follow=follow):
            tracker.log(epoch, figures)
            count += 1
            _write_record(run, kind, identity, epoch)
        status = live_status(run)
        tracker.end(state=status.state, best=status.best_val_acc if status.has_best else None)
        if run.folder.is_dir():
            _write_record(run, kind, identity, max(last, _read_record(run, kind)[1]))
    except UserError:
        raise
    except OSError as error:
        raise RunError(hide_user(describe_error(error))) from error
    except Exception as error:  # of a program that is not ours
        # It may quote the address it was given, with the password in it: this gets into the run's folder and on its page.
        why = f"{type(error).__name__}: {shorten(hide_user(str(error)), 200)}"
        raise RunError(f"{run.id} could not be written to {TITLES[kind]}: {why}") from error
    return count, hide_user(tracker.place)


def _iter_epochs(run: Run, last: int, *, follow: bool) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield the epochs after `last` with their figures by their names in a tracker."""
    offset = 0
    while True:
        goes_on = (
            follow and run.folder.is_dir() and live_status(run).state in ACTIVE
        )  # asked before the last look
        rows, offset = run.read_metrics(offset)
        for row in rows:
            if row["kind"] == "epoch" and row["epoch"] > last:
                last = row["epoch"]
                yield (
                    last,
                    {title: float(row[name]) for name, title in FIGURES.items() if row.get(name) is not None},
                )
        if not goes_on:
            return
        time.sleep(_LOOK)


def _describe(run: Run) -> About:
    note = read_note(run)
    return About(run.id, run.folder, asdict(run.read_config()), note.tags, note.text)


def _read_record(run: Run, kind: str) -> tuple[str, int]:
    """Return what a tracker calls a run, and the last epoch it had; nothing where it never had one."""
    try:
        identity, epoch = read_object(_path(run), most=_MOST)[kind]
        return str(identity), int(epoch)
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0


def _write_record(run: Run, kind: str, identity: str, epoch: int) -> None:
    with changing(_path(run)):  # other trackers keep their line in it
        try:
            known = read_object(_path(run), most=_MOST)
        except (OSError, ValueError):
            known = {}
        write_text(_path(run), json.dumps({**known, kind: [identity, epoch]}, indent=2) + "\n")


def _path(run: Run) -> Path:
    return run.folder / RECORD
