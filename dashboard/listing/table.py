"""Runs as a table, hundreds at a glance: sorted by any column, columns hidden, rows ticked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from core.verdicts.predictions import wilson_interval
from core.words import tell_names_apart
from dashboard.listing.rows import Row
from dashboard.terms import explain

_TICKED = "runs-ticked"
_LINE = 35  # px, a row of Streamlit's tables
_BAR = 12  # px, the bar below a table that is wider than the page
_NAME = 300  # px, of a name; Streamlit would let it shrink to a few letters
_LETTERS = 38  # of a name that are seen in it
_MOST = 12  # rows to be seen without scrolling

# The columns that not every list fills are left out where they are empty.
_FORMATS: dict[str, Any] = {
    "name": st.column_config.TextColumn(pinned=True, width=_NAME),
    "accuracy": st.column_config.NumberColumn(
        "best accuracy", format="%.1f %%", help="On the validation images, which also chose the best epoch."
    ),
    "interval": st.column_config.TextColumn("95 % interval", help=explain("Wilson")),
    "epochs": st.column_config.NumberColumn(help="Epochs done."),
    "minutes": st.column_config.NumberColumn(
        "time (min)", format="%.1f", help="Minutes of work, without waiting and pauses."
    ),
    "preset": st.column_config.TextColumn("recipe"),
    "started": st.column_config.DatetimeColumn("made", format="YYYY-MM-DD HH:mm"),
    "disk": st.column_config.NumberColumn("disk (MB)", format="%.0f"),
    "parent": st.column_config.TextColumn("starts from", help="The run whose best model it began with."),
    "children": st.column_config.TextColumn("goes on in", help="The runs that begin with its best model."),
    "owner": st.column_config.TextColumn(help="The user who started or imported it."),
}
_SELDOM = ("parent", "children", "tags", "owner")
_ALWAYS = "name"
_COLUMNS = {
    "state": "state", "owner": "owner", "accuracy": "best accuracy", "interval": "95 % interval", "network": "network", "data": "data",
    "preset": "recipe", "epochs": "epochs", "minutes": "time", "started": "made", "disk": "disk", "parent": "starts from",
    "children": "goes on in", "tags": "tags",
}  # fmt: skip


def draw_columns() -> None:
    """Offer which columns the table has beside the name; the choice stays as long as the browser's session."""
    with st.popover("Columns", icon=":material/view_column:"):
        st.pills(
            "Columns",
            list(_COLUMNS),
            selection_mode="multi",
            default=list(_COLUMNS),
            format_func=_COLUMNS.__getitem__,
            key="runs-columns",
            label_visibility="collapsed",
            persist_state="session",
        )


def draw_table(rows: Sequence[Row]) -> list[Row]:
    """Draw runs as a table and return those that are ticked.

    Ticks stay with their runs when others come or go: where a table has other rows, it is another table to Streamlit,
    which knows rows by their number alone.
    """
    ids = [row.run.id for row in rows]
    ticked = set(st.session_state.get(_TICKED, ()))
    places = [place for place, name in enumerate(ids) if name in ticked]
    state = st.dataframe(
        tabulate(rows),
        hide_index=True,
        height=_LINE * (_MOST + 1) + _BAR if len(rows) > _MOST else "content",
        column_config=_FORMATS,
        key=f"runs-table-{hashlib.blake2b('/'.join(ids).encode(), digest_size=8).hexdigest()}",
        on_select="rerun",
        selection_mode="multi-row",
        selection_default={"selection": {"rows": places}},
        alt="All runs that are looked for, a row each",
        placeholder="–",
    )
    chosen = [rows[place] for place in state["selection"]["rows"] if place < len(rows)]
    st.session_state[_TICKED] = tuple(row.run.id for row in chosen)
    return chosen


def tabulate(rows: Sequence[Row]) -> pd.DataFrame:
    """Return the columns chosen of runs, figures as numbers so that they sort as such; what a run lacks is missing."""
    table = pd.DataFrame([_values(row) for row in rows])
    table["name"] = tell_names_apart(list(table["name"]), _LETTERS)
    chosen = {_ALWAYS, *st.session_state.get("runs-columns", _COLUMNS)}
    table = table.drop(columns=[name for name in _SELDOM if not table[name].any()])
    return table[[name for name in table if name in chosen]]


def _values(row: Row) -> dict[str, Any]:
    status, recipe = row.status, row.facts.recipe
    return {
        "name": row.run.id,
        "state": row.state,
        "owner": row.facts.owner,
        "accuracy": 100 * status.best_val_acc if status.has_best else None,
        "interval": _format_interval(row),
        "network": row.network,
        "data": row.data_name,
        "preset": "imported" if row.facts.origin else recipe.preset,
        "epochs": None if row.facts.origin else status.epoch,
        "minutes": None if row.facts.origin else status.seconds / 60,
        "started": datetime.fromtimestamp(status.created) if status.created else None,
        "disk": row.facts.disk / 1e6,
        "parent": recipe.parent,
        "children": ", ".join(row.children),
        "tags": ", ".join(row.facts.note.tags),
    }


def _format_interval(row: Row) -> str:
    status = row.status
    if not status.has_best or not status.val_count:
        return ""
    low, high = wilson_interval(round(status.best_val_acc * status.val_count), status.val_count)
    return f"{float(low) * 100:.1f}–{float(high) * 100:.1f} %"
