"""Show a Plotly figure in a page: zoom survives new data, and clicks on its marks reach Python."""

import html
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import plotly
import plotly.graph_objects as go
import streamlit as st
from plotly.basedatatypes import BaseTraceType
from plotly.io.json import to_json_plotly
from streamlit.components.v2.types import ComponentRenderer

# Streamlit serves the folder `static` beside the main script under /app/static.
STATIC_DIR = Path(__file__).parent / "static"
DEFAULT_HEIGHT = 420


@dataclass(frozen=True)
class Click:
    """A click on a mark: its place on both axes, and the mark's `customdata` where the trace has some.

    On a category axis `x` or `y` is the category's text, as it was before it was escaped for the chart.
    """

    x: str | float
    y: str | float
    customdata: Any


def plot(
    figure: go.Figure,
    *,
    key: str,
    height: int | None = None,
    on_click: Callable[[Click], None] | None = None,
) -> None:
    """Show `figure` as wide as its container and `height` pixels high (by default the figure's own height).

    `key` is the chart's identity on the page: zoom and hidden curves stay while it and the figure's
    `layout.uirevision` stay. `on_click` is called before the rerun that a click on a cell, bar or point causes, as
    the callback of a widget is; in a fragment only the fragment reruns. Without it clicks do nothing. Text on
    category axes has to be HTML-escaped, as `charts` does it.
    """
    pixels = height or figure.layout.height or DEFAULT_HEIGHT
    data = {
        "figure": to_json_plotly(pack_figure(figure)),
        "key": key,
        "height": pixels,
        "clickable": on_click is not None,
        "script": provide_plotly(STATIC_DIR),
    }

    def forward_click() -> None:
        value = st.session_state[key]["click"]
        if on_click is not None and value is not None:
            on_click(Click(unescape(value["x"]), unescape(value["y"]), value["customdata"]))

    component()(key=key, data=data, height=pixels, on_click_change=forward_click)


@cache
def component() -> ComponentRenderer:
    """Return the mounting command of the component, registered with Streamlit at the first call."""
    return st.components.v2.component(
        "weakspot_plot",
        html='<div class="weakspot-plot"></div>',
        css=".weakspot-plot { width: 100%; } .weakspot-plot.over-mark .nsewdrag { cursor: pointer; }",
        js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
        isolate_styles=False,  # Plotly puts its own style sheet into the document, where a shadow root hides it
    )


@cache
def provide_plotly(folder: Path) -> str:
    """Copy plotly.min.js (4.8 MB) from the installed package into `folder` if need be; return the copy's name.

    The name carries the version, so a browser's cached copy of another version is never used. The copy appears
    whole or not at all.
    """
    source = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    target = folder / f"plotly-{plotly.__version__}.min.js"
    if not target.exists() or target.stat().st_size != source.stat().st_size:
        folder.mkdir(parents=True, exist_ok=True)
        handle, unfinished = tempfile.mkstemp(dir=folder, suffix=".js")
        try:
            with os.fdopen(handle, "wb") as copy, source.open("rb") as original:
                shutil.copyfileobj(original, copy)
            Path(unfinished).replace(target)
        finally:
            Path(unfinished).unlink(missing_ok=True)
    return target.name


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
    """Return `trace` as a dict with `z` and `customdata` only of the cells whose `z` is not NaN, as lists.

    A thousand classes are a million cells of which a validation set fills some thousands.
    """
    packed: dict[str, Any] = trace.to_plotly_json()
    grids = {name: np.asarray(packed.pop(name)) for name in ("z", "customdata") if name in packed}
    row, column = np.nonzero(~np.isnan(grids["z"]))
    cells = {name: grid[row, column].tolist() for name, grid in grids.items()}
    return packed | {"cells": cells | {"row": row.tolist(), "column": column.tolist()}}


def unescape(value: str | float) -> str | float:
    """Return a category's text as it was before `charts` escaped it; numbers stay as they are."""
    return html.unescape(value) if isinstance(value, str) else value
