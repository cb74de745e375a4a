"""The command that learns to recognise images of none of the classes: `python -m core strangers`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.cli.terminal import add_run, make_bar
from core.runs.run import default_root, find_run
from core.words import format_count, format_share


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    strangers = commands.add_parser(
        "strangers", help="learn to recognise images that are unlike anything a run's model was trained on"
    )
    add_run(strangers)
    strangers.add_argument(
        "--against",
        type=Path,
        metavar="FOLDER",
        help="images of none of the classes, to measure how well they are recognised",
    )
    strangers.set_defaults(command=_learn)


def _learn(options: argparse.Namespace) -> int:
    run = find_run(options.run, default_root())
    from core.model.strangers import KEPT, learn_strangers

    found = learn_strangers(run, progress=make_bar("images"))
    assert found is not None
    print(
        f"an image is a stranger below a cosine similarity of {found.threshold:.3f} to the nearest training image; "
        f"{format_share(KEPT)} of {format_count(found.count, 'validation image')} are not strangers"
    )
    if options.against is not None:
        from core.answers.against import measure_against

        told = measure_against(run, options.against, progress=make_bar("images"))
        assert told is not None
        print(told.describe())
    print(run.strangers_path)
    return 0
