"""Where things lie: the code, and what its user makes with it."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[1]  # the folder that holds core/ and dashboard/


def is_installed() -> bool:
    """Tell whether pip has put the code where it is: then nothing of a user's belongs beside it."""
    return (HOUSE / "__main__.py").is_file()  # in a checkout the launcher has a folder of its own


def own_folder() -> Path:
    """Return the folder of what is made here, runs and built-in data: the checkout, else a place of the user's own."""
    return user_folder(platform.system(), os.environ) if is_installed() else HOUSE


def user_folder(system: str, environment: Mapping[str, str]) -> Path:
    """Return the folder where programs like this one keep what a user makes with them, on Windows, macOS or another."""
    if system == "Windows":
        asked, usual = environment.get("LOCALAPPDATA", ""), Path("AppData", "Local")
    elif system == "Darwin":
        asked, usual = "", Path("Library", "Application Support")
    else:
        asked, usual = environment.get("XDG_DATA_HOME", ""), Path(".local", "share")
    base = Path(asked) if Path(asked).is_absolute() else Path.home() / usual
    return base / "weakspot"


def runs_folder() -> Path:
    """Return the folder of all runs, absolute: $WEAKSPOT_RUNS, else `checkpoints/` in our own folder."""
    return Path(os.environ.get("WEAKSPOT_RUNS") or own_folder() / "checkpoints").absolute()


def name_place(path: str | Path) -> str:
    """Return what an error calls a file: inside the folder of all runs by its place there, such as a run's, any other whole."""
    whole = Path(path).absolute()
    return whole.relative_to(runs_folder()).as_posix() if runs_folder() in whole.parents else str(path)


def uploads_folder() -> Path:
    """Return the folder of images that were brought here by the browser: $WEAKSPOT_UPLOADS, else in our own folder."""
    return Path(os.environ.get("WEAKSPOT_UPLOADS") or own_folder() / "data" / "uploads").absolute()


def expand_home(path: str | Path) -> Path:
    """Return a path with its ~ filled in; that of a user there is not stays, so that there is no such file to be found."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  Path's own raises for such a user


def real_path(path: str | Path) -> Path:
    """Return a path whole, its ~ filled in and links followed; one of links that lead in a circle stays, and is no file."""
    return Path(os.path.realpath(expand_home(path)))


def own_command() -> str:
    """Return what its user types to reach the command line."""
    return "weakspot" if is_installed() else "python -m weakspot"


def launch_command(words: Sequence[str]) -> list[str]:
    """Return the command that runs the words of our command line in a process of its own, wherever it is started.

    By the launcher's path rather than `-m core`, for which a folder `core` where it is started would be run instead.
    """
    launcher = HOUSE / "__main__.py" if is_installed() else HOUSE / "weakspot" / "__main__.py"
    return [sys.executable, str(launcher), *words]
