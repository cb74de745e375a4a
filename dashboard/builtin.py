"""Where the built-in data sets lie, and the folder that the dashboard was opened on."""

from __future__ import annotations

import os
from pathlib import Path

from core.dataset.demo import DEMOS, make_demo
from core.places import own_folder
from core.recipe.presets import from_preset
from core.runs import jobs
from core.runs.run import Run, default_root

STARTED_IN = "WEAKSPOT_STARTED_IN"  # the folder in which the dashboard was started


def builtin_folder(name: str) -> Path:
    """Return the folder of a built-in data set, made first where it is missing (seconds)."""
    folder = _place(name)
    make_demo(name, folder)
    return folder


def submit_demo() -> Run:
    """Queue the training that shows what this is, on the built-in characters.

    Raises:
        RunError: when it cannot be queued.
        OSError: when its folder or the data cannot be written.
    """
    return jobs.submit(from_preset("small", data=str(builtin_folder("glyphs"))), default_root())


def is_builtin(folder: str) -> str:
    """Return the name of the built-in data set a folder is, or an empty text."""
    return next((name for name in DEMOS if Path(folder) == _place(name)), "")


def _place(name: str) -> Path:
    return own_folder() / "data" / name


def wanted_data() -> str:
    """Return the folder of images that the dashboard was opened on; empty when it was opened on none."""
    return os.environ.get("WEAKSPOT_DATA", "")
