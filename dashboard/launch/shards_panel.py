"""A folder of Parquet, Arrow or tar files in place of images: offer to unpack it, and show how far that is."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.arrivals.bring_in import ARRIVAL, read_arrival
from core.people.acting import TRAIN, now_acting
from core.people.limits import demand_room
from core.runs.run import default_root
from core.runs.tasks import read_task
from core.shards.shards import Shards
from core.stored.status import ACTIVE
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
    st.caption(
        f":material/inventory_2: This folder holds {escape_markdown(shards.describe())} with images inside. Unpacking makes a "
        "folder of images beside your other data, about as large. The files stay as they are."
    )
    st.button(
        f"Unpack them ({format_bytes(shards.bytes)})",
        type="primary",
        icon=":material/unarchive:",
        key="unpack",
        on_click=guard_callback(_begin),
        args=(shards, page),
        **lock(TRAIN, disabled=read_task(arrivals_panel.task_folder()).state in ACTIVE),
    )
    return True


def _begin(shards: Shards, page: str) -> None:
    owner = now_acting().person.name
    demand_room(owner, default_root())  # the task asks for the size of all: some may be unpacked already
    arrivals_panel.begin(
        "unpack", page, images=str(shards.root), name=_name_after(shards.root), owner=owner
    )  # fmt: skip


def draw_unpacking(folder: str) -> bool:
    """Draw how far the unpacking begun last is, and tell whether it goes on; else how it ended, and of its folder what is in it."""
    task = arrivals_panel.task_folder()
    status = read_task(task)
    if not arrivals_panel.is_unpacking():
        return False
    if status.state in ACTIVE:
        draw_running(task, "MB", key="arrivals")
        return True
    if arrivals_panel.is_awaited():
        draw_end(status)
    draw_result(folder)
    return False


def draw_result(folder: str) -> None:
    """Say of a folder that was unpacked in this window what is in it, and what was refused."""
    if not arrivals_panel.is_awaited() or not arrivals_panel.is_unpacking():
        return
    found = read_arrival(arrivals_panel.task_folder() / ARRIVAL)
    if found is not None and found.folder == folder:
        st.success(escape_markdown(found.describe()), icon=":material/check:")
        arrivals_panel.draw_refused(found)


def draw_in_place(folder: str, page: str) -> bool:
    """Draw what there is to do or to see of a folder's shards in place of its images, and tell whether it holds them."""
    if data_folder.find_shards(folder) is None:
        return False
    return draw_unpacking(folder) or draw_offer(folder, page)


def _name_after(folder: Path) -> str:
    """Return a name for what is unpacked: a folder `data` says less than the one it lies in."""
    return folder.parent.name if folder.name.lower() in ("data", "") else folder.name
