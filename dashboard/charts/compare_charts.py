"""Runs over each other as Plotly figures: curves, accuracies by seed, what changed class by class; no streamlit."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.palette import GOOD, MUTED, RUNS, TRAIN
from core.verdicts.judged_on import JudgedOn
from core.verdicts.predictions import wilson_interval
from core.verdicts.seeds import SeedSet
from dashboard.charts.curve_charts import (
    CURVE_HEIGHT,
    MAX_STEP_POINTS,
    RUN_MARKERS,
    Quantity,
    alias_names,
    name_quantity,
    new_figure,
    thin_out,
    tick_whole_epochs,
    value_format,
    wrap_names,
    write_message,
)

EpochColumn = Literal["train_loss", "train_acc", "val_loss", "val_acc"]
Axis = Literal["epoch", "step", "time"]
COLUMN_TITLES: dict[EpochColumn, str] = {
    "train_loss": "Training loss",
    "train_acc": "Training accuracy",
    "val_loss": "Validation loss",
    "val_acc": "Validation accuracy",
}
MARKED = 60  # points up to which a curve shows each of them
CHANGES = 40  # classes drawn, those that changed most
_NONE: Mapping[str, float] = MappingProxyType({})
_TITLES = {"epoch": "epoch", "step": "step", "time": "time trained (min)"}


def compare_curves(
    runs: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]],
    *,
    quantity: EpochColumn,
    by: Axis = "epoch",
    smoothing: float = 0.0,
    initial: Mapping[str, float] = _NONE,
) -> go.Figure:
    """Overlay one value of many runs by epoch, step or minutes trained.

    `runs` maps a run's name to its tables of epochs and steps as `services.read_metrics` gives them. By step and by
    time, training is drawn step by step. With `smoothing` (0 to less than 1) curves are smoothed as `smooth` does and
    what was measured stands faintly behind. `initial` maps a run's name to the accuracy (0..1) of the model it began with,
    where that is known.
    """
    kind: Quantity = "loss" if quantity.endswith("loss") else "accuracy"
    figure = new_figure(
        f"{COLUMN_TITLES[quantity]} by {by}", height=CURVE_HEIGHT + 40, revision=f"{quantity} {by}"
    )
    name_quantity(figure, kind)
    figure.update_xaxes(title_text=_TITLES[by], rangemode="tozero")
    if by == "epoch":
        tick_whole_epochs(figure, max((len(epochs) for epochs, _ in runs.values()), default=0))
    at = {"epoch": "epoch %{x}", "step": "step %{x}", "time": "after %{x:.1f} min"}[by]
    for number, (name, tables) in enumerate(runs.items()):
        curve = trace_curve(*tables, quantity=quantity, by=by)
        if quantity == "val_acc" and name in initial:
            start = pd.DataFrame({"x": [0.0], "y": [100 * initial[name]]})
            curve = pd.concat([start, curve], ignore_index=True)
        smoothed = curve.assign(y=smooth(curve["y"], smoothing))
        drawn = thin_out(smoothed, MAX_STEP_POINTS)
        marked = len(drawn) <= MARKED
        look = {
            "line": {"color": RUNS[number % len(RUNS)], "width": 2},
            "marker": {"size": 7, "symbol": RUN_MARKERS[number % len(RUN_MARKERS)]},
            "mode": "lines+markers" if marked else "lines",
            "cliponaxis": False,
            "legendgroup": str(number),
        }
        if smoothing:
            raw = thin_out(curve, MAX_STEP_POINTS)
            figure.add_scatter(
                x=raw["x"],
                y=raw["y"],
                opacity=0.25,
                showlegend=False,
                hoverinfo="skip",
                name=f"{html.escape(name, quote=False)}, measured",
                **{**look, "mode": "lines"},
            )
        figure.add_scatter(
            x=drawn["x"],
            y=drawn["y"],
            name=html.escape(name, quote=False),
            hovertemplate=f"%{{fullData.name}}, {at}: <b>{value_format(kind)}</b><extra></extra>",
            **look,
        )
    figure.update_layout(showlegend=True)
    if all(epochs.empty for epochs, _ in runs.values()):
        write_message(figure, "no run with a finished epoch yet")
    return figure


def trace_curve(
    epochs: pd.DataFrame, steps: pd.DataFrame, *, quantity: EpochColumn, by: Axis
) -> pd.DataFrame:
    """Return a run's curve as the columns x (epoch, step or minutes trained) and y (nats or per cent)."""
    kind = quantity.removeprefix("train_").removeprefix("val_")
    scale = 1 if kind == "loss" else 100
    seconds = epochs["seconds"].to_numpy(dtype=float)
    val_seconds = epochs["val_seconds"].fillna(0).to_numpy(dtype=float)
    ends = np.cumsum(seconds + val_seconds)
    if by == "epoch" or quantity.startswith("val") or steps.empty:
        x = ends / 60 if by == "time" else epochs[by].to_numpy(dtype=float)
        return pd.DataFrame({"x": x, "y": epochs[quantity].to_numpy(dtype=float) * scale})
    if by == "step":
        return pd.DataFrame({"x": steps["step"], "y": steps[kind] * scale})
    done = steps[steps["epoch"] <= len(epochs)]  # when the steps of an unfinished epoch were is not known yet
    progress = done["epoch"].to_numpy(dtype=float)
    epoch = np.clip(np.ceil(progress).astype(int) - 1, 0, None)
    starts = ends - seconds - val_seconds
    minutes = (starts[epoch] + (progress - epoch) * seconds[epoch]) / 60
    return pd.DataFrame({"x": minutes, "y": done[kind].to_numpy(dtype=float) * scale})


