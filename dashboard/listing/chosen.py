"""What can be done with several runs at once: compare, archive, delete."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.people.acting import ADMINISTER
from core.runs import notes
from core.runs.run import Run
from dashboard.access.lock import lock
from dashboard.guard import guard_callback
from dashboard.panels.deletion import confirm_delete, role_to_delete
from dashboard.text import escape_markdown, format_count

NAMED = 5  # runs to be deleted that are named one by one
MOST = 8  # runs compared at once: as many as can be told apart in a chart


def draw_actions(chosen: Sequence[Run], archived: bool) -> None:
    """Offer what can be done with runs that are ticked, all of them archived or none, inside of a horizontal container."""
    st.markdown(f"**{format_count(len(chosen), 'run')}** chosen", width="content")
    if len(chosen) > 1 and st.button(
        "Compare",
        icon=":material/compare_arrows:",
        key="runs-compare",
        disabled=len(chosen) > MOST,
        help=f"At most {format_count(MOST, 'run')} at a time." if len(chosen) > MOST else None,
    ):
        ids = ",".join(run.id for run in reversed(chosen))  # the older one is what the newer is held against
        st.switch_page(st.session_state["pages"]["compare"], query_params={"runs": ids})
    st.button(
        "Take out of the archive" if archived else "Archive",
        icon=":material/unarchive:" if archived else ":material/archive:",
        key="runs-archive",
        on_click=guard_callback(_archive),
        args=(chosen, not archived),
        **lock(ADMINISTER, help="Archived runs are left out of lists and choices. Nothing is deleted."),
    )
    if st.button("Delete", icon=":material/delete:", key="runs-delete", **lock(role_to_delete(chosen))):
        names = ", ".join(f"**{escape_markdown(run.id)}**" for run in chosen[:NAMED])
        more = f" and {format_count(len(chosen) - NAMED, 'more run')}" if len(chosen) > NAMED else ""
        confirm_delete(chosen, f"Delete {format_count(len(chosen), 'run')}?", names + more)


def choose(runs: Sequence[Run], chosen: bool) -> None:
    """Tick the cards of runs, or take the ticks away."""
    for run in runs:
        st.session_state[f"choose-{run.id}"] = chosen


def _archive(runs: Sequence[Run], archived: bool) -> None:
    notes.archive(runs, archived)
    choose(runs, False)
