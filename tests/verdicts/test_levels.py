"""Levels of a matrix: every image stands in one cell of each level, and opening a cell shows what it counted."""

from __future__ import annotations

import numpy as np
import pytest

from core.verdicts.levels import MOST_SIDE, find_steps, open_level


@pytest.mark.parametrize("classes", [1, 99, 100, 101, 1_001, 2_000, 9_999, 10_000, 10_001, 123_456])
def test_no_level_has_more_rows_than_can_be_seen_and_the_last_shows_single_classes(classes: int) -> None:
    path: tuple[tuple[int, int], ...] = ()
    while not (level := open_level(classes, path)).is_single:
        assert max(level.shape) <= MOST_SIDE
        path = (*path, (len(level.rows) - 1, 0))
    assert max(level.shape) <= MOST_SIDE
    assert level.rows.stop == classes
    with pytest.raises(ValueError, match="single ones are shown after"):
        open_level(classes, (*path, (0, 0)))


def test_ten_thousand_classes_are_a_hundred_groups_of_a_hundred() -> None:
    whole = open_level(10_000)
    assert (whole.shape, whole.size) == ((100, 100), 100)
    opened = open_level(10_000, ((3, 99),))
    assert (opened.rows, opened.columns) == (range(300, 400), range(9_900, 10_000))


def test_a_group_that_is_not_there_cannot_be_opened() -> None:
    with pytest.raises(ValueError, match="no group 100 among 100"):
        open_level(10_000, ((0, 100),))


@pytest.mark.parametrize("classes", [37, 2_000])
def test_each_cell_between_groups_counts_the_errors_that_opening_it_shows(classes: int) -> None:
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, classes, (2, 5_000))
    predicted[:2_000] = true[:2_000]
    level = open_level(classes)
    counts = level.count_cells(level.find_cells(true, predicted))
    if level.is_single:
        dense = np.zeros((classes, classes), dtype=int)
        np.add.at(dense, (true, predicted), 1)
        assert (counts == dense).all()
        return
    assert counts.sum() == (true != predicted).sum()
    for row, column in ((0, 0), (3, 7), (len(level.rows) - 1, len(level.columns) - 1)):
        opened = open_level(classes, ((row, column),))
        inside = opened.count_cells(opened.find_cells(true, predicted))
        same = np.equal.outer(np.asarray(opened.rows), np.asarray(opened.columns))
        assert counts[row, column] == inside[~same].sum()
        at_row = (true >= opened.rows.start) & (true < opened.rows.stop)
        assert opened.count_rows(true).sum() == at_row.sum() == level.count_rows(true)[row]


def test_a_class_is_found_in_the_part_of_its_neighbours() -> None:
    assert find_steps(10_000, [250]) == ((2, 2),)
    assert find_steps(10_000, [250, 299]) == ((2, 2),)
    assert find_steps(10_000, [250, 300]) == ()
    assert find_steps(50, [3]) == ()
