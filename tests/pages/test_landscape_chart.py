"""The figure of a map: a group a colour, the weakest on top, what is not chosen faint and silent."""

from __future__ import annotations

import numpy as np

from core.palette import BAD, CLASSES, GOOD
from dashboard.charts.landscape_chart import Group, describe_point, draw_confidence, draw_landscape

PLACES = np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0], [0.2, 0.8]])
WORDS = ["a", "b", "c", "d"]


def test_each_group_has_its_points_with_their_rows_and_words() -> None:
    groups = [Group("right", np.array([0, 2]), GOOD), Group("wrong <b>", np.array([1]), BAD)]
    figure = draw_landscape(PLACES, WORDS, groups, np.array([3]))
    rest, right, wrong = figure.data
    assert {trace.type for trace in figure.data} == {"scattergl"}
    assert (rest.hoverinfo, rest.showlegend, list(rest.x)) == ("skip", False, [np.float32(0.2)])
    assert (list(right.customdata), list(right.text), list(right.y)) == ([0, 2], ["a", "c"], [0, 1])
    assert (wrong.name, wrong.marker.color) == ("wrong &lt;b&gt;", BAD)
    assert figure.layout.dragmode == "lasso"


def test_both_axes_are_of_one_scale_whatever_the_width() -> None:
    axes = draw_landscape(PLACES, WORDS, [Group("all", np.arange(4), GOOD)], np.array([], int)).layout
    assert (axes.yaxis.scaleanchor, axes.xaxis.constrain, axes.yaxis.constrain) == ("x", "domain", "domain")
    assert axes.xaxis.range == axes.yaxis.range


def test_no_class_is_nearly_grey() -> None:
    for colour in CLASSES:
        channels = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
        assert max(channels) - min(channels) > 100, colour


def test_confidence_is_a_scale_from_0_to_1() -> None:
    figure = draw_confidence(
        PLACES, WORDS, np.array([0.1, 0.5, 0.9, 0.3]), np.array([2, 3]), np.array([0, 1])
    )
    points = figure.data[1]
    assert list(points.marker.color) == [np.float32(0.9), np.float32(0.3)]
    assert (points.marker.cmin, points.marker.cmax) == (0, 1)


def test_of_many_points_each_is_small() -> None:
    sizes = [
        draw_landscape(
            np.zeros((count, 2)), [""] * count, [Group("all", np.arange(count), GOOD)], np.array([], int)
        )
        .data[0]
        .marker.size
        for count in (10, 3000, 10_000, 50_000)
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[-1]


def test_names_from_outside_are_escaped_on_hover() -> None:
    assert describe_point(("<i>.png", "a → b")) == "&lt;i&gt;.png<br>a → b"
