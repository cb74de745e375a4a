"""Marks become a fix list that a training takes, of training images alone, and a table to take away."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from core.dataset.fixes import KEPT, apply_fixes, describe_fixes
from core.dataset.folders import scan_folders
from core.dataset.label_report import HEAD, read_fixes
from core.files import write_rows
from core.marks.fix_list import format_marks, list_corrections, write_fix_list
from core.marks.marks import Mark

MARKS = {
    mark.path: mark
    for mark in (
        Mark("train/2/1.png", "2", "drop"),
        Mark("train/2/2.png", "2", "relabel", "35", run="first", predicted="35", confidence=0.91),
        Mark("train/2/3.png", "2", "unsure", tags=("blurred", "far")),
        Mark("train/2/4.png", "2", "right"),
        Mark("val/2/1.png", "2", "relabel", "10"),
    )
}
TRAINED = [f"train/2/{number}.png" for number in range(1, 7)]


def test_a_training_takes_the_list_that_marks_of_training_images_make(
    tmp_path: Path, tiny_data: Path
) -> None:
    path = write_fix_list(tmp_path, MARKS, TRAINED)
    assert (
        describe_fixes(apply_fixes(scan_folders(tiny_data), path, named="list")) == "1 left out, 1 relabelled"
    )


def test_what_the_run_was_trained_with_stays_unless_it_is_marked_since(tmp_path: Path) -> None:
    rows = [("train/2/1.png", "2", "10", "", "relabel"), ("train/2/4.png", "2", "10", "", "drop")]
    write_rows(tmp_path / KEPT, HEAD, [*rows, ("train/2/5.png", "2", "", "", "drop")])
    corrections = list_corrections(tmp_path, MARKS, ["train/2/2.png"])
    assert [(fix.path, fix.action) for fix in corrections] == [
        ("train/2/1.png", "drop"),
        ("train/2/5.png", "drop"),
        ("train/2/2.png", "relabel"),
    ]


def test_the_table_to_take_away_has_all_that_was_said_and_is_a_fix_list(tmp_path: Path) -> None:
    (tmp_path / "marks.csv").write_text(format_marks(MARKS.values()), encoding="utf-8")
    assert [(fix.path, fix.action) for fix in read_fixes(tmp_path / "marks.csv")] == [
        ("train/2/1.png", "drop"),
        ("train/2/2.png", "relabel"),
        ("train/2/3.png", "keep"),
        ("train/2/4.png", "keep"),
        ("val/2/1.png", "relabel"),
    ]
    rows = list(csv.DictReader(io.StringIO(format_marks(MARKS.values()))))
    assert rows[1]["run"] == "first"
    assert rows[1]["confidence"] == "0.9100"
    assert rows[2]["mark"] == "unsure"
    assert rows[2]["tags"] == "blurred far"


def test_no_cell_is_a_formula() -> None:
    text = format_marks([Mark("=cmd.png", "+a", "relabel", "@b", tags=("-x",))])
    cells = next(iter(list(csv.reader(io.StringIO(text)))[1:]))
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "@", "-")]
