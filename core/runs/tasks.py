"""Work on data beside training (a scan, wrong labels, a report …): a folder like a run's, with `task.json` for config.

What is to be done is a kind of work, by name, and its parameters as plain JSON; `core.cli.kinds` does it. Status, log,
lock and stop are those of a run, so `jobs` says whether it lives.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from core.errors import RunError
from core.files import write_text
from core.people.acting import LOOK, TRAIN, needs
from core.people.roots import allow_path
from core.reading import is_there
from core.recipe.config import TrainConfig
from core.recipe.own_paths import allow_config
from core.runs import jobs
from core.runs.claim import Taken, hold
from core.runs.run import Run
from core.stored.status import ACTIVE, Status

TASK = "task.json"
_LOOKING = ("predict", "report", "count")  # kinds of work that only ask a model, or show what is known
_PATHS = ("images", "table", "labels", "target", "data")  # parameters that a user may type a path into


def _role_for(folder: Path, kind: str, **parameters: Any) -> str:  # noqa: ARG001
    return LOOK if kind in _LOOKING else TRAIN


def _name(folder: Path, kind: str, **parameters: Any) -> str:  # noqa: ARG001
    run = str(parameters.get("run", ""))
    return f"{kind} of {run}" if run else kind


@needs(_role_for, "start", _name)
def launch_task(folder: Path, kind: str, **parameters: Any) -> None:
    """Start a kind of work in a folder, as a process of its own; nothing happens where the folder's task is active.

    Raises:
        OSError: when the folder or the process cannot be made.
        UserError: when it names a file that whoever acts may not.
    """
    for name, value in parameters.items():
        if value and isinstance(value, str) and (name in _PATHS or "/" in value or "\\" in value):
            allow_path(value)
        elif name == "config":
            allow_config(TrainConfig.from_dict(value))
    task = Run(folder)
    if read_task(folder).state in ACTIVE:
        return
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with hold(task):
            # Of two pages that ask at once the second finds the task launched.
            if (folder / "status.json").exists() and jobs.live_status(task, held=True).state in ACTIVE:
                return
            task.clear_requests()
            task.log_path.unlink(missing_ok=True)
            write_text(folder / TASK, json.dumps({"kind": kind, "parameters": parameters}, indent=2) + "\n")
            task.write_status(Status(created=time.time()))
            jobs.launch(task)
    except Taken:
        return


def read_order(folder: Path) -> tuple[str, dict[str, Any]]:
    """Return what a task's folder asks for, the kind of work and its parameters; raises RunError when it is damaged."""
    values = Run(folder).read_json(TASK)
    try:
        return str(values["kind"]), dict(values["parameters"])
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{folder / TASK} does not say what is to be done.") from None


def read_task(folder: Path) -> Status:
    """Return a task's status, `crashed` in place of an active state whose job is gone; state '' before the first."""
    task = Run(folder)
    return jobs.live_status(task) if is_there(folder / "status.json") else Status(state="")


def role_to_stop(folder: Path) -> str:
    """Return the role that it takes to stop a folder's task: that to start it."""
    try:
        return _role_for(folder, read_order(folder)[0])
    except RunError:
        return TRAIN


@needs(role_to_stop, "stop", lambda folder: f"{folder.parent.name}/{folder.name}")
def stop_task(folder: Path) -> None:
    """Ask a task to keep what it has and end."""
    Run(folder).request_stop()
