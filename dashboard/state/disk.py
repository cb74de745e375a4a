"""The home of a cache: how much disk each run takes, looked at again now and then."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.runs.notes import count_bytes
from core.runs.run import Run


def disk_used(run: Run) -> int:
    """Return the bytes that a run takes on disk; looks again after a minute."""
    return _count(run.folder)


@st.cache_data(ttl=60, max_entries=1000, show_spinner=False)
def _count(folder: Path) -> int:
    return count_bytes(folder)
