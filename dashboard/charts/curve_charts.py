"""Tables to Plotly figures, in the colours of `core.palette`.

Figures carry no colours of the page: text, background and grid come from Streamlit's theme in plot.js. Names of
classes and runs are a user's data, so they are HTML-escaped here; `plot` unescapes the names that a click returns.
"""

import html
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from core.palette import BAD, MUTED, TRAIN, VAL
from core.recipe.config import TrainConfig
from core.recipe.schedules import rate_at
from core.words import shorten_names

# They tell runs apart where the colours come round again.
RUN_MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "pentagon")

MAX_STEP_POINTS = 2000
CURVE_HEIGHT = 380
LONGEST_NAME = 20  # letters of a name beside a chart; hover has all
_HOVER_LINE = 60  # letters of a name on a line of what hover says

Quantity = Literal["loss", "accuracy"]


def training_curves(
    epochs: pd.DataFrame,
    steps: pd.DataFrame,
    *,
    quantity: Quantity,
    by: Literal["epoch", "step"],
    best_epoch: int | None,
    active: bool = True,
    initial: float | None = None,
) -> go.Figure:
    """Draw a run's loss or accuracy: every training step thin, every epoch's training and validation value strong.

    `epochs` has the columns epoch (from 1), step (the global step at the epoch's end), train_loss, train_acc,
    val_loss and val_acc; `steps` has step, epoch (progress, such as 2.35), loss, acc and lr. Losses are in nats,
    accuracies 0..1, and a value not known yet is NaN. Both tables may be empty. `best_epoch` gets a star. Of a run that
    is not `active` no first step is awaited. `initial` is the accuracy of the model it began with, where that is the best.
    """
    column, scale = ("loss", 1) if quantity == "loss" else ("acc", 100)
    figure = new_figure(f"{quantity.capitalize()} by {by}", height=CURVE_HEIGHT, revision=f"{quantity} {by}")
    name_quantity(figure, quantity)
    figure.update_xaxes(title_text=by, rangemode="tozero")
    if by == "epoch":
        tick_whole_epochs(figure, len(epochs) + 1)
    if epochs.empty and steps.empty:
        write_message(figure, "waiting for the first step" if active else "no step was made")
        return figure
    drawn = thin_out(steps, MAX_STEP_POINTS)
    figure.add_scatter(
        x=drawn[by],
        y=drawn[column] * scale,
        name="training, each step",
        mode="lines",
        line={"color": TRAIN, "width": 1},
        opacity=0.4,
        customdata=drawn[["step", "lr"]],
        hovertemplate=f"step %{{customdata[0]}}: <b>{value_format(quantity)}</b>"
        ", learning rate %{customdata[1]:.2~e}<extra></extra>",
    )
    for split, name, colour in (("train", "training, epoch", TRAIN), ("val", "validation", VAL)):
        first = [initial] if split == "val" and quantity == "accuracy" and initial is not None else []
        figure.add_scatter(
            x=[*(0 for _ in first), *epochs[by]],
            y=np.array([*first, *epochs[f"{split}_{column}"]], dtype=float) * scale,
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 2.5},
            marker={"size": 7},
            cliponaxis=False,
            customdata=[*(0 for _ in first), *epochs["epoch"]],
            hovertemplate=f"{name.split(',')[0]}, epoch %{{customdata}}: <b>{value_format(quantity)}</b><extra></extra>",
        )
    if initial is None:
        _mark_best(figure, epochs[epochs["epoch"] == best_epoch], quantity, by)
    elif quantity == "accuracy":
        _add_star(figure, 0, 100 * initial, f"best: the initial model, {100 * initial:.1f} %")
    if quantity == "loss":
        _limit_range(figure, steps["loss"], epochs["val_loss"])
    return figure


def rate_schedule(config: TrainConfig, steps: int) -> go.Figure:
    """Draw the learning rate of a run over its epochs of `steps` steps each, before it is started."""
    total = steps * config.epochs
    at = np.unique(np.linspace(0, total - 1, min(total, 400)).astype(int))
    figure = new_figure("Learning rate by epoch", height=260, revision="schedule")
    figure.add_scatter(
        x=at / steps,
        y=[rate_at(int(step), total, config) for step in at],
        mode="lines",
        line={"color": TRAIN, "width": 2.5},
        hovertemplate="epoch %{x:.2f}: <b>%{y:.3~e}</b><extra></extra>",
    )
    figure.update_xaxes(title_text="epoch", rangemode="tozero")
    figure.update_yaxes(title_text="learning rate", rangemode="tozero")
    figure.update_layout(margin={"t": 48}, hovermode="closest")
    return figure


