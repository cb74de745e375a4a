"""The run folder: its paths, atomic writes, metrics that are appended and read on, status, and the list of runs."""

from __future__ import annotations

import json
import math
import os
import re
import socket
import stat
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import psutil

from core.errors import RunError, UserError
from core.files import discard_folder, draft_folder, read_bytes, sweep_drafts, write_text
from core.networks.table import InputFormat, inputs_of
from core.places import own_folder
from core.recipe.config import TrainConfig

ACTIVE = ("queued", "running")
FOLD = "fold"  # the split whose predictions table has the training images, each judged by a model fitted without it
TEST = "test"  # the split whose predictions table has labelled images that are none of the run's data
STATES = (*ACTIVE, "finished", "stopped", "paused", "failed", "crashed")
_STATUS_BYTES = 1_000_000  # a thousand times what a status has
LAUNCHING = "launching"  # the phase in which a status names the process that makes or launches the job


@dataclass(frozen=True)
class Status:
    """What a run is doing. Times are seconds since the epoch; `worked`, `seconds_left` and `seconds` are durations."""

    state: str = "queued"
    phase: str = "waiting"
    message: str = ""
    pid: int = 0
    pid_created: float = 0.0
    host: str = ""
    created: float = 0.0
    started: float = 0.0
    updated: float = 0.0
    ended: float = 0.0
    worked: float = 0.0  # as of `updated`, without the time it waited, was paused or was gone
    done: int = 0
    total: int = 0
    epoch: int = 0
    epochs: int = 0
    images_per_second: float = 0.0
    seconds_left: float = 0.0
    best_epoch: int = 0
    best_val_acc: float = 0.0
    val_count: int = 0
    extended_from: int = 0  # epochs that were done when more were asked for

    def find_problem(self) -> str:
        """Say which value is none that a status can have; empty where all are."""
        for field in fields(self):
            value, kind = getattr(self, field.name), type(field.default)
            if kind is str and type(value) is not str:
                return f"{field.name} must be a text, got {value!r}"
            if kind is int and not (type(value) is int and value >= 0):
                return f"{field.name} must be a whole number from 0, got {value!r}"
            if kind is float and not (type(value) in (int, float) and math.isfinite(value)):
                return f"{field.name} must be a number, got {value!r}"
        if self.state not in STATES:
            return f"state must be one of {', '.join(STATES)}, got {self.state[:40]!r}"
        return ""

    @property
    def has_best(self) -> bool:
        """Tell whether there is a best model: of an epoch, or the initial one where a run specialises (epoch 0)."""
        return self.best_epoch > 0 or self.best_val_acc > 0

    @property
    def seconds(self) -> float:
        """Return how long the run has worked so far, in seconds."""
        return self.worked + (max(0.0, time.time() - self.updated) if self.state == "running" else 0.0)


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
        return self.folder / f"predictions-{split}.csv"

    def epoch_path(self, epoch: int) -> Path:
        """Return the path of the predictions table on validation after an epoch, from 1."""
        return self.folder / "predictions" / f"val-{epoch:03d}.csv.gz"

    def list_epochs(self) -> list[int]:
        """Return the epochs that have a predictions table, in their order; a run of an older version has none."""
        found = (re.fullmatch(r"val-(\d+)\.csv\.gz", p.name) for p in self.epoch_path(1).parent.glob("val-*"))
        return sorted(int(match[1]) for match in found if match)

    def keep_epochs(self, epoch: int) -> None:
        """Drop the predictions tables of the epochs after this one: what a resumed run will write again."""
        for later in self.list_epochs():
            if later > epoch:
                self.epoch_path(later).unlink()

    def read_config(self) -> TrainConfig:
        """Read the run's config; raises RunError when it is missing or refused."""
        try:
            return TrainConfig.from_json((self.folder / "config.json").read_text(encoding="utf-8"))
        except (UserError, OSError, UnicodeDecodeError) as error:
            raise RunError(f"{self.id}: config.json cannot be used: {error}") from None

    def write_config(self, config: TrainConfig) -> None:
        """Write the config atomically."""
        write_text(self.folder / "config.json", config.to_json())

    def read_status(self) -> Status:
        """Read the status as last written; whether its process still lives is `jobs.live_status`' to say.

        One that is damaged makes this run a failed one, which says so, and touches no other.
        """
        try:
            values = _read_object(self.folder / "status.json", most=_STATUS_BYTES)
            known = {field.name for field in fields(Status)}
            status = Status(**{key: value for key, value in values.items() if key in known})
            if problem := status.find_problem():
                raise ValueError(problem)
        except (OSError, ValueError) as error:
            return Status(state="failed", message=f"status.json cannot be read: {error}")
        if status.started and "worked" not in values:  # of an older version
            status = replace(status, worked=max(0.0, (status.ended or status.updated) - status.started))
        return status

    def write_status(self, status: Status) -> Status:
        """Write the status atomically, its `updated` set to now, and return it."""
        status = replace(status, updated=time.time())
        write_text(self.folder / "status.json", json.dumps(asdict(status), indent=2) + "\n")
        return status

    def read_json(self, name: str) -> dict[str, Any]:
        """Read one of the run's JSON files (data.json, environment.json); empty when it is not there yet."""
        try:
            return _read_object(self.folder / name)
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise RunError(f"{self.id}: {name} is damaged: {error}") from None

    def read_inputs(self) -> InputFormat:
        """Return how the run's network takes images, as it was resolved when the run was made."""
        return InputFormat.from_values(self.read_json("network.json"))

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Append one row of figures; a reader never sees half of it as a row."""
        with self.metrics_path.open("a", encoding="utf-8") as file:
            file.write(_row_text(row))

    def read_metrics(self, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """Read the whole rows from a byte offset on; return them and the offset to read on from.

        The offset comes back smaller than it was given when the file was cut by a resume: then begin again at 0.
        """
        try:
            with self.metrics_path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                if size < offset:
                    return [], 0
                file.seek(offset)
                chunk = file.read()
        except FileNotFoundError:
            return [], 0
        whole = chunk[: chunk.rfind(b"\n") + 1]
        return list(_parse_rows(whole)), offset + len(whole)

    def keep_metrics(self, *, step: int, epoch: int) -> None:
        """Drop the rows after this step and epoch: what a resumed run will write again."""
        if not self.metrics_path.exists():
            return
        rows = [
            row
            for row in self.read_metrics()[0]
            if row[row["kind"]] <= {"step": step, "epoch": epoch}[row["kind"]]
        ]
        write_text(self.metrics_path, "".join(_row_text(row) for row in rows))

    def read_log(self, lines: int = 40) -> list[str]:
        """Return the log's last lines as a terminal would show them (a bar redrawn in place counts once)."""
        try:
            with self.log_path.open("rb") as file:
                size, length = file.seek(0, os.SEEK_END), 400 * lines
                while True:
                    file.seek(max(0, size - length))
                    screen = _screen(file.read().decode("utf-8", errors="replace"))
                    # One line more than asked for, since the first may be cut off.
                    if length >= size or len(screen) > lines:
                        return screen[-lines:]
                    length *= 4  # the redrawings of one bar can fill far more than a line's length
        except FileNotFoundError:
            return []

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
    return Path(os.environ.get("WEAKSPOT_RUNS") or own_folder() / "checkpoints").absolute()


