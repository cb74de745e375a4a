"""The commands about data rather than runs: `python -m core demo | arrange | audit | label-issues | marks`."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.terminal import add_out, add_run, make_bar
from core.errors import DataError
from core.files import refuse_existing
from core.places import expand_home, real_path
from core.recipe.config import COPIES, TrainConfig
from core.runs.run import default_root, find_run
from core.words import format_class, format_count

if TYPE_CHECKING:
    from core.dataset.audit import Audit


def add_commands(commands: Any) -> None:
    """Add the parsers of these commands."""
    demo = commands.add_parser("demo", help="make a built-in data set")
    demo.add_argument("name", choices=("digits", "glyphs"))
    demo.add_argument("folder", type=Path, metavar="DIR")
    demo.set_defaults(command=_demo)

    arrange = commands.add_parser(
        "arrange", help="make a folder of classes from a folder of images and a CSV of their labels"
    )
    arrange.add_argument("images", type=Path, metavar="IMAGES", help="the folder; it stays as it is")
    arrange.add_argument(
        "table", type=Path, metavar="CSV", help="a line for each image; the first line names the columns"
    )
    arrange.add_argument(
        "out", type=Path, metavar="DIR", help="the folder to make; a number is added if it already exists"
    )
    for column, what in (("image", "image"), ("label", "label"), ("split", "split (train, val or test)")):
        arrange.add_argument(
            f"--{column}",
            metavar="COLUMN",
            help=f"the column of the {what}; recognised where it has a usual name",
        )
    arrange.add_argument("--skip-missing", action="store_true", help="leave out rows without an image")
    arrange.set_defaults(command=_arrange)

    audit = commands.add_parser(
        "audit", help="look for copies, leaks between splits, conflicting labels and unusable files"
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
    audit.add_argument(
        "--group-by",
        default=COPIES,
        metavar="BY",
        help="what stays on one side where images are split off, as in training: copies, name, none or a CSV; with name or a CSV "
        "it also says which groups are in more than one split",
    )
    add_out(
        audit,
        "write a fix list that leaves out training images that are in validation too, for `train --fixes`",
    )
    audit.set_defaults(command=_audit)

    labels = commands.add_parser("label-issues", help="list images whose label is probably wrong")
    add_run(labels)
    labels.add_argument(
        "--split",
        choices=("val", "train"),
        default="val",
        help="val: the validation images, by the run's own model (the default); train: the training images, each by a model "
        "that was fitted without it",
    )
    add_out(labels, "the fix list, which `train --fixes` takes", Path("label-fixes.csv"))
    labels.set_defaults(command=_find_issues)

    marks = commands.add_parser(
        "marks", help="list what is marked in a data set; save it as a fix list, or write a corrected copy"
    )
    marks.add_argument("data", type=Path, metavar="DATA", help="a folder of images as training takes it")
    add_out(marks, "save the marks as CSV, which `train --fixes` takes")
    marks.add_argument(
        "--copy", type=Path, metavar="FOLDER", help="write a copy of the data set with its labels corrected"
    )
    marks.add_argument(
        "--link",
        action="store_true",
        help="link instead of copying: takes no space, but editing one file changes both",
    )
    marks.set_defaults(command=_list_marks)


def _demo(options: argparse.Namespace) -> int:
    from core.dataset.demo import make_demo

    make_demo(options.name, options.folder, make_bar("images"))
    print(options.folder)
    return 0


def _arrange(options: argparse.Namespace) -> int:
    from core.arrivals.arrange import arrange
    from core.arrivals.label_table import Columns, suggest_columns
    from core.csv_table import read_head

    table = expand_home(options.table)
    head = read_head(table)
    known = suggest_columns(head)
    if known is None and not (options.image and options.label):
        raise DataError(
            f"{table.name} has the columns {', '.join(head)}. Say which names the image and which the label: --image COLUMN --label COLUMN."
        )
    known = known or Columns("", "")
    columns = Columns(
        options.image or known.image, options.label or known.label, options.split or known.split
    )
    out = expand_home(options.out).resolve()
    made = arrange(
        expand_home(options.images).resolve(), table, columns, out=out,
        skip_missing=options.skip_missing, progress=make_bar("images"),
    )  # fmt: skip
    assert made is not None
    print(made.describe())
    return 0


def _audit(options: argparse.Namespace) -> int:
    from core.dataset.audit import audit_data
    from core.dataset.remedy import find_remedy

    data = real_path(options.data)
    if options.out:
        refuse_existing(options.out, overwrite=options.overwrite)
    config = TrainConfig(  # refuses what training does
        data=str(data),
        val_fraction=options.val_fraction,
        hold_back=options.hold_back,
        group_by=options.group_by,
    )
    if not data.exists() and (remedy := find_remedy(str(options.data))):
        raise DataError(f"{data}: there is no such folder. Did you mean {remedy}?")
    audit = audit_data(
        data, default_root(), val_fraction=config.val_fraction, hold_back=config.hold_back, group_by=config.group_by,
        progress=make_bar("files"),
    )  # fmt: skip
    assert audit is not None
    if options.out:
        _write_leaks(audit, options.out)
    if options.json:
        print(json.dumps(_summarise(audit), indent=2))
        return 0
    counts = ", ".join(f"{audit.count_split(split):,} {split}" for split in audit.splits)
    made = " (val is split off training)" if audit.val_made else ""
    print(f"{data}: {len(audit.classes):,} classes; files: {counts}{made}")
    problems = {image.path: f" {image.problem}" for image in audit.images if image.problem}
    for finding in audit.findings:
        print(f"{finding.severity:>7}  {finding.title}")
        names = [format_class(name, audit.display) for name in finding.classes[:4]]
        first = finding.groups[0][:3] if finding.groups else ()
        example = ", ".join(names) or f"{' = '.join(first)}{problems.get(first[0], '')}"
        print(f"         such as {example}")
    if not audit.findings:
        print("Nothing wrong was found.")
    if options.out:
        print(options.out)
    return 0


def _write_leaks(audit: Audit, place: Path) -> None:
    """Write the training images to leave out as a fix list; raises DataError where there are none."""
    from core.marks.leaks import find_leaks, write_leak_list

    leaks = find_leaks(audit)
    if leaks is None:
        raise DataError(
            f"{audit.root}: no validation image is in training too, so there is nothing to leave out."
        )
    if audit.val_made:
        raise DataError(
            f"{audit.root} has no val/ folder, so validation is split off training. Train with --group-by copies instead: it keeps "
            "images that look the same on one side."
        )
    write_leak_list(place, audit, leaks)


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


def _find_issues(options: argparse.Namespace) -> int:
    from core.confidence.apart import tell_asked_again
    from core.dataset.label_report import write_fixes
    from core.runs.run_data import read_run_data

    run = find_run(options.run, default_root())
    refuse_existing(options.out, overwrite=options.overwrite)
    from core.model.label_issues import find_issues_of

    report = find_issues_of(run, options.split, progress=make_bar("images"))
    assert report is not None
    write_fixes(options.out, report.issues)
    print(report.describe())
    if options.split == "val" and (told := tell_asked_again(run, report.right, report.count)):
        print(told)
    label = read_run_data(run).label
    for pair in report.overlaps:
        print(
            f"{label(pair.one)} and {label(pair.other)} overlap: {pair.crossed} of {format_count(pair.count, 'image')} cross over"
        )
    print(options.out)
    return 0


def _list_marks(options: argparse.Namespace) -> int:
    from core.dataset.folders import scan_folders
    from core.files import write_text
    from core.marks.corrected import write_corrected
    from core.marks.fix_list import format_marks
    from core.marks.marks import list_path, read_marks

    data = real_path(options.data)
    if options.out:
        refuse_existing(options.out, overwrite=options.overwrite)
    folders = scan_folders(data)
    known = read_marks(list_path(data, default_root()))
    print(known.describe())
    if options.out:
        write_text(options.out, format_marks(known.marks.values()))
        print(options.out)
    if options.copy:
        made = write_corrected(
            folders, known.marks, expand_home(options.copy), link=options.link, progress=make_bar("images")
        )
        assert made is not None
        print(made.describe())
    return 0
