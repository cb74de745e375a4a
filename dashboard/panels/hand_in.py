"""A whole folder of images into the file that is handed in: predicted as a task, its result kept and offered."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pandas as pd
import streamlit as st

from core.dataset.layout import find_split
from core.model.hand_in import DETAILS, HAND_IN, HandIn, hand_in_folder, read_hand_in
from core.places import expand_home
from core.runs.run import ACTIVE, Run
from core.runs.tasks import launch_task, read_order, read_task
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard, guard_callback
from dashboard.panels.answering import Answering
from dashboard.state.services import RunData
from dashboard.text import escape_markdown, format_count

SHOWN = 200  # predictions


def draw_hand_in(run: Run, data: RunData, answering: Answering) -> None:
    """Offer to predict a folder, show how far that is, and what the last one made."""
    task = task_folder(run)
    status = read_task(task)
    if status.state in ACTIVE:
        st.markdown(f"Predicting the images of {escape_markdown(str(read_order(task)[1].get('images', '')))}")
        draw_running(task, "images", key="predict-folder")
    else:
        draw_end(status)
        draw_start(run, data, answering)
    guard(draw_result)(run, answering)


def task_folder(run: Run) -> Path:
    """Return where the predicting of a folder by a run is watched and its result kept."""
    return run.folder / ".predict"


def draw_start(run: Run, data: RunData, answering: Answering) -> None:
    """Let the user choose a folder and start."""
    test = find_split(data.root, "test")
    asked = st.text_input(
        "Folder of images on this machine", str(test or ""), key=f"predict-folder-{run.id}",
        help="Every image in it, also in its sub-folders, becomes a line of image_name,pred_label.",
    ).strip()  # fmt: skip
    if not asked:
        st.info(
            "Give the path of a folder of images, such as the data set's test/.",
            icon=":material/folder_open:",
        )
        return
    images = expand_home(asked)
    if not os.path.isdir(images):  # noqa: PTH112  Path's raises for a name that is too long
        st.warning(
            f"{escape_markdown(str(images))}: there is no such folder on this machine.",
            icon=":material/folder_off:",
        )
        return
    st.button(
        "Predict the folder",
        type="primary",
        icon=":material/play_arrow:",
        key="predict-folder-start",
        on_click=guard_callback(launch_task),
        args=(task_folder(run), "predict"),
        kwargs={
            "run": run.id,
            "images": str(images.resolve()),
            "temperature": answering.temperature,
            "threshold": answering.threshold,
        },
        help="It goes on when you leave this page.",
    )


def draw_result(run: Run, answering: Answering) -> None:
    """Offer the file to hand in and the one with confidences, as they were made last, and list what was left out."""
    made = read_hand_in(task_folder(run))
    if made is None:
        return
    folder = hand_in_folder(task_folder(run))
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime((folder / HAND_IN).stat().st_mtime))
    st.markdown(f"**{escape_markdown(made.describe())}** From {escape_markdown(made.images)}, {when}.")
    with st.container(horizontal=True):
        st.download_button(
            f"Save {HAND_IN}", (folder / HAND_IN).read_bytes(), file_name=HAND_IN, mime="text/csv",
            icon=":material/download:", on_click="ignore", key="predict-save",
        )  # fmt: skip
        st.download_button(
            "Save with confidences", (folder / DETAILS).read_bytes(), file_name=DETAILS, mime="text/csv",
            icon=":material/download:", on_click="ignore", key="predict-save-details",
            help="image_name, pred_label, confidence (0 to 1) and sure (yes or no).",
        )  # fmt: skip
    for words in list_changes(run, made, answering):
        st.caption(words)
    if made.left_out:
        with st.expander(
            f"{format_count(len(made.left_out), 'file')} left out", icon=":material/broken_image:"
        ):
            st.dataframe(
                pd.DataFrame(made.left_out, columns=["file", "why"]), hide_index=True, alt="Files left out"
            )
    table = pd.read_csv(folder / DETAILS, dtype=str, keep_default_na=False, nrows=SHOWN)
    st.dataframe(table, hide_index=True, height=300, alt=f"The first {SHOWN} predictions")


def list_changes(run: Run, made: HandIn, answering: Answering) -> list[str]:
    """Return what has to be known of predictions: of how many the model is not sure, and what has changed since."""
    changed = [
        what
        for what, now, then in (
            ("The best model", run.read_status().best_epoch, made.epoch),
            ("The threshold", answering.threshold, made.threshold),
            ("The temperature", answering.temperature, made.temperature),
        )
        if now != then
    ]
    lines = []
    if made.unsure:
        lines.append(
            f"Not sure of {made.unsure:,} of {format_count(made.count, 'image')}; {HAND_IN} has the best guess for these too."
        )
    if changed:
        lines.append(f"{changed[0]} has changed since: predict the folder again.")
    return lines
