"""A folder of Parquet, Arrow or tar files in place of images: what can be done with it, and how far its unpacking is."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core.arrivals.bring_in import ARRIVAL, read_arrival
from core.people.acting import TRAIN
from core.runs.tasks import read_task
from core.shards.shards import Shards
from core.stored.status import ACTIVE
from dashboard.access.lock import lock
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard_callback
from dashboard.launch import arrivals_panel
from dashboard.state import data_folder
from dashboard.text import escape_markdown, format_bytes


def draw_offer(folder: str, page: str = "train") -> None:
    """Say of a folder of shards that it can be used as it is, and offer to unpack it; a page gets what is made."""
    shards = data_folder.find_shards(folder)
    if shards is None:
        return
    verb = "Train on the shards as they are" if page == "train" else "Look at the shards as they are"
    st.caption(
        f":material/inventory_2: **{verb}.** This folder holds {escape_markdown(shards.describe())} with images inside. Each "
        f"image is read where it lies, so nothing is copied. {_compare(shards)}"
    )
    st.button(
        f"Unpack them instead ({format_bytes(shards.bytes)})",
        icon=":material/unarchive:",
        key="unpack",
        on_click=guard_callback(_begin),
        args=(shards, page),
        **lock(
            TRAIN,
            disabled=read_task(arrivals_panel.task_folder()).state in ACTIVE,
            help="Makes a folder of images beside your other data, about as large. The files stay as they are.",
        ),
    )


def _compare(shards: Shards) -> str:
    """Return how fast the images of shards are read, beside those of a folder."""
    if shards.files[0].ending == ".parquet":
        return (
            "Parquet files are compressed, so reading them in random order is slower. Unpack them if training waits for images "
            "and the disk has space."
        )
    return "That is somewhat slower than from a folder."


def _begin(shards: Shards, page: str) -> None:
    arrivals_panel.begin("unpack", page, images=str(shards.root), name=_name_after(shards.root))


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
    """Draw what there is to do or to see of the shards that a folder holds, and tell whether they are being unpacked."""
    if data_folder.find_shards(folder) is None:
        draw_result(folder)
        return False
    if draw_unpacking(folder):
        return True
    draw_offer(folder, page)
    return False


def _name_after(folder: Path) -> str:
    """Return a name for what is unpacked: a folder `data` says less than the one it lies in."""
    return folder.parent.name if folder.name.lower() in ("data", "") else folder.name
