"""The commands about the runs there are: `python -m core runs | stop | pause`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from core.cli.cluster import follow_slurm
from core.cli.terminal import add_run
from core.overview import index
from core.overview.facts import find_damage, read_recipe
from core.places import own_command
from core.reading import rest_collector
from core.runs import jobs
from core.runs.imported import describe_origin
from core.runs.run import default_root, find_run
from core.words import format_share


def add_commands(commands: Any) -> None:
    """Add the parsers of these commands."""
    runs = commands.add_parser("runs", help="list all runs")
    runs.add_argument("--json", action="store_true", help="as JSON")
    runs.set_defaults(command=_list)

    stop = commands.add_parser(
        "stop", help="ask a run, or all of a bake-off, to finish its step, save and end"
    )
    which = stop.add_mutually_exclusive_group(required=True)
    which.add_argument("run", nargs="?", metavar="RUN", help="a run's id, or latest")
    which.add_argument("--group", metavar="NAME", help="all runs of the bake-off of this name")
    stop.set_defaults(command=_stop)

    pause = commands.add_parser(
        "pause", help="ask a run to finish its step, save and free the machine until it is resumed"
    )
    add_run(pause)
    pause.set_defaults(command=_pause)


def _list(options: argparse.Namespace) -> int:
    with rest_collector():  # of thousands of runs all that is read stays until the end
        return _print_runs(options)


def _print_runs(options: argparse.Namespace) -> int:
    root = default_root()
    index.recall(root)
    found = [(run, jobs.judge_status(run, status)) for run, status in follow_slurm()]
    rows: list[dict[str, Any]] = [
        {
            "id": run.id,
            **vars(status),
            "seconds": round(status.seconds, 1),
            "damage": find_damage(run, status, read_recipe(run)),
        }
        for run, status in found
    ]
    index.keep(root, [run for run, _ in found])
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    if not rows:
        print(f"No runs yet. Start one: {own_command()} train --data DIR")
        return 0
    width = max(len(row["id"]) for row in rows)
    for row, (run, _) in zip(rows, found, strict=True):
        if row["damage"]:
            print(f"{row['id']:<{width}}  damaged   {row['damage']}")
            continue
        if origin := describe_origin(run):
            share = format_share(row["best_val_acc"])
            print(f"{row['id']:<{width}}  {row['state']:<8}  {origin}  {share}")
            continue
        best = "no epoch yet"
        if row["best_val_acc"]:  # of a run that specialises the initial model may be the best
            when = f"at epoch {row['best_epoch']}" if row["best_epoch"] else "by the initial model"
            best = f"{format_share(row['best_val_acc'])} {when}"
        print(f"{row['id']:<{width}}  {row['state']:<8}  epoch {row['epoch']}/{row['epochs']}  {best}")
    return 0


def _stop(options: argparse.Namespace) -> int:
    if options.group is not None:
        from core.cli.bakeoff import stop_bakeoff  # a list need not wait for what it brings

        return stop_bakeoff(options.group)
    run = find_run(options.run, default_root(), failed=True)
    jobs.stop(run)
    follow_slurm()  # what waits in Slurm is cancelled there
    print(f"{run.id}: stop asked for; it finishes its step and saves.")
    return 0


def _pause(options: argparse.Namespace) -> int:
    run = find_run(options.run, default_root(), failed=True)
    jobs.pause(run)
    follow_slurm()
    print(f"{run.id}: pause asked for; it finishes its step, saves and frees the machine.")
    return 0
