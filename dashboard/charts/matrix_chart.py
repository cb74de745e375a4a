"""Confusion matrices, and differences of two, as Plotly figures; the marks on them; no streamlit.

A cell's colour is its place on a scale from -1 to 1, so that one heat map holds right answers and errors, or more
and fewer: a thousand classes are a million cells, which the browser is to draw once.
"""

import html
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from core.palette import TRAIN
from core.verdicts.predictions import wilson_interval
from core.words import shorten_names
from dashboard.charts.curve_charts import new_figure

Counts = npt.NDArray[np.integer[Any]]
Values = Literal["count", "row", "column"]
VALUES: tuple[Values, ...] = get_args(Values)

# The low ends let the page show through, which makes them faint on light and on dark.
ERROR_SCALE = (
    (0.0, "rgba(240, 150, 40, 0.22)"),
    (0.5, "rgba(238, 129, 28, 0.95)"),
    (1.0, "rgba(208, 38, 32, 1)"),
)
CORRECT_SCALE = ((0.0, "rgba(11, 154, 135, 0.10)"), (1.0, "rgba(11, 154, 135, 0.70)"))
# Fewer images, as many, more images: blue and orange are told apart by everyone.
CHANGE_SCALE = (
    (0.0, "rgba(37, 104, 190, 1)"),
    (0.49, "rgba(47, 127, 209, 0.25)"),
    (0.5, "rgba(123, 135, 148, 0.20)"),
    (0.51, "rgba(240, 150, 40, 0.25)"),
    (1.0, "rgba(214, 90, 14, 1)"),
)

# Recall from 0 to 1.
RECALL_SCALE = (
    (0.0, "rgba(208, 38, 32, 1)"),
    (0.5, "rgba(238, 129, 28, 0.75)"),
    (0.9, "rgba(240, 190, 90, 0.30)"),
    (1.0, "rgba(11, 154, 135, 0.55)"),
)

MAX_CLASSES_WITH_TEXT = 25
LONGEST_NAME = {
    True: 30,
    False: 20,
}  # letters of a class's name beside few classes and beside many; hover has all
MAX_OUTLINES = 100  # a scattered block of more pieces would hide what it marks
WINDOW = 25  # classes a side that are shown around one that was looked for
# What a full colour stands for at least, so that a lone error is no alarm: images, or a share.
LEAST_TOP = {"count": 3.0, "row": 0.2, "column": 0.2}
UNITS = {"count": "images", "row": "share of row", "column": "share of column"}

Shape = dict[str, Any]


@dataclass(frozen=True)
class Totals:
    """The images of each class (C,), and those predicted as each: more than in a matrix of some of the classes."""

    support: Counts
    named: Counts

    @classmethod
    def of(cls, counts: Counts) -> "Totals":
        """Return those of a matrix of all classes."""
        return cls(counts.sum(axis=1), counts.sum(axis=0))


@dataclass(frozen=True)
class Look:
    """How a matrix is drawn.

    `values` coloured are images, shares of the row (of the true class) or of the column (of the predicted class);
    `log` colours by their logarithm; without `diagonal` right answers are left out, and so are errors of fewer than
    `least` images.
    """

    values: Values = "count"
    log: bool = False
    diagonal: bool = True
    least: int = 1


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
    scales = [_Scale.of(value[part], look) for part in (right, ~right)]
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
    return _colour(figure, scale, ticks, f"errors<br>({UNITS[look.values]})", low=-1 if look.diagonal else 0)


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
    scale = _Scale.of(np.abs(change[change != 0]), look)
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
    return _colour(figure, list(CHANGE_SCALE), both, f"change<br>({UNITS[look.values]})", low=-1)


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
    )
    figure.update_layout(hovermode="closest", margin={"t": 56})
    ticks = [(value / 100, f"{value} %") for value in (0, 25, 50, 75, 100)]
    return _colour(figure, list(RECALL_SCALE), ticks, "recall", low=0)


def outline_cells(rows: Sequence[int], columns: Sequence[int]) -> list[Shape]:
    """Return the outlines of the cells of these rows and columns, a rectangle for each piece that hangs together.

    A block that lies in more than `MAX_OUTLINES` pieces, since the order is not the one it was found in, gets none.
    """
    pieces = [(y, x) for y in _find_stretches(rows) for x in _find_stretches(columns)]
    if len(pieces) > MAX_OUTLINES:
        return []
    return [_rectangle(x, y, line={"width": 3}) for y, x in pieces]


def mark_class(index: int, classes: int) -> list[Shape]:
    """Return the bands that mark a class's row and column."""
    band = {"fillcolor": TRAIN, "opacity": 0.22, "line": {"width": 0}, "layer": "below"}
    own, all_of_them = (index, index), (0, classes - 1)
    return [_rectangle(all_of_them, own, **band), _rectangle(own, all_of_them, **band)]


