"""The command `python -m core slices`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.cli.terminal import add_run, make_bar
from core.places import expand_home
from core.runs.run import FOLD, default_root, find_run


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    slices = commands.add_parser(
        "slices", help="find the kinds of images, such as dark or small ones, that a run is weak on"
    )
    add_run(slices)
    slices.add_argument(
        "--split",
        choices=("val", "held", FOLD),
        help=f"which judged images; {FOLD} are the training images as the command judge judged them, the default where it has",
    )
    slices.add_argument(
        "--columns",
        type=Path,
        metavar="FILE",
        help="a CSV file: path, and any columns that say more about the images",
    )
    slices.set_defaults(command=_find_slices)


def _find_slices(options: argparse.Namespace) -> int:
    run = find_run(options.run, default_root())
    from core.slices.report import report_path
    from core.slices.search import list_splits, search_run

    split = options.split or next(iter(list_splits(run)), "val")
    columns = None if options.columns is None else expand_home(options.columns)
    report = search_run(run, split, columns=columns, progress=make_bar("images"))
    assert report is not None
    print(report.describe())
    for found in report.weak:
        print(f"  {found.describe()}")
        print(f"    {found.describe_test(report.tried)}")
    for words in report.list_notes():
        print(words)
    print(report_path(run.folder, split))
    return 0
