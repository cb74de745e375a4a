"""The command `python -m core report`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.runs.run import default_root, find_run

Progress = Callable[[int, int], bool]


def add_commands(commands: Any, bar: Callable[[str], Progress]) -> None:
    """Add the parser of this command; `bar(unit)` gives the progress bar of a terminal."""
    report = commands.add_parser(
        "report",
        help="write a report on a run as one HTML file, with its figures as PNG and its tables as CSV",
    )
    report.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="a run's id, or latest; the first is what the report is about, others are compared with it",
    )
    report.add_argument("--out", type=Path, metavar="FOLDER", help="a folder to make; default: RUN-report")
    report.add_argument("--overwrite", action="store_true", help="replace an earlier report in that folder")
    report.add_argument("--task", type=Path, help=argparse.SUPPRESS)  # what the dashboard launches
    report.set_defaults(command=lambda options: _report(options, bar))


def _report(options: argparse.Namespace, bar: Callable[[str], Progress]) -> int:
    from core.runs.tasks import perform_task

    def work(progress: Progress) -> str | None:
        runs = [find_run(name, default_root()) for name in options.runs]
        out = options.out or Path(f"{runs[0].id}-report")
        from core.report.page import write_report

        page = write_report(runs, out, overwrite=options.overwrite, progress=progress)
        return None if page is None else str(page)

    if options.task is not None:
        return perform_task(options.task, work)
    print(work(bar("steps")))
    return 0
