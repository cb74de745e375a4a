"""The command that predicts images into the file that is handed in: `python -m core predict`."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.terminal import add_run, make_bar
from core.runs.run import Run, default_root, find_run
from core.ways.choice import ABOUT_AVERAGES, ABOUT_SOUP, CROPS, FLIP, NONE, Choice
from core.words import format_count

if TYPE_CHECKING:
    from core.answers.submission import Plan
    from core.model.better import Committee

STDOUT = Path("-")


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    predict = commands.add_parser(
        "predict", help="predict images or folders of images, write the file to hand in, and check it"
    )
    add_run(predict)
    predict.add_argument("paths", nargs="+", type=Path, metavar="PATHS", help="image files and folders")
    predict.add_argument(
        "--out",
        type=Path,
        default=Path("prediction.csv"),
        metavar="FILE",
        help="- writes it to standard output",
    )
    predict.add_argument(
        "--sample", type=Path, metavar="FILE",
        help="a sample submission: the hand-in copies its columns, order and names of images and classes",
    )  # fmt: skip
    predict.add_argument(
        "--no-extension", action="store_true", help="name images without their extension: 001 for 001.jpg"
    )
    predict.add_argument(
        "--labels", choices=("folder", "name"), default="",
        help="name classes by their folder or by their display name; by default as the sample does, else by folder",
    )  # fmt: skip
    predict.add_argument(
        "--details",
        type=Path,
        metavar="FILE",
        help="also write each image's confidence and whether it is sure (yes or no)",
    )
    predict.add_argument("--overwrite", action="store_true", help="replace files of these names")
    predict.add_argument(
        "--min-confidence",
        type=_read_share,
        metavar="P",
        help="answers below this confidence count as not sure, 0 to 1; by default the run's threshold (see calibrate and the page Confidence), or 0.5 where "
        "none was chosen",
    )
    predict.add_argument(
        "--raw", action="store_true", help="give confidences as the network does, without its temperature"
    )
    predict.add_argument(
        "--tta", choices=(NONE, FLIP, CROPS), default=NONE,
        help="average the answers to several views: flip adds the mirror image, crops the whole image and a closer one",
    )  # fmt: skip
    predict.add_argument(
        "--with", dest="others", action="append", default=[], metavar="RUN",
        help="average the answers of this run of the same classes too; can be given several times",
    )  # fmt: skip
    predict.add_argument(
        "--soup", action="store_true", help="average the weights of the runs instead, as quick as one run"
    )
    predict.set_defaults(command=_predict)


def _read_share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, got {text!r}")
    return value


def _predict(options: argparse.Namespace) -> int:
    runs = [find_run(name, default_root()) for name in (options.run, *options.others)]
    from core.answers.check import is_good
    from core.answers.hand_in import refuse_places, write_hand_in
    from core.confidence.kept import read_temperature

    out = None if options.out == STDOUT else options.out
    told = sys.stdout if out else sys.stderr  # where the table is the output, nothing else is
    refuse_places(out, options.details, overwrite=options.overwrite)
    raw = options.raw or options.soup  # of a soup no confidence was measured
    temperatures = [1.0 if raw else read_temperature(run) for run in runs]
    limit, origin = _find_limit(options, runs[0], temperatures[0])
    plan, model = _plan(options, runs, temperatures)
    written = write_hand_in(
        model, plan, out, details=options.details, min_confidence=limit, progress=make_bar("images")
    )
    assert written is not None
    if out is None:
        print(written.text, end="")
    for item in written.bad:
        print(f"left out: {item.path} {item.reason}", file=sys.stderr)
    good = len(plan.paths) - len(written.bad)
    if any(temperature != 1 for temperature in temperatures):
        used = ", ".join(f"{temperature:.2f}" for temperature in temperatures)
        print(f"confidences are calibrated, temperature {used}", file=told)
    if limit:
        print(f"{written.unsure} of {good} not sure, below a confidence of {limit:.3f}{origin}", file=told)
    if len(runs) > 1 or options.tta != NONE:
        print(ABOUT_SOUP if options.soup else ABOUT_AVERAGES, file=told)
    for finding in written.findings:
        print(f"{'ok' if finding.good else 'WRONG'}: {finding.words}", file=told)
    if plan.extra:
        print(f"{format_count(plan.extra, 'file')} not in the sample, left out", file=told)
    print(
        f"{out or 'hand-in'}: {format_count(good, 'image')} predicted, {len(written.bad):,} left out",
        file=told,
    )
    return 0 if is_good(written.findings) else 2


def _plan(
    options: argparse.Namespace, runs: Sequence[Run], temperatures: Sequence[float]
) -> tuple[Plan, Committee]:
    """Return what the hand-in will be and the model that makes it; what is wrong with the files is said before it is loaded."""
    from core.answers.sources import find_images
    from core.answers.submission import Form, plan_hand_in, read_sample
    from core.ways.answers import assemble

    paths = find_images(options.paths)
    sample = None if options.sample is None else read_sample(options.sample)
    choice = Choice(tuple(run.id for run in runs), options.tta, options.soup)
    model = assemble(choice, runs, temperatures, images=len(paths))
    plan = plan_hand_in(
        paths,
        Form(extension=not options.no_extension, labels=options.labels),
        classes=model.classes,
        display=model.display,
        folder=options.paths[0] if len(options.paths) == 1 and options.paths[0].is_dir() else None,
        sample=sample,
    )
    return plan, model


def _find_limit(options: argparse.Namespace, run: Run, temperature: float) -> tuple[float, str]:
    """Return the confidence (0..1) below which the answer is not sure, and in words where it is from, if no one chose it."""
    from core.confidence.threshold import UNDECIDED, read_threshold

    if options.min_confidence is not None:
        return float(options.min_confidence), ""
    chosen = None if options.soup else read_threshold(run, temperature=temperature)
    return (UNDECIDED, " (no threshold was chosen)") if chosen is None else (chosen.value, "")
