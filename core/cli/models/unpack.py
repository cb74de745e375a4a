"""The command that makes a folder of images of shards: `python -m core unpack`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.cli.terminal import make_bar
from core.places import expand_home


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    unpack = commands.add_parser(
        "unpack",
        help="make a folder of images of Parquet or Arrow files, as Hugging Face datasets writes them, or of WebDataset tar archives",
    )
    unpack.add_argument(
        "source", type=Path, metavar="SOURCE", help="the folder they lie in; it stays as it is"
    )
    unpack.add_argument(
        "out", type=Path, metavar="DIR", help="the folder to make; a number is added if it already exists"
    )
    unpack.add_argument(
        "--image", default="", metavar="COLUMN", help="the column of the images; else a usual name"
    )
    unpack.add_argument(
        "--label", default="", metavar="COLUMN", help="the column of the labels; else a usual name"
    )
    unpack.set_defaults(command=_unpack)


def _unpack(options: argparse.Namespace) -> int:
    from core.arrivals.unpack import unpack

    source, out = (expand_home(path).resolve() for path in (options.source, options.out))
    made = unpack(source, out, make_bar("MB"), image=options.image, label=options.label)
    assert made is not None
    print(made.describe())
    for item in made.refused[:5]:
        print(f"  {item.path} {item.reason}")
    if made.refused_count > 5:
        print(f"  and {made.refused_count - 5:,} more")
    return 0
