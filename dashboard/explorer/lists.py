"""What is confused most, as lists to select from: pairs of classes, and blocks of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from core.verdicts.ordering import Block
from dashboard.explorer import matrices
from dashboard.explorer.look import AROUND, read_order
from dashboard.explorer.matrices import TableFigures, TableSource
from dashboard.guard import guard_callback
from dashboard.state import address
from dashboard.state.part import PART
from dashboard.state.selection import Selection, select
from dashboard.state.services import RunData
from dashboard.text import escape_markdown, format_count, format_share

PAIRS = 12
BLOCKS = 12
NAMED = 6  # classes of a block that are written out
SEEN = "confusion-seen"  # the selection that what stands beside the matrix was chosen for
REORDERED = "confusion-reordered"  # the order was changed by what stands beside the matrix


@dataclass(frozen=True)
class ShownPart:
    """What a matrix of very many classes shows of them, where it is not all: the true and the predicted classes, by name."""

    true: frozenset[str]
    predicted: frozenset[str]

    def holds(self, names: set[str]) -> bool:
        """Tell whether it shows confusions of these classes, and all of the classes."""
        return (
            names <= self.true | self.predicted and bool(names & self.true) and bool(names & self.predicted)
        )


def show(selection: Selection, classes: list[str]) -> None:
    """Select cells and have their images shown, also where they were selected before and something else stands there."""
    st.session_state.pop(SEEN, None)
    select(selection, classes)


def draw_pairs(judged: TableFigures, data: RunData, part: ShownPart | None = None) -> None:
    """List the most confused pairs; of a part of the matrix, those within it first."""
    if judged.pairs.empty:
        st.success("Every image is predicted right. There are no confusions.", icon=":material/check:")
        return
    if part is None:
        _draw_pairs(judged.pairs, data, "pair")
        return
    inside = judged.pairs[
        judged.pairs["true"].isin(part.true) & judged.pairs["predicted"].isin(part.predicted)
    ]
    if inside.empty:
        st.info("No two classes of the part shown are confused.", icon=":material/check:")
    else:
        st.caption("Within the part shown, confused most:")
        _draw_pairs(inside, data, "pair")
    with st.expander(f"Of all {len(data.classes):,} classes"):
        _draw_pairs(judged.pairs, data, "pair-of-all")


def _draw_pairs(pairs: pd.DataFrame, data: RunData, key: str) -> None:
    for number, pair in enumerate(pairs.head(PAIRS).itertuples()):
        text = f"**{escape_markdown(data.label(pair.true))}** taken for **{escape_markdown(data.label(pair.predicted))}** · {pair.count}"
        st.button(
            text,
            key=f"{key}-{number}",
            help=f"{format_count(pair.count, 'image')}, {format_share(pair.share)} of the true class",
            width="stretch",
            on_click=guard_callback(show),
            args=(Selection((pair.true,), (pair.predicted,)), data.classes),
        )


def draw_blocks(source: TableSource, data: RunData, part: ShownPart | None = None) -> None:
    """List the groups of classes that are confused with each other; of a part of the matrix, those within it first."""
    found = matrices.list_blocks(source)
    if not found:
        st.info("No group of classes stands out as confused with each other.", icon=":material/info:")
        return
    if part is None:
        _draw_blocks(found, data, "block")
        return
    inside = [block for block in found if part.holds({data.classes[index] for index in block.members})]
    if inside:
        st.caption("Within the part shown:")
        _draw_blocks(inside, data, "block")
    else:
        st.info(
            "No group within the part shown stands out as confused with each other.", icon=":material/info:"
        )
    with st.expander(f"Of all {len(data.classes):,} classes"):
        _draw_blocks(found, data, "block-of-all")


def _draw_blocks(found: Sequence[Block], data: RunData, key: str) -> None:
    def choose(names: tuple[str, ...]) -> None:
        # Where the block stands together.
        st.session_state[REORDERED], st.session_state[AROUND] = read_order() != "similarity", names
        address.set_params(order="similarity", find=address.ANY, zoom=address.ANY, **{PART: address.ANY})
        show(Selection(names, names, wrong_only=True), data.classes)

    for number, block in enumerate(found[:BLOCKS]):
        names = tuple(data.classes[index] for index in block.members)
        st.button(
            f"**{name_classes(names, data)}** · {block.confusions}",
            key=f"{key}-{number}",
            help=f"{format_count(block.confusions, 'image')} of one of these {len(names)} classes taken for another of them",
            width="stretch",
            on_click=guard_callback(choose),
            args=(names,),
        )


def name_classes(names: tuple[str, ...], data: RunData) -> str:
    """Return the labels of classes, of many only the first with the number of the others."""
    shown = ", ".join(escape_markdown(data.label(name)) for name in names[:NAMED])
    return f"{shown} and {len(names) - NAMED} more" if len(names) > NAMED else shown
