"""Work on data beside training (a scan, wrong labels, a report …): a folder like a run's, with `task.json` for config.

What is to be done is a kind of work, by name, and its parameters as plain JSON; `core.cli.task` does it. Status, log,
lock and stop are those of a run, so `jobs` says whether it lives.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from core.errors import RunError
from core.files import write_text
from core.reading import is_there
from core.runs import jobs
from core.runs.claim import Taken, hold
from core.runs.run import ACTIVE, Run, Status

TASK = "task.json"


def launch_task(folder: Path, kind: str, **parameters: Any) -> None:
    """Start a kind of work in a folder, as a process of its own; nothing happens where the folder's task is active.

    Raises:
        OSError: when the folder or the process cannot be made.
    """
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


def stop_task(folder: Path) -> None:
    """Ask a task to keep what it has and end."""
    Run(folder).request_stop()
