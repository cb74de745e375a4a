"""The command `python -m core report`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from core.cli.terminal import make_bar
from core.runs.run import default_root, find_run


def add_commands(commands: Any) -> None:
    """Add the parser of this command."""
    report = commands.add_parser(
        "report",
        help="write a report on a run as one HTML file or PDF, with its figures as PNG and its tables as CSV",
    )
    report.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="a run's id, or latest; the first is what the report is about, others are compared with it",
    )
    report.add_argument("--out", type=Path, metavar="FOLDER", help="a folder to make; default: RUN-report")
    report.add_argument("--overwrite", action="store_true", help="replace an earlier report in that folder")
    report.add_argument(
        "--pdf",
        action="store_true",
        help="also make a PDF, with this machine's Chrome, Chromium or Edge",
    )
    report.set_defaults(command=_report)


def _report(options: argparse.Namespace) -> int:
    runs = [find_run(name, default_root()) for name in options.runs]
    out = options.out or Path(f"{runs[0].id}-report")
    from core.report.page import write_report

    page = write_report(runs, out, overwrite=options.overwrite, progress=make_bar("steps"))
    print(page)
    if options.pdf and page is not None:
        from core.report.paper import print_report

        print(print_report(page))
    return 0
