"""The commands about several answers in place of one: `python -m core better | soup`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from core.cli.terminal import make_bar
from core.errors import RunError
from core.places import own_command
from core.runs.run import default_root, find_run
from core.ways.choice import ABOUT_AVERAGES, ABOUT_SOUP


def add_commands(commands: Any) -> None:
    """Add the parsers of these commands."""
    better = commands.add_parser(
        "better",
        help="measure whether views, several runs or a soup of them predict better, and at what cost",
    )
    better.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="ids of runs with the same classes; the others are compared with the first",
    )
    better.set_defaults(command=_better)

    soup = commands.add_parser("soup", help="average the weights of runs into a run of its own")
    soup.add_argument(
        "runs", nargs="+", metavar="RUN", help="ids of runs with the same network, image size and classes"
    )
    soup.add_argument("--name", default="", metavar="STR", help="name of the new run; by default soup-RUN")
    soup.add_argument(
        "--all",
        action="store_true",
        help="average all of them, not only those that do not lower validation accuracy",
    )
    soup.set_defaults(command=_soup)


def _better(options: argparse.Namespace) -> int:
    runs = [find_run(name, default_root()) for name in options.runs]
    from core.verdicts.ways import compare_ways, describe_verdict, tabulate_ways
    from core.ways.measure import measure_runs

    found = measure_runs(runs, progress=make_bar("images"))
    assert found is not None
    results = found.results
    gains = compare_ways(results)
    print(describe_verdict(results[0].name, gains))
    print(found.describe_judges(runs))
    print("", *tabulate_ways(results[0], gains), "", sep="\n")
    print(
        "How was this tested? By McNemar's exact test of each way against the first on the same images; "
        f"p is corrected for all {len(gains)} ways (Holm), intervals are each way's own."
    )
    soup = [_tell_soup(found.soup)] if found.soup else []
    for note in [*soup, *found.notes, ABOUT_AVERAGES, *([ABOUT_SOUP] if soup else [])]:
        print(note)
    return 0


def _soup(options: argparse.Namespace) -> int:
    root = default_root()
    runs = [find_run(name, root) for name in options.runs]
    from core.model.better import choose_judges
    from core.model.soup import choose_greedily, describe_starts, load_runs, refuse_soup, write_soup
    from core.verdicts.predictions import format_rate
    from core.ways.measure import tell_alone

    loaded = load_runs(runs)
    refuse_soup(loaded)
    judges = choose_judges(runs, ("val",))
    chosen = loaded if options.all else choose_greedily(loaded, judges, progress=make_bar("images"))
    assert chosen is not None
    if len(chosen) == 1:
        raise RunError(f"No soup was made: {tell_alone(chosen[0].run)}.")
    made = write_soup(chosen, runs[0], options.name or f"soup-{runs[0].id}", root)
    status = made.read_status()
    print(f"{made.id}: {status.message}")
    print(
        f"val accuracy {format_rate(round(status.best_val_acc * status.val_count), status.val_count)}"
        + ("" if options.all else "; the runs were chosen by it, so it is a little too high")
    )
    if warning := describe_starts(loaded):
        print(warning)
    print(f"Its confidences are not measured yet: {own_command()} calibrate {made.id}")
    print(made.folder)
    return 0


def _tell_soup(runs: Sequence[str]) -> str:
    others = (f"--with {run}" for run in runs[1:])
    return (
        f"To predict with the soup: {own_command()} predict {runs[0]} PATHS {' '.join(others)} --soup\n"
        f"To make it a run of its own: {own_command()} soup {' '.join(runs)} --all"
    )
