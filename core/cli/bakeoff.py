"""The command about many runs at once, `python -m core bake-off`, and how all of one are stopped."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from core.cli.cluster import add_slurm_options, follow_slurm, read_request
from core.cli.options import add_config_options, preset_help, read_changes
from core.networks.table import describe_unknown, find_network
from core.places import own_command, real_path
from core.recipe.config import SETTINGS, TrainConfig
from core.recipe.presets import PRESETS
from core.runs.run import default_root
from core.words import format_count

if TYPE_CHECKING:
    from core.runs.bakeoff import Board, Crossing, Todo

_OPTIMIZERS = SETTINGS["optimizer"].choices
# What is crossed, or made from it, is no option of all runs.
_CROSSED = ("preset", "arch", "optimizer", "seed", "fold", "lr", "name", "group")


def add_commands(commands: Any) -> None:
    """Add the parser of `bake-off`."""
    bake_off = commands.add_parser(
        "bake-off",
        help="queue every combination of networks, optimizers, presets, seeds and folds; the same "
        "command again starts what is missing, or ranks what has finished",
    )
    bake_off.add_argument("--name", help="its name; by default made from the data and the question")
    # Spelt out rather than imported, since a queued job reads this file too and should stay small.
    bake_off.add_argument(
        "--question",
        choices=("network", "optimizer"),
        help="network: ResNet50 or ResNeXt50? optimizer: SGD, AdamW or Ranger?",
    )
    bake_off.add_argument("--archs", type=_networks, metavar="A,B", help="networks; by default the preset's")
    bake_off.add_argument(
        "--optimizers", type=_some_of(_OPTIMIZERS), metavar="A,B", help="optimizers; by default the preset's"
    )
    bake_off.add_argument("--presets", type=_some_of(tuple(PRESETS)), metavar="A,B", help=preset_help())
    bake_off.add_argument(
        "--seeds", type=_numbers, metavar="0,1", help="every combination is trained with each"
    )
    bake_off.add_argument(
        "--folds",
        type=int,
        default=0,
        metavar="K",
        help="train every combination K times, each time with another K-th of the training images for validation: each image "
        "is then judged once by a network that never saw it. Copies and groups stay together; a val/ folder is held back. "
        "5 is usual, 2 to 20 are possible",
    )
    bake_off.add_argument(
        "--rates",
        type=_rates,
        default={},
        metavar="adamw=0.0002,sgd=0.01",
        help="learning rates; the others are the preset's, a tenth for adamw and a fifth for ranger where sgd has 1",
    )
    bake_off.add_argument("--dry-run", action="store_true", help="show the plan and start nothing")
    add_config_options(bake_off, without=_CROSSED)
    add_slurm_options(bake_off, "hand all of it to Slurm as one job array")
    bake_off.set_defaults(command=_bake_off)


def stop_bakeoff(name: str) -> int:
    """Ask all active runs of a bake-off to stop."""
    from core.runs.bakeoff import read_board, stop_all

    asked = stop_all(read_board(name, default_root()))
    follow_slurm()
    for run in asked:
        print(f"{run.id}: stop asked for; it finishes its step and saves.")
    if not asked:
        print(f"No run of {name} is active.")
    return 0


def _bake_off(options: argparse.Namespace) -> int:
    from core.queue.slots import count_at_once, describe_at_once, read_slots, spread_time
    from core.runs import bakeoff
    from core.runs.estimate import describe_lack, estimate_time
    from core.runs.run_data import scan_config
    from core.verdicts.seeds import describe_power

    changes = read_changes(options, without=(*_CROSSED, "data"))
    request = read_request(options)
    follow_slurm()
    folder = real_path(options.data)
    choice = _read_choice(options)
    name = options.name or bakeoff.suggest_name(str(folder), options.question or "")
    configs = bakeoff.make_plan(name, str(folder), choice, rates=options.rates, **changes)
    folders = scan_config(configs[0])
    root = default_root()
    todo = bakeoff.find_todo(configs, root)
    _print_plan(name, configs, todo)
    rest = [*todo.new, *(run.read_config() for run in todo.again)]
    if rest:
        combinations = len({bakeoff.row_of(config) for config in configs})
        if combinations > 1:
            print(describe_power(len(choice.seeds), math.comb(combinations, 2)))
        estimate = estimate_time(rest, root, train=len(folders.train), val=len(folders.val))
        if request is None:  # of the cluster's machines nothing is known here
            seconds = spread_time(estimate.seconds, rest, read_slots(root))
            print(
                _describe_time(seconds, estimate.known, len(rest)) if estimate.known else describe_lack(rest)
            )
    for run in todo.kept:
        if (status := run.read_status()).is_on_hold:
            release = (
                f"scontrol release {status.job}"
                if status.job
                else f"{own_command()} queue {run.id} --release"
            )
            print(f"{run.id} is on hold; release it: {release}")
    if options.dry_run:
        return 0
    if request is not None:
        from core.cluster.submit import start_array

        if started := start_array(todo, root, request):
            job = started[0].read_status().job.partition("_")[0]
            print(
                f"{len(started)} handed to Slurm as job {job}. Stop all: {own_command()} stop --group {name}"
            )
            return 0
    elif started := bakeoff.start(todo, root):
        at_once = count_at_once(configs[0].device, configs[0].devices, read_slots(root))
        print(
            f"{len(started)} queued; {describe_at_once(at_once)}. Stop all: {own_command()} stop --group {name}"
        )
        return 0
    board = bakeoff.read_board(name, root)
    if not board.is_active:
        print_ranking(board)
    return 0


def _read_choice(options: argparse.Namespace) -> Crossing:
    from core.runs.bakeoff import QUESTIONS, Crossing

    asked = QUESTIONS[options.question].choice if options.question else Crossing()
    return Crossing(
        *(
            getattr(options, field) or getattr(asked, field)
            for field in ("archs", "optimizers", "presets", "seeds", "folds")
        )
    )


def _print_plan(name: str, configs: list[TrainConfig], todo: Todo) -> None:
    new, again = {config.name for config in todo.new}, {run.id for run in todo.again}
    print(
        f"{name}: {format_count(len(configs), 'run')}, {len(new)} to start, {len(again)} to go on with, {len(todo.kept)} finished or active"
    )
    width = max(len(config.name) for config in configs)
    for config in configs:
        what = "start" if config.name in new else "go on" if config.name in again else "keep"
        print(
            f"{what:<5}  {config.name:<{width}}  learning rate {config.lr:g}, {format_count(config.epochs, 'epoch')}"
        )


def _describe_time(seconds: float, known: int, runs: int) -> str:
    which = "all" if known == runs else f"{known} of {format_count(runs, 'run')}"
    return (
        f"About {timedelta(seconds=round(seconds))} (h:min:s) for {which}, by what comparable runs took here."
    )


def print_ranking(board: Board) -> None:
    """Print how a bake-off came out, and why what failed of it did."""
    from core.verdicts.predictions import read_predictions
    from core.verdicts.ranking import rank_board
    from core.verdicts.seeds import compare_with_best, describe_tests

    ranking = rank_board(board, lambda run: read_predictions(run.predictions_path()))
    for why, names in ranking.left_out.items():
        print(f"{why}: {', '.join(names)}.")
    for member in board.members:
        if member.status.state in ("failed", "crashed"):
            print(f"{member.run.id} {member.status.state}: {member.status.message}")
    if ranking.problem:
        print(ranking.problem)
        return
    for place, (label, found) in enumerate(ranking.sets.items(), start=1):
        print(f"{place}. {label}: {found.describe()}")
        for folds in ranking.folds.get(label, []):
            print(f"   Seed {folds.seed}: {folds.describe()}")
            print(
                f"   Weak classes and doubtful labels by these answers: {own_command()} judge {folds.runs[0].id}"
            )
    verdicts = compare_with_best(ranking.sets)
    for verdict in verdicts:
        print(verdict.replace("**", ""))
    if verdicts:
        sizes = [len(found.right) for found in ranking.sets.values()]
        print(describe_tests(sizes, math.comb(len(sizes), 2)))


def _some_of(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        names = _split(text)
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(known)}")
        return names

    return read


def _networks(text: str) -> tuple[str, ...]:
    names = _split(text)
    if unknown := [name for name in names if find_network(name) is None]:
        raise argparse.ArgumentTypeError(describe_unknown(unknown[0]))
    return names


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _split(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers such as 0,1,2") from None


def _rates(text: str) -> dict[str, float]:
    rates = {}
    for part in _split(text):
        name, _, value = part.partition("=")
        try:
            rates[name] = float(value)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{part!r} is not of the form adamw=0.0002") from None
        if name not in _OPTIMIZERS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(_OPTIMIZERS)}")
    return rates


def _split(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
