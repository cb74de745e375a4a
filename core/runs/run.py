"""The run folder: the paths of its files, what is read from them and written, and the list of runs."""

from __future__ import annotations

import difflib
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from core.errors import RunError, UserError, describe_cause
from core.files import discard_folder, draft_folder, sweep_drafts, write_text
from core.image_table import drop_table, find_table
from core.networks.table import InputFormat, inputs_of
from core.people.acting import now_acting
from core.people.limits import demand_room
from core.people.owner import write_owner
from core.places import runs_folder
from core.reading import read_object, read_plain
from core.recipe.config import TrainConfig
from core.stored import records
from core.stored.console_log import read_tail
from core.stored.metric_rows import append_row, keep_rows, parse_rows, read_block
from core.stored.status import LAUNCHING, Status, load_status, recall_status, save_status
from core.words import name_some, show_path

FOLD = "fold"  # the split whose predictions table has the training images, each judged by a model fitted without it
_NAMED = 5  # runs that an error names
TEST = "test"  # the split whose predictions table has labelled images that are none of the run's data


@dataclass(frozen=True)
class Run:
    """One run folder; the object holds nothing but its path."""

    folder: Path

    @property
    def id(self) -> str:
        """Return the run's name, unique under its root."""
        return self.folder.name

    @property
    def log_path(self) -> Path:
        """Return the path of the console log."""
        return self.folder / "train.log"

    @property
    def metrics_path(self) -> Path:
        """Return the path of the figures, one JSON object a line."""
        return self.folder / "metrics.jsonl"

    @property
    def best_path(self) -> Path:
        """Return the path of the best model's checkpoint."""
        return self.folder / "best.pt"

    @property
    def last_path(self) -> Path:
        """Return the path of the checkpoint a run goes on from."""
        return self.folder / "last.pt"

    @property
    def strangers_path(self) -> Path:
        """Return the path of what tells images that are unlike anything the best model was trained on."""
        return self.folder / "strangers.pt"

    def predictions_path(self, split: str = "val") -> Path:
        """Return the path of the predictions table of a split."""
        return find_table(self.folder / f"predictions-{split}.csv")

    def drop_predictions(self, split: str) -> None:
        """Remove the predictions table of a split, where there is one."""
        drop_table(self.predictions_path(split))

    def epoch_path(self, epoch: int) -> Path:
        """Return the path of the predictions table on validation after an epoch, from 1."""
        return find_table(self.folder / "predictions" / f"val-{epoch:03d}.csv.gz")

    def list_epochs(self) -> list[int]:
        """Return the epochs that have a predictions table, in their order; a run of an older version has none."""
        names = (path.name for path in self.epoch_path(1).parent.glob("val-*"))
        found = (re.fullmatch(r"val-(\d+)\.(csv\.gz|parquet)", name) for name in names)
        return sorted({int(match[1]) for match in found if match})

    def keep_epochs(self, epoch: int) -> None:
        """Drop the predictions tables of the epochs after this one: what a resumed run will write again."""
        for later in self.list_epochs():
            if later > epoch:
                drop_table(self.epoch_path(later))

    def read_config(self) -> TrainConfig:
        """Read the run's config; raises RunError when it is missing or refused."""
        try:
            text = read_plain(self.folder / "config.json", most=records.SIZES["config.json"])
            return TrainConfig.from_json(text.decode("utf-8-sig"))
        except (UserError, OSError, ValueError) as error:
            why = _describe(error).removeprefix("config: ")  # the file is named already
            raise RunError(f"{self.id}: config.json cannot be used: {why}") from None

    def write_config(self, config: TrainConfig) -> None:
        """Write the config atomically."""
        write_text(self.folder / "config.json", config.to_json())

    def read_status(self) -> Status:
        """Read the status as last written; whether its process still lives is `jobs.live_status`' to say.

        One that is damaged makes this run a failed one, which says so, and touches no other.
        """
        try:
            return self._load_status()
        except RunError as error:
            return Status(state="failed", message=str(error).removeprefix(f"{self.id}: "))

    def _load_status(self) -> Status:
        try:
            return load_status(self.folder / "status.json")
        except (OSError, ValueError) as error:
            raise RunError(f"{self.id}: status.json cannot be read: {_describe(error)}") from None

    def find_damage(self) -> str:
        """Say what is damaged of the two files that every list of runs needs, and why; empty where both can be read."""
        found = []
        for read in (self._load_status, self.read_config):
            try:
                read()
            except RunError as error:
                found.append(str(error).removeprefix(f"{self.id}: "))
        return "; ".join(found)

    def write_status(self, status: Status) -> Status:
        """Write the status atomically, its `updated` set to now, and return it."""
        return save_status(self.folder / "status.json", status)

    def read_json(self, name: str) -> dict[str, Any]:
        """Read one of the run's JSON files (data.json, environment.json); empty when it is not there yet."""
        try:
            values = read_object(self.folder / name, most=records.SIZES.get(name, records.MOST))
            if name in records.CHECKS:
                records.CHECKS[name](values)
            return values
        except FileNotFoundError:
            return {}
        except (ValueError, OSError) as error:
            raise RunError(f"{self.id}: {name} is damaged: {_describe(error)}") from None

    def read_inputs(self) -> InputFormat:
        """Return how the run's network takes images, as it was resolved when the run was made."""
        return InputFormat.from_values(self.read_json("network.json"))

    def write_inputs(self, arch: str, inputs: InputFormat) -> None:
        """Write how the run's network, which has this name, takes images."""
        values = {"arch": arch, **inputs.to_values()}
        write_text(self.folder / "network.json", json.dumps(values, indent=2) + "\n")

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Append one row of figures; a reader never sees half of it as a row."""
        append_row(self.metrics_path, row)

    def read_metrics(self, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """Read the whole rows from a byte offset on; return them and the offset to read on from.

        The offset comes back smaller than it was given when the file was cut by a resume: then begin again at 0.
        Of a long run that is much; `figures.Figures` reads with little memory.

        Raises:
            RunError: as `read_block` does.
        """
        block, offset = self.read_block(offset, records.FIGURES)
        return list(parse_rows(block.splitlines())), offset

    def read_block(self, offset: int, most: int) -> tuple[bytes, int]:
        """Read whole lines of figures from a byte offset on, at most so many bytes; return them and where to read on from.

        There are none at the end, and where the file was cut: then the offset comes back as 0. A line that is longer than
        `most`, which none of ours is, comes in parts.

        Raises:
            RunError: when the file cannot be read, or is far larger than figures ever are.
        """
        try:
            return read_block(self.metrics_path, offset, most)
        except (OSError, ValueError) as error:
            name = self.metrics_path.name
            raise RunError(f"{self.id}: {name} cannot be read: {_describe(error)}") from None

    def keep_metrics(self, *, step: int, epoch: int) -> None:
        """Drop the rows after this step and epoch: what a resumed run will write again."""
        try:
            keep_rows(self.metrics_path, step=step, epoch=epoch)
        except ValueError as error:
            raise RunError(f"{self.id}: {self.metrics_path.name} cannot be read: {error}") from None

    def read_log(self, lines: int = 40) -> list[str]:
        """Return the log's last lines as a terminal would show them (a bar redrawn in place counts once).

        Why it cannot be read stands in their place: whoever shows a log has something else to show beside it.
        """
        return read_tail(self.log_path, lines)

    def request_stop(self) -> None:
        """Ask the job to finish its step, save and end."""
        (self.folder / "stop").touch()

    def stop_requested(self) -> bool:
        """Tell whether a stop was asked for."""
        return (self.folder / "stop").exists()

    def request_pause(self) -> None:
        """Ask the job to finish its step, save and free the machine until it is resumed."""
        (self.folder / "pause").touch()

    def pause_requested(self) -> bool:
        """Tell whether a pause was asked for."""
        return (self.folder / "pause").exists()

    def requested_state(self) -> str:
        """Return the state the job was asked to end in, `stopped` or `paused`; empty when it was not asked."""
        if self.stop_requested():
            return "stopped"
        return "paused" if self.pause_requested() else ""

    def clear_requests(self) -> None:
        """Take back a stop or a pause that was asked for."""
        for request in ("stop", "pause"):
            (self.folder / request).unlink(missing_ok=True)


def default_root() -> Path:
    """Return the folder of all runs, absolute: $WEAKSPOT_RUNS, else `checkpoints/` in our own folder."""
    return runs_folder()


def describe_self() -> dict[str, Any]:
    """Return the fields of a status that name this process: pid, its time of birth, and the machine."""
    me = psutil.Process()
    return {"pid": me.pid, "pid_created": me.create_time(), "host": socket.gethostname()}


def create_run(config: TrainConfig, root: Path) -> Run:
    """Make a run folder holding the config and the status `queued`; its name is made unique.

    It is whoever acts whose it is. Until its job is launched the status names this process: while it lives, the run is
    not lost.

    Raises:
        RunError: when a run of the name asked for exists.
        LimitReached: where the user who acts has as much on the disk as they may.
    """
    maker = now_acting().person.name
    demand_room(maker, root)
    root.mkdir(parents=True, exist_ok=True)
    sweep_drafts(root)
    base = (
        config.name or f"{make_slug(Path(config.data).name)}-{config.arch}-{time.strftime('%Y%m%d-%H%M%S')}"
    )
    with draft_folder(root / "new") as folder:
        draft = Run(folder)
        write_owner(folder, maker)
        draft.write_config(config)
        draft.write_inputs(config.arch, _find_inputs(config, root))
        draft.write_status(
            Status(phase=LAUNCHING, created=time.time(), epochs=config.epochs, **describe_self())
        )
        for number in range(1, 1000):
            target = root / (base if number == 1 else f"{base}-{number}")
            if not target.exists():
                try:
                    folder.rename(target)
                    return Run(target)
                except OSError:
                    pass  # another process took the name just now
            if config.name:
                break
    raise RunError(f"A run named {base!r} already exists; choose another name or delete that run.")


def _find_inputs(config: TrainConfig, root: Path) -> InputFormat:
    """Return how a run's network will take images: as the run whose model it begins with, or as it was published."""
    kind, _, name = config.weights.partition(":")
    parent = Run(root / name)
    begins = kind == "run" and (parent.folder / "network.json").is_file()
    return parent.read_inputs() if begins else inputs_of(config.arch)


