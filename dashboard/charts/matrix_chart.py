"""Confusion matrices, and differences of two, as Plotly figures; no streamlit.

A cell's colour is its place on a scale from -1 to 1, so that one heat map holds right answers and errors, or more
and fewer: a thousand classes are a million cells, which the browser is to draw once.
"""

import html
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from core.verdicts.predictions import wilson_interval
from dashboard.charts.curve_charts import alias_names, new_figure
from dashboard.charts.matrix_colours import (
    CHANGE_SCALE,
    CORRECT_SCALE,
    ERROR_SCALE,
    RECALL_SCALE,
    UNITS,
    Look,
    Scale,
    Values,
    colour,
)

Counts = npt.NDArray[np.integer[Any]]

MAX_CLASSES_WITH_TEXT = 25
EACH_NAMED = 12  # classes whose names all have room below the matrix, also on a phone


@dataclass(frozen=True)
class Totals:
    """The images of each class (C,), and those predicted as each: more than in a matrix of some of the classes."""

    support: Counts
    named: Counts

    @classmethod
    def of(cls, counts: Counts) -> "Totals":
        """Return those of a matrix of all classes."""
        return cls(counts.sum(axis=1), counts.sum(axis=0))


def confusion_matrix(
    counts: Counts, names: Sequence[str], look: Look, totals: Totals | None = None
) -> go.Figure:
    """Draw a confusion matrix, rows true from top to bottom and columns predicted, both in the order of `names`.

    `counts` (C, C) holds images; `names` are C different texts. Errors and right answers have a half of the colour
    scale each; cells without images stay empty. `totals` are by default those of the matrix itself.
    """
    totals = totals or Totals.of(counts)
    row, column = np.nonzero(counts)
    shown = _is_shown(counts[row, column], row == column, look)
    row, column = row[shown], column[shown]
    right = row == column
    value = _values(counts, row, column, look.values, totals)
    scales = [Scale.of(value[part], look) for part in (right, ~right)]
    place = np.where(right, -scales[0].place(value), scales[1].place(value))
    support, named = totals.support, totals.named
    count = counts[row, column]
    hover = [
        count,
        support[row],
        np.rint(100 * count / support[row]),
        named[column],
        np.rint(100 * count / named[column]),
    ]
    figure = _draw(
        names,
        (row, column),
        place,
        hover,
        title="Confusion matrix",
        text=count.astype(str),
        hovertemplate="true <b>%{y}</b> → predicted <b>%{x}</b><br>images: <b>%{customdata[0]}</b>, %{customdata[2]} % of the "
        "%{customdata[1]} of the true class, %{customdata[4]} % of the %{customdata[3]} so predicted<extra></extra>",
    )
    errors = scales[1].ticks(look.values)
    if look.diagonal:
        ticks = [(-at, f"✓ {text}") for at, text in reversed(scales[0].ticks(look.values)) if at] + errors
        scale = [(0.5 - at / 2, colour) for at, colour in reversed(CORRECT_SCALE)]
        scale += [(0.5 + at / 2, colour) for at, colour in ERROR_SCALE]
    else:
        ticks, scale = errors, list(ERROR_SCALE)
    return colour(figure, scale, ticks, f"errors<br>({UNITS[look.values]})", low=-1 if look.diagonal else 0)


def difference_matrix(
    before: Counts,
    now: Counts,
    came: Counts,
    left: Counts,
    names: Sequence[str],
    look: Look,
    totals: tuple[Totals, Totals] | None = None,
) -> go.Figure:
    """Draw what changed from the matrix `before` to the matrix `now` of the same images, (C, C) each.

    `came` and `left` (C, C) hold the images that entered and left each cell; cells that none entered or left stay
    empty. Orange cells hold more than before, blue ones fewer. `totals` are those before and now, by default of the
    matrices themselves.
    """
    totals_before, totals_now = totals or (Totals.of(before), Totals.of(now))
    row, column = np.nonzero((came > 0) | (left > 0))
    moved = np.maximum(came[row, column], left[row, column])
    shown = _is_shown(moved, row == column, look)
    row, column = row[shown], column[shown]
    change = _values(now, row, column, look.values, totals_now)
    change -= _values(before, row, column, look.values, totals_before)
    scale = Scale.of(np.abs(change[change != 0]), look)
    place = np.sign(change) * scale.place(np.abs(change))
    cells = [table[row, column] for table in (now, before, came, left)]
    net = cells[0].astype(np.int64) - cells[1]
    figure = _draw(
        names,
        (row, column),
        place,
        cells,
        title="Difference of the confusion matrices",
        text=np.array([f"{n:+d}".replace("-", "−") if n else "±0" for n in net.tolist()], dtype=str),
        hovertemplate="true <b>%{y}</b> → predicted <b>%{x}</b><br>images: <b>%{customdata[0]}</b>, before %{customdata[1]}; "
        "%{customdata[2]} came in, %{customdata[3]} left<extra></extra>",
    )
    ticks = scale.ticks(look.values)
    both = [(-at, f"−{text}") for at, text in reversed(ticks) if at] + [
        (at, f"+{text}" if at else text) for at, text in ticks
    ]
    return colour(figure, list(CHANGE_SCALE), both, f"change<br>({UNITS[look.values]})", low=-1)


