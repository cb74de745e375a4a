"""The command `slices` as its user meets it: the verdict, each weak kind with its test, and refusals in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.__main__ import main
from core.runs.run import FOLD, Run
from core.slices.report import report_path
from tests.made_run import make_run
from tests.slices.planted import plant_dark


@pytest.fixture
def run(runs_root: Path, tiny_data: Path) -> Run:
    """Return a run judged on 80 images, half of them dark, of which most are wrong."""
    run = make_run(runs_root, tiny_data)
    plant_dark(run, tiny_data)
    return run


def test_it_prints_the_verdict_and_what_is_weak(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["slices", "first"]) == 0
    first, found, tested, *_, last = capsys.readouterr().out.splitlines()
    assert " out as weak: " in first
    assert found.startswith("  The darkest images (brightness up to ")
    assert "corrected for" in tested
    assert last == str(report_path(run.folder, "val"))


def test_it_takes_the_images_that_tell_most_and_the_columns_it_is_given(
    run: Run, tiny_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant_dark(run, tiny_data, split=FOLD, wrong=1)
    columns = tiny_data / "mine.csv"
    columns.write_text("path,shop\nshop/2/0.png,ICA\n", encoding="utf-8")
    assert main(["slices", "latest", "--columns", str(columns)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("No kind of image stands out: ")
    assert "1 of 80 images has a row in your own columns: shop." in said
    assert said.endswith(f"{report_path(run.folder, FOLD)}\n")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--split", "held"], "It held no images back"),
        (["--columns", "no such file.csv"], "no such file.csv cannot be read (No such file or directory)"),
    ],
)
def test_what_is_missing_is_told_in_one_line(
    run: Run, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    assert main(["slices", "first", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert told in line
