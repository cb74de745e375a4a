"""The commands that ask a run's best model: `python -m core evaluate | judge | calibrate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.terminal import add_run, make_bar
from core.runs.run import FOLD, TEST, Run, default_root, find_run
from core.words import format_count

if TYPE_CHECKING:
    import pandas as pd

    from core.confidence.measured import Calibration, Estimate
    from core.verdicts.selective import ThresholdEffect

WANTED = (0.9, 0.95, 0.99)  # accuracies a threshold is printed for


def add_commands(commands: Any) -> None:
    """Add the parsers of these commands."""
    evaluate = commands.add_parser("evaluate", help="write the predictions table of a run's best model")
    add_run(evaluate)
    asked = evaluate.add_mutually_exclusive_group()
    asked.add_argument("--split", choices=("val", "train", "held"), default="val")
    asked.add_argument(
        "--folder",
        type=Path,
        metavar="FOLDER",
        help="labelled images from outside the run's data, in folders of classes",
    )
    evaluate.add_argument(
        "--labels",
        type=Path,
        metavar="FILE",
        help="their labels as a CSV table of two columns, image and label",
    )
    evaluate.set_defaults(command=_evaluate)

    judge = commands.add_parser(
        "judge",
        help="judge a run on all its training images, each by a model that was fitted without that image",
    )
    add_run(judge)
    judge.set_defaults(command=_judge)

    calibrate = commands.add_parser(
        "calibrate", help="measure how far a run's confidences can be trusted, and fit their temperature"
    )
    add_run(calibrate)
    calibrate.set_defaults(command=_calibrate)


def _evaluate(options: argparse.Namespace) -> int:
    run = find_run(options.run, default_root())
    if options.folder is not None:
        return _evaluate_folder(options, run)
    from core.model.evaluate import evaluate_run
    from core.verdicts.predictions import format_rate

    outcome = evaluate_run(run, options.split, progress=make_bar("images"))
    assert outcome is not None
    right = int((outcome.top_index[:, 0] == outcome.target).sum())
    print(
        f"{options.split} accuracy {format_rate(right, len(outcome.target))}, loss {outcome.loss.mean():.4f}"
    )
    if told := _tell_apart(run, right, len(outcome.target), options.split):
        print(told)
    print(run.predictions_path(options.split))
    return 0


def _tell_apart(run: Run, right: int, count: int, split: str) -> str:
    """Say what the run's accuracy is where its model was asked again just now and answered otherwise."""
    from core.verdicts.run_accuracy import WRITTEN_AGAIN, tell_apart

    return tell_apart(run.read_status(), right, count, WRITTEN_AGAIN) if split == "val" else ""


def _evaluate_folder(options: argparse.Namespace, run: Run) -> int:
    from core.answers.labelled import judge_folder
    from core.answers.submission import read_sample
    from core.verdicts.predictions import format_rate

    labels = None if options.labels is None else read_sample(options.labels, what="table of labels")
    judged = judge_folder(run, options.folder, labels=labels, progress=make_bar("images"))
    assert judged is not None
    print(f"{options.folder} accuracy {format_rate(judged.right, judged.count)}")
    if words := judged.describe_left_out():
        print(words)
    print(run.predictions_path(TEST))
    return 0


def _judge(options: argparse.Namespace) -> int:
    run = find_run(options.run, default_root())
    from core.model.out_of_sample import judge_training
    from core.runs.run_data import read_run_data
    from core.verdicts.class_report import find_weakness, report_classes
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
    weak = find_weakness(report, found.right / found.judged)
    print(weak.describe())
    before = before.set_index("class")
    for row in weak.rows.itertuples():
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


def _calibrate(options: argparse.Namespace) -> int:
    run = find_run(options.run, default_root())
    from core.confidence.kept import calibration_path
    from core.model.calibration import calibrate_run
    from core.verdicts.predictions import format_rate
    from core.verdicts.run_accuracy import ASKED_AGAIN, tell_apart

    found = calibrate_run(run, progress=make_bar("images"))
    assert found is not None
    right = found.answers.right
    judged = (
        f"epoch {found.epoch}" if found.epoch else run.id
    )  # one that began with its model, or was imported, has none
    print(f"{judged}: {format_rate(int(right.sum()), len(right))}")
    how = ASKED_AGAIN.format(precision=found.precision)
    if told := tell_apart(run.read_status(), int(right.sum()), len(right), how):
        print(told)
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
    from core.verdicts.selective import cross_choose

    for wanted in WANTED:
        print(
            f"{wanted * 100:.0f} % right wanted: {_describe_choice(cross_choose(found.answers, wanted), wanted)}"
        )


def _describe_choice(choice: ThresholdEffect | None, wanted: float) -> str:
    """Say which threshold was chosen for a wanted accuracy (0..1), and what it reaches on images that did not choose it."""
    from core.verdicts.predictions import format_rate

    if choice is None:
        return "no threshold reaches it on these images"
    chosen = (
        f"answer from a confidence of {choice.threshold:.3f} on. On images that had no part in choosing this"
    )
    if not choice.answered:
        return f"{chosen}, none is answered"
    verdict = "reached" if choice.right >= wanted * choice.answered - 1e-9 else "not reached"
    share = f"{choice.answered:,} of {format_count(choice.count, 'image')}"
    return f"{chosen}, {share} answered; {format_rate(choice.right, choice.answered)}: {verdict}"


def _percent(figure: Estimate) -> str:
    return f"{figure.value * 100:.1f} % ({figure.low * 100:.1f}–{figure.high * 100:.1f} %)"


def _number(figure: Estimate) -> str:
    return f"{figure.value:.3f} ({figure.low:.3f}–{figure.high:.3f})"
