"""Deleting runs, after asking."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from core.errors import UserError, describe_error
from core.people.acting import ROLES
from core.people.disk import measure_folder
from core.runs import jobs
from core.runs.run import Run
from dashboard.guard import guard
from dashboard.text import escape_markdown


def role_to_delete(runs: Sequence[Run]) -> str:
    """Return the role that it takes to delete all of some runs."""
    return max(map(jobs.role_to_delete, runs), key=ROLES.index)


def confirm_delete(
    runs: Sequence[Run], title: str, what: str, then: Callable[[], None] = lambda: None
) -> None:
    """Open a dialog that asks before the folders of runs are deleted; `what` names them, as Markdown.

    `then` is called when they are gone, before the page is drawn anew.
    """
    st.dialog(title)(guard(_ask))(runs, what, then)


def _ask(runs: Sequence[Run], what: str, then: Callable[[], None]) -> None:
    size = sum(measure_folder(run.folder) for run in runs)
    st.write(
        f"{what}, with all models, figures and predictions ({size / 1e6:,.0f} MB). This cannot be undone."
    )
    yes, no = st.columns(2)
    if yes.button("Delete", type="primary", icon=":material/delete:", width="stretch"):
        try:
            for run in runs:
                jobs.delete(run)
        except (UserError, OSError) as error:
            st.error(escape_markdown(describe_error(error)))
            return
        then()
        st.rerun()
    if no.button("Keep it", width="stretch"):
        st.rerun()
