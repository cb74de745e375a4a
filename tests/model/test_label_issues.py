"""Label issues: what is found of wrong labels that were planted, which classes overlap, and the fix list."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.datasets import load_digits

from core.dataset.label_report import (
    HEAD,
    read_fixes,
    read_report,
    report_path,
    write_fixes,
)
from core.errors import RunError
from core.model.label_issues import compare_classes, find_issues_of, judge_labels, rank_issues
from core.training.head_fit import fit_outside
from tests.made_run import make_run

DIGITS = tuple("0123456789")


@pytest.fixture(scope="module")
def planted() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return of 1,797 digits: true labels, labels with 5 % wrong ones, out-of-sample probabilities by the latter."""
    values, true = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    wrong = rng.choice(len(true), round(0.05 * len(true)), replace=False)
    given = true.astype(np.int64)
    given[wrong] = (given[wrong] + rng.integers(1, 10, len(wrong))) % 10
    found = fit_outside(
        values.astype(np.float32), given, np.arange(len(given)), 10, folds=5, progress=lambda *_: True
    )
    assert found is not None
    return true, given, np.exp(found)


def test_planted_wrong_labels_are_found(
    planted: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]],
) -> None:
    true, given, probabilities = planted
    paths = [str(number) for number in range(len(true))]
    issues = rank_issues(paths, given, probabilities, DIGITS)
    found = np.array([int(issue.path) for issue in issues])
    hits = (true != given)[found]
    precision, recall = hits.mean(), hits.sum() / (true != given).sum()
    print(f"\n90 of 1,797 labels wrong: {len(issues)} found, precision {precision:.1%}, recall {recall:.1%}")
    assert precision > 0.6  # by chance it would be 0.05
    assert recall > 0.8
    assert hits[:30].mean() > 0.9  # the first page of a list that is ranked
    right = [
        issue.suggested == str(true[int(issue.path)]) for issue, hit in zip(issues, hits, strict=True) if hit
    ]
    assert np.mean(right) > 0.9
    assert all(issue.given == str(given[int(issue.path)]) for issue in issues)
    assert [issue.score for issue in issues] == sorted(issue.score for issue in issues)


def blur(
    rows: list[tuple[int, int, int]], classes: int = 4
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return labels and probabilities of images: for each row its label, the class predicted and how many."""
    targets = np.concatenate([np.full(count, label) for label, _, count in rows])
    best = np.concatenate([np.full(count, guess) for _, guess, count in rows])
    probabilities = np.full((len(targets), 4), 0.05, dtype=np.float32)
    probabilities[np.arange(len(targets)), best] = 0.85
    return targets, probabilities


def test_classes_taken_for_each_other_overlap_and_others_are_weak() -> None:
    targets, probabilities = blur(
        [
            (0, 0, 30), (0, 1, 10), (1, 1, 28), (1, 0, 12),  # for each other
            (2, 2, 15), (2, 0, 8), (2, 1, 8), (2, 3, 9),  # for anything
            (3, 3, 40),
        ]
    )  # fmt: skip
    overlaps, weak = compare_classes(targets, probabilities, tuple("abcd"))
    assert [(pair.one, pair.other, pair.crossed, pair.count) for pair in overlaps] == [("a", "b", 22, 80)]
    assert 0.18 < overlaps[0].low < 22 / 80 < overlaps[0].high < 0.39
    assert [(found.name, found.right, found.count) for found in weak] == [("c", 15, 40)]


def test_a_class_that_loses_one_way_only_is_weak() -> None:
    targets, probabilities = blur([(0, 0, 15), (0, 1, 25), (1, 1, 40), (2, 2, 40), (3, 3, 40)])
    overlaps, weak = compare_classes(targets, probabilities, tuple("abcd"))
    assert overlaps == ()
    assert [found.name for found in weak] == ["a"]


@pytest.mark.parametrize("rows", [[(0, 0, 5), (1, 1, 5)], [(2, 2, 1)], [(0, 0, 1), (1, 1, 1), (3, 3, 1)]])
def test_nothing_is_found_where_every_answer_is_right_or_classes_are_missing(
    rows: list[tuple[int, int, int]],
) -> None:
    targets, probabilities = blur(rows)
    paths = [str(number) for number in range(len(targets))]
    report = judge_labels(paths, targets, probabilities, tuple("abcd"), split="val")
    assert (report.issues, report.overlaps, report.weak) == ((), (), ())


def test_the_fix_list_has_a_column_to_edit(tmp_path: Path) -> None:
    targets, probabilities = blur([(0, 0, 20), (1, 1, 20), (1, 0, 1)])
    paths = [f"val/{target}/{number},x.png" for number, target in enumerate(targets)]
    issues = rank_issues(paths, targets, probabilities, tuple("abcd"))
    write_fixes(tmp_path / "fixes.csv", issues)
    with (tmp_path / "fixes.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [list(HEAD), ["val/1/40,x.png", "b", "a", "0.050000", "keep"]]
    (tmp_path / "fixes.csv").write_text(
        "path,given,suggested,score,action\na,b,c,0.1,burn\n", encoding="utf-8"
    )
    with pytest.raises(RunError, match=r"line 2: action must be one of keep, relabel, drop"):
        read_fixes(tmp_path / "fixes.csv")


def test_a_run_is_asked_about_its_validation_images_and_keeps_the_report(
    runs_root: Path, tiny_data: Path, best_model: Path
) -> None:
    run = make_run(runs_root, tiny_data, precision="fp32", device="cpu", workers=0)
    with pytest.raises(RunError, match=r"best\.pt"):
        find_issues_of(run, "val")
    shutil.copy(best_model, run.best_path)
    assert find_issues_of(run, "val", progress=lambda *_: False) is None
    steps: list[tuple[int, int]] = []
    report = find_issues_of(run, "val", progress=lambda *step: not steps.append(step))
    assert report is not None
    assert (report.split, report.count, report.model) == ("val", 6, 2)
    assert steps[-1][0] == steps[-1][1]
    assert read_report(report_path(run.folder, "val")) == report


def test_a_damaged_report_names_the_fix(tmp_path: Path) -> None:
    path = tmp_path / "label-issues-val.json"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(RunError, match="Look for label issues again"):
        read_report(path)


@pytest.mark.parametrize(("accuracy", "most"), [(0.1, 0), (0.25, 0), (0.4, 20), (0.7, 20)])
def test_a_weak_model_accuses_no_labels_and_a_middling_one_few(accuracy: float, most: int) -> None:
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 10, 400)
    said = np.where(rng.random(400) < accuracy, targets, (targets + rng.integers(1, 10, 400)) % 10)
    probabilities = np.full((400, 10), 0.02, dtype=np.float32)
    probabilities[np.arange(400), said] = 0.82
    classes = [str(number) for number in range(10)]
    paths = [str(number) for number in range(400)]
    assert len(rank_issues(paths, targets, probabilities, classes)) > 20
    report = judge_labels(paths, targets, probabilities, classes, split="val")
    assert len(report.issues) <= most
    assert report.accuracy == pytest.approx((said == targets).mean())
    assert ("says nothing" if not most else "worth a look") in report.describe().replace(
        "say nothing", "says nothing"
    )
