"""A map of images: a point an image, coloured by what is asked of them."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from core.palette import MUTED
from dashboard.charts.curve_charts import new_figure

HEIGHT = 640
_EDGE = 0.03  # of the map's side: room for the points at its rim
# From unsure to sure; both ends stand off the white and the dark background.
CONFIDENCE_SCALE = ((0.0, "#D6453A"), (0.5, "#D97706"), (0.8, "#6F9FD8"), (1.0, "#2F7FD1"))
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """Points of one colour: its name in the legend, and the rows of its images."""

    name: str
    rows: Rows
    colour: str
    symbol: str = "circle"
    opacity: float = 0.85


def draw_landscape(
    places: npt.NDArray[np.floating], words: Sequence[str], groups: Sequence[Group], rest: Rows
) -> go.Figure:
    """Draw places (N, 2) from 0 to 1, the later groups over the earlier, and faintly below them the `rest`.

    `words` (N,) say on hover what each image is, a line each; a click gives its row.
    """
    figure = _begin(places, rest)
    for group in groups:
        _add(
            figure, places, words, group.rows, name=group.name,
            marker={"color": group.colour, "symbol": group.symbol, "opacity": group.opacity},
        )  # fmt: skip
    # What was hidden by the legend belongs to these groups; the zoom stays for others too.
    shown = " ".join(group.name for group in groups)
    figure.update_layout(
        showlegend=True, legend={"itemsizing": "constant", "traceorder": "reversed", "uirevision": shown}
    )
    return figure


def draw_confidence(
    places: npt.NDArray[np.floating],
    words: Sequence[str],
    confidence: npt.NDArray[np.floating],
    rows: Rows,
    rest: Rows,
) -> go.Figure:
    """Draw the same coloured by the confidence (N,) of each answer, 0..1."""
    figure = _begin(places, rest)
    bar = {
        "title": {"text": "confidence of the answer (%)", "side": "top"}, "orientation": "h", "thickness": 10, "y": 0,
        "yanchor": "top", "tickvals": [0, 0.25, 0.5, 0.75, 1], "ticktext": ["0", "25", "50", "75", "100"],
    }  # fmt: skip
    marker = {
        "color": confidence[rows].astype(np.float32), "cmin": 0, "cmax": 1, "colorscale": CONFIDENCE_SCALE,
        "opacity": 0.85, "colorbar": bar,
    }  # fmt: skip
    _add(figure, places, words, rows, name="images", marker=marker)
    return figure.update_layout(showlegend=False)


def describe_point(lines: Sequence[str]) -> str:
    """Return what a point says on hover, a line each of texts from outside."""
    return "<br>".join(html.escape(line, quote=False) for line in lines)


def _begin(places: npt.NDArray[np.floating], rest: Rows) -> go.Figure:
    figure = new_figure("Map of images", height=HEIGHT, revision="map")
    axis = {
        "range": [-_EDGE, 1 + _EDGE], "showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "",
        "showline": True, "mirror": True, "constrain": "domain",
    }  # fmt: skip
    figure.update_xaxes(axis)
    figure.update_yaxes(axis | {"scaleanchor": "x"})  # a square at every width: both axes are of one scale
    figure.update_layout(hovermode="closest", dragmode="lasso")
    if len(rest):
        at = places[rest].astype(np.float32)
        figure.add_scattergl(
            x=at[:, 0], y=at[:, 1], mode="markers", name="not chosen", hoverinfo="skip", showlegend=False,
            marker={"color": MUTED, "size": _size(len(places)), "opacity": 0.12},
        )  # fmt: skip
    return figure


def _add(
    figure: go.Figure, places: npt.NDArray[np.floating], words: Sequence[str], rows: Rows, *, name: str, marker: dict[str, object]
) -> None:  # fmt: skip
    at = places[rows].astype(np.float32)
    figure.add_scattergl(
        x=at[:, 0], y=at[:, 1], mode="markers", name=html.escape(name, quote=False), customdata=rows.astype(np.int32),
        text=[words[row] for row in rows.tolist()], hovertemplate="%{text}<extra></extra>",
        marker={"size": _size(len(places)), **marker},
    )  # fmt: skip


def _size(count: int) -> int:
    """Return how large a point is in pixels, by how many there are."""
    return 8 if count <= 1000 else 6 if count <= 5000 else 5 if count <= 20_000 else 4