def rate_curve(rates: Sequence[float], losses: Sequence[float], suggestion: float | None) -> go.Figure:
    """Draw the smoothed losses (nats) at rising learning rates; the suggested rate gets a line."""
    figure = new_figure("Loss at rising learning rates", height=300, revision="rates")
    figure.add_scatter(
        x=rates,
        y=losses,
        mode="lines",
        line={"color": TRAIN, "width": 2.5},
        hovertemplate="rate %{x:.2~e}: loss <b>%{y:.3f}</b><extra></extra>",
    )
    figure.update_xaxes(title_text="learning rate", type="log")
    figure.update_yaxes(title_text="smoothed cross-entropy loss")
    figure.update_layout(margin={"t": 48}, hovermode="closest")
    if suggestion is not None:
        figure.add_vline(x=suggestion, line={"color": VAL, "width": 2, "dash": "dash"})
    return figure


def class_recall(table: pd.DataFrame, *, highlight: str | None) -> go.Figure:
    """Draw the recall of classes as points on their intervals, one row a class in the order of `table`.

    `table` has the columns name, recall, low and high (0..1, the 95 % Wilson interval) and support (images). Pass
    the rows to be seen, such as the thirty weakest: the figure grows with them. `highlight` names a row to mark.
    """
    labels = [html.escape(name, quote=False) for name in table["name"]]
    recall, low, high = (table[column].to_numpy(dtype=float) * 100 for column in ("recall", "low", "high"))
    figure = new_figure(
        "Recall of classes, with 95 % intervals", height=150 + 22 * max(len(table), 3), revision="recall"
    )
    figure.add_scatter(
        x=recall,
        y=labels,
        mode="markers",
        marker={"color": BAD, "size": 9},
        cliponaxis=False,
        error_x={
            "array": high - recall,
            "arrayminus": recall - low,
            "color": MUTED,
            "thickness": 2,
            "width": 3,
        },
        customdata=np.column_stack([low, high, table["support"]]),
        hovertext=wrap_names(table["name"]),
        hovertemplate="<b>%{hovertext}</b>: recall <b>%{x:.0f} %</b> (images: %{customdata[2]})"
        "<br>95 % interval %{customdata[0]:.0f}–%{customdata[1]:.0f} %<extra></extra>",
    )
    figure.update_xaxes(title_text="recall (% of its images)", range=[-2, 102], dtick=25)
    figure.update_yaxes(
        title_text="class",
        type="category",
        categoryorder="array",
        categoryarray=labels,
        labelalias=alias_names(table["name"]),
        range=[len(labels) - 0.5, -0.5],
    )
    figure.update_layout(hovermode="y", showlegend=False, margin={"t": 56})
    if table.empty:
        write_message(figure, "no classes to show")
    if highlight in set(table["name"]):
        row = list(table["name"]).index(highlight)
        figure.add_hrect(
            y0=row - 0.499, y1=row + 0.499, fillcolor=TRAIN, opacity=0.18, line_width=0, layer="below"
        )
    return figure


def frequency_recall(table: pd.DataFrame, *, highlight: str | None) -> go.Figure:
    """Draw the recall of classes against their number of training images; `highlight` names one to mark.

    `table` has the columns name, train (images), recall, low and high (0..1, the 95 % Wilson interval), right and
    support (images). A click on a point gives `customdata` whose first number is its row.
    """
    figure = new_figure("Recall by number of training images", height=380, revision="frequency")
    chosen = (table["name"] == highlight).to_numpy()
    # As numbers, which travel packed: of 10,000 classes as texts they would be a megabyte.
    figures = (
        np.arange(len(table)),
        table["right"],
        table["support"],
        table["low"] * 100,
        table["high"] * 100,
    )
    figure.add_scatter(
        x=table["train"],
        y=table["recall"] * 100,
        mode="markers",
        marker={"color": np.where(chosen, BAD, TRAIN), "size": np.where(chosen, 14, 9), "opacity": 0.75},
        customdata=np.column_stack([np.asarray(column, dtype=np.float32) for column in figures]),
        text=wrap_names(table["name"]),
        hovertemplate="<b>%{text}</b>: training images %{x:,}, recall <b>%{y:.0f} %</b>"
        "<br>%{customdata[1]} of %{customdata[2]} right, 95 % interval %{customdata[3]:.0f}–%{customdata[4]:.0f} %<extra></extra>",
    )
    many = len(table) > 0 and table["train"].max() > 20 * max(1, table["train"].min())
    figure.update_xaxes(
        title_text="training images of the class", type="log" if many else "linear", dtick=1 if many else None
    )
    figure.update_yaxes(title_text="recall (% of the class's validation images)", range=[-4, 104], dtick=25)
    figure.update_layout(hovermode="closest", showlegend=False, margin={"t": 56})
    return figure


def thin_out(table: pd.DataFrame, most: int) -> pd.DataFrame:
    """Return every n-th row and the last one, at most `most` + 1, where n is the smallest power of two that fits.

    A power of two makes the rows kept stay the same while a run grows, so that its curve does not tremble.
    """
    stride = 1
    while len(table) > most * stride:
        stride *= 2
    kept = np.arange(0, len(table), stride)
    if len(table) and kept[-1] != len(table) - 1:
        kept = np.append(kept, len(table) - 1)
    return table.iloc[kept]