def smooth(values: pd.Series, weight: float) -> pd.Series:
    """Return the exponential moving average as TensorBoard draws it: `weight` (0 to less than 1) is what each mean
    keeps of the one before, and the start is freed of the bias towards 0 (D. P. Kingma and J. Ba, "Adam", 2014, section 3).
    """
    if not weight:
        return values
    # With adjust, pandas divides by the sum of the weights so far, which is that correction.
    averaged: pd.Series = values.ewm(alpha=1 - weight, adjust=True, ignore_na=True).mean()
    return averaged


def seed_accuracies(sets: Mapping[str, SeedSet], judged_on: JudgedOn = "val") -> go.Figure:
    """Draw the accuracy of every seed of sets as a point, a row a set in the order given, and the means on their spread."""
    labels = [html.escape(name, quote=False) for name in sets]
    figure = new_figure(
        "Accuracy of each seed, mean and standard deviation",
        height=150 + 40 * max(2, len(sets)),
        revision="seeds",
    )
    figure.add_scatter(
        x=[100 * value for found in sets.values() for value in found.accuracies],
        y=[label for label, found in zip(labels, sets.values(), strict=True) for _ in found.accuracies],
        hovertext=[
            name
            for name, found in zip(wrap_names(sets), sets.values(), strict=True)
            for _ in found.accuracies
        ],
        name="one seed",
        mode="markers",
        marker={"color": TRAIN, "size": 9, "opacity": 0.75},
        hovertemplate="<b>%{hovertext}</b>, one seed: <b>%{x:.1f} %</b><extra></extra>",
    )
    spread = [0.0 if math.isnan(found.deviation) else 100 * found.deviation for found in sets.values()]
    figure.add_scatter(
        x=[100 * found.mean for found in sets.values()],
        y=labels,
        hovertext=wrap_names(sets),
        name="mean ± standard deviation",
        mode="markers",
        marker={"color": GOOD, "size": 13, "symbol": "diamond"},
        error_x={"array": spread, "color": MUTED, "thickness": 2, "width": 5},
        customdata=[found.describe() for found in sets.values()],
        hovertemplate="<b>%{hovertext}</b>: <b>%{customdata}</b><extra></extra>",
    )
    figure.update_xaxes(
        title_text="validation accuracy (%)" if judged_on == "val" else "accuracy on images held back (%)"
    )
    figure.update_yaxes(
        title_text="trained as",
        type="category",
        categoryorder="array",
        categoryarray=labels,
        labelalias=alias_names(list(sets)),
        range=[len(labels) - 0.5, -0.5],
    )
    figure.update_layout(hovermode="closest", showlegend=True)
    return figure


def class_changes(changes: pd.DataFrame, *, first: str, second: str) -> go.Figure:
    """Draw the share of right images of each class that changed between two runs, two bars a class, most change first.

    `changes` has the columns class (the label to show), images, first and second (right images), as
    `paired.changes_by_class` gives them; the first `CHANGES` rows are drawn. The hover text has Wilson's intervals.
    """
    shown = changes.head(CHANGES)
    labels = [html.escape(name, quote=False) for name in shown["class"]]
    more = f", the {CHANGES} that changed most" if len(changes) > CHANGES else ""
    figure = new_figure(
        f"Classes that changed{more}",
        height=170 + 28 * max(3, len(shown)),
        revision="changes",
    )
    for column, name, colour in (("first", first, MUTED), ("second", second, TRAIN)):
        low, high = wilson_interval(shown[column], shown["images"])
        figure.add_bar(
            x=100 * shown[column] / shown["images"],
            y=labels,
            hovertext=wrap_names(shown["class"]),
            orientation="h",
            name=html.escape(name, quote=False),
            marker={"color": colour},
            customdata=np.column_stack([shown[column], shown["images"], 100 * low, 100 * high]),
            hovertemplate="<b>%{hovertext}</b>, %{fullData.name}: <b>%{customdata[0]:.0f} of %{customdata[1]:.0f}</b> right"
            "<br>95 % interval %{customdata[2]:.0f}–%{customdata[3]:.0f} %<extra></extra>",
        )
    figure.update_xaxes(title_text="right (% of its images)", range=[0, 102])
    figure.update_yaxes(
        title_text="class",
        type="category",
        categoryorder="array",
        categoryarray=labels,
        labelalias=alias_names(list(shown["class"])),
        range=[len(labels) - 0.5, -0.5],
    )
    figure.update_layout(barmode="group", bargap=0.3, hovermode="closest", showlegend=True)
    return figure
