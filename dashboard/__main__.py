"""The command line of the dashboard: `python -m dashboard`, and `run` of the command `weakspot`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any


def main() -> int:
    """Open the dashboard; return 0 when it was ended, 2 after a one-line error."""
    parser = argparse.ArgumentParser(prog="python -m dashboard", description="Open the Weakspot dashboard.")
    _add_options(parser)
    return _run(parser.parse_args())


def add_run_command(commands: Any) -> None:
    """Add the parser of `run` to a command line's."""
    run = commands.add_parser(
        "run", help="open the dashboard, on a folder of your images or on the built-in ones"
    )
    _add_options(run)
    run.set_defaults(command=_run)


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", nargs="?", type=Path, metavar="FOLDER",
        help="a folder of images with train/<class>/* to open it on",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)  # how it was said before FOLDER
    parser.add_argument("--port", type=_read_port, default=8501, metavar="N", help="default: 8501")


def _read_port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 65535, got {text!r}")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    from dashboard.start import open_dashboard  # a queued job reads this file too and should stay small

    return open_dashboard(options.folder or options.data, options.port)


if __name__ == "__main__":
    sys.exit(main())
