"""The levels of the matrix of very many classes: what each shows, and their figures, each made once a table; a home of caches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import streamlit as st

from core.verdicts.levels import Level, Steps, find_steps, open_level
from core.verdicts.many_classes import order_many
from core.verdicts.ordering import Order
from dashboard.charts.level_chart import Cells, Side, level_difference, level_matrix
from dashboard.charts.matrix_colours import Look
from dashboard.components.plot import PackedFigure, pack
from dashboard.explorer import matrices
from dashboard.explorer.matrices import KEYS, Codes, Stamps, TableSource, find_stamps
from dashboard.state import services


@dataclass(frozen=True)
class Part:
    """What is opened of a matrix: the way to it, its level, and the order of the classes (C,) as indices of the run's."""

    steps: Steps
    level: Level
    order: Codes

    @classmethod
    def open(cls, order: Codes, steps: Steps = ()) -> Part:
        """Return the part that these steps open; raises ValueError where there is none."""
        return cls(steps, open_level(len(order), steps), order)

    def list_groups(self, side: range, names: Sequence[str]) -> list[tuple[str, ...]]:
        """Return what the classes of each row or column are called; `names` (C,) are those of all the run's classes."""
        ends = (min(first + side.step, side.stop) for first in side)
        return [
            tuple(names[index] for index in self.order[first:end].tolist())
            for first, end in zip(side, ends, strict=True)
        ]

    def list_sides(self, names: Sequence[str]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
        """Return the same of the rows, and of the columns."""
        return self.list_groups(self.level.rows, names), self.list_groups(self.level.columns, names)

    def find_places(self) -> Codes:
        """Return where in the order each class stands (C,)."""
        places = np.empty_like(self.order)
        places[self.order] = np.arange(len(self.order))
        return places


def open_whole(source: TableSource, by: Order) -> Part:
    """Return the first level of a matrix in an order of its classes."""
    return Part.open(_order(source, find_stamps(source), by))


def find_classes(whole: Part, indices: Sequence[int]) -> Steps:
    """Return the steps to the smallest part on the diagonal that holds these classes."""
    return find_steps(len(whole.order), whole.find_places()[list(indices)].tolist())


def draw_level(source: TableSource, by: Order, look: Look, steps: Steps) -> PackedFigure:
    """Return the figure of a part of the confusion matrix."""
    return _draw_level(source, find_stamps(source), by, look, steps)


def draw_level_difference(
    source: TableSource, other: TableSource, by: Order, look: Look, steps: Steps
) -> PackedFigure:
    """Return the figure of what changed in a part of the matrix, in the order of the newer one."""
    return _draw_difference(source, find_stamps(source), other, find_stamps(other), by, look, steps)


def make_sides(part: Part, labels: Sequence[str]) -> tuple[Side, Side]:
    """Return the rows and the columns of a part as a chart names them."""
    rows, columns = part.list_sides(labels)
    return Side(rows), Side(columns)


@st.cache_resource(max_entries=8, show_spinner="Ordering the classes …", hash_funcs=KEYS)
def _order(source: TableSource, stamps: Stamps, by: Order) -> Codes:  # noqa: ARG001
    judged = matrices.judge(source)
    return order_many(judged.true, judged.predicted, len(judged.support), by)


@st.cache_resource(max_entries=32, show_spinner=False, hash_funcs=KEYS)
def _draw_level(source: TableSource, stamps: Stamps, by: Order, look: Look, steps: Steps) -> PackedFigure:
    judged, part = matrices.judge(source), Part.open(_order(source, stamps, by), steps)
    places = part.find_places()
    cells, _ = count_part(part.level, places[judged.true], places[judged.predicted])
    return pack(level_matrix(cells, find_right(part.level), *make_sides(part, _labels(source)), look))


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs=KEYS)
def _draw_difference(
    source: TableSource,
    stamps: Stamps,
    other: TableSource,
    other_stamps: Stamps,  # noqa: ARG001
    by: Order,
    look: Look,
    steps: Steps,
) -> PackedFigure:
    judged, part = matrices.judge(source), Part.open(_order(source, stamps, by), steps)
    before = matrices.compare(source, other).before
    places, level = part.find_places(), part.level
    true = places[judged.true]
    (now, cells), (then, cells_before) = (
        count_part(level, true, places[codes]) for codes in (judged.predicted, before)
    )
    moved = cells != cells_before
    came, left = (level.count_cells(where[moved]) for where in (cells, cells_before))
    return pack(level_difference(then, now, came, left, *make_sides(part, _labels(source)), look))


def count_part(level: Level, true: Codes, predicted: Codes) -> tuple[Cells, Codes]:
    """Return what a level holds, and in which of its cells each image is (N,)."""
    cells = level.find_cells(true, predicted)
    return Cells(level.count_cells(cells), level.count_rows(true), level.count_columns(predicted)), cells


def find_right(level: Level) -> npt.NDArray[np.bool_]:
    """Return which cells hold right answers (R, Q): of single classes those of one class with itself."""
    same = np.equal.outer(np.asarray(level.rows), np.asarray(level.columns))
    return same if level.is_single else np.zeros_like(same)


def _labels(source: TableSource) -> list[str]:
    return services.read_data(source.run).labels
