"""Show a Plotly figure in a page: zoom survives new data, and clicks on its marks reach Python."""

import base64
import hashlib
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st
from plotly.basedatatypes import BaseTraceType
from plotly.io.json import to_json_plotly
from streamlit.components.v2.types import ComponentRenderer

from dashboard.components import library
from dashboard.guard import guard_callback

DEFAULT_HEIGHT = 420
STYLE = """
.weakspot-plot { width: 100%; }
.weakspot-plot:focus-visible { outline: none; position: relative; }
.weakspot-plot:focus-visible::after { content: ""; position: absolute; inset: 0; pointer-events: none; border-radius: 8px;
  border: 2px solid var(--st-primary-color); }
.weakspot-cursor { position: absolute; pointer-events: none; outline: 3px solid var(--st-primary-color); outline-offset: 2px;
  border-radius: 1px; }
.weakspot-said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; margin: -1px 0 0; }
.weakspot-plot.over-mark .nsewdrag { cursor: pointer; }
.weakspot-plot.with-labels :is(.xtick, .ytick) text { pointer-events: all; cursor: pointer; }
.weakspot-plot.with-labels :is(.xtick, .ytick) text:hover { text-decoration: underline; }
"""


@dataclass(frozen=True)
class Click:
    """A click on a mark: its place on both axes, and the mark's `customdata` where the trace has some.

    On a category axis `x` or `y` is the category's text, as it was before it was escaped for the chart.
    """

    x: str | float
    y: str | float
    customdata: Any


@dataclass(frozen=True)
class LabelClick:
    """A click on the label of a category: its axis, and its place among the axis' categories, from 0."""

    axis: Literal["x", "y"]
    index: int


@dataclass(frozen=True)
class Box:
    """A box dragged over category axes: the first and the last place it touches on each, from 0."""

    x: tuple[int, int]
    y: tuple[int, int]


@dataclass(frozen=True)
class Area:
    """An area drawn around points, by its corners on both axes; no corners where it was taken away."""

    x: tuple[float, ...]
    y: tuple[float, ...]


@dataclass(frozen=True)
class View:
    """A stretch of both axes to zoom to, as `range` of Plotly's axes."""

    x: tuple[float, float]
    y: tuple[float, float]


@dataclass(frozen=True)
class PackedFigure:
    """A figure as it travels to the browser, to be kept where making it takes long; `height` in pixels."""

    json: str
    height: int

    @cached_property
    def digest(self) -> str:
        """What tells this figure from others."""
        return hashlib.blake2b(self.json.encode(), digest_size=12).hexdigest()


def plot(
    figure: go.Figure | PackedFigure,
    *,
    key: str,
    height: int | None = None,
    on_click: Callable[[Click], None] | None = None,
    on_label: Callable[[LabelClick], None] | None = None,
    on_box: Callable[[Box], None] | None = None,
    on_area: Callable[[Area], None] | None = None,
    on_zoom: Callable[[View | None], None] | None = None,
    shapes: Sequence[dict[str, Any]] = (),
    view: View | None = None,
    summary: str = "",
) -> None:
    """Show `figure` as wide as its container and `height` pixels high (by default the figure's own height).

    `key` is the chart's identity on the page: zoom and hidden curves stay while it and the figure's
    `layout.uirevision` stay. `on_click` is called before the rerun that a click on a cell, bar or point causes, as
    the callback of a widget is; in a fragment only the fragment reruns. Without it clicks do nothing. So do
    `on_label` for the labels of category axes, and `on_box` for a box dragged in the mode that the chart's tools
    offer then. Text on category axes has to be HTML-escaped, as `charts` does it.
    `on_area` is called for what is drawn around points, by the lasso or as a box, on axes of numbers.

    `shapes` are drawn over the figure's own; where only they change, as a selection does, the figure is not drawn
    anew. The chart zooms to `view` when it changes, and back to the whole when it becomes None; `on_zoom` gets what a
    user zoomed to, None for the whole. `summary` says in words what the chart shows; a heat map with `on_click` is also
    used by keys.
    """
    packed = figure if isinstance(figure, PackedFigure) else pack(figure)
    pixels = height or packed.height
    # What was done tells which figure the browser has: it is not sent again for what that changes over it or beside it.
    known = f"{key}-known"
    has = st.session_state.pop(known, "") == packed.digest
    data = {
        "figure": "" if has else packed.json,
        "digest": packed.digest,
        "key": key,
        "height": pixels,
        "clickable": on_click is not None,
        "labels": on_label is not None,
        "boxes": on_box is not None,
        "areas": on_area is not None,
        "zooms": on_zoom is not None,
        "shapes": list(shapes),
        "summary": summary,
        "view": None if view is None else {"x": list(view.x), "y": list(view.y)},
        "script": library.ADDRESS,
    }

    def take(name: str) -> Any:
        value = st.session_state[key][name]
        if value is not None:
            st.session_state[known] = value["digest"]
        return value

    def forward_click() -> None:
        value = take("click")
        if on_click is not None and value is not None:
            on_click(Click(unescape(value["x"]), unescape(value["y"]), value["customdata"]))

    def forward_label() -> None:
        value = take("label")
        if on_label is not None and value is not None:
            on_label(LabelClick(value["axis"], int(value["index"])))

    def forward_box() -> None:
        value = take("box")
        if on_box is not None and value is not None:
            on_box(Box(_as_range(value["x"]), _as_range(value["y"])))

    def forward_area() -> None:
        value = take("area")
        if on_area is not None and value is not None:
            on_area(Area(tuple(map(float, value["x"])), tuple(map(float, value["y"]))))

    def forward_zoom() -> None:
        value = take("zoom")
        if on_zoom is not None and value is not None:
            on_zoom(View(_as_stretch(value["x"]), _as_stretch(value["y"])) if value["x"] else None)

    component()(
        key=key,
        data=data,
        height=pixels,
        on_click_change=guard_callback(forward_click),
        on_label_change=guard_callback(forward_label),
        on_box_change=guard_callback(forward_box),
        on_area_change=guard_callback(forward_area),
        on_zoom_change=guard_callback(forward_zoom),
        on_lost_change=guard_callback(
            lambda: None
        ),  # the page was left meanwhile: the rerun sends the figure
    )


