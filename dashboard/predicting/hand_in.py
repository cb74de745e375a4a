"""A whole folder of images into the file that is handed in: predicted as a task, checked, kept and offered."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core.answers.hand_in import DETAILS, HAND_IN, HandIn, hand_in_folder, read_hand_in
from core.dataset.layout import find_split
from core.runs.run import Run
from core.runs.tasks import launch_task, read_order, read_task
from core.stored.status import ACTIVE
from core.ways.choice import Choice
from dashboard.components.task_panel import draw_end, draw_running
from dashboard.guard import guard, guard_callback
from dashboard.panels.answering import Answering
from dashboard.predicting.folder import draw_folder
from dashboard.predicting.form import draw_form
from dashboard.state.services import RunData
from dashboard.text import escape_markdown, format_count

SHOWN = 200  # predictions


def draw_hand_in(run: Run, data: RunData, answering: Answering, choice: Choice) -> None:
    """Offer to predict a folder, show how far that is, and what the last one made."""
    task = task_folder(run)
    status = read_task(task)
    if status.state in ACTIVE:
        st.markdown(f"Predicting the images of {escape_markdown(str(read_order(task)[1].get('images', '')))}")
        draw_running(task, "images", key="predict-folder")
    else:
        images = draw_start(run, data, answering, choice)
        # How it ended says something of the folder that it was, not of another.
        if images is not None and status.state and read_order(task)[1].get("images") == str(images.resolve()):
            draw_end(status)
    guard(draw_result)(run, answering, choice)


def task_folder(run: Run) -> Path:
    """Return where the predicting of a folder by a run is watched and its result kept."""
    return run.folder / ".predict"


def draw_start(run: Run, data: RunData, answering: Answering, choice: Choice) -> Path | None:
    """Let the user choose a folder and how the file is written, and start; return the folder, None where it is none."""
    images = draw_folder(
        "Folder of images on this machine",
        str(find_split(data.root, "test") or ""),
        key=f"predict-folder-{run.id}",
        help="Every image in it, also in its sub-folders, becomes a line of the file.",
    )
    form = draw_form(run, task_folder(run))
    st.button(
        "Predict the folder",
        type="primary",
        icon=":material/play_arrow:",
        key="predict-folder-start",
        disabled=images is None or form is None,
        on_click=guard_callback(start),
        args=(run, images, answering, form, choice),
        help="It continues when you leave this page.",
    )
    return images


def start(run: Run, images: Path, answering: Answering, form: dict[str, Any], choice: Choice) -> None:
    """Start predicting a folder as a task."""
    launch_task(
        task_folder(run), "predict", run=run.id, images=str(images.resolve()),
        temperature=answering.temperature, threshold=answering.threshold,
        **form, **({} if choice.is_plain else {"choice": choice.to_values()}),
    )  # fmt: skip


def draw_result(run: Run, answering: Answering, choice: Choice) -> None:
    """Offer the file to hand in and the one with confidences, as they were made last, and list what was left out."""
    made = read_hand_in(task_folder(run))
    if made is None:
        return
    folder = hand_in_folder(task_folder(run))
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime((folder / HAND_IN).stat().st_mtime))
    st.markdown(f"**{escape_markdown(made.describe())}** From {escape_markdown(made.images)}, {when}.")
    draw_check(made)
    with st.container(horizontal=True):
        st.download_button(
            f"Save {HAND_IN}" if made.good else f"Save {HAND_IN} anyway", (folder / HAND_IN).read_bytes(),
            file_name=HAND_IN, mime="text/csv", icon=":material/download:", on_click="ignore", key="predict-save",
            type="primary" if made.good else "secondary",
        )  # fmt: skip
        st.download_button(
            "Save with confidences", (folder / DETAILS).read_bytes(), file_name=DETAILS, mime="text/csv",
            icon=":material/download:", on_click="ignore", key="predict-save-details",
            help="image_name, pred_label, confidence (0 to 1) and sure (yes or no).",
        )  # fmt: skip
    for words in list_changes(run, made, answering, choice):
        st.caption(words)
    if made.left_out:
        with st.expander(
            f"{format_count(len(made.left_out), 'file')} left out", icon=":material/broken_image:"
        ):
            st.dataframe(
                pd.DataFrame(made.left_out, columns=["image_name", "why"]),
                hide_index=True,
                alt="Files left out",
            )
    table = pd.read_csv(folder / DETAILS, dtype=str, keep_default_na=False, nrows=SHOWN)
    which = "all" if len(table) >= made.count else f"the first {SHOWN} of the"
    held = f"The table has {which} {format_count(made.count, 'prediction')}; scroll in it to see them. "
    st.caption(f"{held if len(table) > 7 else ''}Images have the names that they have in {HAND_IN}.")
    st.dataframe(
        table,
        hide_index=True,
        height=300 if len(table) > 7 else "content",
        alt=f"The first {SHOWN} predictions",
    )


def draw_check(made: HandIn) -> None:
    """Say whether the file can be handed in as it is, and what was looked at."""
    if not made.findings:
        return  # made by a version that did not check
    lines = "\n".join(
        f"- {':material/check:' if good else ':material/close:'} {escape_markdown(words)}"
        for good, words in made.findings
    )
    if made.good:
        verdict = f"**{HAND_IN} is ready to hand in.** It was read back and checked:"
        st.success(f"{verdict}\n\n{lines}", icon=":material/task_alt:")
    else:
        verdict = (
            f"**{HAND_IN} is not what was asked for.** Correct what is marked and predict the folder again:"
        )
        st.warning(f"{verdict}\n\n{lines}", icon=":material/rule:")
    if made.extra:
        st.caption(
            f"{format_count(made.extra, 'file', 'is')} not in {escape_markdown(made.sample)} and so not in the file."
        )


def list_changes(run: Run, made: HandIn, answering: Answering, choice: Choice) -> list[str]:
    """Return what has to be known of predictions: of how many the model is not sure, and what has changed since."""
    changed = [
        what
        for what, now, then in (
            ("The best model", run.read_status().best_epoch, made.epoch),
            ("The threshold", answering.threshold, made.threshold),
            ("The temperature", answering.temperature, made.temperature),
            ("The way to predict", "" if choice.is_plain else choice.describe(), made.way),
        )
        if now != then
    ]
    lines = [f"Predicted with {escape_markdown(made.way)}."] if made.way else []
    if made.unsure:
        lines.append(
            f"Not sure of {made.unsure:,} of {format_count(made.count, 'image')}; {HAND_IN} has the best guess for these too."
        )
    if changed:
        lines.append(f"{changed[0]} has changed since: predict the folder again.")
    return lines