def window_around(first: int, last: int, classes: int) -> tuple[float, float] | None:
    """Return the stretch (from, to) of the axis around some classes, or None where all are large enough to see."""
    size = max(WINDOW, last - first + 5)
    if classes <= size:
        return None
    start = min(max((first + last + 1 - size) // 2, 0), classes - size)
    return start - 0.5, start + size - 0.5


@dataclass(frozen=True)
class _Scale:
    """Values to places 0..1 on a colour scale; `low` is 0 unless it is logarithmic."""

    low: float
    top: float

    @classmethod
    def of(cls, values: npt.NDArray[np.float64], look: Look) -> "_Scale":
        top = max(float(values.max(initial=0.0)), LEAST_TOP[look.values])
        # A little below the smallest, whose cells would otherwise be at 0, where right and wrong meet.
        low = 0.8 * min(float(values.min(initial=top)), top / 3) if look.log else 0.0
        return cls(low, top)

    def place(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        if not self.low:
            return values / self.top
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.maximum(values, self.low) / self.low) / math.log(self.top / self.low))

    def ticks(self, values: Values) -> list[tuple[float, str]]:
        """Return places and texts of some round values on the scale."""
        if self.low:
            exponents = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.top)) + 1)
            found = [factor * 10.0**exponent for exponent in exponents for factor in (1, 3)]
            round_values = [value for value in found if self.low * 0.999 <= value <= self.top * 1.001]
        else:
            rough = self.top / 3
            power = 10.0 ** math.floor(math.log10(rough))
            step = next(f * power for f in (1, 2, 5, 10) if f * power >= rough * 0.999)
            if values == "count":
                step = max(1.0, step)
            round_values = [step * n for n in range(int(self.top / step + 0.001) + 1)]
        places = self.place(np.array(round_values)).tolist()
        if values == "count":
            return [(at, f"{value:,.0f}") for at, value in zip(places, round_values, strict=True)]
        return [(at, f"{100 * value:.3g} %") for at, value in zip(places, round_values, strict=True)]


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
    figure = new_figure(title, height=_height(size), revision=revision)
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
        "labelalias": {
            label: html.escape(short, quote=False)
            for name, label, short in zip(names, labels, shorten_names(names, LONGEST_NAME[few]), strict=True)
            if short != name
        },
        "showgrid": False,
        "zeroline": False,
        "showline": True,
        "mirror": True,
        "ticks": "",
    }
    figure.update_xaxes(axis, title_text="predicted class", tickangle=-90 if _needs_rotation(names) else 0)
    figure.update_yaxes(axis, title_text="true class", range=[size - 0.5, -0.5])
    figure.update_layout(hovermode="closest", margin={"t": 56})
    return figure


def _text_grid(
    size: int, cells: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]], text: npt.NDArray[np.str_]
) -> list[list[str]]:
    grid = [[""] * size for _ in range(size)]  # blanks, since Plotly writes "-" where a text is missing
    for row, column, word in zip(*cells, text.tolist(), strict=True):
        grid[row][column] = word
    return grid


def _colour(
    figure: go.Figure,
    scale: list[tuple[float, str]],
    ticks: list[tuple[float, str]],
    title: str,
    *,
    low: float,
) -> go.Figure:
    figure.update_traces(
        zmin=low,
        zmax=1,
        colorscale=scale,
        colorbar={
            "title": {"text": f"{title}<br> ", "side": "top"},  # the blank line keeps clear of the first tick
            "thickness": 12,
            "len": 260,
            "lenmode": "pixels",
            "y": 1,
            "yanchor": "top",
            "tickvals": [at for at, _ in ticks],
            "ticktext": [text for _, text in ticks],
        },
    )
    return figure


def _find_stretches(indices: Sequence[int]) -> list[tuple[int, int]]:
    """Return the first and the last of each stretch of neighbours."""
    ordered = np.unique(np.asarray(indices, dtype=int))
    breaks = np.flatnonzero(np.diff(ordered) > 1)
    return [(int(part[0]), int(part[-1])) for part in np.split(ordered, breaks + 1) if len(part)]


def _rectangle(x: tuple[int, int], y: tuple[int, int], **looks: Any) -> Shape:
    # Plotly takes a number on a category axis for a name where such a name exists; .4999 keeps clear of "2.5".
    ends = {"x0": x[0] - 0.4999, "x1": x[1] + 0.4999, "y0": y[0] - 0.4999, "y1": y[1] + 0.4999}
    return {"type": "rect", **ends, **looks}


def _height(classes: int) -> int:
    return 250 + 24 * classes if classes <= MAX_CLASSES_WITH_TEXT else 850


def _label_size(classes: int) -> int:
    return 12 if classes <= 12 else 11 if classes <= MAX_CLASSES_WITH_TEXT else 10 if classes <= 50 else 9


def _needs_rotation(names: Sequence[str]) -> bool:
    return len(names) > MAX_CLASSES_WITH_TEXT or max(map(len, names), default=0) * len(names) > 80