def describe_self() -> dict[str, Any]:
    """Return the fields of a status that name this process: pid, its time of birth, and the machine."""
    me = psutil.Process()
    return {"pid": me.pid, "pid_created": me.create_time(), "host": socket.gethostname()}


def create_run(config: TrainConfig, root: Path) -> Run:
    """Make a run folder holding the config and the status `queued`; its name is made unique.

    Until its job is launched the status names this process: while it lives, the run is not lost.

    Raises:
        RunError: when a run of the name asked for exists.
    """
    root.mkdir(parents=True, exist_ok=True)
    sweep_drafts(root)
    base = (
        config.name or f"{make_slug(Path(config.data).name)}-{config.arch}-{time.strftime('%Y%m%d-%H%M%S')}"
    )
    with draft_folder(root / "new") as folder:
        draft = Run(folder)
        draft.write_config(config)
        network = {"arch": config.arch, **inputs_of(config.arch).to_values()}
        write_text(folder / "network.json", json.dumps(network, indent=2) + "\n")
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
    raise RunError(f"A run named {base!r} exists already; choose another name or delete that run.")


def list_runs(root: Path) -> list[tuple[Run, Status]]:
    """Return the runs under a root, newest first, each with its status as last written."""
    if not root.is_dir():
        return []
    runs = [
        Run(folder)
        for folder in root.iterdir()
        if not folder.name.startswith(".") and (folder / "config.json").is_file()
    ]
    found = [(run, run.read_status()) for run in runs]
    return sorted(found, key=lambda pair: (pair[1].created, pair[0].id), reverse=True)


def iter_runs(root: Path) -> Iterator[Run]:
    """Yield the runs under a root, newest first."""
    yield from (run for run, _ in list_runs(root))


def find_run(name: str, root: Path) -> Run:
    """Return the run of this id, or the newest for `latest`.

    Raises:
        RunError: naming the runs that exist.
    """
    runs = list(iter_runs(root))
    if name == "latest" and runs:
        return runs[0]
    for run in runs:
        if run.id == name:
            return run
    known = ", ".join(run.id for run in runs[:5]) or "none yet"
    raise RunError(f"There is no run {name!r} under {root}. Runs: {known}.")


def delete_run(run: Run) -> None:
    """Remove a run folder; it leaves the list at once, also where removing its files takes long."""
    discard_folder(run.folder)
    sweep_drafts(run.folder.parent)


def _row_text(row: dict[str, Any]) -> str:
    return json.dumps(row, separators=(",", ":")) + "\n"


def _read_object(path: Path, *, most: int = 0) -> dict[str, Any]:
    """Read a JSON object of a run; ValueError says what it is instead. A file over `most` bytes is not read; 0: any is."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("it is no plain file")  # to open a pipe would wait for ever
    if most and found.st_size > most:
        raise ValueError(f"it has {found.st_size:,} bytes, and never more than {most:,}")
    try:
        values = json.loads(read_bytes(path))
    except RecursionError:
        raise ValueError("its brackets are nested too deep") from None
    if not isinstance(values, dict):
        raise ValueError("it holds no JSON object")
    return values


def _parse_rows(text: bytes) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            continue  # a line cut off by a crash of the machine; the rows around it are whole
        # What is no row of ours is passed over too: a figure of it would be read by name.
        kind = row.get("kind") if isinstance(row, dict) else None
        if kind in ("step", "epoch") and isinstance(row.get(kind), int | float):
            yield row


def _screen(text: str) -> list[str]:
    # A progress bar redraws its line with a carriage return; only its last drawing is worth a line.
    return [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n") if line.strip()]


def make_slug(text: str) -> str:
    """Return what a run's name may hold of a text, at most 40 characters."""
    return (
        "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in text[:40]).strip("-._")
        or "data"
    )