def list_runs(root: Path) -> list[tuple[Run, Status]]:
    """Return the runs under a root, newest first, each with its status as last written."""
    if not root.is_dir():
        return []
    found = []
    for folder in root.iterdir():
        if folder.name.startswith("."):
            continue
        status = recall_status(str(folder))  # of thousands next to none changes, and one look is enough
        if status is not None or _is_run(folder):
            run = Run(folder)
            found.append((run, status or run.read_status()))
    return sorted(found, key=lambda pair: (pair[1].created, pair[0].id), reverse=True)


def _is_run(folder: Path) -> bool:
    """Tell whether a folder holds a run, also one that is damaged or that this process may not look into."""
    if folder.name.startswith(".") or show_path(folder.name) != folder.name:
        return False  # a name that is not text can stand neither on a page nor in an address
    for name in (
        "config.json",
        "status.json",
    ):  # of what was deleted in part the one may be left without the other
        try:
            (folder / name).lstat()
        except FileNotFoundError:
            continue
        except NotADirectoryError:
            return False
        except OSError:
            return folder.is_dir()
        return True
    return False


def iter_runs(root: Path) -> Iterator[Run]:
    """Yield the runs under a root, newest first."""
    yield from (run for run, _ in list_runs(root))


def find_run(name: str, root: Path, *, failed: bool = False) -> Run:
    """Return the run of this id, or the newest for `latest`: of those that failed in their first epoch only with `failed`.

    Raises:
        RunError: naming the runs that exist.
    """
    if name != "latest" and root.is_dir() and _holds(root, name) and _is_run(root / name):
        return Run(root / name)
    found = list_runs(root)
    if name == "latest" and found:
        usable = (run for run, status in found if failed or status.state != "failed" or status.epoch)
        return next(usable, found[0][0])
    names = [run.id for run, _ in found]
    near = difflib.get_close_matches(name, names, n=1)
    meant = f" Did you mean {near[0]}?" if near else ""
    known = name_some(names, _NAMED) or "none yet"
    raise RunError(f"There is no run {name!r} under {root}.{meant} Runs: {known}.")


def _holds(root: Path, name: str) -> bool:
    """Tell whether a folder holds this very name: some file systems open A where a is asked for."""
    with os.scandir(root) as entries:
        return any(entry.name == name for entry in entries)


def delete_run(run: Run) -> None:
    """Remove a run folder; it leaves the list at once, also where removing its files takes long."""
    discard_folder(run.folder)
    sweep_drafts(run.folder.parent)


def _describe(error: Exception) -> str:
    """Return why a file of a run cannot be used, without its name."""
    return describe_cause(error) if isinstance(error, OSError) else str(error)


def make_slug(text: str) -> str:
    """Return what a run's name may hold of a text, at most 40 characters."""
    return (
        "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in text[:40]).strip("-._")
        or "data"
    )
