"""The command `python -m core import`: predictions that another program made, and the model that made them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.terminal import make_bar
from core.errors import ConfigError
from core.imports.classes import AUTO, KINDS
from core.imports.columns import NAMES, ROLES
from core.places import expand_home, real_path
from core.runs.run import default_root

if TYPE_CHECKING:
    from core.imports.model import Model
    from core.imports.reading import Reading

_WHAT = {
    "path": "the images",
    "true": "the true classes; by default as recognised, or the folders that the images lie in",
    "predicted": "the predicted classes",
    "confidence": "the confidences, 0 to 1, of the predicted classes",
}


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "import", help="make a run from a table of predictions (CSV) of another program"
    )
    parser.add_argument(
        "table", type=Path, metavar="CSV", help="one row per image: path, true, predicted, confidences"
    )
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the folder of the images")
    parser.add_argument(
        "--name", default="", metavar="STR", help="name of the run; default: the name of the table"
    )
    for role in ROLES:
        parser.add_argument(
            f"--{role}-column",
            metavar="COLUMN",
            help=f"column of {_WHAT[role]} (recognised: {', '.join(NAMES[role][:6])} …)",
        )
    parser.add_argument(
        "--classes", choices=KINDS, default=AUTO,
        help="how classes are given: by name, or by number from 0 in alphabetical order, where 10 comes before 2",
    )  # fmt: skip
    _add_model(
        parser.add_argument_group("the model that made the table, for heat maps, neighbours and Predict")
    )
    parser.set_defaults(command=_import)


def _add_model(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--weights", type=Path, metavar="FILE", help="its weights: a state dict in .pt, .pth or .safetensors"
    )
    group.add_argument(
        "--arch",
        default="",
        metavar="NAME",
        help="its network, by its name in torchvision or timm; see networks",
    )
    for option, what in (
        ("image-size", "the side of the square image that it is given"),
        ("resize-size", "what the shorter side is resized to before"),
    ):
        group.add_argument(
            f"--{option}", type=int, default=0, metavar="PIXELS", help=f"{what}; by default as published"
        )
    for option, what in (("mean", "is subtracted from"), ("std", "divides")):
        group.add_argument(
            f"--{option}", type=float, nargs=3, default=(), metavar=("R", "G", "B"),
            help=f"what {what} red, green and blue, 0 to 1; by default as published",
        )  # fmt: skip


def _import(options: argparse.Namespace) -> int:
    from core.csv_table import read_table
    from core.imports.made import make_run
    from core.imports.reading import understand_table
    from core.verdicts.predictions import format_rate

    given = {role: getattr(options, f"{role}_column") for role in ROLES}
    reading = understand_table(
        read_table(expand_home(options.table)),
        real_path(options.data),
        columns={role: column for role, column in given.items() if column is not None},
        classes=options.classes,
    )
    for note in reading.notes:
        print(note, flush=True)
    model = _open_model(options, reading)
    run = make_run(reading, default_root(), name=options.name, model=model)
    right = int((reading.true == reading.predicted).sum())
    print(f"{run.id}: {format_rate(right, len(reading.paths))}")
    return 0


def _open_model(options: argparse.Namespace, reading: Reading) -> Model | None:
    """Return the model that the options name; None where they name none."""
    if options.weights is None:
        if options.arch:
            raise ConfigError({"arch": "needs --weights FILE; give the weights, or leave it out"})
        return None
    if not options.arch:
        raise ConfigError({"arch": "is missing; name the network that the weights belong to (--arch NAME)"})
    from core.imports.model import WeightsFile, open_model  # brings torch

    file = WeightsFile(
        expand_home(options.weights), options.arch, options.image_size, options.resize_size,
        tuple(options.mean), tuple(options.std),
    )  # fmt: skip
    model = open_model(file, reading, progress=make_bar("images"))
    print(model.note)
    return model
