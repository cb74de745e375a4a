"""Figures about a data set: titles, units, hover, escaped names, and sizes put together where they are many."""

from __future__ import annotations

from collections import Counter

from dashboard.charts.data_charts import MAX_SIZES, class_counts, count_sizes, image_sizes


def test_class_counts_stack_the_splits_with_units_and_hover() -> None:
    figure = class_counts({"train": {"2": 6, "<b>": 3}, "val": {"2": 2, "<b>": 0}})
    assert [(bar.name, list(bar.x), list(bar.y)) for bar in figure.data] == [
        ("training", ["2", "&lt;b&gt;"], [6, 3]),
        ("validation", ["2", "&lt;b&gt;"], [2, 0]),
    ]
    assert all("images" in bar.hovertemplate for bar in figure.data)
    assert figure.layout.title.text == "Images a class"
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("class", "images")
    assert figure.layout.xaxis.type == "category"


def test_long_names_below_the_bars_are_cut() -> None:
    figure = class_counts({"train": {"x" * 200: 6, "2": 3}, "val": {"x" * 200: 2, "2": 1}})
    assert figure.layout.xaxis.labelalias == {"x" * 200: "x" * 19 + "…"}
    assert figure.data[0].hovertext[0].replace("<br>", "") == "x" * 200


def test_images_held_back_are_a_part_of_their_own() -> None:
    figure = class_counts({"train": {"2": 6}, "val": {"2": 2}, "held": {"2": 1}})
    assert [(bar.name, list(bar.y)) for bar in figure.data][2:] == [("held back", [1])]


def test_image_sizes_are_dots_by_their_number() -> None:
    figure = image_sizes([(500, 375)] * 9 + [(375, 500)])
    (dots,) = figure.data
    assert list(zip(dots.x, dots.y, dots.customdata[:, 0], strict=True)) == [(500, 375, 9), (375, 500, 1)]
    assert dots.marker.size[0] > dots.marker.size[1]
    assert figure.layout.title.text == "Sizes of the images"
    assert figure.layout.xaxis.title.text == "width (px)"
    assert "px" in dots.hovertemplate


def test_no_image_and_too_many_sizes_are_drawn_too() -> None:
    assert len(image_sizes([]).data[0].x) == 0
    sizes = [(width, height) for width in range(100, 200) for height in range(100, 200)]
    found = count_sizes(sizes)
    assert len(found) <= MAX_SIZES
    assert found.total() == 10_000
    assert count_sizes(sizes[:100]) == Counter(sizes[:100])
