"""The command line, `python -m core COMMAND`: which file of `core.cli` has it, its parser, and how errors are told."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import core
from core.errors import UserError, describe_error

# Which file has which commands, in the order of the help: one that is asked for waits for no other's imports.
COMMANDS = {
    "training": ("train", "resume", "find-rate", "estimate"),
    "runs": ("runs", "stop", "pause"),
    "queue": ("queue",),
    "models.model": ("evaluate", "judge", "calibrate"),
    "models.better": ("soup", "better"),
    "networks": ("networks",),
    "bakeoff": ("bake-off",),
    "data": ("demo", "label-issues", "arrange", "audit", "marks"),
    "models.unpack": ("unpack",),
    "imports": ("import",),
    "models.landscape": ("map",),
    "models.slices": ("slices",),
    "models.predict": ("predict",),
    "models.ship": ("export",),
    "models.serve": ("serve",),
    "models.strangers": ("strangers",),
    "models.track": ("track",),
    "report": ("report",),
    "people": ("users", "actions"),
    "task": ("task",),
    "cluster": ("slurm-job",),
    "rank": ("rank",),
    "models.node": ("node",),
}

# Threads of torch that wait for each other spin by default, which starves every other process on few cores: a page
# that computes heat maps beside a training took nine times as long. It must be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def main(
    arguments: Sequence[str] | None = None,
    *,
    prog: str = "python -m weakspot",
    add_first: Callable[[Any], None] | None = None,
) -> int:
    """Run one command; return 0, or 2 after a one-line error on stderr (1 when a run ended by a stop, 130 on Ctrl-C).

    What its user cannot mend is a fault of the program and is raised, so that Python prints the traceback.
    `prog` is what its user typed for it, and `add_first` adds commands that stand before ours.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a name is printed whatever letters the terminal lacks
    typed = sys.argv[1:] if arguments is None else arguments
    try:
        options = build_parser(prog, add_first, typed[0] if typed else "").parse_args(typed)
    except SystemExit:  # after help, or a word that is not known
        _write_out()
        raise
    try:
        code: int = options.command(options)
    except BrokenPipeError:  # whoever read has what was wanted
        code = 0
    except (UserError, OSError) as error:
        code = _fail(describe_error(error))
    except KeyboardInterrupt:
        code = _fail("interrupted", 128 + signal.SIGINT)
    return _write_out() or code


def _fail(message: str, code: int = 2) -> int:
    with suppress(BrokenPipeError):
        print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return code


def _write_out() -> int:
    """Write out what was printed; return 0, or 2 where it cannot be written. That its reader has gone, as `head`, is no error.

    Python would do it at its end, and complain then.
    """
    code = 0
    for stream in (sys.stdout, sys.stderr):
        if stream is None:  # closed by whoever started this
            continue
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # what is left goes there
            if not isinstance(error, BrokenPipeError):
                code = _fail(describe_error(error))
    return code


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage, which names every option there is."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def build_parser(
    prog: str = "python -m weakspot", add_first: Callable[[Any], None] | None = None, command: str = ""
) -> argparse.ArgumentParser:
    """Return the parser of the file that has this command; of all, where none has."""
    parser = _Parser(prog=prog, description="Weakspot's command line.")
    parser.add_argument("--version", action="version", version=f"Weakspot {core.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    if add_first is not None:
        add_first(commands)
    for name in [name for name, own in COMMANDS.items() if command in own] or COMMANDS:
        importlib.import_module(f"core.cli.{name}").add_commands(commands)
    for told in commands._choices_actions:  # what the list says of a command, its own help says too
        commands.choices[told.dest].description = f"{str(told.help)[:1].upper()}{str(told.help)[1:]}."
    return parser


if __name__ == "__main__":
    sys.exit(main())