@cache
def component() -> ComponentRenderer:
    """Return the mounting command of the component, registered with Streamlit at the first call."""
    return st.components.v2.component(
        "weakspot_plot",
        html='<div class="weakspot-plot"></div><div class="weakspot-cursor" hidden></div>'
        '<p class="weakspot-said" aria-live="polite"></p>',
        css=STYLE,
        js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
        isolate_styles=False,  # Plotly puts its own style sheet into the document, where a shadow root hides it
    )


def pack(figure: go.Figure) -> PackedFigure:
    """Return `figure` as it travels to the browser."""
    return PackedFigure(to_json_plotly(pack_figure(figure)), figure.layout.height or DEFAULT_HEIGHT)


def pack_figure(figure: go.Figure) -> dict[str, Any]:
    """Return `figure` as a dict for plot.js, without its template: the page's theme takes that place."""
    traces = [pack_heatmap(trace) if trace.type == "heatmap" else pack_trace(trace) for trace in figure.data]
    layout = figure.layout.to_plotly_json()
    layout.pop("template", None)
    return {"data": traces, "layout": layout}


def pack_trace(trace: BaseTraceType) -> dict[str, Any]:
    """Return `trace` as a dict whose arrays are base64, as Plotly's own figures travel."""
    packed: dict[str, Any] = go.Figure(trace).to_dict()["data"][0]
    return packed


def pack_heatmap(trace: go.Heatmap) -> dict[str, Any]:
    """Return `trace` as a dict with `z` and the columns of `customdata` only of the cells whose `z` is not NaN.

    A thousand classes are a million cells of which a validation set fills some thousands.
    """
    packed: dict[str, Any] = trace.to_plotly_json()
    z, customdata = (np.asarray(packed.pop(name)) for name in ("z", "customdata"))
    row, column = np.nonzero(~np.isnan(z))
    filled: dict[str, npt.NDArray[Any]] = {
        "row": row,
        "column": column,
        "z": z[row, column].astype(np.float32),
    }
    cells: dict[str, Any] = {name: pack_array(values) for name, values in filled.items()}
    cells["customdata"] = [pack_array(values) for values in customdata[row, column].T]
    return packed | {"cells": cells}


def pack_array(values: npt.NDArray[Any]) -> dict[str, str]:
    """Return numbers as Plotly's JSON has them, whole ones in as few bytes as hold them all."""
    if np.issubdtype(values.dtype, np.integer):
        # Of no numbers, too: a browser has no plain ones of 8 bytes.
        low, high = (np.min_scalar_type(end) for end in (values.min(initial=0), values.max(initial=0)))
        values = values.astype(np.promote_types(low, high))
    kind = values.dtype.str[1:]  # such as u2, f4
    data = values.astype(values.dtype.newbyteorder("<")).tobytes()
    return {"dtype": kind, "bdata": base64.b64encode(data).decode()}


def unescape(value: str | float) -> str | float:
    """Return a category's text as it was before `charts` escaped it; numbers stay as they are."""
    return html.unescape(value) if isinstance(value, str) else value


def _as_range(ends: list[int]) -> tuple[int, int]:
    return int(ends[0]), int(ends[1])


def _as_stretch(ends: list[float]) -> tuple[float, float]:
    return float(ends[0]), float(ends[1])
