"""Differences: images are matched by name whatever their order, moves are counted by cell, other images refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.errors import RunError
from core.verdicts.differences import count_moves, match_images


def table(paths: list[str], true: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"path": paths, "true": true})


def test_images_are_matched_whatever_their_order() -> None:
    rows = match_images(table(["a", "b", "c"], ["2", "2", "35"]), table(["c", "a", "b"], ["35", "2", "2"]))
    assert rows.tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (table(["a", "x"], ["2", "2"]), r"different images \(2 and 2, with 1 in common\)"),
        (table(["a", "b", "c"], ["2", "2", "2"]), r"different images \(2 and 3, with 2 in common\)"),
        (table(["a"], ["2"]), r"different images \(2 and 1, with 1 in common\)"),
        (table(["a", "b"], ["2", "35"]), "true class of 1 image, first b"),
    ],
    ids=["others", "more", "fewer", "other classes"],
)
def test_other_images_are_refused_with_the_reason(other: pd.DataFrame, why: str) -> None:
    with pytest.raises(RunError, match=why):
        match_images(table(["a", "b"], ["2", "2"]), other)


def test_an_image_comes_into_one_cell_and_leaves_another_of_its_row() -> None:
    came, left = count_moves(np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([1, 1, 0]), 2)
    assert came.tolist() == [[0, 1], [1, 0]]
    assert left.tolist() == [[1, 0], [0, 1]]


def test_an_image_comes_into_a_matrix_of_some_classes_from_outside_of_it() -> None:
    came, left = count_moves(np.array([0, 0, -1]), np.array([-1, 1, 0]), np.array([1, -1, 1]), 2)
    assert came.tolist() == [[0, 1], [0, 0]]
    assert left.tolist() == [[0, 1], [0, 0]]
