"""A level of a matrix as a figure: what a cell is coloured by, what it says, and how little travels to the browser."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import pytest

from core.verdicts.levels import open_level
from dashboard.charts.level_chart import Cells, Side, level_difference, level_matrix
from dashboard.charts.matrix_colours import Look
from dashboard.charts.matrix_marks import mark_groups
from dashboard.components.plot import pack
from tests.large_run import make_answers, name_classes

ROWS = Side([("ant", "bee"), ("cat", "cow", "crab", "crow", "cuckoo")])
COLUMNS = Side([("ant", "bee"), ("cat", "cow", "crab", "crow", "cuckoo"), ("dog",)])
CELLS = Cells(np.array([[4, 0, 1], [2, 9, 0]]), np.array([20, 40]), np.array([10, 30, 5]))
NONE = np.zeros((2, 3), dtype=bool)


def heatmap(figure: go.Figure) -> go.Heatmap:
    (trace,) = figure.data
    return trace


def test_a_group_is_called_by_its_first_class_and_its_hover_text_names_several() -> None:
    figure = level_matrix(CELLS, NONE, ROWS, COLUMNS, Look())
    assert list(heatmap(figure).y) == ["ant, bee", "cat, cow, crab … cuckoo (5 classes)"]
    assert figure.layout.yaxis.labelalias == {
        "ant, bee": "ant …",
        "cat, cow, crab … cuckoo (5 classes)": "cat …",
    }
    assert figure.layout.xaxis.labelalias["dog"] == "dog"
    assert figure.layout.title.text == "Confusion matrix"


def test_only_cells_with_errors_are_filled_and_say_how_many() -> None:
    trace = heatmap(level_matrix(CELLS, NONE, ROWS, COLUMNS, Look()))
    assert (~np.isnan(trace.z)).tolist() == [[True, False, True], [True, True, False]]
    assert np.asarray(trace.customdata)[1, 1].tolist() == [9, 40, 22, 30, 30]
    assert np.nanmax(trace.z) == trace.z[1, 1]
    least = heatmap(level_matrix(CELLS, NONE, ROWS, COLUMNS, Look(least=4)))
    assert np.isnan(least.z).sum() == 4


@pytest.mark.parametrize(("values", "darkest"), [("row", (1, 1)), ("column", (0, 0))])
def test_shares_are_of_all_images_of_the_row_or_of_the_column(values: str, darkest: tuple[int, int]) -> None:
    trace = heatmap(level_matrix(CELLS, NONE, ROWS, COLUMNS, Look(values=values)))
    assert np.unravel_index(int(np.nanargmax(trace.z)), trace.z.shape) == darkest


def test_right_answers_of_single_classes_are_green_and_can_be_left_out() -> None:
    names = Side([("ant",), ("bee",)])
    cells = Cells(np.array([[9, 1], [0, 8]]), np.array([10, 8]), np.array([9, 9]))
    right = np.eye(2, dtype=bool)
    assert (heatmap(level_matrix(cells, right, names, names, Look())).z[right] < 0).all()
    errors = heatmap(level_matrix(cells, right, names, names, Look(diagonal=False)))
    assert np.isnan(errors.z[right]).all()
    assert errors.zmin == 0


def test_a_difference_is_of_the_cells_that_images_entered_or_left() -> None:
    before = Cells(np.array([[4, 1, 1], [2, 9, 0]]), CELLS.support, CELLS.named)
    came, left = np.array([[0, 0, 0], [0, 2, 0]]), np.array([[0, 1, 0], [0, 2, 0]])
    trace = heatmap(level_difference(before, CELLS, came, left, ROWS, COLUMNS, Look()))
    assert (~np.isnan(trace.z)).tolist() == [[False, True, False], [False, True, False]]
    assert trace.z[0, 1] < 0 == trace.z[1, 1]
    assert np.asarray(trace.customdata)[0, 1].tolist() == [0, 1, 0, 1]


def test_a_class_that_is_looked_for_has_a_band_over_its_row_and_its_column() -> None:
    row, column = mark_groups([1], [1], (2, 3))
    assert (row["y0"], row["x1"]) == pytest.approx((0.5, 2.5), abs=0.01)
    assert (column["x0"], column["y1"]) == pytest.approx((0.5, 1.5), abs=0.01)


@pytest.mark.parametrize("classes", [2_000, 10_000])
def test_little_travels_to_the_browser_however_many_classes_there_are(classes: int) -> None:
    true, predicted = make_answers(classes, 10)
    level, names = open_level(classes), name_classes(classes)
    counts = level.count_cells(level.find_cells(true, predicted))
    cells = Cells(counts, level.count_rows(true), level.count_columns(predicted))
    groups = [tuple(names[first : first + level.size]) for first in level.rows]
    packed = pack(level_matrix(cells, np.zeros_like(counts, dtype=bool), Side(groups), Side(groups), Look()))
    assert len(packed.json) < 200_000
