"""Marks as a fix list: to train without the label errors that were found, and to take away; no torch."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from core.dataset.export import defuse
from core.dataset.fixes import KEPT
from core.dataset.label_report import ACTIONS, HEAD, Fix, read_fixes
from core.files import write_rows
from core.marks.marks import Mark

MADE = "label-fixes.csv"  # in a run's folder: what its data set's marks correct, for the next run
EXPORT_HEAD = (*HEAD, "mark", "tags", "run", "predicted", "confidence", "marked")


def list_corrections(folder: Path, marks: Mapping[str, Mark], trained: Collection[str]) -> list[Fix]:
    """Return what the fix list of a run's own (in its folder) and the marks since change, once an image.

    `trained` are the paths of the images that the run trained on: no others are ever changed.

    Raises:
        RunError: when the run's list cannot be read.
    """
    kept = folder / KEPT
    fixes = {fix.path: fix for fix in read_fixes(kept)} if kept.exists() else {}
    for mark in marks.values():
        if mark.path in fixes and mark.action == "right":
            del fixes[mark.path]
        elif mark.action in ACTIONS and (mark.path in trained or mark.path in fixes):
            fixes[mark.path] = Fix(mark.path, mark.given, mark.to, mark.action, 0, math.nan)
    return [fix for fix in fixes.values() if fix.action != ACTIONS[0]]


def write_fix_list(folder: Path, marks: Mapping[str, Mark], trained: Collection[str]) -> Path:
    """Write the list to train like a run but without the label errors marked since; return where, in the run's folder.

    Raises:
        RunError: when the run's own list cannot be read.
        OSError: when the new one cannot be written.
    """
    rows = [
        (fix.path, fix.given, fix.suggested, "", fix.action)
        for fix in list_corrections(folder, marks, trained)
    ]
    write_rows(folder / MADE, HEAD, rows)
    return folder / MADE


def format_marks(marks: Iterable[Mark]) -> str:
    """Return marks as CSV under EXPORT_HEAD: a fix list that training takes, with all else that was said of each image.

    `suggested` is the right class of a label that is wrong. No text is a formula to the
    program that opens it.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(EXPORT_HEAD)
    writer.writerows([defuse(cell) for cell in _list_cells(mark)] for mark in marks)
    return text.getvalue()


def _list_cells(mark: Mark) -> list[str]:
    action = mark.action if mark.action in ACTIONS else ACTIONS[0]
    confidence = "" if math.isnan(mark.confidence) else f"{mark.confidence:.4f}"
    marked = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(mark.at))
    said = [mark.action, " ".join(mark.tags), mark.run, mark.predicted, confidence, marked]
    return [mark.path, mark.given, mark.to, "", action, *said]
