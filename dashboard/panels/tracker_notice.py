"""A notice where a run's figures did not get to its tracker: what failed, why, and what to do."""

from __future__ import annotations

import streamlit as st

from core.runs.run import Run
from core.trackers.fault import read_fault
from dashboard.text import escape_markdown


def draw_tracker_notice(run: Run) -> None:
    """Say why a tracker did not get a run's figures, where that is so."""
    if (fault := read_fault(run)) is not None:
        st.warning(escape_markdown(fault.describe(run)), icon=":material/sync_problem:")
