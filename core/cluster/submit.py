"""Hands runs to Slurm: one as one job, several at once as one job array; and queues ended ones there again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from core.cluster.request import SAVE_SECONDS, SlurmRequest
from core.cluster.slurm import submit_script
from core.errors import RunError, UserError
from core.files import write_text
from core.people.acting import TRAIN, needs
from core.places import launch_command
from core.reading import read_object
from core.recipe.config import TrainConfig
from core.runs.bakeoff import Todo, start
from core.runs.claim import hold
from core.runs.jobs import environment, prepare, reopen
from core.runs.run import Run, delete_run
from core.stored.status import ACTIVE

ASKED = "slurm.json"  # in a run's folder: what it asked of Slurm, and asks again where it goes on
_MOST_BYTES = 100_000


@needs(
    TRAIN,
    "start in Slurm",
    lambda config, *_: config.name or Path(config.data).name,
    made=lambda run: run.id,
)
def submit(config: TrainConfig, root: Path, request: SlurmRequest) -> Run:
    """Make a run and hand it to Slurm; where that fails no run stays.

    Raises:
        ConfigError: when the nodes cannot share the devices evenly.
        RunError: in Slurm's words where it refuses; and as `jobs.prepare`.
        UserError: as `jobs.prepare`.
    """
    request.for_devices(config.devices)  # refuses what does not fit, before anything is made
    run = prepare(config, root)
    try:
        _hand_over([run], request)
    except UserError:
        delete_run(run)
        raise
    return run


@needs(
    TRAIN, "start a bake-off in Slurm", lambda todo, *_: f"{len(todo.new) + len(todo.again):,} of its runs"
)
def start_array(todo: Todo, root: Path, request: SlurmRequest) -> list[Run]:
    """Hand all that is still to be done of a bake-off to Slurm as one job array; where that fails no new run stays."""
    made: list[Run] = []
    for config in (*todo.new, *(run.read_config() for run in todo.again)):
        request.for_devices(config.devices)
    try:
        for config in todo.new:
            made.append(prepare(config, root))
        for run in todo.again:
            reopen(run)
        if runs := [*todo.again, *made]:
            _hand_over(runs, request)
    except UserError:
        for run in made:
            delete_run(run)
        raise
    return runs


@needs(TRAIN, "go on with a bake-off", lambda todo, _: f"{len(todo.new) + len(todo.again):,} of its runs")
def go_on_bakeoff(todo: Todo, root: Path) -> list[Run]:
    """Start what is missing of a bake-off where the rest of it trained: in Slurm as it asked then, or on this machine."""
    asked = (read_request(run) for run in todo.again if run.read_status().job)
    request = next((one for one in asked if one is not None), None)
    return start(todo, root) if request is None else start_array(todo, root, request)


@needs(TRAIN, "resume in Slurm", lambda run, *_, **__: run.id)
def resume(
    run: Run, epochs: int | None = None, devices: int | None = None, *, request: SlurmRequest | None = None
) -> None:
    """Hand a run that has ended to Slurm again, with what it asked before where nothing else is; raises as `jobs.reopen`."""
    asked = request or read_request(run) or SlurmRequest()
    asked.for_devices(devices or run.read_config().devices)
    reopen(run, epochs, devices)
    _hand_over([run], asked)


def read_request(run: Run) -> SlurmRequest | None:
    """Return what a run asked of Slurm; None where it never was there, or what it asked cannot be read."""
    try:
        return SlurmRequest.from_values(read_object(run.folder / ASKED, most=_MOST_BYTES))
    except (OSError, ValueError, UserError):
        return None


def _hand_over(runs: Sequence[Run], request: SlurmRequest) -> None:
    """Make runs the work of one job of Slurm's, which waits until their folders are let go."""
    with ExitStack() as held:
        for run in runs:
            held.enter_context(hold(run))
        before = [run.read_status() for run in runs]
        for run, status in zip(runs, before, strict=True):
            # A run that was made just now is queued already, in the name of this process.
            if status.state in ACTIVE and status.phase != "launching":
                raise RunError(f"{run.id} is already {status.state}.")
            write_text(run.folder / ASKED, json.dumps(request.to_values(), indent=2) + "\n")
        job = submit_script(write_script(runs), _list_options(runs, request), environment())
        for number, (run, status) in enumerate(zip(runs, before, strict=True)):
            name = job if len(runs) == 1 else f"{job}_{number}"
            run.write_status(
                replace(
                    status, state="queued", phase="waiting", message=f"Handed to Slurm as job {name}.",
                    job=name, pid=0, pid_created=0.0, host="", slot="",
                )
            )  # fmt: skip


def write_script(runs: Sequence[Run]) -> str:
    """Return the batch script of runs, each the task of its number; the job itself takes the place of the shell.

    So the signals that Slurm sends to the batch shell reach the job.
    """
    folders = [shlex.quote(str(run.folder.resolve())) for run in runs]
    cases = [f"{number}) run={folder} ;;" for number, folder in enumerate(folders)]
    command = shlex.join(launch_command(["slurm-job"]))
    lines = ["#!/bin/sh", 'case "${SLURM_ARRAY_TASK_ID:-0}" in', *cases, "esac"]
    if len(runs) > 1:  # Slurm names one file for all tasks, and cannot name their folders
        lines.append('exec >>"$run/train.log" 2>&1')
    return "\n".join([*lines, f'exec {command} "$run"', ""])


def _list_options(runs: Sequence[Run], request: SlurmRequest) -> list[str]:
    first, devices = runs[0], max(run.read_config().devices for run in runs)
    log = "/dev/null" if len(runs) > 1 else str(first.log_path.resolve()).replace("%", "%%")
    name = first.id if len(runs) == 1 else first.read_config().group or first.id
    array = [f"--array=0-{len(runs) - 1}"] if len(runs) > 1 else []
    return [
        *(f"--nodes={request.nodes}", f"--ntasks={request.nodes}", "--ntasks-per-node=1"),
        *("--requeue", "--open-mode=append", "--export=ALL"),
        f"--signal=B:USR1@{SAVE_SECONDS}",
        f"--job-name=weakspot-{name}",
        f"--chdir={first.folder.parent.resolve()}",
        f"--output={log}",
        *array,
        *request.for_devices(devices).list_options(),
    ]
