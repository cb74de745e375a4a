"""A level of a confusion matrix of very many classes, or of a difference, as a Plotly figure; no streamlit.

A row or a column is a group of neighbouring classes or a single one, so rows and columns need not be the same.
"""

from __future__ import annotations

import html
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from core.words import shorten_names
from dashboard.charts.curve_charts import new_figure
from dashboard.charts.matrix_chart import Counts
from dashboard.charts.matrix_colours import (
    CHANGE_SCALE,
    CORRECT_SCALE,
    ERROR_SCALE,
    UNITS,
    Look,
    Scale,
    colour,
)

HEIGHT = 850  # pixels
NAMED = 3  # classes of a group that a hover text names, beside the last
LONGEST = 18  # letters beside the chart; hover has all
WHERE = "true <b>%{y}</b> → predicted <b>%{x}</b><br>"


@dataclass(frozen=True)
class Side:
    """The rows or the columns of a level: the labels of the classes in each, in their order."""

    groups: Sequence[Sequence[str]]

    @property
    def is_single(self) -> bool:
        """Tell whether each is a single class."""
        return all(len(group) == 1 for group in self.groups)

    @property
    def names(self) -> list[str]:
        """Return what tells each from the others, and what a hover text says of it."""
        return [_list_names(group) for group in self.groups]

    @property
    def short_names(self) -> list[str]:
        """Return what stands beside the chart; of a group, as a dictionary has it, the first that is in it."""
        first = shorten_names([group[0] for group in self.groups], LONGEST)
        return [
            f"{name} …" if len(group) > 1 else name for name, group in zip(first, self.groups, strict=True)
        ]


@dataclass(frozen=True)
class Cells:
    """What a level holds: `counts` (R, Q), and the images of each row (R,) and those predicted as each column (Q,)."""

    counts: Counts
    support: Counts
    named: Counts

    def value(self, row: Counts, column: Counts, look: Look) -> npt.NDArray[np.float64]:
        """Return what is coloured of some cells: images, or their share of the row or of the column."""
        found = self.counts[row, column].astype(np.float64)
        if look.values == "count":
            return found
        images = self.support[row] if look.values == "row" else self.named[column]
        return np.asarray(found / np.maximum(images, 1))


def level_matrix(
    cells: Cells, right: npt.NDArray[np.bool_], rows: Side, columns: Side, look: Look
) -> go.Figure:
    """Draw the images of a level; `right` (R, Q) says which cells hold right answers, all others hold errors."""
    shown = np.where(right, (cells.counts > 0) & look.diagonal, cells.counts >= max(1, look.least))
    row, column = np.nonzero(shown)
    is_right = right[row, column]
    value = cells.value(row, column, look)
    scales = [Scale.of(value[part], look) for part in (is_right, ~is_right)]
    place = np.where(is_right, -scales[0].place(value), scales[1].place(value))
    count, support, named = cells.counts[row, column], cells.support[row], cells.named[column]
    hover = [count, support, _per_cent(count, support), named, _per_cent(count, named)]
    figure = _draw((rows, columns), (row, column), place, hover, "Confusion matrix")
    what, whose = ("images", "class") if rows.is_single and columns.is_single else ("errors", "classes")
    figure.update_traces(
        hovertemplate=f"{WHERE}{what}: <b>%{{customdata[0]}}</b>, %{{customdata[2]}} % of the %{{customdata[1]}} images of the "
        f"true {whose}, %{{customdata[4]}} % of the %{{customdata[3]}} so predicted<extra></extra>"
    )
    ticks, scale = scales[1].ticks(look.values), list(ERROR_SCALE)
    with_right = bool(right.any()) and look.diagonal
    if with_right:
        ticks = [(-at, f"✓ {text}") for at, text in reversed(scales[0].ticks(look.values)) if at] + ticks
        scale = [(0.5 - at / 2, tone) for at, tone in reversed(CORRECT_SCALE)]
        scale += [(0.5 + at / 2, tone) for at, tone in ERROR_SCALE]
    return colour(figure, scale, ticks, f"errors<br>({UNITS[look.values]})", low=-1 if with_right else 0)


def level_difference(
    before: Cells, now: Cells, came: Counts, left: Counts, rows: Side, columns: Side, look: Look
) -> go.Figure:
    """Draw what changed in a level; `came` and `left` (R, Q) are the images that entered and left each cell."""
    row, column = np.nonzero(np.maximum(came, left) >= max(1, look.least))
    change = now.value(row, column, look) - before.value(row, column, look)
    scale = Scale.of(np.abs(change[change != 0]), look)
    place = np.sign(change) * scale.place(np.abs(change))
    hover = [table[row, column] for table in (now.counts, before.counts, came, left)]
    figure = _draw((rows, columns), (row, column), place, hover, "Difference of the confusion matrices")
    figure.update_traces(
        hovertemplate=f"{WHERE}images: <b>%{{customdata[0]}}</b>, before %{{customdata[1]}}; %{{customdata[2]}} came in, "
        "%{customdata[3]} left<extra></extra>"
    )
    ticks = scale.ticks(look.values)
    both = [(-at, f"−{text}") for at, text in reversed(ticks) if at]
    both += [(at, f"+{text}" if at else text) for at, text in ticks]
    return colour(figure, list(CHANGE_SCALE), both, f"change<br>({UNITS[look.values]})", low=-1)


def _draw(
    sides: tuple[Side, Side],
    cells: tuple[Counts, Counts],
    place: npt.NDArray[np.float64],
    hover: Sequence[npt.NDArray[Any]],
    title: str,
) -> go.Figure:
    """Return a figure of the `cells` (rows, columns); all others are NaN, which Plotly leaves out."""
    rows, columns = ([html.escape(name, quote=False) for name in side.names] for side in sides)
    revision = f"level {zlib.crc32(chr(0).join([*rows, '', *columns]).encode()):x}"
    figure = new_figure(title, height=HEIGHT, revision=revision)
    z = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
    z[cells] = place
    customdata = np.zeros((*z.shape, len(hover)), dtype=np.int64)
    customdata[cells] = np.stack(hover, axis=-1)
    figure.add_heatmap(x=columns, y=rows, z=z, customdata=customdata, hoverongaps=False)
    for names, side, update, turned in (
        (columns, sides[1], figure.update_xaxes, True),
        (rows, sides[0], figure.update_yaxes, False),
    ):
        what = "class" if side.is_single else "classes"
        update(
            type="category",
            categoryorder="array",
            categoryarray=names,
            range=[-0.5, len(names) - 0.5] if turned else [len(names) - 0.5, -0.5],
            tickfont={"size": 9},
            tickangle=-90 if turned else 0,
            labelalias={
                name: html.escape(short, quote=False)
                for name, short in zip(names, side.short_names, strict=True)
            },
            title_text=f"predicted {what}" if turned else f"true {what}",
            showgrid=False,
            zeroline=False,
            showline=True,
            mirror=True,
            ticks="",
        )
    figure.update_layout(hovermode="closest", margin={"t": 56})
    return figure


def _list_names(group: Sequence[str]) -> str:
    if len(group) == 1:
        return group[0]
    if len(group) <= NAMED + 1:
        return ", ".join(group)
    return f"{', '.join(group[:NAMED])} … {group[-1]} ({len(group)} classes)"


def _per_cent(count: Counts, whole: Counts) -> npt.NDArray[np.float64]:
    return np.rint(100 * count / np.maximum(whole, 1))
