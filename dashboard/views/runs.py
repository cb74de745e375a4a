"""Runs: every run with its state, result, note and size; open, stop, resume, and archive or delete many at once."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from core.people.acting import TRAIN
from core.stored.status import ACTIVE
from dashboard.access.lock import lock
from dashboard.builtin import submit_demo
from dashboard.components.gallery import draw_pager
from dashboard.components.import_form import draw_import
from dashboard.guard import guard, guard_callback
from dashboard.launch.queue_panel import draw_queue
from dashboard.listing.cards import draw_card, draw_cards
from dashboard.listing.chosen import draw_actions
from dashboard.listing.own_use import draw_own_use
from dashboard.listing.rows import Row, read_rows, tell_waits
from dashboard.listing.sought import PARAMS, Sought, draw_search, is_asked
from dashboard.listing.table import draw_columns, draw_table
from dashboard.state import address, kept
from dashboard.state.status_words import BADGES
from dashboard.text import format_count

POLL = 2.0
PAGE = 25  # cards
FEW = 10  # runs that are seen at a glance
View = Literal["cards", "table"]


def render() -> None:
    """Draw the page."""
    st.title("Runs")
    kept.restore(("view", *PARAMS), opened="runs-view" not in st.session_state)
    draw_import()
    rows = read_rows()
    if not rows:
        draw_empty()
        return
    active = any(row.status.state in ACTIVE for row in rows)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        sought = draw_search(rows) if len(rows) > FEW or is_asked() else Sought()
        view = draw_view("table" if len(rows) > FEW else "cards")
        if view == "table":
            draw_columns()
    away = sum(row.facts.note.archived for row in rows)
    archived = draw_archived(away)
    st.fragment(guard(draw_list), run_every=POLL if active else None)(
        [rows], (active, away), sought, view, archived
    )


def draw_view(default: View) -> View:
    """Offer cards or a table; the URL keeps what is chosen."""
    chosen: View = "table" if kept.read("view", ("cards", "table"), default) == "table" else "cards"
    st.session_state["runs-view"] = chosen
    st.segmented_control(
        "Shown as",
        ["table", "cards"],
        key="runs-view",
        required=True,
        format_func=str.capitalize,
        on_change=guard_callback(lambda: kept.keep("view", str(st.session_state["runs-view"]), default)),
    )
    return chosen


def draw_empty() -> None:
    """Show what to do when there is no run yet."""
    st.info(
        "There are no runs yet. Train on the built-in characters to see every page filled after the first epoch, in half a minute."
    )
    left, right, _ = st.columns([1, 1, 2])
    if left.button(
        "Start the demo training", type="primary", icon=":material/play_arrow:", key="runs-demo", width="stretch", **lock(TRAIN)
    ):  # fmt: skip
        run = submit_demo()
        address.choose_run(run)
        st.switch_page(st.session_state["pages"]["live"], query_params={"run": run.id})
    if right.button("Train on my own images", icon=":material/folder_open:", width="stretch"):
        st.switch_page(st.session_state["pages"]["train"])
    draw_queue([])


def draw_archived(count: int) -> bool:
    """Offer to see the runs that were put away, where there are any; return whether these are shown."""
    return bool(count) and st.toggle(
        f"Show the archived ({count})", key="runs-archived", persist_state="session"
    )


def draw_list(
    fresh: list[list[Row]], drawn: tuple[bool, int], sought: Sought, view: View, archived: bool = False
) -> None:
    """Draw the runs that are looked for; the archived ones, or all others.

    `fresh` holds the runs as they were read a moment ago, for the first time that this is drawn. `drawn` is whether any run was active when the page was drawn, and how many were archived.
    """
    rows = fresh.pop() if fresh else read_rows()
    active, away = (
        any(row.status.state in ACTIVE for row in rows),
        sum(row.facts.note.archived for row in rows),
    )
    if drawn != (active, away):
        st.rerun()  # draws the page anew, with or without polling, and the switch for the archived
    draw_own_use(rows)
    draw_queue([(row.run, row.status) for row in rows])
    every = rows
    rows = [row for row in rows if row.facts.note.archived == archived]
    counts = {name: sum(row.state == name for row in rows) for name in BADGES}
    st.caption(
        f"{format_count(len(rows), 'run')}: " + ", ".join(f"{n:,} {name}" for name, n in counts.items() if n)
    )
    found = [row for row in rows if sought.finds(row)]
    if not rows:
        st.info("All runs are archived. Show them above.", icon=":material/archive:")
    elif not found:
        st.info(
            "No run has all of this. Clear a filter above, or try other words.", icon=":material/search_off:"
        )
    elif view == "table":
        draw_as_table(found, every, archived)
    else:
        page = draw_pager(len(found), PAGE, key="runs-page", unit="runs")
        shown = found[page * PAGE : (page + 1) * PAGE]
        draw_cards(tell_waits(shown, every), archived, choosable=len(found) > 1)


def draw_as_table(found: list[Row], every: list[Row], archived: bool) -> None:
    """Draw runs, found among `every` one, as a table, above it what can be done with those ticked, below it one that is ticked alone as a card."""
    bar = st.container(horizontal=True, vertical_alignment="center", key="runs-chosen")
    chosen = draw_table(found)
    with bar:
        if chosen:
            draw_actions([row.run for row in chosen], archived)
        else:
            st.caption("Tick a run to open it; tick several to compare, archive or delete them.")
    if len(chosen) == 1:
        draw_card(*tell_waits(chosen, every))
