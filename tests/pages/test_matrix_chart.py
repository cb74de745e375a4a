"""Matrix figures: what a cell says and how it is coloured, what is left out, and the marks put on top."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from dashboard.charts import matrix_chart, matrix_colours
from dashboard.charts.matrix_colours import Look
from dashboard.charts.matrix_marks import mark_class, outline_cells, window_around
from tests.pages.test_charts import contrast, theme

THREE = ["2", "10", "35"]
COUNTS = [[8, 2, 0], [1, 3, 0], [0, 4, 6]]


def matrix(counts: Any, names: list[str] | None = None, **look: Any) -> go.Figure:
    array = np.asarray(counts)
    return matrix_chart.confusion_matrix(array, names or [str(n) for n in range(len(array))], Look(**look))


def difference(before: Any, now: Any, came: Any, left: Any, **look: Any) -> go.Figure:
    tables = (np.asarray(table) for table in (before, now, came, left))
    return matrix_chart.difference_matrix(*tables, THREE[: len(now)], Look(**look))


def trace(figure: go.Figure) -> go.Heatmap:
    (found,) = figure.data
    return found


BEFORE, NOW = [[8, 2, 0], [1, 3, 0], [0, 4, 6]], [[9, 1, 0], [1, 3, 0], [0, 0, 10]]
CAME, LEFT = [[1, 0, 0], [1, 1, 0], [0, 0, 4]], [[0, 1, 0], [1, 1, 0], [0, 4, 0]]


@pytest.mark.parametrize(
    ("figure", "title"),
    [
        (matrix(COUNTS, THREE), "Confusion matrix"),
        (difference(BEFORE, NOW, CAME, LEFT), "Difference of the confusion matrices"),
    ],
    ids=["matrix", "difference"],
)
def test_a_figure_has_title_axes_hover_text_and_no_colour_of_the_page(figure: go.Figure, title: str) -> None:
    layout = figure.layout
    named = (layout.title.text, layout.xaxis.title.text, layout.yaxis.title.text)
    assert named == (title, "predicted class", "true class")
    assert trace(figure).hovertemplate.endswith("<extra></extra>")
    found = (layout.paper_bgcolor, layout.plot_bgcolor, layout.font.color, layout.xaxis.gridcolor)
    assert found == (None, None, None, None)


@pytest.mark.parametrize(
    "scale",
    [matrix_colours.ERROR_SCALE[-1:], (matrix_colours.CHANGE_SCALE[0], matrix_colours.CHANGE_SCALE[-1])],
)
def test_the_strongest_colours_stand_out_from_the_background(scale: tuple[tuple[float, str], ...]) -> None:
    for _, text in scale:
        red, green, blue = map(int, re.findall(r"\d+", text)[:3])
        colour = f"#{red:02X}{green:02X}{blue:02X}"
        assert all(contrast(colour, theme(s)["backgroundColor"]) >= 3 for s in ("theme.light", "theme.dark"))


def test_a_cell_says_its_images_and_their_share_of_row_and_column() -> None:
    cells = trace(matrix(COUNTS, THREE))
    assert cells.text[0][1] == "2"
    assert list(cells.customdata[0][1]) == [2, 10, 20, 9, 22]
    assert list(cells.customdata[1][0]) == [1, 4, 25, 9, 11]


def test_rows_are_true_and_columns_predicted_in_the_order_given() -> None:
    figure = matrix(COUNTS, THREE)
    assert list(figure.data[0].x) == list(figure.data[0].y) == THREE
    assert list(figure.layout.xaxis.categoryarray) == THREE
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "category"
    assert list(figure.layout.yaxis.range) == [2.5, -0.5]  # the first row is at the top


def test_errors_and_right_answers_have_a_half_of_the_scale_each() -> None:
    z = trace(matrix(COUNTS, THREE)).z
    np.testing.assert_allclose(np.diagonal(z), [-1, -3 / 8, -6 / 8])
    np.testing.assert_allclose([z[0, 1], z[1, 0], z[2, 1]], [2 / 4, 1 / 4, 1])
    assert np.isnan(z[0, 2])
    assert trace(matrix(COUNTS)).text[0][2] == ""


def test_without_the_diagonal_only_errors_are_drawn_on_a_scale_of_their_own() -> None:
    cells = trace(matrix(COUNTS, THREE, diagonal=False))
    assert np.isnan(np.diagonal(cells.z)).all()
    assert list(cells.text[0]) == ["", "2", ""]
    assert (cells.zmin, cells.zmax) == (0, 1)


@pytest.mark.parametrize(
    ("values", "expected"), [("row", [0.2, 0.25, 0.4]), ("column", [2 / 9, 1 / 9, 4 / 9])]
)
def test_colours_by_share_of_row_or_column(values: str, expected: list[float]) -> None:
    cells = trace(matrix(COUNTS, THREE, values=values))
    places = [cells.z[0, 1], cells.z[1, 0], cells.z[2, 1]]
    np.testing.assert_allclose(places, np.array(expected) / max(expected), rtol=1e-6)
    assert cells.text[2][1] == "4"  # the number stays one of images
    assert f"share of {values}" in cells.colorbar.title.text


def test_logarithmic_colours_keep_the_order_and_show_the_smallest() -> None:
    cells = trace(matrix([[90, 1, 10], [0, 50, 100], [0, 0, 9]], THREE, log=True))
    one, ten, hundred = cells.z[0, 1], cells.z[0, 2], cells.z[1, 2]
    assert 0 < one < 0.1
    assert ten - one == pytest.approx(hundred - ten, abs=1e-6)
    assert hundred == 1
    assert {"1", "10", "100"} <= set(cells.colorbar.ticktext)


def test_errors_of_fewer_images_than_asked_for_are_left_out() -> None:
    cells = trace(matrix(COUNTS, THREE, least=2))
    assert list(cells.text[1]) == ["", "3", ""]
    assert cells.text[0][1] == "2"


def test_the_ticks_of_the_colours_are_round_numbers_in_their_places() -> None:
    bar = trace(matrix([[80, 20], [9, 0]])).colorbar
    assert list(bar.ticktext) == ["✓ 50", "0", "10", "20"]
    assert list(bar.tickvals) == pytest.approx([-50 / 80, 0, 0.5, 1])


@pytest.mark.parametrize("look", [{}, {"log": True}, {"values": "row"}, {"values": "column", "log": True}])
@pytest.mark.parametrize(
    "counts",
    [[[1, 1], [0, 0]], np.eye(3, dtype=int), np.zeros((2, 2), dtype=int)],
    ids=["row", "right", "none"],
)
def test_classes_without_images_or_errors_divide_nothing_by_zero(counts: Any, look: dict[str, Any]) -> None:
    with np.errstate(all="raise"):
        cells = trace(matrix(counts, **look))
    assert np.array_equal(np.isnan(cells.z), np.asarray(counts) == 0)
    assert np.nanmax(np.abs(cells.z), initial=0) <= 1


def test_a_lone_error_is_not_drawn_as_the_strongest() -> None:
    assert trace(matrix([[5, 1], [0, 5]])).z[0, 1] == pytest.approx(1 / 3)


def test_a_difference_shows_more_and_fewer_and_what_only_changed_places() -> None:
    cells = trace(difference(BEFORE, NOW, CAME, LEFT))
    assert list(cells.text) == [["+1", "−1", ""], ["±0", "±0", ""], ["", "−4", "+4"]]
    np.testing.assert_allclose(
        [cells.z[0, 1], cells.z[1, 0], cells.z[2, 1], cells.z[2, 2]], [-1 / 4, 0, -1, 1]
    )
    assert list(cells.customdata[2][1]) == [0, 4, 0, 4]
    assert list(cells.customdata[1][0]) == [1, 1, 1, 1]
    assert list(cells.colorbar.ticktext) == ["−4", "−2", "0", "+2", "+4"]


def test_a_difference_of_shares_is_one_of_rows_or_columns() -> None:
    cells = trace(difference(BEFORE, NOW, CAME, LEFT, values="row"))
    assert cells.z[0, 1] == pytest.approx(-0.1 / 0.4)
    assert cells.z[2, 1] == -1


def test_of_a_difference_errors_can_be_looked_at_alone() -> None:
    cells = trace(difference(BEFORE, NOW, CAME, LEFT, diagonal=False, least=4))
    assert np.argwhere(~np.isnan(cells.z)).tolist() == [[2, 1]]


def test_without_a_difference_nothing_is_drawn() -> None:
    none = np.zeros((3, 3), dtype=int)
    assert np.isnan(trace(difference(NOW, NOW, none, none)).z).all()


def test_html_in_names_of_classes_is_escaped() -> None:
    figure = matrix(COUNTS, ["<b>rose</b>", "R&D", "plain"])
    assert list(figure.data[0].x) == ["&lt;b&gt;rose&lt;/b&gt;", "R&amp;D", "plain"]
    assert list(figure.layout.yaxis.categoryarray) == list(figure.data[0].y) == list(figure.data[0].x)


@pytest.mark.parametrize(("classes", "with_text"), [(25, True), (26, False)])
def test_numbers_stand_in_the_cells_as_long_as_they_fit(classes: int, with_text: bool) -> None:
    cells = trace(matrix(np.ones((classes, classes), dtype=int)))
    assert (cells.text is not None) is with_text
    assert (cells.texttemplate is not None) is with_text


def test_long_names_leave_the_cells_their_room_and_each_of_a_few_rows_is_named() -> None:
    names = [f"{number}{'x' * 200}" for number in range(8)]
    layout = matrix(np.eye(8, dtype=int), names).layout
    assert {len(short) for short in layout.yaxis.labelalias.values()} == {20}
    assert layout.height > matrix(np.eye(8, dtype=int)).layout.height
    assert (layout.xaxis.dtick, layout.yaxis.dtick) == (1, 1)


@pytest.mark.parametrize(("classes", "least"), [(2, 280), (10, 460), (25, 800), (100, 800), (1000, 800)])
def test_the_matrix_grows_with_its_classes_until_it_fills_a_window(classes: int, least: int) -> None:
    figure = matrix(np.eye(classes, dtype=int))
    assert least <= figure.layout.height <= 850
    assert list(figure.layout.xaxis.range) == [-0.5, classes - 0.5]


@pytest.mark.parametrize(
    ("names", "angle"),
    [
        (THREE, 0),
        ([f"{n} · a long flower's name" for n in range(10)], -90),
        ([str(n) for n in range(100)], -90),
    ],
)
def test_labels_are_turned_where_they_would_overlap(names: list[str], angle: int) -> None:
    assert matrix(np.eye(len(names), dtype=int), names).layout.xaxis.tickangle == angle


def test_zoom_belongs_to_the_order_of_the_classes_and_survives_other_colours() -> None:
    assert matrix(COUNTS, THREE).layout.uirevision == matrix(COUNTS, THREE, log=True).layout.uirevision
    assert matrix(COUNTS, THREE).layout.uirevision != matrix(COUNTS, THREE[::-1]).layout.uirevision


def test_recall_by_epoch_says_how_many_and_how_sure() -> None:
    figure = matrix_chart.recall_by_epoch(np.array([[1, 0], [2, 1]]), np.array([2, 3]), ["R&D", "10"], [1, 3])
    cells = trace(figure)
    assert (list(cells.x), list(cells.y)) == (["1", "3"], ["R&amp;D", "10"])
    np.testing.assert_allclose(cells.z, [[0.5, 1], [0, 1 / 3]])
    assert list(cells.customdata[1][0]) == [0, 3, 0, 56]
    layout = figure.layout
    named = (layout.title.text, layout.xaxis.title.text, layout.yaxis.title.text)
    assert named == ("Recall of classes by epoch", "epoch", "class")
    assert list(layout.yaxis.range) == [1.5, -0.5]


# Marks


def test_a_selected_cell_is_outlined() -> None:
    (shape,) = outline_cells([2], [1])
    assert (round(shape["x0"] + shape["x1"]) / 2, round(shape["y0"] + shape["y1"]) / 2) == (1, 2)
    # "2" is a category, so a bare 2 would mean that class and not the third row
    assert not {str(shape[end]) for end in ("x0", "x1", "y0", "y1")} & set(THREE)


def test_a_block_is_outlined_in_the_pieces_that_hang_together() -> None:
    shapes = outline_cells([4, 5, 9], [0, 1, 2])
    spans = [(round(s["y0"] + 0.5), round(s["y1"] - 0.5), round(s["x1"] - s["x0"])) for s in shapes]
    assert spans == [(4, 5, 3), (9, 9, 3)]


def test_a_block_in_too_many_pieces_gets_no_outline() -> None:
    assert outline_cells(range(0, 40, 2), range(0, 40, 2)) == []


def test_a_class_is_marked_by_its_row_and_its_column() -> None:
    row, column = mark_class(1, 3)
    assert (round(row["x1"] - row["x0"]), round(row["y1"] - row["y0"])) == (3, 1)
    assert (round(column["x1"] - column["x0"]), round(column["y1"] - column["y0"])) == (1, 3)


@pytest.mark.parametrize(("index", "window"), [(0, (-0.5, 24.5)), (50, (37.5, 62.5)), (99, (74.5, 99.5))])
def test_the_window_around_a_class_stays_inside_the_matrix(index: int, window: tuple[float, float]) -> None:
    assert window_around(index, index, 100) == window


def test_the_window_holds_a_whole_block() -> None:
    assert window_around(40, 69, 100) == (37.5, 71.5)


def test_few_classes_need_no_window() -> None:
    assert window_around(3, 3, 25) is None
