"""A folder of Parquet, Arrow or tar files in place of images: offer to unpack it, and show how far that is."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.people.acting import TRAIN
from core.runs.run import ACTIVE
from core.runs.tasks import read_task
from dashboard.access.lock import lock
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard_callback
from dashboard.launch import arrivals_panel
from dashboard.state import data_folder
from dashboard.text import escape_markdown, format_bytes


def draw_offer(folder: str, page: str = "train") -> bool:
    """Offer to unpack what lies in a folder, where shards do, and tell whether they do; a page gets what is made."""
    shards = data_folder.find_shards(folder)
    if shards is None:
        return False
    with st.container(horizontal=True, vertical_alignment="center", key="unpack-row"):
        st.button(
            f"Unpack them ({format_bytes(shards.bytes)})",
            type="primary",
            icon=":material/unarchive:",
            key="unpack",
            on_click=guard_callback(arrivals_panel.begin),
            args=("unpack",),
            kwargs={"page": page, "images": str(shards.root), "name": _name_after(shards.root)},
            **lock(TRAIN, disabled=read_task(arrivals_panel.task_folder()).state in ACTIVE),
        )
        st.caption(
            f":material/inventory_2: This folder holds {escape_markdown(shards.describe())} with images inside. Unpacking makes "
            "a folder of images beside your other data, about as large. The files stay as they are."
        )
    return True


def draw_offer_and_progress(folder: str, page: str) -> bool:
    """Do as `draw_offer`, on a page where no form shows the progress."""
    if data_folder.find_shards(folder) is None:
        return False
    status = read_task(arrivals_panel.task_folder())
    if status.state in ACTIVE:
        draw_running(arrivals_panel.task_folder(), arrivals_panel.unit_of(), key="arrivals")
        return True
    if arrivals_panel.is_awaited():
        draw_end(status)
    return draw_offer(folder, page)


def _name_after(folder: Path) -> str:
    """Return a name for what is unpacked: a folder `data` says less than the one it lies in."""
    return folder.parent.name if folder.name.lower() in ("data", "") else folder.name
