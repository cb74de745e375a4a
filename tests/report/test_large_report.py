"""A report on very many classes: the weakest are told, all are in its tables, and the page stays small."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pytest

from core.dataset.export import format_table
from core.report.matrix import MOST, choose_matrix
from core.report.page import write_report
from core.verdicts.predictions import read_predictions
from tests.large_run import make_large_run, name_classes

pytestmark = pytest.mark.slow(20)


def check(folder: Path, classes: int) -> pd.DataFrame:
    """Look at what a report on so many classes holds and return the table of its cells."""
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert len(page) < 10_000_000
    assert f"The 200 weakest of {classes:,} classes" in page
    assert f"All {classes:,} classes are in tables/classes.csv" in page
    assert f"The figure shows the 1,000 of {classes:,} classes with most errors." in page
    tables = {path.stem for path in (folder / "tables").iterdir()}
    assert {"classes", "confused-pairs", "confusion-cells", "predictions"} <= tables
    assert "confusion-matrix" not in tables
    assert len(pd.read_csv(folder / "tables" / "classes.csv")) == classes
    cells: pd.DataFrame = pd.read_csv(folder / "tables" / "confusion-cells.csv")
    return cells


def test_of_very_many_classes_the_weakest_are_told_and_all_are_in_the_tables(tmp_path: Path) -> None:
    run = make_large_run(tmp_path / "runs", tmp_path / "pictures", 1_200)
    assert write_report([run], tmp_path / "out") is not None
    cells = check(tmp_path / "out", 1_200)
    assert len(cells) == 2 * 1_200  # each class right once, and once taken for another
    assert cells["images"].sum() == 2 * 1_200


def test_the_matrix_of_few_classes_is_whole(tmp_path: Path) -> None:
    run = make_large_run(tmp_path / "runs", tmp_path / "pictures", 30)
    matrix = choose_matrix(read_predictions(run.predictions_path()), name_classes(30))
    assert matrix.is_whole
    assert (matrix.name, matrix.describe()) == ("confusion-matrix", "")
    assert matrix.counts.sum() == matrix.support.sum() == 60
    assert MOST == 1_000


def test_a_text_like_a_formula_is_defused_among_many_that_are_none() -> None:
    table = pd.DataFrame({"path": [*map(str, range(50)), "=1+1"], "images": range(51), "ok": [True] * 51})
    lines = format_table(table).splitlines()
    assert lines[-1] == "'=1+1,50,True"
    assert lines[1] == "0,0,True"


@pytest.mark.scale
def test_a_report_on_ten_thousand_classes_and_a_million_images_takes_less_than_a_minute(
    tmp_path: Path,
) -> None:
    run = make_large_run(tmp_path / "runs", tmp_path / "pictures", 10_000, images=100)
    start = time.perf_counter()
    assert write_report([run], tmp_path / "out") is not None
    assert time.perf_counter() - start < 120  # one minute on a machine that does nothing else
    check(tmp_path / "out", 10_000)
