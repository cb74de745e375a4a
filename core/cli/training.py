"""The commands that train here: `python -m core train | resume | find-rate`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from typing import Any

from core.cli.options import add_config_options, preset_help, read_changes
from core.cli.task import do_work
from core.cli.terminal import add_run, make_bar
from core.dataset.remedy import find_remedy
from core.errors import DataError, describe_error
from core.places import real_path
from core.recipe.config import TrainConfig
from core.recipe.presets import PRESETS, from_preset
from core.runs.run import default_root, find_run


def add_commands(commands: Any) -> None:
    """Add the parsers of these commands."""
    train = commands.add_parser("train", help="train a run here, with a progress bar; Ctrl-C stops and saves")
    train.add_argument("--preset", choices=tuple(PRESETS), default="seed", help=preset_help())
    add_config_options(train)
    train.set_defaults(command=_train)

    resume = commands.add_parser("resume", help="go on with a run here, also with one that has finished")
    add_run(resume)
    resume.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="train to N epochs in all; the schedule is drawn anew over them",
    )
    resume.set_defaults(command=_resume)

    find_rate = commands.add_parser(
        "find-rate",
        help="try rising learning rates, a step each, and suggest one; no run is made or touched",
    )
    find_rate.add_argument("--preset", choices=tuple(PRESETS), default="seed", help=preset_help())
    find_rate.add_argument(
        "--steps",
        type=int,
        choices=range(10, 1001),
        default=100,
        metavar="N",
        help="rates to try, 10 to 1000",
    )
    find_rate.add_argument("--json", action="store_true", help="as JSON")
    add_config_options(find_rate)
    find_rate.set_defaults(command=_find_rate)


def _train(options: argparse.Namespace) -> int:
    from core.runs.claim import claim
    from core.runs.jobs import prepare

    run = prepare(_read_config(options), default_root())
    with claim(run):
        print(run.id, flush=True)
        return do_work(run, sys.stderr)


def _resume(options: argparse.Namespace) -> int:
    from core.runs.jobs import resume_here

    run = find_run(options.run, default_root())
    with resume_here(run, options.epochs):
        return do_work(run, sys.stderr)


def _find_rate(options: argparse.Namespace) -> int:
    config = _read_config(options)
    from core.training.rate_finder import find_rate

    curve = find_rate(config, root=default_root(), progress=make_bar("steps"), steps=options.steps)
    assert curve is not None
    if options.json:
        print(json.dumps(dataclasses.asdict(curve)))
        return 0
    for rate, loss in zip(curve.rates, curve.losses, strict=True):
        print(f"{rate:.2e}  {loss:.4f}")
    print("No rate lowered the loss." if curve.suggestion is None else f"Suggestion: {curve.suggestion:.2g}")
    return 0


def _read_config(options: argparse.Namespace) -> TrainConfig:
    changes = read_changes(options)
    folder = real_path(changes["data"])
    config = from_preset(options.preset, **{**changes, "data": str(folder)})
    # The commonest slip, a folder that is not there or is locked, need not leave a failed run behind.
    try:
        with os.scandir(folder):
            return config
    except OSError as error:
        remedy = find_remedy(changes["data"])
        if remedy is None:
            raise
        raise DataError(f"{describe_error(error)}. Did you mean {remedy}?") from None
