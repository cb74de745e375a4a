"""The matrix of very many classes by levels: a click opens two groups of them, and a way leads back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core.verdicts.levels import Level
from core.verdicts.ordering import Order
from core.words import format_count, shorten
from dashboard.charts.matrix_colours import Look
from dashboard.charts.matrix_marks import mark_groups, outline_cells
from dashboard.components.plot import Box, Click, LabelClick, plot
from dashboard.explorer.level_figures import (
    Part,
    draw_level,
    draw_level_difference,
    find_classes,
    make_sides,
    open_whole,
)
from dashboard.explorer.lists import ShownPart, show
from dashboard.explorer.look import AROUND, keep_view, read_zoom
from dashboard.explorer.matrices import MOST_DRAWN, TableSource
from dashboard.guard import guard_callback
from dashboard.state.part import open_part, read_part
from dashboard.state.selection import Selection
from dashboard.state.services import RunData
from dashboard.text import escape_markdown, label_markdown

_LONGEST = 24  # letters of a class in the way back

Groups = Sequence[tuple[str, ...]]


def has_levels(classes: int) -> bool:
    """Tell whether a matrix of so many classes is shown by levels."""
    return classes > MOST_DRAWN


def draw_levels(
    source: TableSource,
    other: TableSource | None,
    data: RunData,
    by: Order,
    look: Look,
    selection: Selection,
    found: str,
    *,
    height: int | None,
    summary: str,
) -> None:
    """Draw the part that is opened; a click opens a cell or, of single classes, selects it; a label or a box selects."""
    part = choose_part(source, data, by, found)
    sides = part.list_sides(data.classes)
    draw_way(part, data.labels)
    plot(
        draw_level(source, by, look, part.steps)
        if other is None
        else draw_level_difference(source, other, by, look, part.steps),
        key="confusion-matrix",
        on_click=_take_click(part, data, sides),
        on_label=_take_label(data, sides),
        on_box=_take_box(data, sides, wrong_only=not look.diagonal or not part.level.is_single),
        shapes=_mark(sides, selection, found),
        on_zoom=keep_view,
        view=read_zoom(max(part.level.shape)),
        height=height,
        summary=f"{summary} {_tell_keys(part.level)}",
    )


def find_shown(source: TableSource, data: RunData, by: Order, found: str) -> ShownPart | None:
    """Return what classes the part that is opened shows; None where it is all of them."""
    if not has_levels(len(data.classes)) or not (part := choose_part(source, data, by, found)).steps:
        return None
    true, predicted = (
        frozenset(name for group in side for name in group) for side in part.list_sides(data.classes)
    )
    return ShownPart(true, predicted)


def draw_way(part: Part, labels: Sequence[str]) -> None:
    """Say what is shown, and lead back to what was opened before."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="matrix-way"):
        words = f"All {len(labels):,} classes"
        for step, cell in enumerate(part.steps):
            opened = Part.open(part.order, part.steps[:step])
            st.button(
                label_markdown(words),
                key=f"matrix-way-{step}",
                type="tertiary",
                on_click=guard_callback(open_part),
                args=(opened.steps,),
            )
            st.markdown("›", width="content")
            words = name_cell(opened, cell, labels)
        st.markdown(f"**{escape_markdown(words)}**", width="content")
    st.caption(tell_level(part.level))


def name_cell(part: Part, cell: tuple[int, int], labels: Sequence[str]) -> str:
    """Return the two groups of a cell by their first and last classes: 'Aa–Ba × Ca–Da', or 'Aa–Ba' of one with itself."""
    groups = (groups[place] for groups, place in zip(part.list_sides(labels), cell, strict=True))
    ends = [
        "–".join(shorten(name, _LONGEST) for name in dict.fromkeys((group[0], group[-1]))) for group in groups
    ]
    return " × ".join(dict.fromkeys(ends))


def tell_level(level: Level) -> str:
    """Say what the cells of a level are, and what a click does."""
    if level.is_single:
        return "Each cell is a pair of classes. Click one to see its images."
    count = format_count(level.size, "neighbouring class")
    return f"Groups of {count}. A cell counts the errors between two of them; click it to open them."


def _tell_keys(level: Level) -> str:
    done = "shows the images of one" if level.is_single else "opens the two groups of one"
    return f"Arrow keys move from cell to cell, Enter {done}."


def choose_part(source: TableSource, data: RunData, by: Order, found: str) -> Part:
    """Return the part that the URL names, else the one around the class, or the block, that is looked for."""
    whole = open_whole(source, by)
    names: Sequence[str] = (found,) if found else st.session_state.get(AROUND, ())
    known = {name: index for index, name in enumerate(data.classes)} if names else {}
    indices = [known[name] for name in names if name in known]
    sought = find_classes(whole, indices) if indices else ()
    return Part.open(whole.order, read_part(len(data.classes), sought))


def _take_click(part: Part, data: RunData, sides: tuple[Groups, Groups]) -> Callable[[Click], None]:
    def take(click: Click) -> None:
        rows, columns = (side.names for side in make_sides(part, data.labels))
        if click.y not in rows or click.x not in columns:
            return  # the browser still showed another level
        row, column = rows.index(str(click.y)), columns.index(str(click.x))
        if part.level.is_single:
            show(Selection(sides[0][row], sides[1][column]), data.classes)
        else:
            open_part((*part.steps, (row, column)))

    return take


def _take_label(data: RunData, sides: tuple[Groups, Groups]) -> Callable[[LabelClick], None]:
    def take(label: LabelClick) -> None:
        chosen = sides[0 if label.axis == "y" else 1][label.index]
        rows, columns = (chosen, ()) if label.axis == "y" else ((), chosen)
        show(Selection(rows, columns, wrong_only=len(chosen) > 1), data.classes)

    return take


def _take_box(data: RunData, sides: tuple[Groups, Groups], *, wrong_only: bool) -> Callable[[Box], None]:
    def take(box: Box) -> None:
        rows, columns = (
            tuple(name for group in side[first : last + 1] for name in group)
            for side, (first, last) in zip(sides, (box.y, box.x), strict=True)
        )
        show(Selection(rows, columns, wrong_only), data.classes)

    return take


def _mark(sides: tuple[Groups, Groups], selection: Selection, found: str) -> list[dict[str, Any]]:
    """Return what is drawn over a level: the row and the column of the class looked for, and what is selected."""
    shapes: list[dict[str, Any]] = []
    if found:
        rows, columns = (_find_groups(side, {found}) for side in sides)
        shapes += mark_groups(rows, columns, (len(sides[0]), len(sides[1])))
    if selection:
        rows, columns = (
            _find_groups(side, set(names)) if names else list(range(len(side)))
            for side, names in zip(sides, (selection.true, selection.predicted), strict=True)
        )
        shapes += outline_cells(rows, columns)
    return shapes


def _find_groups(side: Groups, names: set[str]) -> list[int]:
    return [place for place, group in enumerate(side) if not names.isdisjoint(group)]
