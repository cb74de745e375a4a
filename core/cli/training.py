"""The commands that train here, or say what that takes: `python -m core train | resume | find-rate | estimate`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

from core.cli.cluster import add_slurm_options, hand_to_slurm, hand_to_slurm_again, list_slurm_options
from core.cli.options import add_config_options, preset_help, read_changes
from core.cli.rank import is_under_torchrun, train_under_torchrun
from core.cli.task import do_work
from core.cli.terminal import add_run, make_bar
from core.dataset.remedy import find_remedy
from core.errors import ConfigError, DataError, describe_error
from core.places import real_path
from core.queue.slots import find_lacks, read_slots
from core.recipe.config import TrainConfig
from core.recipe.presets import PRESETS, from_preset
from core.runs.run import default_root, find_run


def add_commands(commands: Any) -> None:
    """Add the parsers of these commands."""
    train = commands.add_parser("train", help="train a run here, with a progress bar; Ctrl-C stops and saves")
    _add_settings(train)
    add_slurm_options(train, "hand it to Slurm instead of training it here")
    train.set_defaults(command=_train)

    resume = commands.add_parser("resume", help="continue a run here; a finished one too")
    add_run(resume)
    resume.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="train to N epochs in all; the schedule is recomputed for them",
    )
    resume.add_argument(
        "--devices",
        type=int,
        metavar="N",
        help="go on in N processes, on a GPU each where there are any; the log says what that changes",
    )
    add_slurm_options(resume, "hand it to Slurm again")
    resume.set_defaults(command=_resume)

    find_rate = commands.add_parser(
        "find-rate",
        help="try rising learning rates, one step each, and suggest one; no run is created or changed",
    )
    find_rate.add_argument(
        "--steps",
        type=int,
        choices=range(10, 1001),
        default=100,
        metavar="N",
        help="rates to try, 10 to 1000",
    )
    find_rate.add_argument("--json", action="store_true", help="as JSON")
    _add_settings(find_rate)
    find_rate.set_defaults(command=_find_rate)

    estimate = commands.add_parser(
        "estimate",
        help="estimate the time and memory of a training from a few of its steps; no run is created or changed",
    )
    estimate.add_argument("--json", action="store_true", help="as JSON, with the seconds of each part")
    _add_settings(estimate)
    estimate.set_defaults(command=_estimate)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Give a parser all settings of a training: by a preset, by a file and one by one, the later before the earlier."""
    parser.add_argument("--preset", choices=tuple(PRESETS), default="seed", help=preset_help())
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="settings from a JSON or YAML file, such as a run's config.json; other options change them",
    )
    add_config_options(parser, needs_data=False)
    parser.set_defaults(refuse=parser.error)


def _train(options: argparse.Namespace) -> int:
    from core.runs.claim import claim
    from core.runs.jobs import prepare

    config = _read_config(options)
    if options.slurm or list_slurm_options(options):
        return hand_to_slurm(config, options)
    if is_under_torchrun():
        train_under_torchrun(config)
    _check_devices(config)
    run = prepare(config, default_root())
    with claim(run):
        print(run.id, flush=True)
        return do_work(run, sys.stderr)


def _resume(options: argparse.Namespace) -> int:
    from core.runs.jobs import resume_here

    run = find_run(options.run, default_root(), failed=True)
    if options.slurm or list_slurm_options(options):
        return hand_to_slurm_again(run, options)
    if options.devices is not None:
        _check_devices(dataclasses.replace(run.read_config(), devices=options.devices))
    with resume_here(run, options.epochs, options.devices):
        return do_work(run, sys.stderr)


def _check_devices(config: TrainConfig) -> None:
    """Raise ConfigError where this machine has fewer devices than asked for."""
    if lacks := find_lacks(config, read_slots(default_root())):
        raise ConfigError(lacks)


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


def _estimate(options: argparse.Namespace) -> int:
    config = _read_config(options)
    from core.trial.measure import forecast_run

    found = forecast_run(config, root=default_root(), progress=make_bar("seconds"))
    assert found is not None
    if options.json:
        values = {"seconds": found.seconds, "error": found.error, "seconds_an_epoch": found.epoch}
        print(json.dumps({**values, **dataclasses.asdict(found)}))
        return 0
    lines = (
        found.describe(),
        found.describe_parts(),
        found.describe_doubt(),
        found.find_shortage(),
        found.describe_limit(config.max_minutes),
    )
    print("\n".join(filter(None, lines)))
    return 0


def _read_config(options: argparse.Namespace) -> TrainConfig:
    changes = read_changes(options)
    if options.config is not None:
        changes = {**_read_file(options.config), **changes}
    if "data" not in changes:
        options.refuse("the following arguments are required: --data")
    preset, given = str(changes.pop("preset", options.preset)), str(changes["data"])
    folder = real_path(given)
    config = from_preset(preset, **{**changes, "data": str(folder)})
    # The commonest slip, a folder that is not there or is locked, need not leave a failed run behind.
    try:
        with os.scandir(folder):
            return config
    except OSError as error:
        remedy = find_remedy(given)
        if remedy is None:
            raise
        raise DataError(f"{describe_error(error)}. Did you mean {remedy}?") from None


def _read_file(path: Path) -> dict[str, Any]:
    """Return the settings in a file; raises ConfigError where it holds none."""
    from core.recipe.config_text import read_settings_text

    try:
        return read_settings_text(path.read_text(encoding="utf-8-sig"), path.name)
    except UnicodeDecodeError:
        raise ConfigError({"config": f"{path} is not text"}) from None
