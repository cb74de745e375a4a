"""The commands that ask a run's best model: `python -m core evaluate | predict | calibrate`."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.better import ABOUT_AVERAGES, ABOUT_SOUP
from core.cli.terminal import add_run, make_bar
from core.runs.run import FOLD, Run, default_root, find_run
from core.words import format_count, format_share

if TYPE_CHECKING:
    import pandas as pd

    from core.model.better import Committee
    from core.model.calibration import Calibration, Estimate

WANTED = (0.9, 0.95, 0.99)  # accuracies a threshold is printed for


def add_commands(commands: Any) -> None:
    """Add the parsers of these commands."""
    evaluate = commands.add_parser("evaluate", help="write the predictions table of a run's best model")
    add_run(evaluate)
    evaluate.add_argument("--split", choices=("val", "train", "held"), default="val")
    evaluate.set_defaults(command=_evaluate)

    predict = commands.add_parser(
        "predict", help="predict images or folders of them into image_name,pred_label"
    )
    add_run(predict)
    predict.add_argument("paths", nargs="+", type=Path, metavar="PATHS", help="image files and folders")
    predict.add_argument("--out", type=Path, default=Path("prediction.csv"), metavar="FILE")
    predict.add_argument(
        "--details", type=Path, metavar="FILE", help="write confidence and sure (yes or no) of each image too"
    )
    predict.add_argument(
        "--min-confidence",
        type=_read_share,
        metavar="P",
        help="not sure below it, 0 to 1; by default the run's threshold, see calibrate and the page Confidence",
    )
    predict.add_argument(
        "--raw", action="store_true", help="confidences as the network gives them, without its temperature"
    )
    predict.add_argument(
        "--tta", choices=("none", "flip", "crops"), default="none",
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

    judge = commands.add_parser(
        "judge", help="judge a run on all its training images, each by a model that was fitted without it"
    )
    add_run(judge)
    judge.set_defaults(command=_judge)

    calibrate = commands.add_parser(
        "calibrate", help="measure how far a run's confidences can be believed, and fit their temperature"
    )
    add_run(calibrate)
    calibrate.set_defaults(command=_calibrate)


def _read_share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a share from 0 to 1, got {text!r}")
    return value


def _evaluate(options: argparse.Namespace) -> int:
    run = find_run(options.run, default_root())
    from core.model.evaluate import evaluate_run
    from core.verdicts.predictions import format_rate

    outcome = evaluate_run(run, options.split, progress=make_bar("images"))
    assert outcome is not None
    right = int((outcome.top_index[:, 0] == outcome.target).sum())
    print(
        f"{options.split} accuracy {format_rate(right, len(outcome.target))}, loss {outcome.loss.mean():.4f}"
    )
    print(run.predictions_path(options.split))
    return 0


def _judge(options: argparse.Namespace) -> int:
    run = find_run(options.run, default_root())
    from core.model.out_of_sample import judge_training
    from core.runs.run_data import read_run_data
    from core.verdicts.class_report import find_certainly_weak, report_classes
    from core.verdicts.predictions import format_interval, format_rate, read_predictions

    data = read_run_data(run)
    validation = read_predictions(run.predictions_path("val"))  # what is missing is said before the long work
    found = judge_training(run, progress=make_bar("steps"))
    assert found is not None
    tables = read_predictions(run.predictions_path(FOLD)), validation
    report, before = (report_classes(table, data.classes, data.train_counts) for table in tables)
    print(f"Out of fold {format_rate(found.right, found.judged)}.")
    print(f"Validation {format_rate(int(before['right'].sum()), len(validation))}.")
    print(
        f"A class has {_describe_support(report)} out of fold and {_describe_support(before, unit=False)} in validation."
    )
    print(found.describe(data.label))
    weak = find_certainly_weak(report, found.right / found.judged)
    print(f"{format_count(len(weak), 'class', 'is')} clearly below the average of all images:")
    before = before.set_index("class")
    for row in weak.itertuples():
        said = before.loc[row.class_name]
        print(
            f"  {data.label(row.class_name)}: {row.right} of {row.support} right, {format_interval(row.low, row.high)}; "
            f"validation: {said['right']} of {said['support']}"
        )
    print(run.predictions_path(FOLD))
    return 0


def _describe_support(report: pd.DataFrame, *, unit: bool = True) -> str:
    """Return how many images judge a class, of those that any does: '9 to 11 images'."""
    counts = report.loc[report["support"] > 0, "support"]
    least, most = int(counts.min()), int(counts.max())
    last = format_count(most, "image") if unit else f"{most:,}"
    return last if least == most else f"{least:,} to {last}"


def _predict(options: argparse.Namespace) -> int:
    runs = [find_run(name, default_root()) for name in (options.run, *options.others)]
    from core.model.calibration import read_temperature, read_threshold
    from core.model.predict import find_images, predict_files

    paths = find_images(options.paths)
    raw = options.raw or options.soup  # of a soup no confidence was measured
    temperatures = [1.0 if raw else read_temperature(run) for run in runs]
    limit = options.min_confidence
    if limit is None:
        chosen = None if options.soup else read_threshold(runs[0], temperature=temperatures[0])
        limit = 0.0 if chosen is None else chosen.value
    found = predict_files(
        _make_answers(runs, temperatures, tta=options.tta, soup=options.soup),
        paths,
        options.out,
        details=options.details,
        min_confidence=limit,
        progress=make_bar("images"),
    )
    assert found is not None
    for item in found.bad:
        print(f"left out: {item.path} {item.reason}", file=sys.stderr)
    good = len(paths) - len(found.bad)
    if any(temperature != 1 for temperature in temperatures):
        told = ", ".join(f"{temperature:.2f}" for temperature in temperatures)
        print(f"confidences are calibrated, temperature {told}")
    if limit:
        print(f"{found.unsure} of {good} not sure, below a confidence of {limit:.3f}")
    if len(runs) > 1 or options.tta != "none":
        print(ABOUT_SOUP if options.soup else ABOUT_AVERAGES)
    print(f"{options.out}: {format_count(good, 'image')} predicted, {len(found.bad):,} left out")
    return 2 if found.bad else 0


def _make_answers(runs: Sequence[Run], temperatures: Sequence[float], *, tta: str, soup: bool) -> Committee:
    from core.model.better import Committee
    from core.model.soup import load_runs, mix_soup

    loaded = load_runs(runs)
    models = [mix_soup(loaded)] if soup else loaded
    return Committee(
        [model.make_predictor() for model in models], tta=tta, temperatures=temperatures[: len(models)]
    )


def _calibrate(options: argparse.Namespace) -> int:
    run = find_run(options.run, default_root())
    from core.model.calibration import calibrate_run, calibration_path
    from core.verdicts.predictions import format_rate

    found = calibrate_run(run, progress=make_bar("images"))
    assert found is not None
    right = found.answers.right
    print(f"epoch {found.epoch}: {format_rate(int(right.sum()), len(right))}")
    print(found.describe())
    before, after = found.before, found.after
    print(
        f"ECE    {_percent(before.ece)} before, {_percent(after.ece)} after; {_percent(found.chance)} by chance alone"
    )
    print(f"Brier  {_number(before.brier)} before, {_number(after.brier)} after")
    print(f"loss   {_number(before.loss)} before, {_number(after.loss)} after")
    print(f"AURC   {_percent(before.area)} before, {_percent(after.area)} after")
    _print_thresholds(found)
    print(calibration_path(run))
    return 0


def _print_thresholds(found: Calibration) -> None:
    from core.verdicts.predictions import format_interval
    from core.verdicts.selective import cross_choose

    for wanted in WANTED:
        choice = cross_choose(found.answers, wanted)
        if choice is None:
            print(f"{wanted * 100:.0f} % right: no threshold reaches it on these images")
            continue
        (kept, *kept_bounds), (right, *right_bounds) = choice.coverage, choice.accuracy
        print(
            f"{wanted * 100:.0f} % right: from a confidence of {choice.threshold:.3f} on, "
            f"answers {format_share(kept)} ({format_interval(*kept_bounds)}), "
            f"of which {format_share(right)} ({format_interval(*right_bounds)}) are right"
        )


def _percent(figure: Estimate) -> str:
    return f"{figure.value * 100:.1f} % ({figure.low * 100:.1f}–{figure.high * 100:.1f} %)"


def _number(figure: Estimate) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})"
