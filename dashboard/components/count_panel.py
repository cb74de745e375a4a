"""The counting of a large data folder: how far it is, its stop, and a button to begin it again."""

from __future__ import annotations

import streamlit as st

from core.census.summary import DataSummary
from core.recipe.config import TrainConfig
from core.runs.tasks import read_task
from core.stored.status import ACTIVE
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard_callback
from dashboard.state import data_folder


def draw_count(config: TrainConfig, found: DataSummary) -> None:
    """Draw how far the counting of a config's data is; the page is drawn anew when it ends."""
    st.caption(
        ":material/folder_open: This folder is large, so it is counted in the background. What you see is from the last count."
        if found.is_known
        else ":material/folder_open: This folder is large, so it is counted in the background. You can start already."
    )
    folder = data_folder.count_task(config)
    status = read_task(folder)
    if status.state in ACTIVE:
        draw_running(folder, "files", key="count")
        return
    draw_end(status)
    draw_again(config)


def draw_again(config: TrainConfig) -> None:
    """Offer to count once more, where a count of the folder has ended."""
    if read_task(data_folder.count_task(config)).state not in ("stopped", "failed", "crashed"):
        return
    st.button(
        "Count again",
        icon=":material/refresh:",
        key="count-again",
        on_click=guard_callback(data_folder.begin_count),
        args=(config,),
    )
