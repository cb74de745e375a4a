"""Deleting runs, after asking."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from core.errors import UserError, describe_error
from core.runs import jobs
from core.runs.run import Run
from dashboard.guard import guard
from dashboard.text import escape_markdown


def confirm_delete(
    runs: Sequence[Run], title: str, what: str, then: Callable[[], None] = lambda: None
) -> None:
    """Open a dialog that asks before the folders of runs are deleted; `what` names them, as Markdown.

    `then` is called when they are gone, before the page is drawn anew.
    """
    st.dialog(title)(guard(_ask))(runs, what, then)


def _ask(runs: Sequence[Run], what: str, then: Callable[[], None]) -> None:
    size = sum(path.stat().st_size for run in runs for path in run.folder.rglob("*") if path.is_file())
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
