"""The command that hands a run's model on: `python -m core export`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.cli.terminal import add_out, add_run, make_bar
from core.files import refuse_existing
from core.runs.run import default_root, find_run
from core.ship.formats import FORMATS, ONNX, card_path, contract_path, suggest_name
from core.ship.package import refuse_int8, ship_to_file


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    export = commands.add_parser(
        "export",
        help="export a run's best model for use without this program, checked to give the same answers, with a model card",
    )
    add_run(export)
    export.add_argument(
        "--format", choices=tuple(FORMATS), default=ONNX, dest="kind",
        help="; ".join(f"{name}: {form.use}" for name, form in FORMATS.items()),
    )  # fmt: skip
    add_out(export, "the file to write; without it one of the run's name, in this folder")
    export.add_argument(
        "--int8", action="store_true",
        help="ONNX in 8 bits: smaller and usually faster; its cost in accuracy is measured on validation",
    )  # fmt: skip
    export.set_defaults(command=_export)


def _export(options: argparse.Namespace) -> int:
    run = find_run(options.run, default_root())
    if options.int8:
        refuse_int8(options.kind)
    out = options.out or Path(suggest_name(run.id, options.kind, int8=options.int8))
    refuse_existing(out, overwrite=options.overwrite)
    made = ship_to_file(run, options.kind, out, int8=options.int8, progress=make_bar("steps"))
    assert made is not None
    for line in made.found:
        print(line)
    print(f"{contract_path(out)}: what goes in and comes out")
    print(f"{card_path(out)}: the model card")
    print(f"{out}: {FORMATS[made.kind].title}, {made.size / 1e6:.1f} MB")
    return 0