def alias_names(names: Sequence[str]) -> dict[str, str]:
    """Return what stands beside a chart for those names that are too long for it, as `labelalias` has it.

    Letters as wide as two, as Chinese has them, count so. What hover says of an axis is aliased too: `wrap_names` has all.
    """
    aliases = {}
    for wide, most in ((False, LONGEST_NAME), (True, LONGEST_NAME // 2)):
        alike = [name for name in names if _is_wide(name) == wide]
        for name, short in zip(alike, shorten_names(alike, most), strict=True):
            if short != name:
                aliases[html.escape(name, quote=False)] = html.escape(short, quote=False)
    return aliases


def wrap_names(names: Iterable[str]) -> list[str]:
    """Return whole names as hover says them, very long ones on several lines."""
    return [
        "<br>".join(html.escape(line, quote=False) for line in textwrap.wrap(name, _HOVER_LINE))
        if len(name) > _HOVER_LINE
        else html.escape(name, quote=False)
        for name in names
    ]


def _is_wide(name: str) -> bool:
    return sum(unicodedata.east_asian_width(letter) in "FW" for letter in name) > len(name) / 2


def new_figure(title: str, *, height: int, revision: str) -> go.Figure:
    """Return an empty figure; zoom survives new data as long as `revision` stays."""
    figure = go.Figure()
    figure.update_layout(
        template="none",
        title={
            "text": title,
            "x": 0,
            "xref": "container",  # beside long names the plot's own left edge leaves a title no room
            "xanchor": "left",
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 12, "l": 8},
        },
        height=height,
        uirevision=revision,
        margin={"l": 8, "r": 16, "t": 56, "b": 8},
        # At the end, where it has as many lines as it needs: on a narrow screen it would run over a title above it.
        legend={
            "orientation": "h",
            "xref": "container",  # as wide as the chart, also beside long names
            "x": 0,
            "xanchor": "left",
            "yref": "container",
            "y": 0,
            "yanchor": "bottom",
        },
        hovermode="x unified",
    )
    figure.update_xaxes(automargin=True)
    figure.update_yaxes(automargin=True)
    return figure


def tick_whole_epochs(figure: go.Figure, epochs: int) -> None:
    if epochs <= 10:  # more are ticked well by Plotly itself, few also between epochs
        figure.update_xaxes(dtick=1)


def _limit_range(figure: go.Figure, steps: pd.Series, val: pd.Series) -> None:
    """Keep one early validation loss of many times the others from pressing all curves flat."""
    if len(steps) < 2:
        return
    top = 1.1 * max(float(steps.quantile(0.99)), float(val.median()) if len(val) else 0.0)
    if len(val) and val.max() > 2 * top:
        figure.update_yaxes(range=[0, top])
        figure.update_yaxes(title_text="cross-entropy loss, higher ones cut off")


def write_message(figure: go.Figure, message: str) -> None:
    figure.update_xaxes(range=[0, 1], showticklabels=False, showgrid=False, zeroline=False)
    figure.update_yaxes(range=[0, 1], showticklabels=False, showgrid=False, zeroline=False)
    figure.add_annotation(
        text=message, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font={"size": 15}
    )


def name_quantity(figure: go.Figure, quantity: Quantity) -> None:
    if quantity == "loss":
        figure.update_yaxes(title_text="cross-entropy loss", rangemode="tozero")
    else:
        # No room beyond 100 %, where no accuracy is: `cliponaxis` lets a mark on the edge be drawn whole.
        figure.update_yaxes(title_text="accuracy (%)", autorangeoptions={"clipmin": 0, "clipmax": 100})


def value_format(quantity: Quantity) -> str:
    return "%{y:.3f}" if quantity == "loss" else "%{y:.1f} %"


def _mark_best(figure: go.Figure, best: pd.DataFrame, quantity: Quantity, by: str) -> None:
    """Put a star on the best epoch; its text stands in the legend, where it can cover no curve."""
    if best.empty:
        return
    row = best.iloc[0]
    value = row["val_loss"] if quantity == "loss" else 100 * row["val_acc"]
    text = f"{value:.3f}" if quantity == "loss" else f"{value:.1f} %"
    _add_star(figure, row[by], value, f"best: epoch {int(row['epoch'])}, {text}")


def _add_star(figure: go.Figure, at: float, value: float, text: str) -> None:
    figure.add_scatter(
        x=[at],
        y=[value],
        name=text,
        mode="markers",
        marker={"symbol": "star", "size": 17, "color": VAL, "line": {"width": 1, "color": "white"}},
        cliponaxis=False,
        hoverinfo="skip",
    )
