"""The command `python -m core import`: predictions that another program made."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.imports.classes import AUTO, KINDS
from core.imports.columns import NAMES, ROLES
from core.imports.made import make_run
from core.imports.reading import understand_table
from core.imports.table import read_table
from core.places import expand_home
from core.runs.run import default_root
from core.verdicts.predictions import format_rate

_WHAT = {
    "path": "the images",
    "true": "the true classes; by default as recognised, or the folders that the images lie in",
    "predicted": "the predicted classes",
    "confidence": "the confidences, 0 to 1, of the predicted classes",
}


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "import", help="make a run of a table of predictions (CSV) that another program made"
    )
    parser.add_argument(
        "table", type=Path, metavar="CSV", help="a row an image: path, true, predicted, confidences"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the folder of the images")
    parser.add_argument(
        "--name", default="", metavar="STR", help="name of the run; by default that of the table"
    )
    for role in ROLES:
        parser.add_argument(
            f"--{role}-column",
            metavar="COLUMN",
            help=f"column of {_WHAT[role]} (recognised: {', '.join(NAMES[role][:6])} …)",
        )
    parser.add_argument(
        "--classes", choices=KINDS, default=AUTO,
        help="how classes are given: by their names, or by numbers from 0 in the order of text, in which 10 comes before 2",
    )  # fmt: skip
    parser.set_defaults(command=_import)


def _import(options: argparse.Namespace) -> int:
    given = {role: getattr(options, f"{role}_column") for role in ROLES}
    reading = understand_table(
        read_table(expand_home(options.table)),
        expand_home(options.data).resolve(),
        columns={role: column for role, column in given.items() if column is not None},
        classes=options.classes,
    )
    run = make_run(reading, default_root(), name=options.name)
    right = int((reading.true == reading.predicted).sum())
    for note in reading.notes:
        print(note)
    print(f"{run.id}: {format_rate(right, len(reading.paths))}")
    return 0
