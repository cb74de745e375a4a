"""The chart component: what travels to the browser, and what a click brings back."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from plotly.io.json import to_json_plotly

from dashboard.charts.matrix_chart import confusion_matrix
from dashboard.charts.matrix_colours import Look
from dashboard.components import plot


def matrix(counts: np.ndarray, names: list[str], **look: Any) -> go.Figure:
    return confusion_matrix(counts, names, Look(**look))


def unpack(packed: dict[str, str]) -> list[float]:
    values = np.frombuffer(base64.b64decode(packed["bdata"]), dtype=f"<{packed['dtype']}")
    return list(values.tolist())


def test_a_heat_map_travels_as_its_filled_cells() -> None:
    figure = matrix(np.array([[5, 2, 0], [0, 5, 0], [0, 1, 5]]), ["a", "b", "c"], diagonal=False)
    packed = plot.pack_heatmap(figure.data[0])
    cells = packed["cells"]
    assert [unpack(cells[name]) for name in ("row", "column")] == [[0, 2], [1, 1]]
    assert unpack(cells["z"]) == pytest.approx([2 / 3, 1 / 3])
    assert [unpack(values) for values in cells["customdata"]] == [[2, 1], [7, 6], [29, 17], [8, 8], [25, 12]]
    assert not {"z", "customdata"} & set(packed)
    assert list(packed["x"]) == ["a", "b", "c"]


def test_a_heat_map_without_a_filled_cell_travels_too() -> None:
    cells = plot.pack_heatmap(matrix(np.eye(2, dtype=int), ["a", "b"], diagonal=False).data[0])["cells"]
    assert [unpack(cells[name]) for name in ("row", "column", "z")] == [[], [], []]
    assert cells["row"]["dtype"] == "u1"  # i8 is a kind that the browser does not unpack


@pytest.mark.parametrize(
    ("values", "kind"),
    [([0, 255], "u1"), ([0, 256], "u2"), ([-1, 200], "i2"), ([70_000], "u4"), ([0.5], "f8")],
)
def test_numbers_travel_in_as_few_bytes_as_hold_them(values: list[float], kind: str) -> None:
    packed = plot.pack_array(np.array(values))
    assert packed["dtype"] == kind
    assert unpack(packed) == values


def test_a_thousand_classes_are_small() -> None:
    counts = np.eye(1000, dtype=int)
    counts[np.arange(1000), np.arange(1000)[::-1]] += 1
    packed = plot.pack(matrix(counts, [str(n) for n in range(1000)]))
    assert len(packed.json) < 100_000
    assert packed.height == 850


def test_a_figure_travels_without_its_template_and_with_its_layout() -> None:
    figure = go.Figure(go.Scatter(x=np.arange(3), y=np.arange(3)), {"template": "plotly", "height": 300})
    packed = json.loads(to_json_plotly(plot.pack_figure(figure)))
    assert packed["layout"] == {"height": 300}
    assert [trace["type"] for trace in packed["data"]] == ["scatter"]
    assert set(packed["data"][0]["x"]) == {"dtype", "bdata"}


def test_a_figure_that_was_packed_is_unchanged() -> None:
    figure = matrix(np.array([[1, 1], [0, 1]]), ["a", "b"])
    before = figure.to_json()
    plot.pack_figure(figure)
    assert figure.to_json() == before


@pytest.mark.parametrize("name", ["<b>rose</b>", "R&D", "R&amp;D", 'a "quoted" one', "plain"])
def test_a_click_gives_back_the_name_as_it_was_before_it_was_escaped(name: str) -> None:
    escaped = matrix(np.array([[1, 1], [0, 1]]), [name, "other"]).data[0].x[0]
    assert plot.unescape(escaped) == name


def test_a_click_on_an_axis_of_numbers_gives_numbers() -> None:
    assert plot.unescape(2.5) == 2.5
