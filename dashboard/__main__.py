"""The command line of the dashboard: `python -m dashboard`, and `run` of the command `weakspot`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

ADDRESS = "127.0.0.1"


def main() -> int:
    """Open the dashboard; return 0 when it was ended, 2 after a one-line error. `users …` is that command of the other line."""
    if sys.argv[1:2] == ["users"]:
        from core.__main__ import main as run_command

        return run_command(sys.argv[1:])
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
    parser.add_argument(
        "--address", default=ADDRESS, metavar="ADDRESS",
        help=f"the address it is reached at; default: {ADDRESS}, this machine only, as are all that begin with 127. Any other needs users who sign in",
    )  # fmt: skip
    parser.add_argument(
        "--sign-in", choices=("password", "provider"), default="",
        help="how users sign in; on this machine's own address it is only needed behind a proxy",
    )  # fmt: skip
    parser.add_argument(
        "--root", type=Path, action="append", default=[], metavar="DIR",
        help="a folder whose files users may name on a page; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--base-path", type=_read_base, default=os.environ.get("WEAKSPOT_BASE_PATH", ""), metavar="PATH",
        help="what every address begins with behind a proxy, such as /weakspot; default: $WEAKSPOT_BASE_PATH",
    )  # fmt: skip


def _read_base(text: str) -> str:
    path = text.rstrip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9._-]+)*", path):
        raise argparse.ArgumentTypeError(f"must be a path such as /weakspot, got {text!r}")
    return path


def _read_port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"must be a number from 1 to 65535, got {text!r}")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    from dashboard.start import open_dashboard  # a queued job reads this file too and should stay small

    return open_dashboard(
        options.folder or options.data,
        options.port,
        address=options.address,
        sign_in=options.sign_in,
        roots=options.root,
        base_path=options.base_path,
    )


if __name__ == "__main__":
    sys.exit(main())
