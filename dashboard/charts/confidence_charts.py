"""Figures about confidence: whether it holds, how it is spread, and what answering only above a threshold does."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.palette import BAD, GOOD, MUTED, TRAIN, VAL
from core.verdicts.selective import ThresholdEffect
from dashboard.charts.curve_charts import new_figure, thin_out

HEIGHT = 420
MAX_POINTS = 1000
STYLES = {"before": (VAL, "square"), "after": (TRAIN, "circle")}


def reliability_diagram(bins: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Draw accuracy by confidence, before and after temperature scaling, with 95 % intervals.

    `bins` maps `before`, and `after` where there is a temperature, to tables as `core.verdicts.reliability.reliability_bins`
    gives them.
    """
    figure = new_figure("Reliability", height=HEIGHT, revision="reliability")
    figure.add_scatter(
        x=[0, 100], y=[0, 100], mode="lines", name="perfectly calibrated", hoverinfo="skip",
        line={"color": MUTED, "width": 1.5, "dash": "dash"},
    )  # fmt: skip
    for name, table in bins.items():
        colour, symbol = STYLES[name]
        accuracy, low, high = (table[column].to_numpy() * 100 for column in ("accuracy", "low", "high"))
        figure.add_scatter(
            x=table["confidence"] * 100,
            y=accuracy,
            name=f"{name} scaling" if len(bins) > 1 else "validation images",
            mode="lines+markers",
            line={"color": colour, "width": 1},
            marker={"color": colour, "size": 9, "symbol": symbol},
            error_y={
                "array": high - accuracy,
                "arrayminus": accuracy - low,
                "color": colour,
                "thickness": 1.5,
                "width": 3,
            },
            customdata=np.column_stack([table["count"], low, high, table["from"] * 100, table["to"] * 100]),
            hovertemplate="%{customdata[3]:.0f}–%{customdata[4]:.0f} % sure, on average %{x:.1f} % (images: %{customdata[0]:,})"
            "<br><b>%{y:.1f} %</b> right, 95 % interval %{customdata[1]:.0f}–%{customdata[2]:.0f} %<extra></extra>",
        )
    figure.update_xaxes(title_text="confidence (%, mean of a bin)", range=[-2, 102], dtick=20)
    figure.update_yaxes(title_text="accuracy (% of a bin's images)", range=[-2, 102], dtick=20)
    figure.update_layout(hovermode="closest", showlegend=True)
    return figure


def confidence_histogram(right: pd.DataFrame, wrong: pd.DataFrame) -> go.Figure:
    """Draw how many images are how sure, the right below and the wrong ones on them; tables as `reliability_bins` gives."""
    figure = new_figure("Images by confidence", height=HEIGHT, revision="histogram")
    for name, table, colour in (("right", right, GOOD), ("wrong", wrong, BAD)):
        low, high = table["from"] * 100, table["to"] * 100
        figure.add_bar(
            x=(low + high) / 2,
            y=table["count"],
            width=(high - low) * 0.94,
            name=name,
            marker={"color": colour},
            customdata=np.column_stack([low, high]),
            hovertemplate=f"%{{customdata[0]:.0f}}–%{{customdata[1]:.0f}} % sure, {name}: <b>%{{y:,}}</b><extra></extra>",
        )
    figure.update_layout(barmode="stack", hovermode="closest", showlegend=True)
    figure.update_xaxes(title_text="confidence (%)", range=[-2, 102], dtick=20)
    figure.update_yaxes(title_text="images", rangemode="tozero")
    return figure


def risk_curves(
    curves: Mapping[str, pd.DataFrame], *, wanted: float, choice: ThresholdEffect | None
) -> go.Figure:
    """Draw the share of errors among what is answered by how much that is, and mark what was chosen.

    `curves` is as in `reliability_diagram`, of tables as `core.verdicts.selective.risk_coverage` gives them; `wanted` is the
    accuracy wanted (0..1).
    """
    figure = new_figure("Risk and coverage", height=HEIGHT, revision="risk")
    for name, curve in curves.items():
        drawn = thin_out(curve, MAX_POINTS)
        figure.add_scatter(
            x=drawn["coverage"] * 100,
            y=drawn["risk"] * 100,
            name=f"{name} scaling" if len(curves) > 1 else "validation images",
            mode="lines",
            line={"color": STYLES[name][0], "width": 2, "shape": "hv"},
            customdata=np.column_stack([drawn["threshold"] * 100, drawn["answered"], drawn["wrong"]]),
            hovertemplate="from %{customdata[0]:.1f} % confidence on: answered %{customdata[1]:,}, "
            "%{customdata[2]:,} of them wrong<br><b>%{y:.1f} %</b> errors at %{x:.1f} % coverage<extra></extra>",
        )
    figure.add_hline(y=100 * (1 - wanted), line={"color": MUTED, "width": 1.5, "dash": "dash"})
    figure.update_xaxes(title_text="coverage (% of the images answered)", range=[-2, 102], dtick=20)
    figure.update_yaxes(title_text="errors (% of the answered)", rangemode="tozero")
    figure.update_layout(hovermode="closest", showlegend=True)
    if choice is not None and choice.answered:
        _mark_choice(figure, choice)
    return figure


def _mark_choice(figure: go.Figure, choice: ThresholdEffect) -> None:
    coverage, accuracy = (np.array(share) * 100 for share in (choice.coverage, choice.accuracy))
    risk = 100 - accuracy
    bars = {"color": BAD, "thickness": 1.5, "width": 4}
    figure.add_scatter(
        x=[coverage[0]],
        y=[risk[0]],
        name="chosen",
        mode="markers",
        marker={"symbol": "star", "size": 16, "color": BAD, "line": {"width": 1, "color": "white"}},
        error_x={"array": [coverage[2] - coverage[0]], "arrayminus": [coverage[0] - coverage[1]], **bars},
        error_y={"array": [risk[1] - risk[0]], "arrayminus": [risk[0] - risk[2]], **bars},
        hovertemplate=f"threshold {choice.threshold * 100:.1f} %: <b>{risk[0]:.1f} %</b> errors ({risk[2]:.1f}–{risk[1]:.1f} %)"
        f"<br>at {coverage[0]:.1f} % coverage ({coverage[1]:.1f}–{coverage[2]:.1f} %), cross-fitted<extra></extra>",
    )
