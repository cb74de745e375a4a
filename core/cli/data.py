"""The commands about data rather than runs: `python -m core audit | label-issues`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.recipe.config import TrainConfig
from core.runs.run import default_root, find_run
from core.words import format_class

if TYPE_CHECKING:
    from core.dataset.audit import Audit
    from core.dataset.label_report import LabelReport

Progress = Callable[[int, int], bool]
Bar = Callable[[str], Progress]


def add_commands(commands: Any, bar: Bar) -> None:
    """Add the parsers of these commands; `bar(unit)` gives the progress bar of a terminal."""
    audit = commands.add_parser(
        "audit", help="look for copies, leaks between splits, conflicting labels and files of no use"
    )
    audit.add_argument("data", type=Path, metavar="DATA", help="a folder of images as training takes it")
    audit.add_argument("--json", action="store_true", help="as JSON, with the paths of each finding")
    audit.add_argument(
        "--val-fraction",
        type=float,
        default=0.15,
        metavar="SHARE",
        help="where there is no val/: as in training",
    )
    audit.add_argument(
        "--hold-back", type=int, default=0, metavar="N", help="images of each class, as in training"
    )
    audit.add_argument("--task", type=Path, help=argparse.SUPPRESS)  # what the dashboard launches
    audit.set_defaults(command=lambda options: _audit(options, bar))

    labels = commands.add_parser("label-issues", help="list images whose label is probably wrong")
    labels.add_argument("run", metavar="RUN", help="a run's id, or latest")
    labels.add_argument("--split", choices=("val", "train"), default="val")
    labels.add_argument(
        "--out", type=Path, default=Path("label-fixes.csv"), metavar="FILE", help="the fix list"
    )
    labels.add_argument("--task", type=Path, help=argparse.SUPPRESS)
    labels.set_defaults(command=lambda options: _find_issues(options, bar))


def _audit(options: argparse.Namespace, bar: Bar) -> int:
    from core.runs.tasks import perform_task

    data = options.data.expanduser().resolve()
    split = {"val_fraction": options.val_fraction, "hold_back": options.hold_back}

    def work(progress: Progress) -> Audit | None:
        from core.dataset.audit import audit_data

        TrainConfig(data=str(data), **split)  # refuses what training does
        return audit_data(data, default_root(), **split, progress=progress)

    if options.task is not None:
        return perform_task(
            options.task,
            lambda progress: None if (found := work(progress)) is None else f"{len(found.images):,} files.",
            stopped="Stopped; what was measured is kept, and the next scan goes on from there.",
        )
    audit = work(bar("files"))
    assert audit is not None
    if options.json:
        print(json.dumps(_summarise(audit), indent=2))
        return 0
    counts = ", ".join(f"{audit.count_split(split):,} {split}" for split in audit.splits)
    made = " (val is split off training)" if audit.val_made else ""
    print(f"{data}: {len(audit.classes):,} classes; files: {counts}{made}")
    for finding in audit.findings:
        print(f"{finding.severity:>7}  {finding.title}")
        names = [format_class(name, audit.display) for name in finding.classes[:4]]
        example = ", ".join(names) or " = ".join(finding.groups[0][:3])
        print(f"         such as {example}")
    if not audit.findings:
        print("Nothing wrong was found.")
    return 0


def _summarise(audit: Audit) -> dict[str, object]:
    return {
        "root": str(audit.root),
        "val_made": audit.val_made,
        "counts": audit.count_images(),
        "test": audit.count_split("test"),
        "findings": [
            {"severity": finding.severity, "title": finding.title, **asdict(finding)}
            for finding in audit.findings
        ],
    }


def _find_issues(options: argparse.Namespace, bar: Bar) -> int:
    from core.dataset.label_report import write_fixes
    from core.runs.run_data import read_run_data
    from core.runs.tasks import perform_task

    def work(progress: Progress) -> LabelReport | None:
        run = find_run(options.run, default_root())
        from core.model.label_issues import find_issues_of

        return find_issues_of(run, options.split, progress=progress)

    def describe(report: LabelReport) -> str:
        return f"{len(report.issues):,} of {report.count:,} labels are probably wrong."

    if options.task is not None:
        return perform_task(
            options.task,
            lambda progress: None if (found := work(progress)) is None else describe(found),
        )
    report = work(bar("images"))
    assert report is not None
    write_fixes(options.out, report.issues)
    print(describe(report))
    label = read_run_data(find_run(options.run, default_root())).label
    for pair in report.overlaps:
        print(
            f"{label(pair.one)} and {label(pair.other)} overlap: {pair.crossed} of {pair.count} images cross over"
        )
    print(options.out)
    return 0
