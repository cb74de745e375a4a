"""The command `python -m core map`."""

from __future__ import annotations

import argparse
from typing import Any

from core.cli.terminal import add_run, make_bar
from core.runs.run import default_root, find_run
from core.words import format_count

SHOWN = 5  # images that are printed of those unlike their class


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "map",
        help="make a map of a run's images: those that its best model finds alike are placed near each other",
    )
    add_run(parser)
    parser.add_argument("--seed", type=int, default=0, help="another one gives another map (default: 0)")
    parser.set_defaults(command=_map)


def _map(options: argparse.Namespace) -> int:
    run = find_run(options.run, default_root())
    from core.landscape.make import make_map
    from core.landscape.table import list_strangers, read_table, table_path
    from core.runs.run_data import read_run_data

    about = make_map(run, seed=options.seed, progress=make_bar("steps"))
    assert about is not None
    print(about.describe())
    label = read_run_data(run).label
    strangers = list_strangers(read_table(run))
    whose = "its" if len(strangers) == 1 else "their"
    count = format_count(len(strangers), "training image", "is")
    print(f"{count} at least twice as far from {whose} class as is usual.")
    for row in strangers.head(SHOWN).itertuples():
        print(f"  {row.path}: {row.far:.1f} times as far from {label(row.true)}")
    print(table_path(run))
    return 0
