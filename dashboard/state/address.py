"""What is selected: run, cell and class. The URL is the truth, so a link reopens the view and Back goes back."""

from __future__ import annotations

import streamlit as st

from core.errors import UserError
from core.runs.notes import iter_listed
from core.runs.run import Run, default_root, find_run, iter_runs
from core.words import shorten
from dashboard.text import escape_markdown

ANY = ""


def selected_run() -> Run | None:
    """Return the run the URL names, else the one last looked at, else the newest; None when there is no run.

    The choice is written back to the URL, which the sidebar's links drop; that a run does not exist is shown.
    """
    asked = st.query_params.get("run") or st.session_state.get("run")
    try:
        run = find_run(asked, default_root()) if asked else _newest()
    except UserError:
        run = _newest()
        if run is not None and "run" in st.query_params:
            name = escape_markdown(shorten(str(asked)))
            st.warning(
                f"The address asks for the run “{name}”, which does not exist, or no longer. The newest run is shown.",
                icon=":material/link_off:",
            )
    if run is not None and st.query_params.get("run") != run.id:
        st.query_params["run"] = run.id
    st.session_state["run"] = run.id if run is not None else None
    return run


def _newest() -> Run | None:
    """Return the newest run, one that is archived only where all are; None where there is none."""
    return next(iter_listed(default_root()), None) or next(iter_runs(default_root()), None)


def draw_no_run() -> None:
    """Say that there is no run yet, and lead to where one is started."""
    st.info(
        "There are no runs yet. Start one on the Train page; this page fills after its first epoch.",
        icon=":material/info:",
    )
    st.page_link(st.session_state["pages"]["train"], label="Go to Train", icon=":material/model_training:")


def choose_run(run: Run) -> None:
    """Select a run for all pages; what was selected inside another run is dropped."""
    st.session_state["run"] = run.id
    st.query_params.clear()
    st.query_params["run"] = run.id


def get_param(name: str, allowed: list[str] | None = None) -> str:
    """Return a parameter of the URL, or ANY where it is absent or not among those allowed."""
    value = st.query_params.get(name, ANY)
    return value if allowed is None or value in allowed else ANY


def set_params(**values: str) -> None:
    """Write parameters to the URL, one step of the browser's history for all; ANY removes one."""
    kept = {**st.query_params.to_dict(), **values}
    st.query_params.from_dict({name: value for name, value in kept.items() if value != ANY})