def recall_by_epoch(
    correct: Counts, support: Counts, names: Sequence[str], epochs: Sequence[int]
) -> go.Figure:
    """Draw the recall of classes over the epochs, a row a class in the order given and a column an epoch.

    `correct` (E, C) holds the right images of each class after each of the `epochs`, `support` (C,) the images of
    the classes; each class has some.
    """
    labels = [html.escape(name, quote=False) for name in names]
    low, high = wilson_interval(correct, np.broadcast_to(support, correct.shape))
    hover = [correct, np.broadcast_to(support, correct.shape), np.rint(100 * low), np.rint(100 * high)]
    # Zoom stays while the epochs grow: they are places on a category axis, from the first on.
    figure = new_figure(
        "Recall of classes by epoch", height=170 + 18 * max(len(labels), 3), revision="recall by epoch"
    )
    figure.add_heatmap(
        x=[str(epoch) for epoch in epochs],
        y=labels,
        z=(correct / support).T.astype(np.float32),
        customdata=np.stack(hover, axis=-1).astype(np.int32).transpose(1, 0, 2),
        hovertemplate="<b>%{y}</b>, epoch %{x}: right <b>%{customdata[0]} of %{customdata[1]}</b>"
        "<br>95 % interval %{customdata[2]}–%{customdata[3]} %<extra></extra>",
        ygap=1,
        xgap=1 if len(epochs) <= 50 else 0,
    )
    figure.update_xaxes(type="category", title_text="epoch", showgrid=False)
    figure.update_yaxes(
        type="category",
        title_text="class",
        showgrid=False,
        range=[len(labels) - 0.5, -0.5],
        tickfont={"size": 11},
        labelalias=alias_names(names),
    )
    figure.update_layout(hovermode="closest", margin={"t": 56})
    ticks = [(value / 100, f"{value} %") for value in (0, 25, 50, 75, 100)]
    return colour(figure, list(RECALL_SCALE), ticks, "recall", low=0)


def _is_shown(
    images: npt.NDArray[np.integer[Any]], right: npt.NDArray[np.bool_], look: Look
) -> npt.NDArray[np.bool_]:
    return np.where(right, look.diagonal, images >= look.least)


def _values(
    counts: Counts, row: npt.NDArray[np.intp], column: npt.NDArray[np.intp], values: Values, totals: Totals
) -> npt.NDArray[np.float64]:
    found = counts[row, column].astype(np.float64)
    if values == "count":
        return found
    images = totals.support[row] if values == "row" else totals.named[column]
    return np.asarray(found / np.maximum(images, 1))


def _draw(
    names: Sequence[str],
    cells: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]],
    place: npt.NDArray[np.float64],
    hover: Sequence[npt.NDArray[Any]],
    *,
    title: str,
    text: npt.NDArray[np.str_],
    hovertemplate: str,
) -> go.Figure:
    """Return a figure of the `cells` (rows, columns); all others are NaN, which Plotly leaves out."""
    labels = [html.escape(name, quote=False) for name in names]
    size = len(labels)
    # Zoom belongs to an order of these classes: in another one the same place shows other cells.
    revision = f"{size} classes {zlib.crc32(chr(0).join(names).encode()):x}"
    aliases = alias_names(names)
    shown = [aliases.get(label, label) for label in labels]
    turned = _needs_rotation(shown)
    figure = new_figure(title, height=_height(shown, turned), revision=revision)
    few = size <= MAX_CLASSES_WITH_TEXT
    z = np.full((size, size), np.nan, dtype=np.float32)
    z[cells] = place
    customdata = np.zeros((size, size, len(hover)), dtype=np.int32)
    customdata[cells] = np.stack(hover, axis=-1)
    figure.add_heatmap(
        x=labels,
        y=labels,
        z=z,
        customdata=customdata,
        hoverongaps=False,
        hovertemplate=hovertemplate,
        text=_text_grid(size, cells, text) if few else None,
        texttemplate="%{text}" if few else None,
        xgap=1 if size <= 50 else 0,
        ygap=1 if size <= 50 else 0,
    )
    axis = {
        "type": "category",  # names such as "29" are not numbers
        "categoryorder": "array",
        "categoryarray": labels,
        "range": [-0.5, size - 0.5],
        "tickfont": {"size": _label_size(size)},
        "labelalias": aliases,
        "showgrid": False,
        "zeroline": False,
        "showline": True,
        "mirror": True,
        "ticks": "",
    }
    figure.update_xaxes(axis, title_text="predicted class", tickangle=-90 if turned else 0)
    figure.update_yaxes(axis, title_text="true class", range=[size - 0.5, -0.5])
    if few:
        figure.update_yaxes(dtick=1)
    if size <= EACH_NAMED:
        figure.update_xaxes(dtick=1)
    figure.update_layout(hovermode="closest", margin={"t": 56})
    return figure


def _text_grid(
    size: int, cells: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]], text: npt.NDArray[np.str_]
) -> list[list[str]]:
    grid = [[""] * size for _ in range(size)]  # blanks, since Plotly writes "-" where a text is missing
    for row, column, word in zip(*cells, text.tolist(), strict=True):
        grid[row][column] = word
    return grid


def _height(shown: Sequence[str], turned: bool) -> int:
    # Names that stand take height from the cells.
    below = 6 * max(map(len, shown), default=0) if turned else 0
    return min(850, 250 + 24 * len(shown) + below) if len(shown) <= MAX_CLASSES_WITH_TEXT else 850


def _label_size(classes: int) -> int:
    return 12 if classes <= 12 else 11 if classes <= MAX_CLASSES_WITH_TEXT else 10 if classes <= 50 else 9


def _needs_rotation(names: Sequence[str]) -> bool:
    return len(names) > MAX_CLASSES_WITH_TEXT or max(map(len, names), default=0) * len(names) > 80
